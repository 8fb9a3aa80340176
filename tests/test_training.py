"""Minibatch SGD: each step by hand, repeatable, interruptible, and clear errors."""

import contextlib
import copy
import functools
import itertools
import math
import os
import re

import numpy as np
import pandas as pd
import pytest
import tqdm
from odd_arrays import unaligned
from small_networks import assert_equal, examples, small_network
from threadpoolctl import threadpool_info

from course_utils import DivergenceError, History, Network, load_mnist, sgd, train

pytestmark = pytest.mark.filterwarnings("error")
quietly = functools.partial(train, progress=False)
(DIGITS, LABELS), _ = load_mnist(source="uci-digits")


def take_all(network, X, y, **options):
    return list(sgd(network, X, y, **options))


def assert_same(network, other):
    assert_equal(network.params, other.params)


both = pytest.mark.parametrize("run", [take_all, quietly], ids=["sgd", "train"])


# what a step does


@both
@pytest.mark.parametrize("momentum", [0, 0.9])
@pytest.mark.parametrize("l2", [0, 0.05])
def test_steps_are_those_of_a_loop_by_hand(run, momentum, l2):
    network, (X, y) = small_network(), examples()
    by_hand, losses = copy.deepcopy(network), []
    options = {"learning_rate": 0.3, "momentum": momentum, "l2": l2, "shuffle": False}
    seen = run(network, X, y, epochs=3, batch_size=4, **options)

    velocity = dict.fromkeys(by_hand.params, 0)
    for start in [0, 4, 8] * 3:
        loss, grads = by_hand.gradients(X[start : start + 4], y[start : start + 4], l2)
        losses.append(loss)
        for name, gradient in grads.items():
            velocity[name] = momentum * velocity[name] - 0.3 * gradient
            by_hand.params[name] = by_hand.params[name] + velocity[name]
    for name, array in network.params.items():
        np.testing.assert_allclose(array, by_hand.params[name], rtol=1e-12)
    if run is take_all:
        for k, (step, loss) in enumerate(zip(seen, losses, strict=True)):
            assert step == (k // 3 + 1, k + 1, pytest.approx(loss), k % 3 == 2)
    else:
        assert seen.loss == pytest.approx(losses)


@both
def test_an_option_left_out_has_its_documented_default(run):
    network, other, (X, y) = small_network(), small_network(), examples(70)
    run(network, X, y)
    defaults = {"learning_rate": 0.1, "momentum": 0, "l2": 0, "shuffle": True, "rng": 0}
    run(other, X, y, epochs=5, batch_size=32, **defaults)
    assert_same(network, other)


# the order of the images


@pytest.mark.parametrize(
    ("n", "batch_size", "sizes"),
    [(10, 4, [4, 4, 2]), (8, 4, [4, 4]), (9, 4, [4, 4, 1]), (7, 8, [7]), (5, 1, [1] * 5)],
)
@pytest.mark.parametrize("shuffle", [True, False])
def test_each_image_is_used_once_an_epoch_with_its_own_label(n, batch_size, sizes, shuffle):
    network, batches, orders = Network([1, n]), [], set()
    backpropagate = network.backpropagate
    network.backpropagate = lambda *batch: batches.append(batch) or backpropagate(*batch)
    options = {"epochs": 3, "batch_size": batch_size, "shuffle": shuffle}
    take_all(network, np.arange(n)[:, None] / n, np.arange(n), **options)
    assert [len(y) for _, y, _ in batches] == sizes * 3
    for epoch in range(3):
        X, y, _ = zip(*batches[epoch * len(sizes) : (epoch + 1) * len(sizes)], strict=True)
        np.testing.assert_allclose(np.vstack(X)[:, 0] * n, np.concatenate(y), rtol=1e-6)
        orders.add(tuple(np.concatenate(y)))
    assert {tuple(sorted(order)) for order in orders} == {tuple(range(n))}
    # each epoch has a new order, or the file's
    assert (len(orders | {tuple(range(n))}) == 4) if shuffle else (orders == {tuple(range(n))})


def test_the_seed_decides_everything():
    seeds = (7, 7, np.random.default_rng(7), 8)
    networks = [small_network() for _ in seeds]
    runs = zip(networks, seeds, strict=True)
    first, *same, other = [quietly(n, *examples(), batch_size=4, rng=rng).loss for n, rng in runs]
    assert same == [first, first]
    assert other != first
    assert_same(networks[0], networks[1])
    assert_same(networks[0], networks[2])


# images of every kind

KINDS = {
    **{t: lambda X, _, t=t: X.astype(t) for t in ("f2", "f4", ">f8", "g", "i8", "u1", "bool")},
    "Fortran order": lambda X, _: np.asfortranarray(X),
    "every other column": lambda X, _: np.repeat(X, 2, axis=1)[:, ::2],
    "unaligned": lambda X, _: unaligned(X.astype(np.float32)),
    "backwards in memory": lambda X, _: X[::-1].copy()[::-1],
    "memory-mapped": lambda X, file: np.save(file, X) or np.load(file, mmap_mode="r"),
    "list": lambda X, _: X.tolist(),
    "pandas": lambda X, _: pd.DataFrame(X, index=range(len(X), 0, -1)),
}


@both
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_images_of_any_kind_train_and_are_answered_alike_and_are_not_changed(run, kind, tmp_path):
    bits, y = (examples(10)[0] > 0.5).astype(float), examples(10)[1]  # exact in each type
    expected, network = small_network(), small_network()
    run(expected, bits, y, epochs=2, batch_size=4, momentum=0.5)
    X = kind(bits, tmp_path / "images.npy")
    y = {list: list, pd.DataFrame: pd.Series}.get(type(X), np.uint8)(y)
    for array in (X, y):
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    run(network, X, y, epochs=np.int64(2), batch_size=np.int32(4), momentum=np.float32(0.5))
    assert_same(network, expected)
    answers = expected.predict_proba(bits)
    np.testing.assert_array_equal(network.predict_proba(X), answers)
    np.testing.assert_array_equal(network.predict(X), answers.argmax(axis=1))
    np.testing.assert_array_equal(X, bits)
    np.testing.assert_array_equal(y, examples(10)[1])


# the history


@pytest.mark.parametrize("validation", [None, (examples(7)[0], examples(7)[1][::-1])])
def test_the_history_holds_each_loss_and_a_record_of_each_epoch(capfd, validation):
    network, (X, y), options = small_network(), examples(30), {"batch_size": 4, "learning_rate": 1}
    replayed, rng, losses, records = copy.deepcopy(network), np.random.default_rng(5), [], []
    for epoch in range(1, 5):  # one after the other, with one generator
        loss = [step.loss for step in sgd(replayed, X, y, epochs=1, rng=rng, **options)]
        accuracies = (None, None)
        if validation:
            accuracies = replayed.accuracy(X, y), replayed.accuracy(*validation)
        records.append((epoch, 8 * epoch, pytest.approx(np.mean(loss)), *accuracies))
        losses += loss
    history = quietly(network, X, y, epochs=4, rng=5, validation=validation, **options)
    assert (history.loss, history.epochs, history.interrupted) == (losses, records, False)
    assert validation is None or len({record[3:] for record in records}) > 1
    assert str(losses[0]) not in repr(history)  # there may be many
    assert_same(network, replayed)
    assert capfd.readouterr() == ("", "")


def test_the_bar_follows_each_step_where_there_is_time(capsys, monkeypatch):
    every_step = functools.partial(tqdm.tqdm, mininterval=0, miniters=1)
    monkeypatch.setattr("course_utils.training.tqdm", every_step)
    history = train(small_network(), *examples(), epochs=2, batch_size=4)
    out, err = capsys.readouterr()
    assert err == ""
    for k, loss in enumerate(history.loss):
        assert re.search(rf"epoch {k // 3 + 1}/2, loss {loss:.3g}: [^\r]* {k + 1}/6 ", out)
    assert "100%" in out.split("\r")[-1]


# a checkpoint


def test_a_checkpoint_is_saved_or_told_at_once_that_it_has_no_folder(tmp_path, monkeypatch):
    network, (X, y) = small_network(), examples()
    with pytest.raises(FileNotFoundError, match=r"^checkpoint: .* no folder .*; make it first"):
        train(network, X, y, checkpoint=tmp_path / "missing" / "weights.npz")
    assert_same(network, small_network())
    monkeypatch.chdir(tmp_path)
    quietly(network, X, y, checkpoint="weights.npz")  # in the folder that Python runs in
    assert os.listdir() == ["weights.npz"]
    assert_same(Network.load("weights.npz"), network)


@pytest.mark.parametrize(
    ("error", "told"),
    [(OSError(28, "No space left", "/secret/path"), "No space left"), (OSError("why"), "OSError")],
)
def test_a_checkpoint_that_cannot_be_written_is_told(tmp_path, monkeypatch, capsys, error, told):
    def fail(*_):
        raise error

    checkpoint = tmp_path / "weights.npz"
    checkpoint.write_bytes(b"the old one")
    monkeypatch.setattr(os, "fsync", fail)
    history = quietly(small_network(), *examples(), epochs=2, checkpoint=checkpoint)
    assert len(history.epochs) == 2
    line = f"The checkpoint cannot be written ({told}); training goes on without it.\n"
    assert capsys.readouterr().out == 2 * line
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"the old one"]


