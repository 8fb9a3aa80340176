"""Minibatch SGD: each step by hand, repeatable, interruptible anywhere, and clear errors."""

import copy
import functools
import itertools
import math
import os
import re
import signal
import sys
import threading
from contextlib import contextmanager

import numpy as np
import pytest
import tqdm
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_arrays import unaligned
from threadpoolctl import threadpool_info

from course_utils import load_mnist, training
from course_utils.network import Network
from course_utils.training import DivergenceError, History, sgd, train

pytestmark = pytest.mark.filterwarnings("error")


def small_network(**options):
    return Network([6, 5, 4], **{"dtype": "float64", "rng": 1} | options)


def examples(n=10):
    rng = np.random.default_rng(2)
    return rng.random((n, 6)), np.arange(n) % 4


def follow(network, X, y, losses, positions, **options):
    """Take all steps of `sgd`; note each loss, and where the network is after it."""
    for step in sgd(network, X, y, **options):
        losses.append(step.loss)
        positions.append(network.params.vector.copy())


RUNS = {
    "sgd": lambda *data, **options: follow(*data, [], [], **options),
    "train": lambda *data, **options: train(*data, progress=False, **options),
}
both = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)


# what a step does


@both
@pytest.mark.parametrize("momentum", [0, 0.9])
@pytest.mark.parametrize("l2", [0, 0.05])
def test_steps_are_those_of_a_loop_by_hand(run, momentum, l2):
    network, (X, y) = small_network(), examples()
    by_hand = copy.deepcopy(network)
    options = {"learning_rate": 0.3, "momentum": momentum, "l2": l2, "shuffle": False}
    run(network, X, y, epochs=3, batch_size=4, **options)

    velocity = dict.fromkeys(by_hand.params, 0)
    for start in [0, 4, 8] * 3:
        _, grads = by_hand.gradients(X[start : start + 4], y[start : start + 4], l2)
        for name, gradient in grads.items():
            velocity[name] = momentum * velocity[name] - 0.3 * gradient
            by_hand.params[name] = by_hand.params[name] + velocity[name]
    np.testing.assert_allclose(network.params.vector, by_hand.params.vector, rtol=1e-12)


@both
def test_an_option_left_out_has_its_documented_default(run):
    network, (X, y) = small_network(), examples(70)
    other = copy.deepcopy(network)
    run(network, X, y)
    defaults = {"learning_rate": 0.1, "momentum": 0, "l2": 0, "shuffle": True, "rng": 0}
    run(other, X, y, epochs=5, batch_size=32, **defaults)
    np.testing.assert_array_equal(network.params.vector, other.params.vector)


