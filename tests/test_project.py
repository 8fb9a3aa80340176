"""What the set-up files, the texts and the stored notebooks promise, held against each other."""

import contextlib
import getpass
import inspect
import itertools
import json
import re
import socket
import tomllib
from pathlib import Path

import pytest
import yaml
from nbconvert import HTMLExporter

import course_utils
from course_utils._download import CHECKSUMS
from course_utils.datasets import find_mnist

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TEXTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("[!.]*/*.md")])
SET_UP = "python -m pip install -e . && jupyter lab notebooks/01_data_loading.ipynb"
CHECK = 'python -m pip install -e ".[test]" && pytest'
PAGES = (
    "jupyter nbconvert --to html --template classic --execute --output-dir html notebooks/*.ipynb"
)

ORDINARY_WORDS = {"localhost", "root", "user", "users", "course", "test", "student", "runner"}
notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def pyproject():
    return tomllib.loads(read("pyproject.toml"))["project"]


def cells(path, kind):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def outputs(path):
    return [output for cell in cells(path, "code") for output in cell["outputs"]]


def as_text(value):
    return "".join(value) if isinstance(value, list) else str(value)


def printed(output):
    """Yield every text of an output: what was printed, and each form of a value but pictures."""
    yield as_text(output.get("text", ""))
    for kind, value in output.get("data", {}).items():
        if not kind.startswith("image/") or kind == "image/svg+xml":
            yield as_text(value)


# dependencies


def test_conda_installs_what_pip_installs():
    environment = yaml.safe_load(read("environment.yml"))
    *conda, pip, last = environment["dependencies"]
    assert environment["channels"] == ["conda-forge"]
    assert conda == [f"python{pyproject()['requires-python']}", *pyproject()["dependencies"]]
    assert (pip, last) == ("pip", {"pip": ["-e ."]})


def test_each_dependency_has_its_reason_beside_it():
    _, listed = read("environment.yml").split("dependencies:\n")
    for line in listed.splitlines():
        assert line == "  - pip:" or re.search(r" # \w.{10,}", line), line


def test_each_dependency_has_a_lower_bound_that_can_be_tested():
    extras = pyproject()["optional-dependencies"].values()
    for requirement in [*pyproject()["dependencies"], *(r for extra in extras for r in extra)]:
        assert re.fullmatch(r"[a-z0-9-]+>=[0-9.]+(,<[0-9.]+)?", requirement), requirement


