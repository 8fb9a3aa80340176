"""What keeps the course quick and small: what is loaded, computed and held; never a time."""

import gzip
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from idx_files import idx_bytes

from course_utils import Network, load_mnist, train

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
OPTIONS = {"epochs": 1, "batch_size": 100, "progress": False}


def random_digits(n):
    rng = np.random.default_rng(0)
    return rng.random((n, 784), dtype=np.float32), rng.integers(10, size=n)


def run_python(*arguments, **changes):
    """Run this Python once more, and return what it prints."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=os.environ | changes,
        check=True,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        timeout=300,
    ).stdout


WIDGETS = {"ipywidgets", "anywidget", "IPython"}
SEARCH = {"pandas", "pebble", "distributed", "dask"}


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("course_utils", WIDGETS | SEARCH | {"scipy", "sklearn", "PIL.ImageDraw"}),
        ("course_utils.lab.sweep", WIDGETS | {"distributed"}),
        ("course_utils.exercises", WIDGETS | SEARCH),
    ],
)
def test_an_import_loads_nothing_heavy_that_it_does_not_use(module, heavy):
    loaded = run_python("-c", f"import sys, {module}\nprint(*sys.modules)").split()
    assert module in loaded
    assert not heavy & set(loaded)


class Counted(np.ndarray):
    """Weights that note each product `X @ W` or `dZ @ W.T` they take part in."""

    products = 0

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        Counted.products += ufunc is np.matmul
        return getattr(ufunc, method)(*map(np.asarray, inputs), **options)


@pytest.mark.parametrize(("hidden", "products"), [((), 2), ((20,), 5), ((20, 15), 8)])
def test_an_iteration_takes_no_more_matrix_products_than_it_needs(hidden, products, monkeypatch):
    """Two for the first layer, three for each other: none for the gradient of the images."""
    network, (X, y), dot = Network([784, *hidden, 10]), random_digits(10), np.dot
    for name, W in network.params.items():
        network.params[name] = W.view(Counted) if name.startswith("W") else W
    dots = []
    monkeypatch.setattr(Counted, "products", 0)
    monkeypatch.setattr(np, "dot", lambda a, b: dots.append(a) or dot(a, b))
    network.backpropagate(X, y)
    assert Counted.products + len(dots) == products


def test_training_copies_no_images_though_a_file_with_them_need_not_fit_into_memory(tmp_path):
    X, y = random_digits(20_000)
    np.save(tmp_path / "X.npy", X)
    networks = Network([784, 20, 10]), Network([784, 20, 10])
    places = X, np.load(tmp_path / "X.npy", mmap_mode="r")
    for network, images in zip(networks, places, strict=True):
        tracemalloc.start()
        train(network, images, y, validation=(images, y), **OPTIONS)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < X.nbytes / 4
    for name, array in networks[0].params.items():
        np.testing.assert_array_equal(networks[1].params[name], array)


@pytest.mark.skipif(sys.platform == "win32", reason="there the peak is not known")
def test_loading_training_and_reading_all_of_mnist_stays_under_600_mb(tmp_path):
    few = load_mnist(source="uci-digits", normalize=False, flatten=False)
    for (X, y), part, n in zip(few, ("train", "t10k"), (60_000, 10_000), strict=True):
        for array, kind in ((X, "images-idx3"), (y, "labels-idx1")):
            array = np.resize(array, (n, *array.shape[1:])).astype(np.uint8)
            data = gzip.compress(idx_bytes(array), compresslevel=1)
            (tmp_path / f"{part}-{kind}-ubyte.gz").write_bytes(data)
    settings = {"MNIST_DIR": str(tmp_path), "MNIST_SOURCE": ""}
    printed = run_python(BENCHMARKS / "peak_memory.py", "sides", "Course", **settings)
    # the images alone are the first figure
    assert 70_000 * 784 * 4 / 1e6 < float(printed.split()[-1]) < 600


def test_the_comparison_runs_without_pytorch_and_keeps_what_it_measured(tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError", encoding="utf-8")
    settings = {"PYTHONPATH": str(tmp_path), "MNIST_SOURCE": "uci-digits"}
    rows = "epoch", "article", "inference", "loading", "growth"  # the others take long
    arguments = ["--quick", "--rows", *rows, "--results", tmp_path]
    printed = run_python(BENCHMARKS / "compare.py", *arguments, **settings)
    assert "PyTorch is not installed" in printed
    assert (tmp_path / "part.png").read_bytes().startswith(b"\x89PNG")
    result = json.loads((tmp_path / "part.json").read_text(encoding="utf-8"))
    assert result["environment"]["versions"]["numpy"] == np.__version__
    names = {row["name"] for row in result["rows"]}
    assert "epoch of 784-20-10, batch 10" in names
    assert len(names) == len(result["rows"])
    for row in result["rows"]:
        assert row["name"] in printed
        assert "course" in row["medians"]
        assert "torch" not in row["medians"]
