"""What keeps the course quick and small: counts, and ratios with wide margins, never seconds."""

import gzip
import json
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from idx_files import idx_bytes
from odd_arrays import unaligned
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from course_utils import Network, load_mnist, sgd, train
from course_utils.datasets import FILE_NAMES

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


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


def run_python(*arguments, **options):
    """Run this Python once more, and return what it prints."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        **options,
    ).stdout


@pytest.mark.parametrize(
    ("used", "heavy"),
    [
        ("import course_utils", {"numpy", "matplotlib", "ipywidgets", "joblib", "PIL", "tqdm"}),
        (
            "from course_utils import Network, load_mnist, sgd, softmax, train",
            {"matplotlib", "ipywidgets", "joblib", "PIL", "pooch", "requests", "sklearn"},
        ),
    ],
)
def test_an_import_loads_nothing_heavy_that_it_does_not_use(used, heavy):
    loaded = run_python("-c", f"import sys\n{used}\nprint(*sys.modules)").split()
    assert "course_utils" in loaded
    assert not heavy & set(loaded)


@pytest.mark.parametrize(("hidden", "products"), [((), 2), ((20,), 5), ((20, 15), 8)])
def test_an_iteration_takes_no_more_matrix_products_than_it_needs(monkeypatch, hidden, products):
    """Two for the last layer, three for each other; and none for the gradient of the images."""
    network, (X, y) = Network([784, *hidden, 10]), random_digits(40)
    dot, calls = np.dot, []
    monkeypatch.setattr(np, "dot", lambda *a, **k: calls.append(a) or dot(*a, **k))
    steps = list(sgd(network, X, y, epochs=1, batch_size=10))
    assert len(calls) == products * len(steps)


@pytest.mark.parametrize("momentum", [0, 0.9])
@pytest.mark.parametrize("every", [1, 2])  # with 2, the rows do not lie one after the other
def test_an_iteration_copies_its_images_into_an_array_that_is_there(momentum, every):
    X, y = (array[::every] for array in random_digits(6000))
    steps = sgd(Network([784, 20, 10]), X, y, epochs=1, batch_size=1000, momentum=momentum)
    next(steps)  # makes what all iterations use
    assert peak_bytes(lambda: next(steps)) < X[:1000].nbytes / 4


def test_training_holds_one_copy_of_the_images():
    X, y = random_digits(20_000)
    options = {"epochs": 1, "batch_size": 100, "progress": False}
    options["validation"] = X[:2000], y[:2000]
    assert peak_bytes(lambda: train(Network([784, 20, 10]), X, y, **options)) < X.nbytes / 4


def test_training_reads_images_from_a_file_that_need_not_fit_into_memory(tmp_path):
    X, y = random_digits(20_000)
    np.save(tmp_path / "X.npy", X)
    on_disk = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert isinstance(on_disk, np.memmap)
    in_memory, from_disk = Network([784, 20, 10]), Network([784, 20, 10])
    options = {"epochs": 1, "batch_size": 100, "progress": False}

    def train_from_disk():
        train(from_disk, on_disk, y, validation=(on_disk, y), **options)

    assert peak_bytes(train_from_disk) < X.nbytes / 4
    train(in_memory, X, y, **options)
    np.testing.assert_array_equal(from_disk.params.vector, in_memory.params.vector)


@pytest.mark.parametrize("every_other", [lambda X: X[::2], lambda X: np.asfortranarray(X[::2])])
def test_images_that_do_not_lie_in_one_piece_are_trained_on_all_the_same(every_other):
    X, y = random_digits(60)
    networks = Network([784, 20, 10]), Network([784, 20, 10])
    options = {"epochs": 2, "batch_size": 7, "progress": False}
    train(networks[0], every_other(X), y[::2], **options)
    train(networks[1], X[::2].copy(), y[::2], **options)
    np.testing.assert_array_equal(networks[0].params.vector, networks[1].params.vector)


def seconds(work):
    """Return the processor time of this thread, so that neighbours do not count."""
    start = time.thread_time()
    work()
    return time.thread_time() - start


def test_images_that_come_unaligned_are_not_copied_for_each_minibatch():
    X, y = random_digits(8000)
    options = {"epochs": 1, "batch_size": 10, "progress": False}
    both = X, unaligned(X)
    with threadpool_limits(1, user_api="blas"):
        times = [
            [seconds(lambda X=X: train(Network([784, 5, 10]), X, y, **options)) for X in both]
            for _ in range(5)
        ]
    assert statistics.median(second / first for first, second in times) < 3  # or else 15


def test_an_epoch_takes_less_time_than_scikit_learn_s():
    """Here it takes less than half. On one core, so that neighbours do not count."""
    X, y = random_digits(20_000)
    peer = MLPClassifier(
        (20,), solver="sgd", alpha=0, momentum=0, batch_size=100, learning_rate_init=0.1, max_iter=1
    )

    def course():
        train(Network([784, 20, 10]), X, y, epochs=1, batch_size=100, progress=False)

    def scikit():
        with pytest.warns(Warning, match="Maximum iterations"):
            peer.fit(X, y)

    with threadpool_limits(1, user_api="blas"):
        course()
        scikit()
        ratios = [seconds(course) / seconds(scikit) for _ in range(7)]
    assert statistics.median(ratios) < 1


@pytest.mark.skipif(sys.platform == "win32", reason="there the peak is not known")
def test_loading_training_and_reading_all_of_mnist_stays_under_600_mb(tmp_path, monkeypatch):
    few = load_mnist(source="uci-digits", normalize=False, flatten=False)
    arrays = few.X_train, few.y_train, few.X_test, few.y_test
    for name, array, n in zip(FILE_NAMES, arrays, [60_000] * 2 + [10_000] * 2, strict=True):
        many = np.resize(array.astype(np.uint8), (n, *array.shape[1:]))
        (tmp_path / name).write_bytes(gzip.compress(idx_bytes(many), compresslevel=1))
    monkeypatch.setenv("MNIST_DIR", str(tmp_path))
    monkeypatch.setenv("MNIST_SOURCE", "mnist")
    printed = run_python(BENCHMARKS / "peak_memory.py", "sides", "Course")
    # the images alone are the first figure
    assert 70_000 * 784 * 4 / 1e6 < float(printed.split()[-1]) < 600


def test_the_comparison_runs_without_pytorch_and_keeps_what_it_measured(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("raise ImportError", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setenv("MNIST_SOURCE", "uci-digits")
    printed = run_python(BENCHMARKS / "compare.py", "--quick", "--results", tmp_path)
    assert "PyTorch is not installed" in printed
    assert (tmp_path / "part.png").read_bytes().startswith(b"\x89PNG")

    result = json.loads((tmp_path / "part.json").read_text(encoding="utf-8"))
    assert result["environment"]["versions"]["numpy"] == np.__version__
    assert result["environment"]["cores"] >= 1
    rows = {row["name"]: row for row in result["rows"]}
    assert len(rows) == len(result["rows"]) == 14 - (sys.platform == "win32")
    for name, row in rows.items():
        assert name in printed
        assert "course" in row["medians"]
        assert "torch" not in row["medians"]
        for side, seconds in row["times"].items():
            assert len(seconds) == 1
            assert seconds[0] == row["medians"][side] > 0
    epoch = rows["epoch of 784-20-10, batch 10"]
    assert set(epoch["medians"]) == {"course", "scikit-learn", "products", "products (@)"}
    assert set(epoch["accuracy"]) == {"course", "scikit-learn"}
    both = epoch["medians"]["scikit-learn"], epoch["medians"]["course"]
    assert epoch["ratios"]["scikit-learn"] == both[0] / both[1]
    loops = rows["article's recipe, 200 iterations"]["accuracy"]
    assert loops["course"] == pytest.approx(loops["article's loop"], abs=0.02)