def test_each_step_tells_epoch_iteration_and_the_loss_before_it():
    network, (X, y) = small_network(), examples()
    steps = sgd(network, X, y, epochs=2, batch_size=4, l2=0.1, shuffle=False)
    for k, start in enumerate([0, 4, 8] * 2):
        loss, _ = network.gradients(X[start : start + 4], y[start : start + 4], l2=0.1)
        assert next(steps) == (k // 3 + 1, k + 1, pytest.approx(loss, rel=1e-12))
    assert next(steps, None) is None


def test_the_network_moves_only_while_the_steps_are_taken():
    network, (X, y) = small_network(), examples()
    positions = [network.params.vector.copy()]
    steps = sgd(network, X, y, epochs=1, batch_size=4)
    np.testing.assert_array_equal(network.params.vector, positions[0])
    for _ in steps:
        assert not np.array_equal(network.params.vector, positions[-1])
        positions.append(network.params.vector.copy())
    assert len(positions) == 4


def test_training_changes_neither_images_nor_labels():
    network, (X, y) = small_network(), examples()
    before = X.copy(), y.copy()
    train(network, X, y, validation=(X, y), progress=False)
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(y, before[1])


def test_lists_and_numpy_options_are_taken():
    network, (X, y) = small_network(), examples()
    other = copy.deepcopy(network)
    train(network, X, y, epochs=2, batch_size=4, progress=False)
    train(other, X.tolist(), y.tolist(), epochs=np.int64(2), batch_size=np.int32(4), progress=False)
    np.testing.assert_array_equal(network.params.vector, other.params.vector)


@pytest.mark.parametrize(("activation", "learning_rate"), [("relu", 0.02), ("sigmoid", 0.1)])
def test_twenty_images_are_learned_by_heart(activation, learning_rate):
    rng = np.random.default_rng(0)
    X, y = rng.random((20, 784)), rng.integers(10, size=20)
    network = Network([784, 30, 10], activation=activation)
    options = {"learning_rate": learning_rate, "momentum": 0.9, "batch_size": 5, "epochs": 100}
    history = train(network, X, y, progress=False, **options)
    assert history.epochs[-1].loss < 0.01
    assert network.accuracy(X, y) == 1


# the order of the images


def batches_seen(n, **options):
    """Train on `n` images that can be told apart; return the labels and pixels of each batch."""
    network, seen = Network([1, n]), []
    backpropagate = network.backpropagate

    def spy(X, y, *rest):
        seen.append((y.tolist(), X[:, 0].tolist()))
        return backpropagate(X, y, *rest)

    network.backpropagate = spy
    for _ in sgd(network, np.arange(n)[:, None] / n, np.arange(n), **options):
        pass
    return seen


@pytest.mark.parametrize(
    ("n", "batch_size", "sizes"),
    [(10, 4, [4, 4, 2]), (8, 4, [4, 4]), (9, 4, [4, 4, 1]), (3, 4, [3]), (3, 1, [1, 1, 1])],
)
@pytest.mark.parametrize("shuffle", [True, False])
def test_each_image_is_used_once_an_epoch_with_its_own_label(n, batch_size, sizes, shuffle):
    seen = batches_seen(n, epochs=3, batch_size=batch_size, shuffle=shuffle)
    assert [len(labels) for labels, _ in seen] == sizes * 3
    for epoch in range(3):
        in_epoch = seen[epoch * len(sizes) : (epoch + 1) * len(sizes)]
        assert sorted(label for labels, _ in in_epoch for label in labels) == list(range(n))
    for labels, pixels in seen:
        np.testing.assert_allclose(pixels, np.array(labels) / n, rtol=1e-6)


def test_unshuffled_images_come_in_their_order():
    seen = batches_seen(10, epochs=2, batch_size=4, shuffle=False)
    assert [labels for labels, _ in seen] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]] * 2


def test_shuffled_images_come_in_a_new_order_each_epoch():
    orders = [labels for labels, _ in batches_seen(30, epochs=3, batch_size=30)]
    assert len({tuple(order) for order in [*orders, range(30)]}) == 4


def test_the_seed_decides_everything():
    X, y = examples()

    def run(rng):
        network = small_network()
        return train(network, X, y, batch_size=4, rng=rng, progress=False), network.params.vector

    history, weights = run(7)
    for same in (7, np.random.default_rng(7)):
        same_history, same_weights = run(same)
        assert same_history == history
        np.testing.assert_array_equal(same_weights, weights)
    other_history, other_weights = run(8)
    assert other_history.loss != history.loss
    assert not np.array_equal(other_weights, weights)


def test_training_goes_on_from_where_it_was():
    at_once, (X, y) = small_network(), examples()
    in_parts = copy.deepcopy(at_once)
    loss = train(at_once, X, y, epochs=2, batch_size=4, shuffle=False, progress=False).loss
    parts = [
        train(in_parts, X, y, epochs=1, batch_size=4, shuffle=False, progress=False).loss
        for _ in range(2)
    ]
    assert loss == parts[0] + parts[1]
    np.testing.assert_array_equal(at_once.params.vector, in_parts.params.vector)


