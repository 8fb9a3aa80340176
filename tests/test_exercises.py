"""The exercises: right answers pass, known mistakes draw their hints, and nothing gets past a check."""

import contextlib
import gc
import itertools
import json
import linecache
import math
import re
import shlex
import subprocess
import sys
import threading
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt

from course_utils import Network, data_path, exercises, load_mnist
from course_utils.datasets import IDX_TYPES, find_mnist
from course_utils.exercises import marking, slips
from course_utils.functions import one_hot, sigmoid, softmax

CHECKS = exercises.__all__
each_check = pytest.mark.parametrize("name", CHECKS)


def answer(name, attempt):
    """Return what the check says, in one line, and whether the attempt has passed."""
    result = getattr(exercises, name)(attempt)
    assert repr(result) == result.text
    return " ".join(result.text.split()), result.passed


# in the notebooks

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FOLD = re.compile(
    r"<details><summary>Solution</summary>\n\n```python\n(.+?)\n```\n\n(?:.+\n\n)?</details>",
    re.DOTALL,
)


def cells(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [cell | {"source": "".join(cell["source"])} for cell in notebook["cells"]]


def tagged(cell, tag):
    return tag in cell["metadata"].get("tags", [])


def exercises_of(path):
    """Yield (text, stub, solution), three cells that follow each other, for each exercise."""
    found = cells(path)
    for k, cell in enumerate(found):
        if tagged(cell, "exercise") and cell["cell_type"] == "markdown":
            yield tuple(found[k : k + 3])


EXERCISES = {
    re.search(r"check_\w+", three[1]["source"])[0]: (path, *three)
    for path in NOTEBOOKS
    for three in exercises_of(path)
}


def names_of(path):
    """Return what is known in a notebook once its first code cell has run."""
    names = {}
    first = next(cell for cell in cells(path) if cell["cell_type"] == "code")
    exec(first["source"], names)  # noqa: S102
    return names


@cache
def folded(name):
    """Return the function of the folded solution."""
    path, _, _, solution = EXERCISES[name]
    names = names_of(path)
    exec(FOLD.fullmatch(solution["source"])[1], names)  # noqa: S102
    return names[name.replace("check", "my", 1)]


@pytest.fixture(scope="module", autouse=True)
def all_folded():
    """Read all solutions first: what they import takes time, which is not the attempts'."""
    for name in EXERCISES:
        folded(name)


def test_each_exercise_is_in_a_notebook():
    assert sorted(EXERCISES) == sorted(CHECKS)


@pytest.mark.parametrize("path", sorted({path for path, *_ in EXERCISES.values()}), ids=str)
def test_a_notebook_has_two_to_four_exercises_and_a_larger_one(path):
    headings = [text["source"].splitlines()[0] for text, _, _ in exercises_of(path)]
    kinds = [heading.partition(":")[0] for heading in headings]
    assert kinds == ["### Exercise"] * (len(kinds) - 1) + ["### Larger exercise"]
    assert 2 <= len(kinds) - 1 <= 4
    source = "\n".join(cell["source"] for cell in cells(path))
    sections = re.findall(r"^##+ .*$", source, re.MULTILINE)
    assert sections[sections.index(headings[-1]) - 1] == "## On your own"


@each_check
def test_an_exercise_is_a_text_a_stub_and_a_solution(name):
    _, text, stub, solution = EXERCISES[name]
    kinds = [cell["cell_type"] for cell in (text, stub, solution)]
    assert kinds == ["markdown", "code", "markdown"]
    assert tagged(stub, "exercise")
    assert tagged(solution, "solution")
    assert len(text["source"].split()) > 30
    given = re.search(r"def my_\w+\(.*\):", stub["source"])[0]
    assert given in FOLD.fullmatch(solution["source"])[1], "the arguments of the stub"
    assert stub["source"].splitlines()[-1] == f"{name}({name.replace('check', 'my', 1)})"


@each_check
def test_a_stub_runs_and_is_still_to_be_done(name):
    path, _, stub, _ = EXERCISES[name]
    code, _, call = stub["source"].rpartition("\n")
    names = names_of(path)
    exec(code, names)  # noqa: S102
    result = eval(call, names)  # noqa: S307
    told = "○ Still to be done. Replace the dots by your code, then run the cell again."
    assert (result.text, result.passed) == (told, False)


# right answers

OTHERS = {}  # where another style gives another type, order, error or rounding


def right(name):
    return lambda attempt: OTHERS.setdefault(name, attempt)


def sizes_by_numpy(data):
    return tuple(np.frombuffer(data, ">u4", count=data[3], offset=4).tolist())


@right("check_idx_array")
def array_with_a_look_at_the_length(data):
    sizes, dtype = sizes_by_numpy(data), np.dtype(IDX_TYPES[data[2]])
    body = data[4 + 4 * len(sizes) :]
    if len(body) != math.prod(sizes) * dtype.itemsize:
        raise ValueError(f"{len(body)} bytes of numbers do not fit the sizes {sizes}")
    return np.frombuffer(body, dtype).astype(dtype.newbyteorder("=")).reshape(sizes)


@right("check_minibatches")
def deal_a_list(X, y, batch_size, rng):
    order = np.arange(len(X))
    rng.shuffle(order)
    cuts = range(batch_size, len(X), batch_size)
    return list(zip(np.split(X[order], cuts), np.split(y[order], cuts), strict=True))


@right("check_momentum_step")
def momentum_as_a_list(W, v, grad, learning_rate, momentum):
    v = v * momentum + grad * -learning_rate
    return [W + v, v]


@right("check_early_stop")
def stop_with_a_counter(losses, patience):
    kept, waited = 0, 0
    for epoch in range(len(losses)):
        waited = 0 if losses[epoch] < min(losses[:epoch], default=np.inf) else waited + 1
        kept = kept if waited else epoch
        if waited >= patience:
            break
    return np.int64(kept + 1)


@right("check_expected_best")
def best_by_all_draws(tries, n):
    if len(tries) > 4:  # too many to go through: by the chance that a draw is above
        below = (np.arange(len(tries)) / len(tries)) ** n
        return np.sort(tries) @ (np.append(below[1:], 1) - below)
    return np.mean([max(draw) for draw in itertools.product(tries, repeat=n)])


@right("check_seed_interval")
def interval_as_an_array(one, other, factor):
    error = np.sqrt(np.var(one - other, ddof=1) / len(one))
    return np.mean(one - other) + factor * error * np.array([-1, 1])


@pytest.mark.parametrize(("name", "attempt"), [*((n, None) for n in CHECKS), *OTHERS.items()])
def test_a_right_answer_passes_in_any_style(name, attempt):
    text, passed = answer(name, attempt or folded(name))
    assert passed, text
    assert text == f"✓ Right, on all {len(getattr(exercises, name).cases)} inputs."


# known mistakes

KNOWN = [(name, m, m.__doc__) for name in CHECKS for m in getattr(exercises, name).mistakes[0]]


def wrong(name, words):
    """Add an attempt that is no function of the check's own, and words of its hint."""
    return lambda attempt: KNOWN.append((name, attempt, words)) or attempt


def deal(X, y, batch_size, order):
    for k in range(0, len(order), batch_size):
        yield X[order[k : k + batch_size]], y[order[k : k + batch_size]]


def deal_shuffled_batches(X, y, batch_size, rng):
    batches = list(deal(X, y, batch_size, np.arange(len(X))))
    return [batches[k] for k in rng.permutation(len(batches))]


for words, attempt in {
    "lost their labels": lambda X, y, size, rng: deal(X, y[::-1], size, rng.permutation(len(X))),
    "last one what is left": lambda X, y, size, rng: deal(X, y, size, rng.permutation(len(X) // 2)),
    "come up once": lambda X, y, size, rng: deal(X, y, size, rng.integers(0, len(X), len(X))),
    "Shuffle all images": lambda X, y, size, rng: deal(X, y, size, np.arange(len(X))),
    "neighbours stay together": deal_shuffled_batches,
    "from no other one": lambda X, y, size, rng: deal(
        X, y, size, np.random.default_rng(0).permutation(len(X))
    ),
    "(3, 3, 3, 3, 3, 3, …)": lambda X, y, size, rng: itertools.cycle(
        deal(X, y, size, range(len(X)))
    ),
    "yield pairs": lambda X, y, size, rng: [X_batch for X_batch, _ in deal(X, y, size, range(9))],
}.items():
    wrong("check_minibatches", words)(attempt)


@wrong("check_early_stop", "The patience is not renewed.")
def stop_at_so_many_bad_epochs(losses, patience):
    best, bad = 0, 0
    for epoch, loss in enumerate(losses[1:], start=1):
        if loss < losses[best]:
            best = epoch
        else:
            bad += 1
        if bad == patience:
            break
    return best + 1


@wrong("check_gradients", "W2: `dW2` is n times too large")
def gradients_times_n(X, Y, W1, b1, W2, b2):
    grads = folded("check_gradients")(X, Y, W1, b1, W2, b2)
    return grads | {"W2": grads["W2"] * len(X)}


@wrong(
    "check_one_hot", "an array of numbers, of shape (3, 4), but returned an array of the type bool"
)
def one_hot_of_truths(y, n_classes):
    return y[:, None] == np.arange(n_classes)


@wrong("check_idx_array", "nobody would notice")
def array_that_overlooks_a_byte_too_many(data):
    sizes = sizes_by_numpy(data)
    numbers = np.frombuffer(data, IDX_TYPES[data[2]], math.prod(sizes), 4 + 4 * len(sizes))
    return numbers.reshape(sizes)


@wrong("check_idx_array", "Expected: ValueError Came: AssertionError: wrong length")
def array_with_an_assert(data):
    try:
        return folded("check_idx_array")(data)
    except ValueError:
        raise AssertionError("wrong length") from None


@each_check
def test_each_check_has_known_mistakes_and_says_what_it_checks(name):
    check = getattr(exercises, name)
    known, others = check.mistakes
    assert all(function.__doc__ for function in known + others)
    assert len(others) > 50
    assert check.__doc__.startswith(f"{check.reference.__name__}: {check.names[0]}")
    assert len(check.cases) >= 4


@pytest.mark.parametrize(
    ("name", "attempt", "words"),
    [pytest.param(*known, id=f"{known[0]}-{known[2][:30]}") for known in KNOWN],
)
def test_a_known_mistake_draws_its_hint(name, attempt, words):
    """So two mistakes with different hints never give the same on all inputs."""
    result = getattr(exercises, name)(attempt)
    text = " ".join(result.text.split())
    assert not result.passed
    assert re.match("✗ Not yet. (Right so far: .+ )?Input: ", text)
    assert " ".join(words.split()) in text
    assert answer(name, attempt)[0] == text, "the same each time"
    lines = result.text.splitlines()
    assert max(map(len, lines)) <= 96, "it does not go beyond the page"
    assert len(lines) <= 15


# the text of a whole answer


def test_the_whole_answer():
    def unstable(logits):
        print("the maximum is", logits.max())
        exps = np.exp(logits)
        return exps / exps.sum(axis=-1, keepdims=True)

    text = """✗ Not yet.
Right so far: one row; three rows; two rows of four; a batch of one row; whole numbers.
Input: large scores
  logits = [1000, 1001, 0]
Expected: [0.2689, 0.7311, 0]
Came:     [nan, nan, 0]
Why: exp overflows, and inf / inf is nan.
It printed: 'the maximum is 1001.0'"""
    assert exercises.check_softmax(unstable).text == text


# attempts that behave badly


def spoil_arguments(name):
    """Return a right attempt that changes one of its arguments."""

    def attempt(*args):
        result = folded(name)(*args)
        result = list(result) if name == "check_minibatches" else result
        for array in itertools.chain(*(a.values() if isinstance(a, dict) else [a] for a in args)):
            if isinstance(array, np.ndarray):
                array[...] = 7
                break
        return result

    return attempt


def refuse(*args):
    raise NotImplementedError


def stop(*args):
    sys.exit()


def loop(*args):
    while True:
        pass


def chatter(*args):
    while True:
        print("still here")


def recurse(*args):
    return recurse(*args)


class Odd:
    """Something that does not even let itself be looked at."""

    def refuse(self, *args, **options):
        raise KeyError

    __getattr__ = __repr__ = __array__ = __eq__ = refuse
    __hash__ = None


ILL_BEHAVED = {
    "is not begun": (refuse, "Still to be done"),
    "raises": (lambda *args: 1 / 0, "ZeroDivisionError: division by zero"),
    "stops Python": (stop, "SystemExit"),
    "asks for input": (lambda *args: input(), "It stopped"),
    "calls itself": (recurse, "RecursionError"),
    "returns None": (lambda *args: None, "its `return` is missing"),
    "returns dots": (lambda *args: ..., "Still to be done"),
    "returns dots in a tuple": (lambda *args: (..., ...), "Still to be done"),
    "computes with dots": (lambda *args: 1 + ..., "Still to be done"),
    "prints and returns None": (lambda *args: print("hello"), "only `return` hands it back"),
    "returns a text": (lambda *args: "7", "Not yet"),
    "returns a nan": (lambda *args: float("nan"), "Not yet"),
    "returns complex numbers": (lambda *args: np.full(3, 1j), "Not yet"),
    "returns something odd": (lambda *args: Odd(), "Not yet"),
    "takes nothing": (lambda: 1, "Yours takes ()"),
    "takes too many": (lambda a, b, c, d, e, f, g, h, i: 1, "Yours takes (a, b, c"),
    "is a result": (np.zeros(3), "Give it the name of the function"),
    "is None": (None, "Still to be done"),
    "is a class": (dict, "Not yet"),
    "is built in": (max, "Not yet"),
}
ODD = [[], (), {}, np.array([None]), np.ma.masked, [np.zeros(2)] * 3, {"W1": 1, 2: None}, [[1], 2]]
ILL_BEHAVED |= {f"returns {odd!r}": (lambda *args, odd=odd: odd, "Input: ") for odd in ODD}


@pytest.fixture
def no_collector():
    """Deep in an endless recursion, what hypothesis hooks into the garbage collector would fail."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("what", ILL_BEHAVED)
@each_check
def test_an_ill_behaved_attempt_gets_an_answer(name, what, capsys, no_collector):
    attempt, words = ILL_BEHAVED[what]
    text, passed = answer(name, attempt)
    assert not passed
    assert words in text
    assert text.startswith("○" if "Still" in words or "`return` is" in words else "✗")
    assert "Traceback" not in text
    assert "0x" not in text, "no addresses"
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def little_time(monkeypatch):
    monkeypatch.setattr(marking, "TIME_LIMIT", 0.05)


@pytest.mark.parametrize("attempt", [loop, chatter])
@each_check
def test_an_endless_loop_is_stopped(name, attempt, little_time, capsys):
    text, passed = answer(name, attempt)
    assert not passed
    assert "not come to an end after 0.05 seconds" in text
    assert "Restart the kernel" not in text
    assert capsys.readouterr() == ("", "")


def test_a_loop_that_cannot_be_stopped_is_left_and_told_of(little_time):
    gate, done = threading.Lock(), []
    gate.acquire()

    def attempt(logits):
        while not done:
            with contextlib.suppress(BaseException):
                gate.acquire(timeout=60)  # in C, where no exception comes in

    before, trace = set(threading.enumerate()), sys.gettrace()
    sys.settrace(None)  # Python 3.11 hangs if coverage looks on while such an exception is pending
    text, _ = answer("check_softmax", attempt)
    sys.settrace(trace)
    done.append(True)
    gate.release()
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
    assert "Restart the kernel" in text


@pytest.mark.parametrize(
    "code",
    [
        "def attempt(z):\n    while True: pass",
        "def attempt(z):\n    return [k for k in iter(int, 1)]",
        "def attempt(z):\n    while True:\n        try:\n            z + 1\n        except: pass",
    ],
)
def test_a_loop_in_one_line_or_with_a_bare_except_is_stopped(code, little_time):
    text, _ = answer("check_softmax", with_source(code, "loop"))
    assert "not come to an end" in text
    assert "It stood in the line" in text
    assert "Restart the kernel" not in text


def test_an_attempt_that_patches_numpy_or_the_checks_spoils_nothing(monkeypatch):
    def attempt(logits):
        np.isclose = np.exp = marking.faults.same = lambda *args, **options: np.True_
        return logits

    for _ in range(2):
        assert not answer("check_softmax", attempt)[1]
        assert answer("check_softmax", folded("check_softmax"))[1]


def test_the_pictures_of_the_first_input_are_enough():
    def attempt(logits):
        plt.figure()
        return folded("check_softmax")(logits)

    before = plt.get_fignums()
    assert answer("check_softmax", attempt)[1]
    assert len(plt.get_fignums()) == len(before) + 1
    plt.close(plt.get_fignums()[-1])


@each_check
def test_prints_are_left_out_where_the_answer_is_right(name, capsys):
    def attempt(*args):
        print("x" * 10_000)
        print("to the error stream", file=sys.stderr)
        return folded(name)(*args)

    text, passed = answer(name, attempt)
    assert passed
    assert text.endswith("(What it printed is left out.)")
    assert capsys.readouterr() == ("", "")


@each_check
def test_a_check_leaves_everything_as_it_was(name, recwarn):
    streams, state = (sys.stdout, sys.stderr), np.random.get_state()[1].tolist()  # noqa: NPY002
    for attempt in (folded(name), spoil_arguments(name), lambda *args: np.log(np.zeros(3)), stop):
        answer(name, attempt)
    assert (sys.stdout, sys.stderr) == streams
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002
    assert not recwarn.list
    assert answer(name, folded(name))[1], "nor are the inputs spoilt"
    if not re.search(
        "idx|minibatches", name
    ):  # bytes cannot be changed, nor a second epoch be right
        assert "has changed its argument" in answer(name, spoil_arguments(name))[0]


# what is said where no mistake is known

TABLE = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    ("wanted", "came", "words"),
    [
        (TABLE, np.array([[1.0, 2.0], [3.5, 4.0]]), "is at [1, 0]: expected 3, came 3.5"),
        (TABLE, TABLE / 3, "at [0, 0]: expected 1, came 0.333333. That is 1/3 times as large"),
        (TABLE, np.array([[1.0, np.inf], [3.0, 4.0]]), "There is nan or inf in it"),
        (TABLE, np.zeros((2, 1)), "The shape should be (2, 2), but is (2, 1)"),
        (TABLE, TABLE.T, "The right numbers are there, but at other places"),
        (TABLE, TABLE.astype(str), "but returned an array of the type <U32, of shape (2, 2)"),
        (TABLE, 2.7, "should return an array of numbers, of shape (2, 2), but returned a number"),
        (
            TABLE,
            TABLE.tolist(),
            "returned a list of 2. The numbers are right: np.array(…) makes one",
        ),
        ((1, 2), [1, 2], "returned a list of 2. `tuple(…)` makes one of it"),
        ((1, 2), (1, 2, 3), "should return a tuple of 2, but returned a tuple of 3"),
        (np.arange(30.0), np.arange(30.0) // 7 * 7, "Expected at [1]: 1 Came at [1]: 0"),
        ({"W": 1.0, "b": 2.0}, {"W": 1.0}, "a dict with the keys 'W', 'b', but returned a dict"),
        ({"W": 1.0, "b": 2.0}, {"W": 0.5, "b": 2.0}, "Came W: 0.5 Why: W: That is 1/2"),
        (4, True, "should return a whole number, but returned a number of the type bool"),
        (3, 5, "That is too large by 2"),
        (3.0, np.array([3.0]), "but returned an array of numbers, of shape (1,)"),
    ],
)
def test_without_a_known_mistake_the_difference_is_described(wanted, came, words):
    @marking.check(("x", 17.5))
    def check(x):
        """Any."""
        return wanted

    result = check(lambda x: came)
    assert words in " ".join(result.text.split())


WRAPPED = {
    "an array of two": ("check_momentum_step", np.stack),
    "an array of two numbers": ("check_interval", np.array),
    "a generator of two": ("check_momentum_step", iter),
    "fractions": ("check_interval", lambda pair: tuple(Fraction(float(part)) for part in pair)),
    "a key more": ("check_gradients", lambda grads: grads | {"loss": 1.0}),
    "a masked array": ("check_softmax", np.ma.array),
}


@pytest.mark.parametrize("how", WRAPPED)
def test_a_right_answer_passes_in_another_wrapping(how):
    name, wrap = WRAPPED[how]
    text, passed = answer(name, lambda *args: wrap(folded(name)(*args)))
    assert passed, text


def with_source(code, name):
    """Return a function like one of a cell, whose lines are known, in a notebook with A1 in it."""
    names = {"np": np, "softmax": softmax, "sigmoid": sigmoid, "A1": np.zeros((5, 20))}
    linecache.cache[name] = len(code), None, code.splitlines(keepends=True), name
    exec(compile(code, name, "exec"), names)  # noqa: S102
    return names["attempt"]


TOLD = """
check_forward: return softmax(A1 @ W2 + b2)
    `A1` is not an argument: it comes from the notebook, with the shape (5, 20).
check_forward: return softmax(sigmoid(X @ W1 + b1) @ W2.T)
    The shapes (2, 4) and (2, 4) met.
check_interval: return 0.4, right.sum() / 17
    Your function never uses `picks`.
check_cross_entropy: for p, k in zip(probs, y): return -np.log(p[k]) / len(y)
    The loop ends early: a `return` stands inside it.
check_idx_array: raise ValueError("too long")
    This input is valid, and yet your function refuses it.
check_softmax: return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    Its last is always axis=-1.
check_softmax: return logits - np.zeros(7)
    The shapes (3,) and (7,) met. Sizes must be equal, or 1, counted from the last.
check_forward: return X / X.sum(axis=1)
    If this is a number for each row, it must be a column: keepdims=True.
check_softmax: return logits[7]
    Axis 0 has 3 places, counted from 0.
check_softmax: return relu(logits)
    `relu` is not imported: `from course_utils import relu`.
check_softmax: return total
    The name `total` is not known here. Your function gets `logits`.
check_momentum_step: return W + momentum * v - learning_rate * grad, ...
    ○ Still to be done: v. Right on all inputs: W.
check_momentum_step: return ..., momentum * v + learning_rate * grad
    `learning_rate` was added, not subtracted. Still to be done: W.
check_sgd_step: p = params.copy(); p["W1"] -= learning_rate * grads["W1"]; return p
    changed its argument params, which whoever calls it may still need.
check_momentum_step: W += v; return W, v
    It has also changed its argument W
check_softmax: return input("scores?")
    input() waits for typing
check_softmax: exit()
    exit() would end the whole notebook
"""


LINES = TOLD.strip().splitlines()


@pytest.mark.parametrize(("call", "words"), list(zip(LINES[::2], LINES[1::2], strict=True)))
def test_what_is_told_of(call, words):
    name, _, body = call.partition(": ")
    given = ", ".join(getattr(exercises, name).names)
    body = body.replace("; ", "\n    ").replace(": return", ":\n        return")
    text, _ = answer(name, with_source(f"def attempt({given}):\n    {body}", call))
    assert words.strip() in text


# a right answer in which one thing is another does not pass

HARMLESS = """box 18, centre 10, count_misclassified 13, cross_entropy 7, dead_units 20,
deep_forward 3, early_stop 21, expected_best 17, forward 8, gradients 23, idx_array 10,
idx_sizes 6, input_gradient 13, interval 10, log_softmax 4, minibatches 23,
momentum_epoch 19, momentum_step 2, numerical_gradient 15, one_hot 15, otsu 32,
overrated 5, reading_order 63, reliability 20, running_mean 23, seed_interval 11,
sgd_step 1, shift_each 13, sigmoid_gradients 21, softmax 9, speaker 28, train_epoch 32"""  # slips


@each_check
def test_a_slip_in_the_solution_does_not_pass(name, monkeypatch):
    """Those that do are counted: each is as right, for one of these reasons.

    A vector is its own transpose, and lies in one row already. Whole numbers have no fractions; zeros
    that are written over may be anything. Another array has as many rows; a loop may call its number
    anything. Steps that do not need each other may change places. The softmax sees differences only,
    and argmax or < the order. Indices may count from the end. Zeros stay 0 when they are multiplied,
    and the blank image is 0. Rows and columns that are both exchanged, and axes, too, are as they were.
    A name inside a list or a lambda may be any. The scale of ink, boxes and gaps cancels out.
    """
    harmless = dict(re.findall(r"(\w+) (\d+)", HARMLESS))
    monkeypatch.setattr(marking.Check, "_fault", lambda *args: "wrong")  # why is not asked here
    for name_of_care in "_kept", "_no_pictures":  # which takes longer than the solution
        monkeypatch.setattr(marking, name_of_care, lambda *args: contextlib.nullcontext())
    monkeypatch.setattr(marking, "_within_time", lambda work: work())
    path, _, _, solution = EXERCISES[name]
    names = names_of(path)
    source = FOLD.fullmatch(solution["source"])[1]
    exec(source, names)  # noqa: S102
    passed = []
    for changed, hint in {changed: hint for hint, changed in slips.of_source(source)}.items():
        with contextlib.suppress(SyntaxError):
            exec(changed, names)  # noqa: S102
            if getattr(exercises, name)(names[name.replace("check", "my", 1)]).passed:
                passed.append(hint)
    assert len(passed) == int(harmless[name.removeprefix("check_")]), passed


# what the solutions are for


def test_the_solution_to_the_input_gradient_fools_the_sample_network():
    network = Network.load(data_path("sample_weights.npz"))
    for source in ["uci-digits", *(["mnist"] if find_mnist() else [])]:
        _, (X, y) = load_mnist(source=source)
        X, y = X[:1000], y[:1000]
        dX = folded("check_input_gradient")(X, one_hot(y), *network.params.values())
        nudged = [np.clip(X + 0.1 * sign * np.sign(dX), 0, 1) for sign in (1, -1)]
        against, along = (network.accuracy(x, y) for x in nudged)
        assert against < 0.6
        assert along > network.accuracy(X, y)


def test_the_solution_to_the_interval_covers_the_true_share_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        right = rng.random(300) < 0.8
        low, high = folded("check_interval")(right, rng.integers(0, 300, (200, 300)))
        covered += low <= 0.8 <= high
    assert 0.9 < covered / 200 < 0.99


# the version for a class


def test_the_class_version_has_all_but_the_solutions(tmp_path):
    texts = [path.read_text(encoding="utf-8") for path in ROOT.rglob("*.md")]
    found = {
        line for text in texts for line in text.splitlines() if "TagRemovePreprocessor" in line
    }
    assert len(found) == 1, "one command, the same wherever it stands"
    command = shlex.split(found.pop())
    assert command[:2] == ["jupyter", "nbconvert"]
    command[command.index("--output-dir") + 1] = str(tmp_path)
    subprocess.run([sys.executable, "-m", *command[1:]], cwd=ROOT, check=True, capture_output=True)
    assert [path.name for path in sorted(tmp_path.glob("*"))] == [path.name for path in NOTEBOOKS]
    for path in NOTEBOOKS:
        kept = cells(tmp_path / path.name)
        left = [cell["source"] for cell in cells(path) if not tagged(cell, "solution")]
        assert [cell["source"] for cell in kept] == left
        assert not any(cell.get("outputs") for cell in kept), "they answer the predictions"
        everything = "\n".join(cell["source"] for cell in kept)
        assert "<summary>Solution" not in everything
