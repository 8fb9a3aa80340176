"""What the set-up files, the texts and the stored notebooks promise, held against each other."""

import inspect
import itertools
import re
import tomllib
import warnings
from pathlib import Path

import nbformat
import pytest
import yaml
from idx_files import REAL_MNIST
from nbconvert import HTMLExporter
from nbconvert.preprocessors import ExecutePreprocessor

import course_utils
from course_utils._download import CHECKSUMS

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PAGES = [*sorted([*ROOT.glob("*.md"), *ROOT.glob("[!.]*/*.md")]), *NOTEBOOKS]
COMMANDS = [
    "python -m pip install -e . && jupyter lab notebooks/01_data_loading.ipynb",
    'python -m pip install -e ".[test]" && pytest',
    "jupyter nbconvert --to html --template classic --execute --output-dir html notebooks/*.ipynb",
    'python -m pip install -e ".[site]" && sphinx-build -W website build/site',
]
notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
pages = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def pyproject():
    return tomllib.loads(read("pyproject.toml"))["project"]


def cells(path, kind=None):
    every = nbformat.read(path, as_version=4).cells
    return [cell for cell in every if kind in (None, cell.cell_type)]


def text_of(path):
    """Return the text of a page, or of the Markdown cells of a notebook."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    return "\n\n".join(cell.source for cell in cells(path, "markdown"))


def outputs(path):
    return [output for cell in cells(path, "code") for output in cell.outputs]


# dependencies


def test_conda_installs_what_pip_installs_each_for_a_reason_and_from_a_lower_bound():
    environment = yaml.safe_load(read("environment.yml"))
    *conda, pip, last = environment["dependencies"]
    assert environment["channels"] == ["conda-forge"]
    assert conda == [f"python{pyproject()['requires-python']}", *pyproject()["dependencies"]]
    assert (pip, last) == ("pip", {"pip": ["-e ."]})
    _, listed = read("environment.yml").split("dependencies:\n")
    for line in listed.splitlines():
        assert line == "  - pip:" or re.search(r" # \w.{10,}", line), line
    extras = pyproject()["optional-dependencies"].values()
    for requirement in itertools.chain(pyproject()["dependencies"], *extras):
        form = r"[a-z0-9-]+>=[0-9.]+(,<[0-9.]+)?|course-utils\[site\]"
        assert re.fullmatch(form, requirement), requirement


def test_the_workflow_runs_the_checks_everywhere_by_pinned_actions():
    workflow = read(".github/workflows/ci.yml")
    jobs = yaml.safe_load(workflow)["jobs"]
    named = "Programming Language :: Python :: 3."
    minors = [int(c.removeprefix(named)) for c in pyproject()["classifiers"] if named in c]
    assert pyproject()["requires-python"] == f">=3.{min(minors)}"
    matrix = jobs["checks"]["strategy"]["matrix"]
    assert matrix["python"] == [f"3.{min(minors)}", f"3.{max(minors)}"]
    # both kinds of Mac: with Apple silicon, and with Intel
    assert {"ubuntu-latest", "windows-latest", "macos-latest", "macos-15-intel"} == {*matrix["os"]}
    for name in ("checks", "lower-bounds", "pre-releases"):
        assert "bash .ci/run" in [step.get("run") for step in jobs[name]["steps"]]
    for action in re.findall(r"uses: (.+)", workflow + read(".github/workflows/site.yml")):
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


# commands and texts


def test_the_readme_gives_each_command_as_a_block_and_the_checks_take_them_from_there():
    blocks = re.findall(r"^```\n(.*?)\n```$", read("README.md"), flags=re.MULTILINE | re.DOTALL)
    starts = re.findall(r"from_readme '(.+)'\)", read(".ci/run"))
    assert [block for start in starts for block in blocks if re.match(start, block)] == COMMANDS
    assert not [command for command in COMMANDS if command in read(".ci/run")]


def tagged(path, tag):
    """Return where the cells with a tag are."""
    return [k for k, cell in enumerate(cells(path)) if tag in cell.metadata.get("tags", [])]


def minutes(path):
    """Estimate how long a notebook takes, as README.md says."""
    shown = [c for c in cells(path, "code") if "check" not in c.metadata.get("tags", [])]
    lines = [line for cell in shown for line in cell.source.splitlines()]
    return (
        len(text_of(path).split()) / 200
        + len([line for line in lines if line.strip()]) / 12
        + text_of(path).count("$$") // 2
        + len(tagged(path, "predict"))
        + 6.5 * max(0, len(tagged(path, "solution")) - 1)  # the larger one is for home
    )


def test_the_readme_lists_the_notebooks_with_their_minutes():
    row = r"^\| \[(\w+)\]\((.+?)\) \| (\d+) \| ([\w,:() ]+) \| .{20,} \|$"
    names, places, said, needs = zip(*re.findall(row, read("README.md"), re.MULTILINE), strict=True)
    assert list(names) == [path.stem for path in NOTEBOOKS]
    assert list(places) == [f"notebooks/{path.name}" for path in NOTEBOOKS]
    assert round(sum(map(int, said)) / 60) == 9
    assert "about nine hours" in read("README.md")
    for path, n, needed in zip(NOTEBOOKS, said, needs, strict=True):
        first = cells(path)[0].source
        assert f"about {n} minutes" in first
        named = re.findall(r"\[(\d\d)\]", first.partition("What you'll need:")[2])
        assert {*re.findall(r"\d\d", needed)} == {*named}, path
        if path.stem[:2] not in ("08", "09"):  # most of their time is the reader's own
            assert abs(int(n) - minutes(path)) <= 5, f"{path}: it is {minutes(path):.0f} minutes"


def links(text):
    """Yield (picture's mark, words, target) of each Markdown or HTML link outside of code."""
    text = re.sub(r"```.*?```|`[^`\n]*`|\$\$.*?\$\$", "", text, flags=re.DOTALL)
    yield from re.findall(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)[^()]*\)", text)
    for tag in re.findall(r"<(?:a|img)\b[^>]*>", text):
        target = re.search(r"(?:href|src)=[\"']([^\"']+)", tag)
        words = re.search(r"alt=[\"']([^\"']+)", tag)
        if target:
            yield "!" * tag.startswith("<img"), words[1] if words else "", target[1]