@settings(max_examples=20, deadline=None)
@given(
    n=st.integers(1, 12),
    batch_size=st.integers(1, 15),
    epochs=st.integers(2, 4),
    l2=st.sampled_from([0.0, 0.1]),
    seed=st.integers(0, 2**32 - 1),
    data=st.data(),
)
def test_training_in_two_halves_with_one_generator_is_training_at_once(
    n, batch_size, epochs, l2, seed, data
):
    at_once, (X, y) = small_network(), examples(n)
    in_halves = copy.deepcopy(at_once)
    options = {"batch_size": batch_size, "l2": l2, "progress": False}
    loss = train(at_once, X, y, epochs=epochs, rng=seed, **options).loss
    first, rng = data.draw(st.integers(1, epochs - 1)), np.random.default_rng(seed)
    halves = [
        train(in_halves, X, y, epochs=part, rng=rng, **options).loss
        for part in (first, epochs - first)
    ]
    assert loss == halves[0] + halves[1]
    np.testing.assert_array_equal(at_once.params.vector, in_halves.params.vector)


# a checkpoint


def test_a_checkpoint_is_saved_after_each_epoch(tmp_path, monkeypatch):
    network, (X, y) = small_network(), examples()
    replayed, path = copy.deepcopy(network), tmp_path / "weights.npz"
    saved, save = [], Network.save

    def spy(self, path):
        save(self, path)
        saved.append(Network.load(path).params.vector)

    monkeypatch.setattr(Network, "save", spy)
    train(network, X, y, epochs=3, batch_size=4, shuffle=False, checkpoint=path, progress=False)
    assert len(saved) == 3
    for vector in saved:
        train(replayed, X, y, epochs=1, batch_size=4, shuffle=False, progress=False)
        np.testing.assert_array_equal(vector, replayed.params.vector)
    assert os.listdir(tmp_path) == ["weights.npz"]


def test_a_checkpoint_without_a_folder_is_told_at_once(tmp_path):
    network, (X, y) = small_network(), examples()
    before = network.params.vector.copy()
    with pytest.raises(
        FileNotFoundError, match=r"checkpoint: there is no folder .*; make it first"
    ):
        train(network, X, y, checkpoint=tmp_path / "missing" / "weights.npz")
    np.testing.assert_array_equal(network.params.vector, before)


def test_a_checkpoint_that_cannot_be_written_costs_nothing_that_was_learned(tmp_path, capsys):
    network, (X, y) = small_network(), examples()
    (tmp_path / "weights.npz").mkdir()  # not even root can write a file there
    history = train(network, X, y, epochs=2, checkpoint=tmp_path / "weights.npz", progress=False)
    assert len(history.epochs) == 2
    out, _ = capsys.readouterr()
    assert re.fullmatch(r"(The checkpoint cannot be written \(.+\); .*\n){2}", out)
    assert str(tmp_path) not in out
    assert os.listdir(tmp_path) == ["weights.npz"]


@pytest.mark.parametrize(
    ("error", "told"),
    [(OSError(28, "No space left", "/secret/path"), "No space left"), (OSError("why"), "OSError")],
)
def test_the_reason_why_a_checkpoint_cannot_be_written_is_told(monkeypatch, capsys, error, told):
    def save(network, path):
        raise error

    monkeypatch.setattr(Network, "save", save)
    train(small_network(), *examples(), epochs=1, checkpoint="w.npz", progress=False)
    line = f"The checkpoint cannot be written ({told}); training goes on without it.\n"
    assert capsys.readouterr().out == line


# images of every kind


KINDS = {
    "float32": lambda X, _: X.astype(np.float32),
    "float16": lambda X, _: X.astype(np.float16),
    "whole numbers": lambda X, _: X.astype(np.int64),
    "bytes": lambda X, _: X.astype(np.uint8),
    "booleans": lambda X, _: X.astype(bool),
    "other byte order": lambda X, _: X.astype(">f8"),
    "Fortran order": lambda X, _: np.asfortranarray(X),
    "every other column": lambda X, _: np.repeat(X, 2, axis=1)[:, ::2],
    "unaligned": lambda X, _: unaligned(X.astype(np.float32)),
    "backwards in memory": lambda X, _: X[::-1].copy()[::-1],
    "memory-mapped": lambda X, path: np.load(npy_file(path, X), mmap_mode="r"),
    "list": lambda X, _: X.tolist(),
}


