"""The site, for Sphinx: `sphinx-build -W website build/site`, or `-b singlehtml` for one page to print.

No text is copied by hand. What the pages are made of is gathered from the project into a folder
of the build, and changed on its way in: which cells are folded, where links lead.
"""

import json
import os
import re
import shutil
from base64 import b64decode
from hashlib import sha256
from html import unescape
from importlib.resources import files as files_of
from pathlib import Path
from string import ascii_letters, digits, punctuation

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from fontTools import subset

from course_utils import __version__
from course_utils.lab.network_view import NetworkView

HERE = Path(__file__).parent
ROOT = HERE.parent

# The one setting: the repository's address, such as https://github.com/OWNER/NAME. Without it there
# are no buttons for Binder and Colab.
REPOSITORY = os.environ.get("COURSE_REPOSITORY", "")

# What is taken from the project. The links to Python files become downloads.
GATHERED = ["*.md", "data/*.md", "notebooks/*.ipynb", "notebooks/images/*", "course_utils/**/*.py"]
GATHERED += ["benchmarks/results/*.txt", "data/photos/*.txt"]

LAZY = 'loading="lazy"'  # fetched when it comes into sight, which on paper it never does

# Where links into README.md lead, whose parts are on several pages.
MOVED = {
    "[README.md](README.md#start)": "[Set it up](setup.md#start)",
    "[README.md](README.md#plans)": "[the plans](index.md#plans)",
    "README.md#start": "setup.md#start",
    "README.md#plans": "index.md#plans",
    "](course_utils/__init__.py)": "](reference.md)",
}

project = "How a computer recognises a handwritten digit"
author = "the course's authors"
copyright = "the course's authors. Code: BSD 3-Clause. Prose and figures: CC BY 4.0"
release = __version__
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
extensions += ["sphinx_copybutton"]
exclude_patterns = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "course_utils"]

# The notebooks are shown as they are stored.
nb_execution_mode = "off"
highlight_language = "none"  # of blocks that name no language
nb_ipywidgets_js = {}  # they need none; by default they come from elsewhere
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_param = False

html_theme = "sphinx_book_theme"
html_title = "Handwritten digits"
html_static_path = ["_static"]
templates_path = ["_templates"]
html_css_files = ["course.css"]
html_js_files = ["course.js"]
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system
html_show_sphinx = False
html_copy_source = True  # a notebook is downloaded from there
html_sourcelink_suffix = ""
html_math_renderer = "mathml"
html_theme_options = {
    "path_to_docs": "",
    "use_download_button": True,
    "use_fullscreen_button": False,
    "navbar_persistent": [],  # the search is at the side
    "show_toc_level": 2,
    "home_page_in_toc": True,
    "launch_buttons": {"notebook_interface": "jupyterlab"},
}
if REPOSITORY:
    MOVED["a copy of this project"] = f"[a copy of this project]({REPOSITORY})"
    tags.add("launch")  # noqa: F821 - a name that Sphinx gives
    html_theme_options |= {"repository_url": REPOSITORY, "repository_branch": "main"}
    html_theme_options["use_repository_button"] = True
    html_theme_options["launch_buttons"] |= {
        "binderhub_url": "https://mybinder.org",
        "colab_url": "https://colab.research.google.com",
    }

copybutton_selector = (
    "div.cell_input pre, div[class*=highlight-]:not(.cell_output *) > .highlight pre"
)
linkcheck_ignore = [r"https://HUB/", r"http://127\.0\.0\.1"]


def gather(app, config):
    """Copy the pages' sources into a folder of the build, and let Sphinx read them there."""
    folder = Path(app.doctreedir) / "sources"
    shutil.rmtree(folder, ignore_errors=True)
    files = [(path, path.relative_to(ROOT)) for form in GATHERED for path in ROOT.glob(form)]
    for path, name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, folder / name)
    for path in HERE.glob("*.md"):  # these come to lie beside README.md
        text = path.read_text(encoding="utf-8").replace("../", "")
        (folder / path.name).write_text(text, encoding="utf-8")
    for path in folder.rglob("*.md"):  # here, since what is included elsewhere is never a source
        path.write_text(with_links(path.read_text(encoding="utf-8")), encoding="utf-8")
    app.srcdir = folder
    made = Path(app.outdir, "made")
    made.mkdir(parents=True, exist_ok=True)
    (made / "network.html").write_text(NetworkView.load().page(), encoding="utf-8")
    write_font(made / "mathematics.woff")


