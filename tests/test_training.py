"""Minibatch SGD: each step by hand, repeatable, interruptible anywhere, and clear errors."""

import copy
import functools
import itertools
import math
import re
import signal
import sys
import threading
from contextlib import contextmanager

import numpy as np
import pytest
import tqdm
from threadpoolctl import threadpool_info

from course_utils import training
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
    train(network, np.arange(n)[:, None] / n, np.arange(n), progress=False, **options)
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
        *[("learning_rate", v, "more than 0") for v in (0, -1, math.nan, math.inf)],
        *[("momentum", v, "from 0 to less than 1") for v in (1, -0.1, math.nan)],
        *[("l2", v, "0 or more") for v in (-1, math.nan, math.inf)],
    ],
)
def test_an_option_out_of_range_is_told_by_name(capsys, start, name, value, allowed):
    network, (X, y) = small_network(), examples()
    before = network.params.vector.copy()
    message = rf"^{name} must be a .*{allowed}.*, but is {re.escape(repr(value))}$"
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


@pytest.mark.parametrize(("X", "y", "message"), BAD_DATA)
def test_validation_data_that_does_not_fit_is_told_before_training(X, y, message):
    network = Network([784, 10])
    before = network.params.vector.copy()
    with pytest.raises(ValueError, match=message):
        train(network, np.zeros((2, 784)), [0, 1], validation=(X, y))
    np.testing.assert_array_equal(network.params.vector, before)


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
def test_an_interrupt_at_any_line_keeps_network_and_history_together(own_handler, capsys, momentum):
    X, y = examples(5)
    options = {"epochs": 2, "batch_size": 2, "momentum": momentum, "rng": 3}
    replay, losses = small_network(), []
    positions = [replay.params.vector.copy()]
    follow(replay, X, y, losses, positions, **options)

    outcomes, moves = "", set()
    for k in itertools.count(1):
        network = small_network()
        with interrupt_before_line(k) as lines:
            try:
                history = train(network, X, y, validation=(X, y), progress=False, **options)
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
        assert history.interrupted is True, k
        assert history.loss == losses[:n], k
        np.testing.assert_array_equal(network.params.vector, positions[n], str(k))
        assert [record.iteration for record in history.epochs] == [3, 6][: n // 3], k
        assert out.startswith(f"Interrupted after iteration {n} (epoch {(n + 2) // 3} of 2)"), k
        assert out.count("\n") == 1, k

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
        if next(calls) == 5:
            signal.raise_signal(signal.SIGINT)
        return backpropagate(*arguments)

    network.backpropagate = interrupted_in_the_fifth
    history = train(network, X, y, epochs=9, batch_size=4, progress=progress)
    assert history.interrupted is True
    assert (len(history.loss), len(history.epochs)) == (5, 1)
    bar, line = capsys.readouterr().out.rsplit("Interrupted", 1)
    assert line.startswith(" after iteration 5 (epoch 2 of 9)")
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