def npy_file(folder, array):
    np.save(folder / "images.npy", array)
    return folder / "images.npy"


@both
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_images_of_any_kind_train_alike_and_are_not_changed(run, kind, tmp_path):
    bits, y = (examples(10)[0] > 0.5).astype(float), examples(10)[1]  # exact in each type
    expected, network = small_network(), small_network()
    run(expected, bits, y, epochs=2, batch_size=4, momentum=0.5)
    X, y = kind(bits, tmp_path), y.astype(np.uint8)
    for array in (X, y):
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    run(network, X, y, epochs=2, batch_size=4, momentum=0.5)
    np.testing.assert_array_equal(network.params.vector, expected.params.vector)
    np.testing.assert_array_equal(X, bits)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("X", "y", "batch_size"),
    [
        (np.full((8, 6), 0.5), np.arange(8) % 4, 3),
        (np.zeros((8, 6)), np.arange(8) % 4, 3),
        (examples(8)[0], np.full(8, 2), 3),
        (examples(1)[0], np.array([3]), 1),
        (examples(8)[0], np.arange(8) % 4, 1000),
    ],
    ids=["constant", "zeros", "one class", "one image", "batch larger than the set"],
)
def test_odd_data_is_learned_as_far_as_it_can_be(dtype, X, y, batch_size):
    network = small_network(dtype=dtype)
    history = train(network, X, y, epochs=60, batch_size=batch_size, progress=False)
    assert len(history.loss) == 60 * math.ceil(len(X) / batch_size)
    assert history.epochs[-1].loss < history.epochs[0].loss + 0.1  # ln 4 from the start for zeros
    assert network.accuracy(X, y) >= np.bincount(y).max() / len(y)


@pytest.mark.parametrize("learning_rate", [5e-324, 1e-300, 1e-30])
def test_a_tiny_learning_rate_moves_next_to_nothing(learning_rate):
    network, (X, y) = small_network(dtype="float32"), examples()
    before = network.params.vector.copy()
    history = train(network, X, y, learning_rate=learning_rate, progress=False)
    np.testing.assert_allclose(network.params.vector, before, rtol=0, atol=1e-20)
    assert history.epochs[0].loss == pytest.approx(history.epochs[-1].loss)


# the history


def test_the_history_holds_one_loss_an_iteration_and_one_record_an_epoch():
    network, (X, y) = small_network(), examples()
    losses = [step.loss for step in sgd(copy.deepcopy(network), X, y, epochs=3, batch_size=4)]
    history = train(network, X, y, epochs=3, batch_size=4, progress=False)
    assert history.loss == losses
    assert history.interrupted is False
    assert history.epochs == [
        (epoch, 3 * epoch, pytest.approx(sum(losses[3 * epoch - 3 : 3 * epoch]) / 3), None, None)
        for epoch in (1, 2, 3)
    ]


def test_both_accuracies_are_measured_after_each_epoch():
    network, (X, y), (X_val, y_val) = small_network(), examples(30), examples(7)
    y_val = y_val[::-1]
    options = {"batch_size": 4, "learning_rate": 1, "shuffle": False, "progress": False}
    replayed, expected = copy.deepcopy(network), []
    for _ in range(4):
        train(replayed, X, y, epochs=1, **options)
        expected.append((replayed.accuracy(X, y), replayed.accuracy(X_val, y_val)))

    history = train(network, X, y, epochs=4, validation=(X_val, y_val), **options)
    assert [record[3:] for record in history.epochs] == expected
    assert len(set(expected)) > 1
    np.testing.assert_array_equal(network.params.vector, replayed.params.vector)


