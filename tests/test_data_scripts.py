"""What ships with the course: the scripts in data/, what they made, and what gets installed."""

import importlib.util
import os
import subprocess
import sys
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from idx_files import contents, unpacked

import course_utils
from course_utils import Network, _download, data_path, datasets, load_mnist

PROJECT = Path(__file__).resolve().parents[1]
DATA = PROJECT / "data"
NAMES = sorted(path.name for path in datasets.files_in(DATA / "uci-digits").values())
MNIST = datasets.find_mnist()
needs_mnist = pytest.mark.skipif(
    MNIST is None or not all(map(_download.is_official, MNIST.values())),
    reason="MNIST is not on this computer",
)


def load_script(name):
    """Import data/`name`.py without running its main."""
    spec = importlib.util.spec_from_file_location(name, DATA / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# the offline digits


@pytest.fixture(scope="module")
def made_again(tmp_path_factory):
    """Return a folder with the offline digits as the script makes them now."""
    pytest.importorskip("sklearn")
    folder = tmp_path_factory.mktemp("made") / "uci-digits"
    load_script("make_uci_digits").main(folder)
    return folder


def test_script_makes_the_same_four_files_again(made_again):
    assert len(NAMES) == 4
    made, stored = contents(made_again), contents(DATA / "uci-digits")
    assert sorted(made) == sorted(stored) == NAMES
    assert unpacked(made) == unpacked(stored)
    if "ng" not in zlib.ZLIB_RUNTIME_VERSION:  # which packs the same numbers into other bytes
        assert made == stored


def test_digits_are_those_of_scikit_learn():
    sklearn_datasets = pytest.importorskip("sklearn.datasets")
    original = sklearn_datasets.load_digits()
    digits = load_mnist(source="uci-digits", flatten=False)
    X = np.concatenate([digits.X_train, digits.X_test])
    y = np.concatenate([digits.y_train, digits.y_test])
    # without the script's own shuffling: as many of each, and as many different images
    np.testing.assert_array_equal(np.bincount(y), np.bincount(original.target))
    assert len(np.unique(X, axis=0)) == len(np.unique(original.data, axis=0)) == 1797
    boxes = [(np.ptp(np.nonzero(x.any(axis=1))), np.ptp(np.nonzero(x.any(axis=0)))) for x in X]
    assert max(map(max, boxes)) == 19  # fitted into 20×20


# the sample weights


@pytest.fixture(scope="module")
def network():
    return Network.load(data_path("sample_weights.npz"))


def test_sample_weights_are_a_784_50_100_10_sigmoid_network(network):
    shapes = [array.shape for array in network.params.values()]
    assert shapes == [(784, 50), (50,), (50, 100), (100,), (100, 10), (10,)]
    assert {array.dtype for array in network.params.values()} == {np.dtype(np.float32)}
    with pytest.raises(ValueError, match="sigmoid"):
        Network.load(data_path("sample_weights.npz"), activation="relu")


def test_sample_weights_know_the_offline_digits(network):
    digits = load_mnist(source="uci-digits")
    assert network.accuracy(digits.X_test, digits.y_test) > 0.95


@needs_mnist
def test_sample_weights_know_mnist(network):
    digits = load_mnist(source="mnist", data_dir=MNIST["train-images"].parent)
    assert network.accuracy(digits.X_test, digits.y_test) > 0.97


def test_training_script_still_runs(tmp_path, monkeypatch, capsys):
    """Run it on twenty images instead of 61,437, which takes no time and learns nothing."""
    script = load_script("train_sample_weights")
    whole = load_mnist(source="uci-digits")
    few = replace(whole, X_train=whole.X_train[:10], y_train=whole.y_train[:10], source="few")
    monkeypatch.setattr(script, "load_mnist", lambda source: few)
    script.main(tmp_path / "weights.npz")
    made, stored = (
        Network.load(path) for path in (tmp_path / "weights.npz", data_path("sample_weights.npz"))
    )
    assert {name: array.shape for name, array in made.params.items()} == {
        name: array.shape for name, array in stored.params.items()
    }
    assert capsys.readouterr().out.count("few: ") == 2


# installed


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build what `pip install` installs, and return it as a zip file."""
    for module in ("pip", "hatchling"):
        pytest.importorskip(module)
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"),
            *("--no-index", "--disable-pip-version-check", "-w", str(folder), str(PROJECT)),
        ],
        check=True,
        capture_output=True,
    )
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as file:
        yield file


def test_wheel_holds_the_package_and_its_data(wheel):
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    package = (path for path in (PROJECT / "course_utils").rglob("*") if path.is_file())
    package = {str(path.relative_to(PROJECT).as_posix()) for path in package}
    modules = {name for name in package if "__pycache__" not in name}
    digits = {f"course_utils/data/uci-digits/{name}" for name in NAMES}
    assert names == modules | digits | {"course_utils/data/sample_weights.npz"}
    for name, stored in contents(DATA / "uci-digits").items():
        assert wheel.read(f"course_utils/data/uci-digits/{name}") == stored
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    assert f"\nVersion: {course_utils.__version__}\n" in wheel.read(metadata).decode()


WITHOUT_THE_PROJECT = """
import course_utils
from course_utils import Network, data_path, load_mnist
digits = load_mnist(source="uci-digits")
print(digits)
print(Network.load(data_path("sample_weights.npz")).accuracy(digits.X_test, digits.y_test) > 0.95)
print(course_utils.__file__, data_path("uci-digits"), data_path("sample_weights.npz"), sep="\\n")
"""


def test_installed_package_finds_its_data(wheel, tmp_path):
    site, work = tmp_path / "site", tmp_path / "work"
    wheel.extractall(site)
    work.mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith("MNIST_")}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_PROJECT],
        cwd=work,
        env=env | {"PYTHONPATH": str(site)},
        check=True,
        capture_output=True,
        text=True,
    )
    digits, is_good, *paths = done.stdout.splitlines()
    assert digits == "Digits: 1,437 to train on, 360 to test on, from uci-digits"
    assert is_good == "True"
    package = site / "course_utils"
    assert [Path(path) for path in paths] == [
        package / "__init__.py",
        package / "data" / "uci-digits",
        package / "data" / "sample_weights.npz",
    ]
    assert done.stderr == ""
    assert list(work.iterdir()) == []