# divergence


@pytest.mark.parametrize("options", [{"learning_rate": 1e155}, {"l2": 1e160}])
def test_a_loss_that_is_not_finite_ends_training_and_says_what_to_do(options):
    X, y = examples()
    options = {"epochs": 20, "batch_size": 4} | options
    stepped, trained, losses = small_network(), small_network(), []
    with pytest.raises(DivergenceError) as told:
        losses.extend(step.loss for step in sgd(stepped, X, y, **options))
    assert np.isfinite(losses).all()
    message = (
        f"the loss is no longer a finite number at iteration {len(losses) + 1}: the steps are too "
        f"large. Lower learning_rate (now {options.get('learning_rate', 0.1):g}, perhaps to a tenth "
        "of that), momentum or l2, and start again from a new network"
    )
    assert (str(told.value), told.value.history) == (message, None)
    with pytest.raises(DivergenceError, match=re.escape(message)) as told:
        quietly(trained, X, y, **options)
    assert told.value.history.loss == losses
    assert len(told.value.history.epochs) == len(losses) // 3
    assert_same(trained, stepped)


@pytest.mark.parametrize(("hidden", "rate"), [(20, 1e3), (20, 1e5), (20, 1e7), (3000, 1e3)])
def test_a_run_that_blows_up_and_stays_finite_is_told(hidden, rate, tmp_path):
    network, checkpoint = Network([784, hidden, 10]), tmp_path / "weights.npz"
    checkpoint.write_bytes(b"the old one")
    now = re.escape(f"{rate:g}")
    message = rf"^the loss is \d.*: the steps are too large\. Lower learning_rate \(now {now},"
    with pytest.raises(DivergenceError, match=message) as told:
        quietly(network, DIGITS, LABELS, learning_rate=rate, checkpoint=checkpoint)
    (epoch,) = told.value.history.epochs
    assert 10 * math.log(10) < epoch.loss < 87.4  # 3000 units do not make 3000 classes
    assert len(told.value.history.loss) == epoch.iteration == 45
    assert checkpoint.read_bytes() == b"the old one"