def test_history_repr_is_short():
    assert repr(History()) == "History: 0 iterations, 0 epochs"
    history = History([2.5] * 1999 + [0.123456], [None, None])
    assert repr(history) == "History: 2,000 iterations, 2 epochs, loss of the last 0.1235"


# the progress bar


def test_without_progress_nothing_is_printed(capfd):
    network, (X, y) = small_network(), examples()
    train(network, X, y, validation=(X, y), progress=False)
    assert capfd.readouterr() == ("", "")


def test_the_bar_shows_epoch_iteration_total_and_loss(capsys):
    network, (X, y) = small_network(), examples()
    history = train(network, X, y, epochs=2, batch_size=4)
    out, err = capsys.readouterr()
    last = out.split("\r")[-1]
    assert "epoch 2/2: 100%" in last
    assert " 6/6 " in last
    assert f"loss={history.loss[-1]:.3f}" in last
    assert err == ""


def test_the_bar_follows_each_step_where_there_is_time(capsys, monkeypatch):
    network, (X, y) = small_network(), examples()
    monkeypatch.setattr(tqdm, "tqdm", functools.partial(tqdm.tqdm, mininterval=0, miniters=1))
    history = train(network, X, y, epochs=2, batch_size=4)
    out, _ = capsys.readouterr()
    for k, loss in enumerate(history.loss):
        drawn = rf"epoch {k // 3 + 1}/2: [^\r]* {k + 1}/6 [^\r]*loss={loss:.3f}"
        assert re.search(drawn, out), drawn


# divergence


@pytest.mark.parametrize("options", [{"learning_rate": 1e155}, {"l2": 1e160}])
def test_a_loss_that_is_not_finite_ends_training_and_says_what_to_do(options):
    X, y = examples()
    options = {"epochs": 20, "batch_size": 4} | options
    network, losses, positions = small_network(), [], []
    with pytest.raises(DivergenceError, match="learning_rate") as told:
        follow(network, X, y, losses, positions, **options)
    assert losses
    assert np.isfinite(losses).all()
    np.testing.assert_array_equal(network.params.vector, positions[-1])
    failing = len(losses) + 1
    epoch, rate = (failing - 1) // 3 + 1, options.get("learning_rate", 0.1)
    assert f"at iteration {failing} (epoch {epoch})" in str(told.value)
    assert f"learning_rate (now {rate:g})" in str(told.value)
    assert told.value.history is None

    network = small_network()
    with pytest.raises(DivergenceError, match="learning_rate") as told:
        train(network, X, y, progress=False, **options)
    assert told.value.history.loss == losses
    assert len(told.value.history.epochs) == len(losses) // 3
    np.testing.assert_array_equal(network.params.vector, positions[-1])


@pytest.fixture(scope="module")
def digits():
    return load_mnist(source="uci-digits")


@pytest.mark.parametrize(
    ("hidden", "learning_rate"), [(20, 1e3), (20, 1e5), (20, 1e8), (3000, 1e3)]
)
def test_a_run_that_blows_up_and_stays_finite_is_told(digits, hidden, learning_rate):
    network = Network([784, hidden, 10])
    message = (
        r"^the loss is \d.* after epoch 1, and far worse than that of a guess: the steps are too "
        rf"large\. Lower learning_rate \(now {re.escape(format(learning_rate, 'g'))}\), perhaps to a "
        r"tenth, or momentum or l2, and start again from a new network$"
    )
    with pytest.raises(DivergenceError, match=message) as told:
        train(network, digits.X_train, digits.y_train, learning_rate=learning_rate, progress=False)
    (epoch,) = told.value.history.epochs
    assert 10 * math.log(10) < epoch.loss < 87.4  # 3000 units do not make 3000 classes
    assert len(told.value.history.loss) == 45