def test_the_workflow_runs_the_checks_on_the_oldest_and_the_newest_python():
    jobs = yaml.safe_load(read(".github/workflows/ci.yml"))["jobs"]
    named = "Programming Language :: Python :: 3."
    minors = [int(c.removeprefix(named)) for c in pyproject()["classifiers"] if named in c]
    assert pyproject()["requires-python"] == f">=3.{min(minors)}"
    matrix = jobs["checks"]["strategy"]["matrix"]
    assert matrix["python"] == [f"3.{min(minors)}", f"3.{max(minors)}"]
    assert {system.split("-")[0] for system in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert {"macos-latest", "macos-15-intel"} <= set(matrix["os"])  # Apple silicon and Intel
    for name in ("checks", "lower-bounds"):
        assert "bash .ci/run" in [step.get("run") for step in jobs[name]["steps"]]


def test_links_to_other_sites_are_tried_once_a_week_by_a_pinned_tool():
    workflow = yaml.safe_load(read(".github/workflows/ci.yml"))
    assert workflow[True]["schedule"]  # YAML reads the word "on" as true
    links = workflow["jobs"]["links"]
    assert links["if"] == "github.event_name == 'schedule'"
    (tool,) = (step for step in links["steps"] if "lychee" in step.get("uses", ""))
    assert tool["with"]["fail"] is True


def test_each_action_of_the_workflow_is_pinned_by_its_commit_with_the_version_beside_it():
    used = re.findall(r"uses: (.+)", read(".github/workflows/ci.yml"))
    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_the_workflow_tries_coming_packages_and_looks_for_known_weaknesses_once_a_week():
    jobs = yaml.safe_load(read(".github/workflows/ci.yml"))["jobs"]
    for name in ("pre-releases", "security"):
        assert jobs[name]["if"].startswith("github.event_name == 'schedule'")
    (run,) = (step for step in jobs["pre-releases"]["steps"] if step.get("run") == "bash .ci/run")
    assert run["env"] == {"PIP_PRE": "1"}
    commands = "\n".join(step.get("run", "") for step in jobs["security"]["steps"])
    assert "pip-audit --requirement" in commands
    assert "ruff check --select S" in commands


# commands and texts


@pytest.mark.parametrize("command", [SET_UP, CHECK, PAGES])
def test_the_readme_gives_each_command_as_a_block_of_one_line(command):
    blocks = re.findall(r"^```\n(.*?)\n```$", read("README.md"), flags=re.MULTILINE | re.DOTALL)
    assert blocks.count(command) == 1


def test_the_checks_take_their_commands_from_the_readme():
    script = read(".ci/run")
    starts = re.findall(r"from_readme '(.+)'\)", script)
    lines = read("README.md").splitlines()
    found = [line for start in starts for line in lines if re.match(start, line)]
    assert found == [SET_UP, CHECK, PAGES]
    for command in found:
        assert command not in script


def test_the_readme_lists_the_notebooks():
    rows = re.findall(
        r"^\| \[(\w+)\]\((.+?)\) \| (\d+) \| .{20,} \|$", read("README.md"), re.MULTILINE
    )
    assert [link for _, link, _ in rows] == [f"notebooks/{path.name}" for path in NOTEBOOKS]
    assert [name for name, _, _ in rows] == [path.stem for path in NOTEBOOKS]


def minutes(path):
    """Estimate how long a notebook takes, as README.md says."""
    text = [as_text(cell["source"]) for cell in cells(path, "markdown")]
    code = "\n".join(as_text(cell["source"]) for cell in cells(path, "code"))
    return (
        sum(len(source.split()) for source in text) / 200
        + len([line for line in code.splitlines() if line.strip()]) / 12
        + sum(source.count("$$") // 2 for source in text)
        + len(tagged(path, "predict"))
        + 6.5 * len(tagged(path, "solution"))
    )


def tagged(path, tag):
    """Return where the cells with a tag are."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [k for k, c in enumerate(notebook["cells"]) if tag in c["metadata"].get("tags", [])]


@notebooks
def test_the_minutes_of_a_notebook_are_honest_and_the_same_in_the_readme(path):
    said = int(re.search(rf"^\| \[{path.stem}\]\(.+?\) \| (\d+) \|", read("README.md"), re.M)[1])
    assert f"about {said} minutes" in as_text(cells(path, "markdown")[0]["source"])
    if path.stem < "07":  # in the playground, most of the time is the reader's own
        assert abs(said - minutes(path)) <= 5, f"the estimate is {minutes(path):.0f} minutes"


def links(text):
    """Yield (picture's mark, words, target) of each Markdown or HTML link outside of code."""
    text = re.sub(r"```.*?```|`[^`\n]*`|\$\$.*?\$\$", "", text, flags=re.DOTALL)
    yield from re.findall(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)[^()]*\)", text)
    for tag in re.findall(r"<(?:a|img)\b[^>]*>", text):
        target = re.search(r"(?:href|src)=[\"']([^\"']+)", tag)
        words = re.search(r"alt=[\"']([^\"']+)", tag)
        if target:
            yield "!" * tag.startswith("<img"), words[1] if words else "", target[1]


@pytest.mark.parametrize("path", [*TEXTS, *NOTEBOOKS], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere_and_pictures_have_words(path):
    if path.suffix == ".md":
        text = path.read_text(encoding="utf-8")
    else:
        text = "\n\n".join(as_text(cell["source"]) for cell in cells(path, "markdown"))
    for picture, words, target in links(text):
        if not re.match(r"https?://|mailto:|attachment:", target):
            place, _, anchor = target.partition("#")
            there = path.parent / place if place else path
            assert there.exists(), f"no {target}"
            assert not anchor or anchor in anchors(there), f"no {target}"
        if picture:
            assert len(words) >= 20, f"{target} needs a description"


def headings(path):
    """Return (level, words) of each heading of a page or a notebook."""
    if path.suffix == ".md":
        text = path.read_text(encoding="utf-8")
    else:
        text = "\n\n".join(as_text(cell["source"]) for cell in cells(path, "markdown"))
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"^(#{1,6}) +(.+?)\s*$", text, re.MULTILINE)
    return [(len(marks), words.replace("`", "")) for marks, words in found]


def anchors(path):
    """Return what may stand after # in a link: Jupyter's form in notebooks, GitHub's in pages."""
    words = [words for _, words in headings(path)]
    if path.suffix == ".md":
        words = [re.sub(r"[^\w\- ]", "", title.lower()) for title in words]
    return [title.replace(" ", "-") for title in words]


@pytest.mark.parametrize("path", [*TEXTS, *NOTEBOOKS], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_headings_are_in_order(path):
    levels = [level for level, _ in headings(path)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    for above, below in itertools.pairwise(levels):
        assert below <= above + 1, f"a heading of level {below} comes under one of level {above}"
    if path.name != "CHANGELOG.md":
        assert len(set(anchors(path))) == len(anchors(path)), "two headings have the same words"


def test_the_twenty_questions_each_lead_to_a_section_of_a_notebook():
    _, questions = read("TEACHING.md").split("## Twenty questions")
    asked = re.findall(r"^(\d+)\. \*\*.+\?\*\*\n((?:   .+\n)+)", questions, re.MULTILINE)
    assert [int(number) for number, _ in asked] == list(range(1, 21))
    lead_to = [re.findall(r"\(notebooks/(0\d)\w+\.ipynb#[^)]+\)", answer) for _, answer in asked]
    assert all(len(sections) == 1 for sections in lead_to)  # that they exist is tested above
    assert {number for (number,) in lead_to} == {"01", "02", "03", "04", "05", "06"}


def test_links_finds_each_kind_of_link():
    text = "[a](b.md#c) ![a picture](d.png \"e\") <a href='f'>g</a> <img alt='h' src='i'> `[j](k)`"
    assert [target for _, _, target in links(text)] == ["b.md#c", "d.png", "f", "i"]


def test_the_newest_version_in_the_changelog_is_the_package_s():
    newest = re.search(r"^## \[(\d[^]]*)\] - \d{4}-\d\d-\d\d$", read("CHANGELOG.md"), re.MULTILINE)
    assert newest[1] == course_utils.__version__


PUBLIC = [n for n, v in vars(course_utils).items() if n[0] != "_" and not inspect.ismodule(v)]


@pytest.mark.parametrize("name", PUBLIC)
def test_each_public_name_is_described(name):
    described = inspect.getdoc(getattr(course_utils, name))
    assert described
    assert re.match(r"[A-Z].{10,}\.(\n\n|$)", described), "one sentence first, then a blank line"


# data


def test_the_data_readme_has_mnist_s_sizes_and_checksums():
    text = read("data/README.md")
    for name, checksum in CHECKSUMS.items():
        assert re.search(rf"^\| {name} \| [\d,]+ \| `{checksum}` \|$", text, re.MULTILINE)


def test_the_data_readme_has_the_accuracies_of_the_sample_weights():
    words = read("data/README.md").replace("\n", " ")
    on_mnist, offline = re.search(
        r"reads (\d\d\.\d\d) % of MNIST's test images right and (\d\d\.\d\d) %", words
    ).groups()
    network = course_utils.Network.load(course_utils.data_path("sample_weights.npz"))
    known = {"uci-digits": offline} | ({"mnist": on_mnist} if find_mnist() else {})
    for source, accuracy in known.items():
        _, (X, y) = course_utils.load_mnist(source=source)
        assert f"{100 * network.accuracy(X, y):.2f}" == accuracy


# stored notebooks


@notebooks
def test_a_notebook_opens_with_its_title(path):
    first = json.loads(path.read_text(encoding="utf-8"))["cells"][0]
    assert first["cell_type"] == "markdown"
    assert as_text(first["source"]).startswith("# ")


@notebooks
def test_a_notebook_is_stored_as_one_run_from_top_to_bottom(path):
    counts = [cell["execution_count"] for cell in cells(path, "code")]
    assert counts == list(range(1, len(counts) + 1))
    assert outputs(path)
    assert not [output for output in outputs(path) if output["output_type"] == "error"]


@notebooks
def test_a_stored_notebook_tells_nothing_of_the_time_and_the_computer(path):
    texts = [text for output in outputs(path) for text in printed(output)]
    for text in texts + widget_texts(path):
        assert not telltale(text), telltale(text)[0]
    for cell in cells(path, "code"):
        assert "execution" not in cell["metadata"], "run it with record_timing=False"


def widget_texts(path):
    """Return every text that the widgets of a stored notebook show."""
    stored = json.loads(path.read_text(encoding="utf-8"))["metadata"].get("widgets", {})
    values = [
        value
        for views in stored.values()
        for widget in views["state"].values()
        for value in widget["state"].values()
    ]
    return [value for value in values if isinstance(value, str)]


def own_names():
    """Return the names of the user and the computer that run the tests, if nothing else is so called."""
    names = {socket.gethostname()}
    with contextlib.suppress(OSError, KeyError, ImportError):  # a user without a name
        names.add(getpass.getuser())
    return {name for name in names if len(name) > 3 and name.lower() not in ORDINARY_WORDS}


def telltale(text):
    return re.search(
        r"(?<![\w<>.:/+])(?:~|/[A-Za-z][\w.-]*)/[\w.-]+"  # a path; not "km/h", "</b>", "https://"
        r"|\b[A-Za-z]:[\\/]\w"
        r"|object at 0x"
        r"|Warning:"
        r"|\b\d\d?:\d\d:\d\d\b"
        r"|\b(?:19|20)\d\d-\d\d-\d\d\b"
        r"|\b[\w.-]+@[\w-]+[:.][\w~/]"  # a user at a host
        + "".join(rf"|(?<!\w){re.escape(name)}(?!\w)" for name in own_names()),
        text,
    )


@pytest.mark.parametrize(
    "text",
    [
        "/home/ada/data.npz",
        "'/tmp/x'",
        "~/course/a.py",
        r"C:\Users\ada",
        "C:/Users/ada",
        "<Network object at 0x7f00>",
        "RuntimeWarning: overflow",
        "at 09:30:01",
        "2026-11-21",
        "ada@laptop:~$ ls",
    ],
)
def test_telltale_finds(text):
    assert telltale(text)


def test_telltale_finds_the_names_of_user_and_computer(monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "lovelace")
    monkeypatch.setattr(socket, "gethostname", lambda: "engine-2")
    assert telltale("trained by lovelace")
    assert telltale("engine-2: done")
    assert not telltale("lovelaces engine-20")


@pytest.mark.parametrize(
    "text", ["1/2/3", "<b>a</b>/c", "https://a.org/b/c", "images/s", "[00:02<00:00]"]
)
def test_telltale_leaves_alone(text):
    assert not telltale(text)


@notebooks
def test_each_figure_of_a_notebook_has_a_text_for_those_who_do_not_see_it(path):
    for output in outputs(path):
        if "image/png" in output.get("data", {}):
            metadata = output["metadata"]
            alt = metadata.get("image/png", {}).get("alt") or metadata.get("alt") or ""
            assert len(alt) >= 20, f"the text is {alt!r}"


@notebooks
def test_each_figure_of_an_exported_page_has_its_text_too(path):
    page, _ = HTMLExporter(template_name="classic").from_filename(str(path))
    pictures = re.findall(r"<img\b[^>]*>", page)
    assert pictures
    for picture in pictures:
        alt = re.search(r'alt="([^"]*)"', picture)
        assert alt, picture[:100]
        assert len(alt[1]) >= 20, alt[1]
        assert "No description" not in alt[1]


# questions to the reader


@pytest.mark.parametrize("path", NOTEBOOKS[:6], ids=lambda path: path.stem)
def test_a_notebook_asks_before_its_surprises_and_folds_the_answer(path):
    every = json.loads(path.read_text(encoding="utf-8"))["cells"]
    asked, answered = tagged(path, "predict"), tagged(path, "answer")
    assert len(asked) >= 3
    assert len(asked) == len(answered)
    for question, answer, after in zip(asked, answered, [*asked[1:], len(every)], strict=True):
        assert question < answer < after
        assert "?" in as_text(every[question]["source"])
        between = [cell["cell_type"] for cell in every[question + 1 : answer]]
        assert between, "there is no code between the question and its answer"
        assert set(between) == {"code"}
        fold = as_text(every[answer]["source"])
        assert re.fullmatch(
            r"<details><summary>What happened, and why</summary>\n\n.{50,}\n\n</details>",
            fold,
            re.DOTALL,
        )
