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
from odd_arrays import unaligned

from course_utils import Network, load_mnist, train

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
OPTIONS = {"epochs": 1, "batch_size": 100, "progress": False}


def random_digits(n):
    rng = np.random.default_rng(0)
    return rng.random((n, 784), dtype=np.float32), rng.integers(10, size=n)


def peak_bytes(work):
    """Return how much more memory Python and NumPy held at the worst moment of `work`."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def run_python(*arguments, **changes):
    """Run this Python once more, and return what it prints."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=os.environ | changes,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        timeout=300,
    ).stdout


WIDGETS = {"ipywidgets", "anywidget", "IPython"}
SEARCH = {"pandas", "pebble", "distributed", "dask", "joblib"}


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


def test_training_holds_one_copy_of_the_images():
    X, y = random_digits(20_000)
    validation = X[:2000], y[:2000]
    network = Network([784, 20, 10])
    peak = peak_bytes(lambda: train(network, X, y, validation=validation, **OPTIONS))
    assert peak < X.nbytes / 4


def test_training_reads_images_from_a_file_that_need_not_fit_into_memory(tmp_path):
    X, y = random_digits(20_000)
    np.save(tmp_path / "X.npy", X)
    on_disk = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert isinstance(on_disk, np.memmap)
    in_memory, from_disk = Network([784, 20, 10]), Network([784, 20, 10])
    validation = on_disk, y
    peak = peak_bytes(lambda: train(from_disk, on_disk, y, validation=validation, **OPTIONS))
    assert peak < X.nbytes / 4
    train(in_memory, X, y, **OPTIONS)
    for name, array in in_memory.params.items():
        np.testing.assert_array_equal(from_disk.params[name], array)


LAYOUTS = {
    "every other row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "columns first": np.asfortranarray,
    "unaligned": unaligned,
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_images_may_lie_in_memory_as_they_like(layout):
    X, y = random_digits(60)
    networks = Network([784, 20, 10]), Network([784, 20, 10])
    options = {"epochs": 2, "batch_size": 7, "progress": False}
    train(networks[0], layout(X), y, **options)
    train(networks[1], X, y, **options)
    for name, array in networks[1].params.items():
        np.testing.assert_array_equal(networks[0].params[name], array)


@pytest.mark.skipif(sys.platform == "win32", reason="there the peak is not known")
def test_loading_training_and_reading_all_of_mnist_stays_under_600_mb(tmp_path):
    few = load_mnist(source="uci-digits", normalize=False, flatten=False)
    for part, n in (("train", 60_000), ("t10k", 10_000)):
        X, y = (few.X_train, few.y_train) if part == "train" else (few.X_test, few.y_test)
        for array, kind in ((np.resize(X, (n, 28, 28)), "images-idx3"), (y, "labels-idx1")):
            array = np.resize(array, (n, *array.shape[1:])).astype(np.uint8)
            data = gzip.compress(idx_bytes(array), compresslevel=1)
            (tmp_path / f"{part}-{kind}-ubyte.gz").write_bytes(data)
    printed = run_python(
        BENCHMARKS / "peak_memory.py", "sides", "Course", MNIST_DIR=str(tmp_path), MNIST_SOURCE=""
    )
    # the images alone are the first figure
    assert 70_000 * 784 * 4 / 1e6 < float(printed.split()[-1]) < 600


def test_the_comparison_runs_without_pytorch_and_keeps_what_it_measured(tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    settings = {"PYTHONPATH": path, "MNIST_SOURCE": "uci-digits"}
    rows = "--rows", "epoch", "article", "inference", "loading", "growth"  # the others take long
    arguments = ["--quick", *rows, "--results", tmp_path]
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