def write_font(path):
    """Write the part of STIX Two Math that the formulas need: not every system has such a font."""
    options = subset.Options(flavor="woff", layout_features=["math", "ssty"], hinting=False)
    font = subset.load_font(files_of("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf", options)
    part = subset.Subsetter(options)
    italic = "".join(map(chr, range(0x1D434, 0x1D468)))  # as MathML draws single letters
    part.populate(
        text=f"{ascii_letters}{digits}{punctuation}{italic}αβγδεηθλμπσ∂∇∑∏√∞·×÷−±≤≥≠≈→←…⋯⋅′"
    )
    part.subset(font)
    subset.save_font(font, path, options)


def prepare(app, name, content):
    """Change the source of a notebook on its way in; `content` is a list of one text."""
    if not name.startswith("notebooks/"):
        return
    notebook = json.loads(content[0])
    to_print = app.builder.name == "singlehtml"
    prepare_notebook(notebook, name.removeprefix("notebooks/")[:2], to_print)
    made = Path(app.outdir, "made")
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            if html := "".join(output.get("data", {}).get("text/html", "")):
                html = html.replace(LAZY, "") if to_print else in_files(html, made)
                output["data"]["text/html"] = html
    content[0] = with_links(json.dumps(notebook, ensure_ascii=False))


def with_links(text):
    """Lead links to where things are on the site."""
    for there, here in MOVED.items():
        text = text.replace(there, here)

    def as_here(found):  # JupyterLab's name of a heading
        return f".ipynb#{re.sub(r'[^a-z0-9_-]', '', found[1].lower())})"

    return re.sub(r"\.ipynb#([^)\s]+)\)", as_here, text)


def prepare_notebook(notebook, number, to_print):
    """Fold what is to be folded, and number the title."""
    cells = notebook["cells"]
    cells[0]["source"] = "".join(cells[0]["source"]).replace("# ", f"# {number} · ", 1)
    if REPOSITORY and not to_print:
        first = f"`%pip install git+{REPOSITORY}` first"
        cells[0]["source"] += f"\n\nIn Colab, run {first}: it brings the helper package."
    asked = False  # whether there is a question above that has no answer yet
    for cell in cells:
        tags = cell["metadata"].setdefault("tags", [])
        if cell["cell_type"] == "markdown":
            asked = "predict" in tags or (asked and "answer" not in tags)
            if to_print:
                text = "".join(cell["source"])
                cell["source"] = text.replace("<details>", "<details open>")
            continue
        # a widget that needs a kernel; where there is something to see without, it is the next output
        widget = "application/vnd.jupyter.widget-view+json"
        cell["outputs"] = [o for o in cell["outputs"] if widget not in o.get("data", {})]
        if to_print:
            continue
        folded = cell["metadata"].get("jupyter", {}).get("source_hidden")
        shown = {}
        if "check" in tags:
            tags.append("hide-cell" if not has_figure(cell) else "hide-input")
            shown["code_prompt_show"] = "Show the check"
        elif folded:
            tags.append("hide-input")
            shown["code_prompt_show"] = "Show the code"
        if asked and cell["outputs"] and "hide-cell" not in tags:
            if "hide-input" in tags:
                tags.remove("hide-input")
                tags.append("hide-cell")
                shown["code_prompt_show"] = "Show what comes out, and the code"
            else:
                tags.append("hide-output")
                shown["code_prompt_show"] = "Show what comes out"
        if shown:
            shown["code_prompt_hide"] = shown["code_prompt_show"].replace("Show", "Hide")
            cell["metadata"]["mystnb"] = shown


def in_files(html, folder):
    """Put the figures and frames of an output into files, which a browser fetches when it needs them."""

    def write(content, suffix):
        path = folder / (sha256(content).hexdigest()[:16] + suffix)
        path.write_bytes(content)
        return f'src="../made/{path.name}"'

    def figure(found):
        content = b64decode(found[1])
        width, height = (int.from_bytes(content[k : k + 4], "big") for k in (16, 20))  # of a PNG
        return f'{write(content, ".png")} {LAZY} width="{width}" height="{height}"'

    html = re.sub(r'src="data:image/png;base64,([^"]+)"', figure, html)
    return re.sub(r'srcdoc="([^"]+)"', lambda m: write(unescape(m[1]).encode(), ".html"), html)


def has_figure(cell):
    return any("text/html" in output.get("data", {}) for output in cell["outputs"])


def without_docstring_of_module(app, what, name, obj, options, lines):
    """Take away what stands on the page already."""
    if what == "module":
        lines.clear()


def write_formula(translator, node):
    """Write a formula as MathML, which browsers draw and screen readers read."""
    # `\dots` has another name in docutils; a function and its argument stand apart
    tex = node.astext().replace(r"\dots", r"\ldots").replace(r"\log ", r"\log\, ")
    is_block = isinstance(node, nodes.math_block)
    formula = tex2mathml(tex, as_block=is_block)
    if is_block:  # which may be wider than a phone; what scrolls must be reached by keyboard
        formula = f'<div class="formula" tabindex="0">{formula}</div>'
    translator.body.append(formula)
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (write_formula, None), (write_formula, None))
    app.connect("config-inited", gather)
    app.connect("source-read", prepare)
    app.connect("autodoc-process-docstring", without_docstring_of_module)
