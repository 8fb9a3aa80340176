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
from PIL import Image
from scipy.ndimage import center_of_mass

import course_utils
from course_utils import Network, data_path, load_mnist
from course_utils.lab.augmentation import vary, vary_pen

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


# the weights for photographs, and the sheets


def test_weights_for_photographs_are_a_784_200_100_10_relu_network_and_small():
    network = Network.load(data_path("handwriting_weights.npz"))
    assert network.layer_sizes == [784, 200, 100, 10]
    assert network.activation == "relu"
    assert {array.dtype for array in network.params.values()} == {np.dtype(np.float32)}
    assert data_path("handwriting_weights.npz").stat().st_size < 400_000


def test_they_read_offline_digits_also_where_they_are_moved():
    network = Network.load(data_path("handwriting_weights.npz"))
    digits = load_mnist(source="uci-digits")
    assert network.accuracy(digits.X_test, digits.y_test) > 0.98
    moved = np.roll(digits.X_test.reshape(-1, 28, 28), (2, -2), axis=(1, 2)).reshape(-1, 784)
    assert network.accuracy(moved, digits.y_test) > 0.94


def test_their_training_script_still_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(DATA)
    script = import_module("train_own_handwriting")
    whole = load_mnist(source="uci-digits")
    few = replace(whole, X_train=whole.X_train[:10], y_train=whole.y_train[:10], source="few")
    sets = few, few, (few.X_train, few.y_train)
    monkeypatch.setattr(script, "both_sets", lambda: sets)
    script.main(tmp_path / "weights.npz", epochs=2)
    made = Network.load(tmp_path / "weights.npz")
    assert made.layer_sizes == [784, 200, 100, 10]
    assert capsys.readouterr().out.count("few: ") == 4


def test_varied_digits_differ_each_time_and_stay_digits():
    X = load_mnist(source="uci-digits").X_test[:50]
    before = X.copy()
    one, other = vary(X, np.random.default_rng(0)), vary(X, np.random.default_rng(1))
    np.testing.assert_array_equal(vary(X, np.random.default_rng(0)), one)
    np.testing.assert_array_equal(X, before)
    assert one.shape == X.shape
    assert one.dtype == np.float32
    assert 0 <= one.min() < one.max() <= 1
    assert (np.abs(one - other).max(axis=1) > 0.1).all()
    still = {"shift": 0, "turn": 0, "scale": 0, "slant": 0, "pen": 0}
    np.testing.assert_allclose(vary(X, np.random.default_rng(0), **still), X, atol=1e-6)


@pytest.mark.parametrize("change", [{"shift": 2}, {"turn": 15}, {"scale": 0.3}, {"slant": 0.3}])
def test_each_way_to_vary_changes_a_digit_and_keeps_where_its_middle_is(change):
    still = {"shift": 0, "turn": 0, "scale": 0, "slant": 0, "pen": 0}
    image = np.zeros((1, 28, 28), np.float32)
    image[0, 8:21, 11:18] = 1  # around row and column 14
    changed = vary(np.repeat(image, 20, axis=0), np.random.default_rng(0), **still | change)
    assert (changed != image.reshape(1, -1)).any(axis=1).all()
    middles = np.array([center_of_mass(x.reshape(28, 28)) for x in changed])
    assert np.abs(middles - 14).max() < change.get("shift", 0) + 0.1


def test_a_bolder_pen_adds_ink_and_a_thinner_one_takes_some():
    image = np.zeros((100, 28, 28), np.float32)
    image[:, 6:23, 12:17] = 1
    ink = image[0].sum()
    vary_pen(image, np.random.default_rng(0))
    assert {*np.sign(image.sum(axis=(1, 2)) - ink)} == {-1, 1}


def test_script_makes_the_same_sheets_again(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(DATA)
    script = import_module("make_sheets")
    monkeypatch.setattr(script, "SHEETS", dict(list(script.SHEETS.items())[:1]))
    script.main(tmp_path)
    for path in tmp_path.iterdir():
        assert path.stat().st_size < 200_000
        made, stored = (
            np.asarray(Image.open(p), float) for p in (path, DATA / "photos" / path.name)
        )
        assert np.abs(made - stored).mean() < 2  # another version may round and pack otherwise


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
    weights = {f"course_utils/data/{path.name}" for path in DATA.glob("*.npz")}
    photos = {f"course_utils/data/photos/{path.name}" for path in (DATA / "photos").iterdir()}
    assert names == {*modules, *digits, *weights, *photos}
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