@pytest.mark.parametrize("init", ["he", "normal"])
@pytest.mark.parametrize(
    ("n", "options"),
    [
        *((1437, {"learning_rate": v}) for v in (0.1, 1, 5)),
        # the loss of the first image alone is anything from 0 to 87 where weights are from N(0, 1)
        *((100, {"learning_rate": 0.001, "batch_size": 1, "l2": v}) for v in (0, 0.01)),
    ],
)
def test_a_bad_start_and_a_run_that_learns_nothing_are_not_taken_for_that(init, n, options):
    X, y = DIGITS[:n], LABELS[:n]
    for seed in range(20):
        network = Network([784, 20, 10], init=init, rng=seed)
        assert len(quietly(network, X, y, rng=seed, epochs=2, **options).epochs) == 2


@pytest.mark.parametrize(("at_start", "bound"), [(1, 10 * math.log(4)), (20, 1.5 * 20)])
@pytest.mark.parametrize("share", [0.99, 1.01])
def test_far_worse_is_ten_times_a_guess_and_more_than_the_start(at_start, bound, share):
    network, losses = small_network(), iter([at_start, *[share * bound] * 3])
    network.backpropagate = lambda *_: (next(losses), {})
    with pytest.raises(DivergenceError) if share > 1 else contextlib.nullcontext():
        quietly(network, *examples(), epochs=1, batch_size=4)


