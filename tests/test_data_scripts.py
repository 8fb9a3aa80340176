"""What ships with the course: the scripts in data/, what they made, and what gets installed."""

import contextlib
import os
import subprocess
import sys
import zipfile
import zlib
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from idx_files import contents, unpacked

import course_utils
from course_utils import Network, data_path, load_mnist

PROJECT = Path(__file__).resolve().parents[1]
DATA = PROJECT / "data"
STORED = contents(DATA / "uci-digits")


# the offline digits


def test_script_makes_the_same_four_files_again(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.syspath_prepend(DATA)
    import_module("make_uci_digits").main(tmp_path)
    made = contents(tmp_path)
    assert len(made) == 4
    assert unpacked(made) == unpacked(STORED)
    if "ng" not in zlib.ZLIB_RUNTIME_VERSION:  # which packs the same numbers into other bytes
        assert made == STORED


# the sample weights


def test_sample_weights_are_a_784_50_100_10_sigmoid_network():
    network = Network.load(data_path("sample_weights.npz"))
    shapes = [array.shape for array in network.params.values()]
    assert shapes == [(784, 50), (50,), (50, 100), (100,), (100, 10), (10,)]
    assert {array.dtype for array in network.params.values()} == {np.dtype(np.float32)}
    assert network.activation == "sigmoid"


def test_training_script_still_runs(tmp_path, monkeypatch, capsys):
    """Run it on twenty images instead of 61,437, which takes no time and learns nothing."""
    monkeypatch.syspath_prepend(DATA)
    script = import_module("train_sample_weights")
    whole = load_mnist(source="uci-digits")
    few = replace(whole, X_train=whole.X_train[:10], y_train=whole.y_train[:10], source="few")
    monkeypatch.setattr(script, "load_mnist", lambda source: few)
    script.main(tmp_path / "weights.npz")
    made = Network.load(tmp_path / "weights.npz")
    assert made.layer_sizes == Network.load(data_path("sample_weights.npz")).layer_sizes
    assert capsys.readouterr().out.count("few: ") == 2


# installed


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build what `pip install` installs, and return it as a zip file."""
    hatchling = pytest.importorskip("hatchling.build")
    folder = tmp_path_factory.mktemp("wheel")
    with contextlib.chdir(PROJECT):
        name = hatchling.build_wheel(str(folder))
    with zipfile.ZipFile(folder / name) as file:
        yield file


def test_wheel_holds_the_package_and_its_data(wheel):
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    package = (path for path in (PROJECT / "course_utils").rglob("*") if path.is_file())
    modules = {p.relative_to(PROJECT).as_posix() for p in package if p.parent.name != "__pycache__"}
    digits = {f"course_utils/data/uci-digits/{name}": data for name, data in STORED.items()}
    assert names == {*modules, *digits, "course_utils/data/sample_weights.npz"}
    assert {name: wheel.read(name) for name in digits} == digits
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    assert f"\nVersion: {course_utils.__version__}\n" in wheel.read(metadata).decode()


WITHOUT_THE_PROJECT = """
import course_utils
from course_utils import Network, data_path, load_mnist
print(load_mnist(source="uci-digits"))
Network.load(data_path("sample_weights.npz"))
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
    digits, *paths = done.stdout.splitlines()
    assert digits == "Digits: 1,437 to train on, 360 to test on, from uci-digits"
    found = "__init__.py", "data/uci-digits", "data/sample_weights.npz"
    assert paths == [str(site / "course_utils" / name) for name in found]
    assert done.stderr == ""
    assert list(work.iterdir()) == []