@pytest.mark.parametrize("learning_rate", [0.1, 1, 5])
@pytest.mark.parametrize("init", ["he", "normal"])
def test_a_bad_start_and_a_run_that_learns_nothing_are_not_taken_for_that(
    digits, learning_rate, init
):
    network, options = Network([784, 20, 10], init=init), {"epochs": 2, "progress": False}
    history = train(network, digits.X_train, digits.y_train, learning_rate=learning_rate, **options)
    assert len(history.epochs) == 2


@pytest.mark.parametrize("l2", [0, 0.01])
@pytest.mark.parametrize("n", [30, 300])
def test_a_lucky_first_image_is_not_the_measure_of_the_others(digits, n, l2):
    """The loss of one image is anything from 0 to 87 where weights are drawn from N(0, 1)."""
    X, y = digits.X_train[:n], digits.y_train[:n]
    options = {"epochs": 2, "batch_size": 1, "learning_rate": 0.001, "l2": l2, "progress": False}
    for seed in range(20):
        history = train(Network([784, 20, 10], init="normal", rng=seed), X, y, rng=seed, **options)
        assert len(history.epochs) == 2


@both
def test_a_last_step_into_infinity_is_told(run):
    network, (X, y) = small_network(dtype="float32"), examples()
    with pytest.raises(
        DivergenceError, match="a weight or bias is no longer a finite number after"
    ):
        run(network, X, y, epochs=1, batch_size=10, learning_rate=1e300)


def test_a_last_step_into_infinity_costs_neither_checkpoint_nor_history(tmp_path):
    network, (X, y) = small_network(dtype="float32"), examples()
    options = {"checkpoint": tmp_path / "weights.npz", "validation": (X, y), "progress": False}
    train(network, X, y, epochs=1, **options)
    before = options["checkpoint"].read_bytes()
    with pytest.raises(DivergenceError) as told:
        train(network, X, y, epochs=1, batch_size=10, learning_rate=1e300, **options)
    assert options["checkpoint"].read_bytes() == before
    assert told.value.history == History()


def test_the_first_step_is_not_taken_when_its_loss_is_not_finite():
    network, (X, y) = small_network(), examples()
    network.params["b2"][0] = math.nan
    before = network.params.vector.copy()
    with pytest.raises(DivergenceError, match=r"at iteration 1 \(epoch 1\)") as told:
        train(network, X, y, progress=False)
    assert told.value.history == History()
    np.testing.assert_array_equal(network.params.vector, before)


# what is told at once


@pytest.mark.parametrize("start", [sgd, train])
@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        *[
            (name, v, "whole number")
            for name in ("epochs", "batch_size")
            for v in (0, -1, 1.5, "2")
        ],
        *[
            ("learning_rate", v, "more than 0")
            for v in (0, -1, math.nan, math.inf, 10**400, "0.1", None, 1j, [0.1])
        ],
        *[("momentum", v, "from 0 to less than 1") for v in (1, -0.1, math.nan, "0.9", None)],
        *[("l2", v, "0 or more") for v in (-1, math.nan, math.inf, "0", None)],
    ],
)
def test_an_option_out_of_range_is_told_by_name(capsys, start, name, value, allowed):
    network, (X, y) = small_network(), examples()
    before = network.params.vector.copy()
    message = rf"^{name} must be a [a-z ]*{allowed}[a-z0-9 ]*, but is {re.escape(repr(value))}$"
    with pytest.raises(ValueError, match=message):
        start(network, X, y, **{name: value})
    np.testing.assert_array_equal(network.params.vector, before)
    assert capsys.readouterr() == ("", "")


def with_one_pixel(value):
    X = np.zeros((20, 784))
    X[15, 300] = value
    return X