@pages
def test_links_lead_somewhere_and_pictures_have_words(path):
    for picture, words, target in links(text_of(path)):
        if not re.match(r"https?://|mailto:|attachment:", target):
            place, _, anchor = target.partition("#")
            there = path.parent / place if place else path
            assert there.exists(), f"no {target}"
            assert not anchor or anchor in anchors(there), f"no {target}"
        assert not picture or len(words) >= 20, f"{target} needs a description"


def headings(path):
    """Return (level, words) of each heading of a page or a notebook."""
    text = re.sub(r"^```.*?^```", "", text_of(path), flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"^(#{1,6}) +(.+?)\s*$", text, re.MULTILINE)
    return [(len(marks), words.replace("`", "")) for marks, words in found]


def anchors(path):
    """Return what may stand after # in a link: Jupyter's form in notebooks, GitHub's in pages."""
    words = [words for _, words in headings(path)]
    if path.suffix == ".md":
        words = [re.sub(r"[^\w\- ]", "", title.lower()) for title in words]
    return [title.replace(" ", "-") for title in words]


@pages
def test_headings_are_in_order(path):
    levels = [level for level, _ in headings(path)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    for above, below in itertools.pairwise(levels):
        assert below <= above + 1, f"a heading of level {below} comes under one of level {above}"
    if path.name != "CHANGELOG.md":
        assert len(set(anchors(path))) == len(anchors(path)), "two headings have the same words"


def test_the_thirty_questions_each_lead_to_a_section_of_a_notebook():
    _, questions = read("TEACHING.md").split("## Thirty questions")
    asked = re.findall(r"^(\d+)\. \*\*.+\?\*\*\n((?:   .+\n)+)", questions, re.MULTILINE)
    assert [int(number) for number, _ in asked] == list(range(1, 31))
    lead_to = [re.findall(r"\(notebooks/(\d\d)\w+\.ipynb#[^)]+\)", answer) for _, answer in asked]
    assert all(lead_to)  # that they exist is tested above
    assert {number for sections in lead_to for number in sections} == {
        f"0{k}" for k in range(1, 10)
    }


def test_the_newest_version_in_the_changelog_is_the_package_s():
    newest = re.search(r"^## \[(\d[^]]*)\] - \d{4}-\d\d-\d\d$", read("CHANGELOG.md"), re.MULTILINE)
    assert newest[1] == course_utils.__version__


def test_each_public_name_is_described():
    for name, value in vars(course_utils).items():
        if name[0] != "_" and not inspect.ismodule(value):
            assert re.match(r"[A-Z].{10,}\.(\n\n|$)", inspect.getdoc(value)), name


# data


def test_the_data_readme_has_mnist_s_checksums_and_the_accuracies_of_the_sample_weights():
    text = read("data/README.md")
    for name, checksum in CHECKSUMS.items():
        assert re.search(rf"^\| {name} \| [\d,]+ \| `{checksum}` \|$", text, re.MULTILINE)
    said = r"reads (\d\d\.\d\d) % of MNIST's test images right and (\d\d\.\d\d) %"
    on_mnist, offline = re.search(said, text.replace("\n", " ")).groups()
    network = course_utils.Network.load(course_utils.data_path("sample_weights.npz"))
    known = {"uci-digits": offline} | ({"mnist": on_mnist} if REAL_MNIST else {})
    for source, accuracy in known.items():
        _, (X, y) = course_utils.load_mnist(source=source)
        assert f"{100 * network.accuracy(X, y):.2f}" == accuracy


# stored notebooks


def shown(path):
    """Yield every text of a stored notebook's outputs, but pictures, and of its widgets."""
    for output in outputs(path):
        yield output.get("text", "")
        for kind, value in output.get("data", {}).items():
            if not kind.startswith("image/") or kind == "image/svg+xml":
                yield str(value)
    for views in nbformat.read(path, as_version=4).metadata.get("widgets", {}).values():
        for widget in views["state"].values():
            yield from (value for value in widget["state"].values() if isinstance(value, str))


def telltale(text):
    """Return what tells something of the time or of the computer, or None."""
    return re.search(
        r"(?<![\w<>.:/+])(?:~|/[A-Za-z][\w.-]*)/[\w.-]+"  # a path; not "km/h", "</b>", "https://"
        r"|\b[A-Za-z]:[\\/]\w"
        r"|object at 0x"
        r"|Warning:"
        r"|\b\d\d?:\d\d:\d\d\b"
        r"|\b(?:19|20)\d\d-\d\d-\d\d\b"
        r"|\b[\w.-]+@[\w-]+[:.][\w~/]",  # a user at a host
        text,
    )


def test_these_checks_find_what_they_look_for():
    text = "[a](b.md#c) ![a picture](d.png \"e\") <a href='f'>g</a> <img alt='h' src='i'> `[j](k)`"
    assert [target for _, _, target in links(text)] == ["b.md#c", "d.png", "f", "i"]
    telltales = (
        r"/home/ada/x.npz, '/tmp/x', ~/course/a.py, C:\Users\ada, C:/Users/ada, <X object at 0x7f>, "
        "RuntimeWarning: overflow, at 09:30:01, 2026-11-21, ada@laptop:~$ ls"
    )
    assert all(telltale(text) for text in telltales.split(", "))
    assert not telltale("1/2/3, <b>a</b>/c, https://a.org/b/c, images/s, [00:02<00:00]")


@notebooks
def test_a_stored_notebook_is_one_run_and_tells_nothing_of_the_time_and_the_computer(path):
    assert cells(path)[0].cell_type == "markdown"
    assert cells(path)[0].source.startswith("# ")
    counts = [cell.execution_count for cell in cells(path, "code")]
    assert counts == list(range(1, len(counts) + 1))
    assert outputs(path)
    assert not [output for output in outputs(path) if output.output_type == "error"]
    for text in shown(path):
        assert not telltale(text), telltale(text)[0]
    for cell in cells(path, "code"):
        assert "execution" not in cell.metadata, "run it with record_timing=False"


@notebooks
def test_each_figure_of_an_exported_page_has_a_text_for_those_who_do_not_see_it(path):
    page, _ = HTMLExporter(template_name="classic").from_filename(str(path))
    page = re.sub(r"<script\b.*?</script>", "", page, flags=re.DOTALL)  # the states of widgets
    pictures = re.findall(r"<img\b[^>]*>", page)
    assert pictures
    for picture in pictures:
        alt = re.search(r'alt="([^"]{20,})"', picture)
        assert alt, picture[:100]
        assert "No description" not in alt[1]


STOP_EARLY = """
from contextlib import closing
from functools import wraps
from itertools import islice

from course_utils import training
from course_utils.lab.sweep import Search


@wraps(training.sgd)
def sgd_until_stopped(*arguments, sgd=training.sgd, **options):
    yield from islice(sgd(*arguments, **options), 40)
    raise KeyboardInterrupt


def results_until_stopped(search, results=Search.results):
    with closing(results(search)) as rows:
        yield from islice(rows, 2)


training.sgd, Search.results = sgd_until_stopped, results_until_stopped
"""


@pytest.mark.parametrize("number", ["05", "06", "09"])
def test_a_notebook_goes_on_when_every_training_and_search_in_it_is_stopped(number, tmp_path):
    (path,) = (path for path in NOTEBOOKS if path.stem.startswith(number))
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(STOP_EARLY))
    runner = ExecutePreprocessor(timeout=300)
    runner.preprocess(notebook, {"metadata": {"path": str(tmp_path)}})  # an error is raised here
    assert "Interrupted after iteration 40 of " in nbformat.writes(notebook)


