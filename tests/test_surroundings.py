"""The same results in any process, in any order of the tests; and nobody else's private parts."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import numpy as np
import pytest

import course_utils

PROJECT = Path(__file__).resolve().parents[1]
pytest_plugins = ["pytester"]


def run(code, *arguments, **changes):
    """Run code in a process of its own; return what it prints. A change to None unsets a variable."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MNIST_")}
    env |= {"PYTHONPATH": str(PROJECT)} | changes
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *map(str, arguments)],
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
OTHER_ORDER = "import tqdm, matplotlib.pyplot, course_utils.lab.diagrams, course_utils.exercises\n"


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


# every platform, and nothing to warn of

ODD = "Ziffern, größer & 数字 'n so"
WORK = """
import sys, warnings
from pathlib import Path
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what others do while they are imported is theirs
    import matplotlib; matplotlib.use("agg")
    import matplotlib.pyplot as plt, numpy as np, requests, pooch, threadpoolctl, tqdm
from course_utils import *

folder = Path(sys.argv[1])
assert Path(show.__code__.co_filename).is_relative_to(folder)  # the course lies there as well
digits = load_mnist(data_dir=folder / "data" / "uci-digits")
X, y = digits.X_train[:100], digits.y_train[:100]
network = Network([784, 10])
history = train(network, X, y, epochs=2, validation=(X, y), checkpoint=folder / "weights.npz")
assert (Network.load(folder / "weights.npz").params["W1"] == network.params["W1"]).all()
plot_loss(history)
show_digits(X[:5], y[:5])
plt.savefig(folder / "figure.png")
broken = folder / "broken"

def told(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except (ValueError, OSError, ArithmeticError) as error:
        print(error)

for start in (b"", b"PK", b"no gzip", b"\\x80\\x04]."):
    broken.write_bytes(start)
    told(read_idx, broken)
    told(Network.load, broken)
told(load_mnist, data_dir=folder)
told(train, network, X, y, learning_rate=1e30, progress=False)
print(digits, network)
"""
PLAIN = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
PLAIN |= {"LANGUAGE": None, "PYTHONIOENCODING": None}
SETTINGS = {
    "plain C": PLAIN,
    "Windows": {"PYTHONIOENCODING": "cp1252:backslashreplace"},
    "no home": dict.fromkeys(("HOME", "USERPROFILE", "XDG_CACHE_HOME"), os.devnull)
    | {"MPLCONFIGDIR": tempfile.gettempdir()},  # matplotlib would tell that it has none
    "development mode": {"PYTHONDEVMODE": "1", "PYTHONWARNINGS": "error"},
}


@pytest.mark.parametrize("changes", SETTINGS.values(), ids=SETTINGS)
def test_paths_of_any_letters_work_in_any_language_and_home(tmp_path, changes):
    folder = tmp_path / ODD
    shutil.copytree(PROJECT / "course_utils", folder / "course_utils")
    shutil.copytree(PROJECT / "data", folder / "data")
    out = run(WORK, folder, PYTHONPATH=str(folder), **changes)
    assert "| 8/8 [" in out  # iterations
    assert out.count("broken: not a whole IDX file: it begins with 6e 6f 20 67") == 1
    assert out.count("weights.npz is an archive of NumPy arrays") == 1
    assert "Digits: 1,437 to train on" in out


def test_no_two_files_differ_in_case_only_and_each_system_can_write_them():
    paths = (path.relative_to(PROJECT) for path in PROJECT.rglob("*"))
    not_ours = re.compile(r"\..*|__pycache__|venv|build|dist|html|\w+\.egg-info")
    names = [path.as_posix() for path in paths if not any(map(not_ours.fullmatch, path.parts))]
    assert "course_utils/__init__.py" in names
    assert len({name.lower() for name in names}) == len(names)
    for name in names:
        assert re.fullmatch(r"[\w./-]+", name, re.ASCII), name


# nobody else's private parts

SOURCES = sorted(Path(course_utils.__file__).parent.rglob("*.py"))


def test_the_package_asks_nobody_but_two_mirrors_and_starts_no_program():
    source = "".join(path.read_text(encoding="utf-8") for path in SOURCES)  # ruff finds the rest
    assert not re.search(r"joblib\.load|allow_pickle=True|subprocess|os\.popen|os\.fork", source)
    assert set(re.findall(r"https?://[^/\"'\s>)]+\.\w+", source)) == {
        "https://ossci-datasets.s3.amazonaws.com",
        "https://storage.googleapis.com",
    }


def test_no_private_part_of_another_library_is_used():
    rules = "--isolated", "--preview", "--select=SLF001,PLC2701"
    command = [sys.executable, "-m", "ruff", "check", *rules, *map(str, SOURCES)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def changes_to_others(code):
    """Return what the code sets in modules, classes or functions that it has imported."""
    nodes = list(ast.walk(ast.parse(code)))
    imported = {(n.asname or n.name).split(".")[0] for n in nodes if isinstance(n, ast.alias)}
    attributes = (n for n in nodes if isinstance(n, ast.Attribute))
    changed = [ast.unparse(n) for n in attributes if not isinstance(n.ctx, ast.Load)]
    by_name = [n.id for n in nodes if isinstance(n, ast.Name) and n.id in ("setattr", "delattr")]
    return by_name + [name for name in changed if re.match(r"\w*", name)[0] in imported]


def test_nothing_of_another_library_is_changed():
    bad = "import numpy as np; setattr(np, 'dot', 0); np.random.seed = a.b = np.x; del np.y"
    assert sorted(changes_to_others(bad)) == ["np.random.seed", "np.y", "setattr"]
    for path in SOURCES:
        assert not changes_to_others(path.read_text(encoding="utf-8")), path


# tests in any order

SHUFFLE = """
import pytest

@pytest.hookimpl(tryfirst=True)  # as pytest-randomly does
def pytest_collection_modifyitems(items):
    items[:] = items[::-2] + items[-2::-2]
"""


@pytest.fixture
def collect(pytester, monkeypatch):
    """Return a function that collects tests with the project's settings."""
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(PROJECT / name, pytester.path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(pytester.path), str(PROJECT)]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # only those that are named here
    options = "-q", "--collect-only", "-p", "nbval.plugin", "-p", "shuffle", "."
    pytester.makepyfile(shuffle=SHUFFLE)
    return lambda: pytester.runpytest_subprocess(*options, timeout=120)


def test_cells_of_a_notebook_stay_together_and_in_order(pytester, collect):
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    cells = [nbformat.v4.new_code_cell(f"x = {i}") for i in range(12)]
    for name in ("one", "two"):
        notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
        nbformat.write(notebook, pytester.path / f"{name}.ipynb")
    pytester.makepyfile("".join(f"def test_{i}(): pass\n" for i in range(5)))
    done = collect()
    assert done.ret == 0, done.outlines
    found = [line.split("::") for line in done.outlines if "::" in line]
    cells = [(file, name) for file, name in found if file.endswith(".ipynb")]
    assert [name for _, name in cells] == [f"Cell {i}" for i in range(12)] * 2
    assert len({file for file, _ in cells[:12]}) == len({file for file, _ in cells[12:]}) == 1
    tests = [name for file, name in found if not file.endswith(".ipynb")]
    assert sorted(tests) == [f"test_{i}" for i in range(5)] != tests  # these may be shuffled


def test_pytest_says_in_a_line_that_mnist_dir_leads_nowhere(collect, monkeypatch):
    monkeypatch.setenv("MNIST_DIR", "nowhere")
    done = collect()
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert done.errlines[0].startswith("ERROR: MNIST_DIR is 'nowhere', but there is no folder")