BAD_DATA = [
    (np.zeros((20, 784)), np.full(20, 10), "labels must be 0 to 9"),
    (np.zeros((20, 784)), np.zeros(19, int), "X and y must have the same length"),
    (np.zeros((20, 784)), np.zeros(20), "labels must be whole numbers"),
    (np.zeros((20, 784)), np.eye(20, 10, dtype=int), "looks one-hot"),
    (np.zeros((20, 785)), np.zeros(20, int), r"X must have the shape \(n, 784\)"),
    (np.zeros((20, 28, 28)), np.zeros(20, int), "flatten the images"),
    (np.zeros((0, 784)), np.zeros(0, int), "y is empty"),
    (with_one_pixel(255), np.zeros(20, int), "pixels must be 0–1.*divide by 255"),
    *[
        (with_one_pixel(value), np.zeros(20, int), "X must be finite")
        for value in (math.nan, math.inf, -math.inf)
    ],
]


@pytest.mark.parametrize("start", [sgd, train])
@pytest.mark.parametrize(("X", "y", "message"), BAD_DATA)
def test_data_that_does_not_fit_is_told(start, X, y, message):
    with pytest.raises(ValueError, match=message):
        start(Network([784, 10]), X, y)


@pytest.mark.parametrize("scale", [1e30, 3e38])
def test_weights_too_large_to_compute_with_are_told_without_a_warning(scale):
    network = Network([784, 5, 10])
    network.params.vector[:] = scale
    with pytest.raises(DivergenceError), np.errstate(all="warn"):
        train(network, np.ones((2, 784)), [0, 1], l2=1e9, progress=False)


@pytest.mark.parametrize(("X", "y", "message"), BAD_DATA)
def test_validation_data_that_does_not_fit_is_told_before_training(X, y, message):
    network = Network([784, 10])
    before = network.params.vector.copy()
    with pytest.raises(ValueError, match=f"^in validation: .*{message}"):
        train(network, np.zeros((2, 784)), [0, 1], validation=(X, y))
    np.testing.assert_array_equal(network.params.vector, before)


@pytest.mark.parametrize(
    ("validation", "kind"),
    [(5, "int"), (np.zeros((2, 784)), "ndarray"), ((np.zeros((2, 784)),), "tuple"), ("a", "str")],
)
def test_validation_that_is_no_pair_is_told(validation, kind):
    with pytest.raises(ValueError, match=rf"^validation must be a pair .*\(X, y\), but is {kind}$"):
        train(Network([784, 10]), np.zeros((2, 784)), [0, 1], validation=validation)


# interrupts


def python_handler(*_):
    raise KeyboardInterrupt


@pytest.fixture
def own_handler():
    """Put a SIGINT handler in place that no one else has, and the old one back at the end."""
    previous = signal.signal(signal.SIGINT, python_handler)
    yield python_handler
    signal.signal(signal.SIGINT, previous)


@contextmanager
def interrupt_before_line(k):
    """Send SIGINT when the k-th line of training, or inside backpropagation, is to be run."""
    lines = itertools.count(1)

    def trace(frame, event, _):
        code = frame.f_code
        if code.co_filename != training.__file__ and code.co_name != "backpropagate":
            return None
        if event == "line" and next(lines) == k:
            signal.raise_signal(signal.SIGINT)
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lines
    finally:
        sys.settrace(previous)