@pytest.mark.parametrize("library", ["torch", "sklearn"])
def test_the_same_network_in_another_library_runs_and_learns(library):
    pytest.importorskip(library)
    (path,) = (path for path in NOTEBOOKS if path.stem.startswith("06"))
    blocks = re.findall(r"```python\n(.*?)```", text_of(path), re.DOTALL)
    (code,) = (block for block in blocks if re.search(rf"^(from|import) {library}", block))
    (X, y), (X_val, y_val) = course_utils.load_mnist(source="uci-digits")
    names = {"X_fit": X, "y_fit": y, "X_val": X_val}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the page says that scikit-learn warns
        exec(code, names)  # noqa: S102
    assert course_utils.accuracy(names["answers"], y_val) > 0.7


# questions to the reader


@pytest.mark.parametrize("path", [*NOTEBOOKS[:7], NOTEBOOKS[9]], ids=lambda path: path.stem)
def test_a_notebook_asks_before_its_surprises_and_folds_the_answer(path):
    every = cells(path)
    asked, answered = tagged(path, "predict"), tagged(path, "answer")
    assert len(asked) >= 3
    fold = r"<details><summary>What happened, and why</summary>\n\n.{50,}\n\n</details>"
    for question, answer, after in zip(asked, answered, [*asked[1:], len(every)], strict=True):
        assert question < answer < after
        assert "?" in every[question].source
        between = [cell.cell_type for cell in every[question + 1 : answer]]
        assert set(between) == {"code"}, "between the question and its answer there must be code"
        assert re.fullmatch(fold, every[answer].source, re.DOTALL)