@both
def test_a_last_step_into_infinity_is_told_and_the_old_checkpoint_stays(run, tmp_path):
    network, checkpoint = small_network(), tmp_path / "weights.npz"
    network.backpropagate = lambda *_: (1.0, {"b1": np.array([0, 0, math.inf, 0, 0])})
    checkpoint.write_bytes(b"the old one")
    options = {} if run is take_all else {"checkpoint": checkpoint}
    message = "^a parameter is no longer a finite number after epoch 1: the steps are too large"
    with pytest.raises(DivergenceError, match=message) as told:
        run(network, *examples(), **options)
    assert told.value.history == (None if run is take_all else History())
    assert checkpoint.read_bytes() == b"the old one"


@pytest.mark.parametrize("scale", [1e30, 3e38, math.nan])
def test_weights_too_large_to_compute_with_are_told_without_a_warning(scale):
    network = Network([784, 5, 10])
    for array in network.params.values():
        array[...] = scale
    before = copy.deepcopy(network)
    with pytest.raises(DivergenceError, match="at iteration 1:"), np.errstate(all="warn"):
        quietly(network, np.ones((2, 784)), [0, 1], l2=1e9)
    assert_same(network, before)


# what is told at once


@both
@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        *[(n, v, "whole number") for n in ("epochs", "batch_size") for v in (0, -1, 1.5, "2")],
        *[
            ("learning_rate", v, "more than 0")
            for v in (0, -1, math.nan, math.inf, np.float32("inf"), "0.1", None, 1j, [0.1])
        ],
        *[("momentum", v, "from 0 to less than 1") for v in (1, -0.1, math.nan, "0.9", None)],
        *[("l2", v, "0 or more") for v in (-1, math.nan, math.inf, "0", None)],
    ],
)
def test_an_option_out_of_range_is_told_by_name(capsys, run, name, value, allowed):
    network, (X, y) = small_network(), examples()
    message = rf"^{name} must be a [a-z ]*{allowed}[a-z0-9 ]*, but is {re.escape(repr(value))}$"
    with pytest.raises(ValueError, match=message):
        run(network, X, y, **{name: value})
    assert_same(network, small_network())
    assert capsys.readouterr() == ("", "")


def test_an_unknown_option_is_named_with_the_known_ones():
    known = "epochs batch_size learning_rate momentum l2 shuffle rng validation checkpoint progress"
    with pytest.raises(ValueError, match=r"'learning_rat'$") as told:
        train(small_network(), *examples(), learning_rat=0.1)
    assert re.findall(r"'(\w+)'", str(told.value))[:-1] == known.split()


ZEROS, NOUGHTS = np.zeros((20, 784)), np.zeros(20, int)
PIXEL = np.eye(1, 20 * 784, 12_000).reshape(20, 784) == 1  # a single one, of the 16th image