@pytest.mark.parametrize("momentum", [0, 0.9])
def test_an_interrupt_at_any_line_keeps_network_and_history_together(
    own_handler, capsys, tmp_path, monkeypatch, momentum
):
    monkeypatch.setattr(os, "fsync", lambda file: None)  # to be quick
    checkpoint = tmp_path / "weights.npz"
    X, y = examples(5)
    data = {"validation": (X, y), "checkpoint": checkpoint, "progress": False}
    options = {"epochs": 2, "batch_size": 2, "momentum": momentum, "rng": 3}
    replay, losses = small_network(), []
    positions = [replay.params.vector.copy()]
    follow(replay, X, y, losses, positions, **options)

    outcomes, moves = "", set()
    for k in itertools.count(1):
        network = small_network()
        with interrupt_before_line(k) as lines:
            try:
                history = train(network, X, y, **data, **options)
            except KeyboardInterrupt:
                history = None
        assert signal.getsignal(signal.SIGINT) is own_handler, k
        out = capsys.readouterr().out
        if next(lines) <= k:  # all was done before the k-th line
            break
        if history is None:  # the interrupt came before training or after it
            early = np.array_equal(network.params.vector, positions[0])
            outcomes += "E" if early else "L"
            np.testing.assert_array_equal(network.params.vector, positions[0 if early else -1])
            assert "Interrupted" not in out, k
            continue
        n = len(history.loss)
        outcomes += "I"
        moves.add(n)
        assert history.interrupted is (n < 6), k  # in the last iteration there is nothing to stop
        assert history.loss == losses[:n], k
        np.testing.assert_array_equal(network.params.vector, positions[n], str(k))
        assert [record.iteration for record in history.epochs] == [3, 6][: n // 3], k
        if n < 6:
            assert out.startswith(f"Interrupted after iteration {n} (epoch {(n + 2) // 3} of 2)"), k
            assert out.count("\n") == 1, k
        else:
            assert out == "", k
        network.predict(X)
        if n >= 3:  # an epoch is over
            saved = Network.load(checkpoint).params.vector
            np.testing.assert_array_equal(saved, positions[3 * (n // 3)], str(k))

    assert history.loss == losses
    assert not history.interrupted
    assert out == ""
    assert re.fullmatch("E+I+L*", outcomes)
    assert moves == {1, 2, 3, 4, 5, 6}
    assert outcomes.count("I") > 100


@pytest.mark.parametrize("progress", [True, False])
def test_an_interrupt_ends_training_after_the_iteration_under_way(own_handler, capsys, progress):
    network, (X, y) = small_network(), examples()
    backpropagate, calls = network.backpropagate, itertools.count(1)

    def interrupted_in_the_fifth(*arguments):
        if next(calls) == 1 + 5:  # one at the start, to know the loss there
            signal.raise_signal(signal.SIGINT)
        return backpropagate(*arguments)

    network.backpropagate = interrupted_in_the_fifth
    history = train(network, X, y, epochs=9, batch_size=4, progress=progress)
    assert history.interrupted is True
    assert (len(history.loss), len(history.epochs)) == (5, 1)
    bar, line = capsys.readouterr().out.rsplit("Interrupted", 1)
    assert line == (
        " after iteration 5 (epoch 2 of 9). The network keeps what it has learned; the history so "
        "far is returned.\n"
    )
    assert (" 5/27 " in bar) is progress
    assert signal.getsignal(signal.SIGINT) is own_handler


def test_an_error_in_training_puts_the_handler_back(own_handler):
    network, (X, y) = small_network(), examples()
    with pytest.raises(DivergenceError):
        train(network, X, y, learning_rate=1e155, progress=False)
    assert signal.getsignal(signal.SIGINT) is own_handler


def test_training_works_in_another_thread(own_handler):
    network, (X, y) = small_network(), examples()
    other, histories = copy.deepcopy(network), []
    thread = threading.Thread(
        target=lambda: histories.append(train(other, X, y, progress=False)), daemon=True
    )
    thread.start()
    thread.join(timeout=60)
    assert histories == [train(network, X, y, progress=False)]
    np.testing.assert_array_equal(network.params.vector, other.params.vector)
    assert signal.getsignal(signal.SIGINT) is own_handler


@pytest.mark.parametrize(("hidden", "one_core"), [(20, True), (3000, False)])
def test_only_large_products_get_more_than_one_core(monkeypatch, hidden, one_core):
    cores = []

    def blas_cores():
        return {i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"}

    def look(*_):
        cores.append(blas_cores())
        return 0.0

    monkeypatch.setattr(Network, "accuracy", look)
    before = blas_cores()
    X, y = np.zeros((10, 784)), np.arange(10)
    network = Network([784, hidden, 10])
    train(network, X, y, epochs=1, batch_size=10, validation=(X, y), progress=False)
    assert cores == 2 * [{1} if one_core else before]
    assert blas_cores() == before
