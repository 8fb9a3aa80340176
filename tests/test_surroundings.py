"""The same results in any process: hash seed, order of imports, cores, language, time zone, home."""

import os
import re
import shutil
import subprocess
import sys
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
Path(sys.argv[1]).write_bytes(network.params.vector.tobytes())
"""
OTHER_ORDER = (
    "import tqdm, matplotlib.pyplot, course_utils.training, course_utils.functions, random\n"
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

    one = with_cores(1)
    for n in (2, 4):
        np.testing.assert_allclose(with_cores(n), one, rtol=0, atol=1e-5)


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
assert (Network.load(folder / "weights.npz").params.vector == network.params.vector).all()
(folder / "broken.gz").write_bytes(b"no gzip")
try:
    read_idx(folder / "broken.gz")
except ValueError as error:
    print(error)
print(digits, network)
"""
PLAIN = {"LANG": "C", "LC_ALL": "C", "LANGUAGE": None, "PYTHONUTF8": "0", "PYTHONIOENCODING": None}


@pytest.mark.parametrize(
    "changes",
    [
        PLAIN | {"PYTHONCOERCECLOCALE": "0"},
        {"PYTHONUTF8": "1"},
        {"PYTHONIOENCODING": "cp1252:backslashreplace"},
        {"TZ": "America/St_Johns"},
        {"HOME": os.devnull, "USERPROFILE": os.devnull, "XDG_CACHE_HOME": os.devnull},
    ],
    ids=["plain C", "UTF-8", "Windows", "time zone", "no home"],
)
def test_a_path_of_any_letters_works_in_any_language_zone_and_home(tmp_path, changes):
    folder = tmp_path / ODD
    shutil.copytree(data_path("uci-digits"), folder / "digits")
    out = run(WORK, folder, **changes)
    assert "epoch 2/2: 100%" in out
    assert out.count("broken.gz: not a gzip file, though its name ends in .gz") == 1
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
from course_utils import data_path, load_mnist, Network, train
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


def test_the_package_leaves_system_and_user_alone():
    """No shell, no code from files, no telemetry: the course only asks two mirrors for MNIST."""
    source = "".join(
        path.read_text(encoding="utf-8")
        for path in (Path(course_utils.__file__).parent).rglob("*.py")
    )
    for word in (
        *(r"\beval\(", r"\bexec\(", r"pickle\.loads?\(", r"joblib\.load", "allow_pickle", "shell="),
        *(r"os\.system", "subprocess", r"os\.popen", r"os\.fork", "urlopen"),
    ):
        assert not re.search(word, source), word
    assert set(re.findall(r"https?://[^/\"'\s>)]+", source)) == {
        "https://ossci-datasets.s3.amazonaws.com",
        "https://storage.googleapis.com",
    }