@pytest.mark.parametrize("run", [take_all, quietly, Network.gradients])
@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (ZEROS, np.full(20, 10), "labels must be 0 to 9, one for each output, but .* 10 to 10"),
        (ZEROS, np.zeros(20), "labels must be whole numbers"),
        (ZEROS, np.eye(20, 10, dtype=int), r"y .*looks one-hot.*argmax"),
        (ZEROS, pd.DataFrame(NOUGHTS), r"y must be a row of labels.*\(20, 1\)"),
        (ZEROS, NOUGHTS[1:], r"X and y must have the same length.* 20 images .*\(19,\)"),
        (ZEROS, 0, r"X and y must have the same length.*\(\)"),
        (ZEROS[0], [0], r"X must have the shape \(n, 784\).*X\[None\]"),
        (ZEROS[:0], [], "same length, at least 1, but X has 0 images"),
        (ZEROS.reshape(20, 28, 28), NOUGHTS, "flatten the images"),
        (np.where(PIXEL, 255.0, 0), NOUGHTS, r"pixels must be 0–1.*divide by 255"),
        (np.where(PIXEL, np.uint8(255), np.uint8(0)), NOUGHTS, "pixels must be 0–1"),
        *((np.where(PIXEL, v, 0), NOUGHTS, "X must be finite") for v in (np.nan, np.inf, -np.inf)),
    ],
)
def test_data_that_does_not_fit_is_told(run, X, y, message):
    network = Network([784, 10])
    with pytest.raises(ValueError, match=message):
        run(network, X, y)
    if run is quietly:
        with pytest.raises(ValueError, match=f"^in validation: .*{message}"):
            run(network, ZEROS, NOUGHTS, validation=(X, y))
    assert_same(network, Network([784, 10]))


@pytest.mark.parametrize("validation", [5, np.zeros((2, 784)), (np.zeros((2, 784)),), "ab"])
def test_validation_that_is_no_pair_is_told(validation):
    message = rf"^validation must be a pair .*\(X, y\),.* but is {type(validation).__name__}$"
    with pytest.raises(ValueError, match=message):
        train(Network([784, 10]), ZEROS, NOUGHTS, validation=validation)


# interrupts


@pytest.mark.parametrize("progress", [True, False])
def test_an_interrupt_ends_training_and_keeps_what_was_learned(tmp_path, capsys, progress):
    network, (X, y) = small_network(), examples()
    replayed, checkpoint = copy.deepcopy(network), tmp_path / "weights.npz"
    backpropagate, calls = network.backpropagate, itertools.count()

    def interrupted_in_the_fifth(*arguments):
        if next(calls) == 5:  # one at the start, to know the loss there
            raise KeyboardInterrupt
        return backpropagate(*arguments)

    network.backpropagate = interrupted_in_the_fifth
    options = {"batch_size": 4, "momentum": 0.9}
    history = train(network, X, y, epochs=9, checkpoint=checkpoint, progress=progress, **options)
    assert history.interrupted is True
    assert (len(history.loss), len(history.epochs)) == (4, 1)
    bar, line = capsys.readouterr().out.rsplit("Interrupted", 1)
    assert line == (
        " after iteration 4 of 27. The network keeps what it has learned; the history so far is "
        "returned.\n"
    )
    assert (" 4/27 " in bar) is progress
    steps = sgd(replayed, X, y, **options)
    for _ in range(3):
        next(steps)
    assert_same(Network.load(checkpoint), replayed)
    next(steps)
    assert_same(network, replayed)
    assert not train(network, X, y, epochs=1, progress=False).interrupted  # it goes on


@pytest.mark.parametrize(("hidden", "one_core"), [(20, True), (3000, False)])
def test_only_large_products_get_more_than_one_core(monkeypatch, hidden, one_core):
    def blas_cores():
        return {i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"}

    cores = []
    monkeypatch.setattr(Network, "accuracy", lambda *_: cores.append(blas_cores()) or 0.0)
    before = blas_cores()
    data = np.zeros((10, 784)), np.arange(10)
    quietly(Network([784, hidden, 10]), *data, epochs=1, batch_size=10, validation=data)
    assert cores == 2 * [{1} if one_core else before]
    assert blas_cores() == before
