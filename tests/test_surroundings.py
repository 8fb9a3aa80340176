"""The same results in any process, in any order of the tests; and nobody else's private parts."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import course_utils
from course_utils import data_path

PROJECT = Path(__file__).resolve().parents[1]


def run(code, *arguments, python=(), **changes):
    """Run code in a process of its own; return what it prints. A change to None unsets a variable."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MNIST_")}
    env |= {"PYTHONPATH": str(PROJECT)} | changes
    done = subprocess.run(
        [sys.executable, *python, "-c", code, *map(str, arguments)],
        env={name: value for name, value in env.items() if value is not None},
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert done.stderr == b""
    return done.stdout.decode("utf-8", "surrogateescape")


# reproducible

TRAIN = """
import sys
from pathlib import Path
from course_utils import Network, load_mnist, train
X, y = load_mnist(source="uci-digits").X_train, load_mnist(source="uci-digits").y_train
network = Network([784, int(sys.argv[2]), 10], rng=3)
options = {"epochs": 2, "batch_size": int(sys.argv[3]), "momentum": 0.5, "l2": 1e-4, "rng": 4}
train(network, X, y, progress=False, **options)
Path(sys.argv[1]).write_bytes(b"".join(array.tobytes() for array in network.params.values()))
"""
OTHER_ORDER = (
    "import tqdm, matplotlib.pyplot, course_utils.lab.diagrams, course_utils.exercises, random\n"
)


def weights(folder, code, n_hidden, batch_size, **changes):
    """Train in a process of its own, and return the bytes of the weights."""
    path = folder / "weights"
    assert run(code, path, n_hidden, batch_size, **changes) == ""
    return path.read_bytes()


def test_the_same_seed_gives_the_same_bits_in_each_process(tmp_path):
    first = weights(tmp_path, TRAIN, 20, 32, PYTHONHASHSEED="0")
    assert len(first) == 4 * 15_910
    assert weights(tmp_path, TRAIN, 20, 32, PYTHONHASHSEED="12345", TZ="Pacific/Chatham") == first
    assert weights(tmp_path, OTHER_ORDER + TRAIN, 20, 32, PYTHONHASHSEED=None) == first


def test_the_number_of_cores_changes_the_weights_by_rounding_only(tmp_path):
    def with_cores(n):
        names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        data = weights(tmp_path, TRAIN, 300, 100, **dict.fromkeys(names, str(n)))
        return np.frombuffer(data, np.float32)

    np.testing.assert_allclose(with_cores(4), with_cores(1), rtol=0, atol=1e-5)


# every platform

ODD = "Ziffern, größer & 数字 'n so"
WORK = """
import os, sys
from pathlib import Path
folder = Path(sys.argv[1])
from course_utils import Network, load_mnist, read_idx, train
digits = load_mnist(data_dir=folder / "digits")
X, y = digits.X_train[:100], digits.y_train[:100]
network = Network([784, 10])
train(network, X, y, epochs=2, validation=(X, y), checkpoint=folder / "weights.npz")
assert (Network.load(folder / "weights.npz").params["W1"] == network.params["W1"]).all()
(folder / "broken.gz").write_bytes(b"no gzip")
for wrong in (lambda: read_idx(folder / "broken.gz"), lambda: load_mnist(data_dir=folder)):
    try:
        wrong()
    except (ValueError, FileNotFoundError) as error:
        print(error)
print(digits, network)
"""
PLAIN = {"LANG": "C", "LC_ALL": "C", "LANGUAGE": None, "PYTHONUTF8": "0", "PYTHONIOENCODING": None}


@pytest.mark.parametrize(
    "changes",
    [
        PLAIN | {"PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "cp1252:backslashreplace"},
        {"TZ": "America/St_Johns"},
        {"HOME": os.devnull, "USERPROFILE": os.devnull, "XDG_CACHE_HOME": os.devnull}
        | {"MPLCONFIGDIR": tempfile.gettempdir()},  # matplotlib would tell that it has none
    ],
    ids=["plain C", "Windows", "time zone", "no home"],
)
def test_a_path_of_any_letters_works_in_any_language_zone_and_home(tmp_path, changes):
    folder = tmp_path / ODD
    shutil.copytree(data_path("uci-digits"), folder / "digits")
    out = run(WORK, folder, **changes)
    assert "| 8/8 [" in out  # iterations
    assert out.count("broken.gz: not a whole IDX file: it begins with 6e 6f 20 67") == 1
    assert out.count("weights.npz is an archive of NumPy arrays") == 1
    assert "Digits: 1,437 to train on" in out


def test_the_course_works_from_a_folder_of_any_letters(tmp_path):
    folder = tmp_path / ODD
    shutil.copytree(PROJECT / "course_utils", folder / "course_utils")
    shutil.copytree(PROJECT / "data", folder / "data")
    code = "import course_utils; print(course_utils.load_mnist(source='uci-digits'))"
    changes = PLAIN | {"PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(folder)}
    assert run(code, **changes).startswith("Digits: 1,437")


def test_no_two_files_differ_in_case_only_and_each_system_can_write_them():
    paths = (path.relative_to(PROJECT) for path in PROJECT.rglob("*"))
    not_ours = re.compile(r"\..*|__pycache__|venv|build|dist|html|\w+\.egg-info")
    names = [path.as_posix() for path in paths if not any(map(not_ours.fullmatch, path.parts))]
    assert "course_utils/__init__.py" in names
    assert len({name.lower() for name in names}) == len(names)
    for name in names:
        assert re.fullmatch(r"[\w./-]+", name, re.ASCII), name


# nothing to warn of

EVERYTHING = """
import os, sys, warnings
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what others do while they are imported is theirs
    import matplotlib; matplotlib.use("agg")
    import matplotlib.pyplot as plt, numpy as np, requests, pooch, threadpoolctl, tqdm
from course_utils import *
digits = load_mnist(source="uci-digits", data_dir=None)
X, y = digits.X_train[:200], digits.y_train[:200]
network = Network([784, 20, 10])
history = train(network, X, y, epochs=2, validation=(X, y), checkpoint="w.npz")
for broken in (b"", b"PK", b"no pickle", b"\\x80\\x04]."):
    open_file = open("broken", "wb"); open_file.write(broken); open_file.close()
    for read in (Network.load, read_idx):
        try:
            read("broken")
        except ValueError:
            pass
network.save("w.npz")
Network.load("w.npz").accuracy(X, y)
try:
    train(network, X, y, learning_rate=1e30, progress=False)
except ArithmeticError:
    pass
plot_loss(history)
show_digits(X[:5], y[:5])
plt.savefig("figure.png")
print("\\nall done")
"""


def test_nothing_warns_in_development_mode(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = run(EVERYTHING, python=("-X", "dev", "-W", "error"))
    assert out.endswith("\nall done\n")


SOURCES = sorted(Path(course_utils.__file__).parent.rglob("*.py"))


def test_the_package_leaves_system_and_user_alone():
    """No shell, no code from files, no telemetry: the course only asks two mirrors for MNIST."""
    source = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
    for word in (
        *(r"\beval\(", r"\bexec\(", r"pickle\.loads?\(", r"joblib\.load", "allow_pickle=True"),
        *("shell=", r"os\.system", "subprocess", r"os\.popen", r"os\.fork", "urlopen"),
    ):
        assert not re.search(word, source), word
    assert set(re.findall(r"https?://[^/\"'\s>)]+\.\w+", source)) == {
        "https://ossci-datasets.s3.amazonaws.com",
        "https://storage.googleapis.com",
    }


# nobody else's private parts

# of named tuples, and of `os`: documented, and private by their looks only
DOCUMENTED = {"_asdict", "_fields", "_make", "_replace", "_exit"}


def is_private(name):
    """Return whether a dotted name has a part that begins with an underscore, other than `__x__`."""
    parts = (part for part in name.split(".") if part not in DOCUMENTED)
    return any(part.startswith("_") and not part.endswith("__") for part in parts)


def root_of(node):
    """Return the name at the left end of ``name.a.b[0].c``, or None."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def names_defined_in(trees):
    """Return the names of all functions, classes, variables and attributes that the code makes."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    named = {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    variables = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    stored = (n for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store))
    return named | variables | {n.attr for n in stored if root_of(n) in ("self", "cls")}


def private_parts_used(tree, ours):
    """Yield the line, and what is wrong in it: others' private names, or a change to others."""
    foreign = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = {(name.asname or name.name).split(".")[0]: name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules = {n.asname or n.name: f"{node.module}.{n.name}" for n in node.names}
        else:
            continue
        for here, there in modules.items():
            if there.split(".")[0] != "course_utils":
                foreign.add(here)
                if is_private(there.removeprefix("__future__.")):
                    yield node.lineno, f"import of {there}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            is_foreign = root_of(node) in foreign
            if is_private(node.attr) and (is_foreign or node.attr not in ours):
                yield node.lineno, ast.unparse(node)
            if is_foreign and not isinstance(node.ctx, ast.Load):
                yield node.lineno, f"change of {ast.unparse(node)}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("setattr", "getattr"):
            name = node.args[1].value if isinstance(node.args[1], ast.Constant) else ""
            is_change = node.func.id == "setattr" and root_of(node.args[0]) in foreign
            if is_change or (is_private(name) and name not in ours):
                yield node.lineno, ast.unparse(node)


PATCHES = """
import joblib._dask, numpy as np
from pickle import _Unpickler as U
from joblib import _dask
from . import _checks
class Reader(np.lib._X): pass
np.random.seed = None
setattr(np, "dot", None)
getattr(np, "_core")
network = np.zeros(1); network._private_of_numpy
"""
HARMLESS = """
from __future__ import annotations
from . import _checks
from ._files import whole_file
import numpy as np
class Own:
    def _show(self): self._shown = np.__version__
_checks.images(Own()._show(), Own()._shown)
setattr(Own, "x", 1)
"""


@pytest.mark.parametrize(("code", "n"), [(PATCHES, 8), (HARMLESS, 0)], ids=["patches", "harmless"])
def test_private_parts_are_found(code, n):
    tree = ast.parse(code)
    assert len({line for line, _ in private_parts_used(tree, names_defined_in([tree]))}) == n


def test_no_private_part_of_another_library_is_used_and_nothing_of_it_is_changed():
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
    ours = names_defined_in(trees.values())
    found = [
        f"{path.relative_to(PROJECT)}:{line}: {what}"
        for path, tree in trees.items()
        for line, what in private_parts_used(tree, ours)
    ]
    assert not found, "\n".join(found)


# tests in any order

SHUFFLE = """
import pytest

@pytest.hookimpl(tryfirst=True)  # as pytest-randomly does
def pytest_collection_modifyitems(items):
    items[:] = items[::-2] + items[-2::-2]
"""


def run_pytest(folder, *arguments, **changes):
    """Run pytest on `folder` with the project's settings."""
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(PROJECT / name, folder)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "nbval.plugin", *arguments],
        cwd=folder,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join([str(folder), str(PROJECT)])}
        | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # only those that are named here
        | changes,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_cells_of_a_notebook_stay_together_and_in_order(tmp_path):
    cell = {"cell_type": "code", "execution_count": None, "id": "x", "metadata": {}, "outputs": []}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": kernel}
    notebook["cells"] = [cell | {"id": f"c{i}", "source": f"x = {i}"} for i in range(12)]
    (tmp_path / "shuffle.py").write_text(SHUFFLE)
    (tmp_path / "test_it.py").write_text("".join(f"def test_{i}(): pass\n" for i in range(5)))
    for name in ("one", "two"):
        (tmp_path / f"{name}.ipynb").write_text(json.dumps(notebook))
    done = run_pytest(tmp_path, "-p", "shuffle", "--collect-only", ".")
    assert done.returncode == 0, done.stdout
    found = [line.split("::") for line in done.stdout.splitlines() if "::" in line]
    cells = [(file, name) for file, name in found if file.endswith(".ipynb")]
    in_order = [f"Cell {i}" for i in range(12)]
    assert [name for _, name in cells] == in_order * 2
    assert len({file for file, _ in cells[:12]}) == len({file for file, _ in cells[12:]}) == 1
    tests = [name for file, name in found if not file.endswith(".ipynb")]
    assert sorted(tests) == [f"test_{i}" for i in range(5)] != tests  # these may be shuffled


def test_pytest_says_in_a_line_that_mnist_dir_leads_nowhere(tmp_path):
    done = run_pytest(tmp_path, "--collect-only", ".", MNIST_DIR="nowhere")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr.startswith("ERROR: MNIST_DIR is 'nowhere', but there is no folder")
