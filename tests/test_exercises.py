"""The exercises: right answers pass, known mistakes draw their hints, and nothing gets past a check."""

import gc
import itertools
import json
import math
import re
import shlex
import subprocess
import sys
import threading
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest

from course_utils import Network, data_path, exercises, load_mnist, numerical_gradient
from course_utils.datasets import IDX_TYPES, find_mnist
from course_utils.exercises import marking
from course_utils.functions import sigmoid, softmax

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


@right("check_idx_sizes")
def sizes_by_numpy(data):
    return np.frombuffer(data, ">u4", count=data[3], offset=4).tolist()


@right("check_one_hot")
def one_hot_by_comparison(y, n_classes):
    return (y[:, None] == np.arange(n_classes)).astype(int)


@right("check_idx_array")
def array_with_a_look_at_the_length(data):
    sizes, dtype = sizes_by_numpy(data), np.dtype(IDX_TYPES[data[2]])
    body = data[4 + 4 * len(sizes) :]
    if len(body) != math.prod(sizes) * dtype.itemsize:
        raise ValueError(f"{len(body)} bytes of numbers do not fit the sizes {sizes}")
    return np.frombuffer(body, dtype).astype(dtype.newbyteorder("=")).reshape(sizes)


@right("check_cross_entropy")
def loss_in_a_loop(probs, y):
    return -sum(math.log(row[label] + 1e-12) for row, label in zip(probs, y, strict=True)) / len(y)


@right("check_log_softmax")
def log_softmax_by_logaddexp(logits):
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


@right("check_sigmoid_gradients")
def sigmoid_gradients_numerically(X, Y, W1, b1, W2, b2, l2):
    params = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}

    def loss(name, value):
        p = params | {name: value}
        probs = softmax(sigmoid(X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"])
        squares = (p["W1"] ** 2).sum() + (p["W2"] ** 2).sum()
        return -np.log((probs * Y).sum(axis=1)).mean() + l2 / 2 * squares

    return {n: numerical_gradient(partial(loss, n), value) for n, value in params.items()}


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


@right("check_confusion_matrix")
def confusion_of_small_integers(y, y_pred, n_classes):
    return folded("check_confusion_matrix")(y, y_pred, n_classes).astype(np.uint8)


@right("check_accept")
def accept_in_a_loop(probs, y, threshold):
    kept = [k for k in range(len(y)) if max(probs[k]) >= threshold]
    return len(kept) / len(y), sum(int(np.argmax(probs[k]) == y[k]) for k in kept) / len(kept)


@pytest.mark.parametrize(("name", "attempt"), [*((n, None) for n in CHECKS), *OTHERS.items()])
def test_a_right_answer_passes_in_any_style(name, attempt):
    text, passed = answer(name, attempt or folded(name))
    assert passed, text
    assert text == f"✓ Right, on all {len(getattr(exercises, name).cases)} inputs."


# known mistakes

KNOWN = [(name, m, m.__doc__) for name in CHECKS for m in getattr(exercises, name).mistakes]


def wrong(name, words):
    """Add an attempt that is no function of the check's own, and words of its hint."""
    return lambda attempt: KNOWN.append((name, attempt, words)) or attempt


def deal(X, y, batch_size, order):
    for k in range(0, len(order), batch_size):
        yield X[order[k : k + batch_size]], y[order[k : k + batch_size]]


def dealt(X, y, batch_size, rng):
    return list(deal(X, y, batch_size, rng.permutation(len(X))))


def deal_whole_batches(X, y, batch_size, rng):
    return deal(X, y, batch_size, rng.permutation(len(X) // batch_size * batch_size))


def deal_shuffled_batches(X, y, batch_size, rng):
    batches = list(deal(X, y, batch_size, np.arange(len(X))))
    return [batches[k] for k in rng.permutation(len(batches))]


OTHER_RNG = np.random.default_rng(1)

for words, attempt in {
    "lost their labels": lambda X, y, size, rng: deal(X, y[::-1], size, rng.permutation(len(X))),
    "The last one, which is smaller, is missing": deal_whole_batches,
    "more than once": lambda X, y, size, rng: deal(X, y, size, rng.integers(0, len(X), len(X))),
    "old order": lambda X, y, size, rng: deal(X, y, size, np.arange(len(X))),
    "from no other one": lambda X, y, size, rng: dealt(X, y, size, np.random.default_rng(0)),
    "must come from the rng": lambda X, y, size, rng: dealt(X, y, size, OTHER_RNG),
    "not the minibatches": deal_shuffled_batches,
    "It goes on and on": lambda X, y, size, rng: itertools.cycle(dealt(X, y, size, rng)),
    "a pair: `yield": lambda X, y, size, rng: [X_batch for X_batch, _ in dealt(X, y, size, rng)],
    "a pair of arrays": lambda *args: [(X, y[:, None]) for X, y in dealt(*args)],
    "Each should have": lambda X, y, size, rng: dealt(X, y, size // 2, rng),
    "Not all images come up": lambda *args: dealt(*args)[1:-1],
}.items():
    wrong("check_minibatches", words)(attempt)


def spoilt(name, spoil):
    """Return an attempt at the gradients in which one of the four is spoilt."""

    def attempt(X, Y, W1, b1, W2, b2):
        grads = folded("check_gradients")(X, Y, W1, b1, W2, b2)
        return grads | {name: spoil(grads[name], len(X))}

    return attempt


for part, words, spoil in [
    ("W1", "Divided by n twice: a weight gradient", lambda grad, n: grad / n),
    ("b2", "Divided by n twice: the bias gradient", lambda grad, n: grad / n),
    ("W2", "1/n is missing", lambda grad, n: grad * n),
    ("b1", "The gradient of a bias has the bias's own shape", lambda grad, n: grad[None]),
]:
    wrong("check_gradients", f"{part}: {words}")(spoilt(part, spoil))


@wrong("check_one_hot", "should hold numbers, but its type is bool")
def one_hot_of_truths(y, n_classes):
    return y[:, None] == np.arange(n_classes)


@wrong("check_idx_array", "nobody would notice")
def array_that_overlooks_a_byte_too_many(data):
    sizes = sizes_by_numpy(data)
    numbers = np.frombuffer(data, IDX_TYPES[data[2]], math.prod(sizes), 4 + 4 * len(sizes))
    return numbers.reshape(sizes)


@wrong("check_idx_array", "Expected: ValueError Came: AssertionError: odd length")
def array_with_an_assert(data):
    assert len(data) % 4 == 0, "odd length"
    return folded("check_idx_array")(data)


@wrong("check_forward", "Is one to be transposed?")
def forward_with_columns(X, W1, b1, W2, b2):
    return softmax(W2 @ sigmoid(W1 @ X + b1) + b2)


@wrong("check_momentum_step", "should return a tuple")
def momentum_without_velocity(W, v, grad, learning_rate, momentum):
    return W + momentum * v - learning_rate * grad


@wrong("check_confusion_matrix", "should hold whole numbers, but its type is float64")
def confusion_of_floats(y, y_pred, n_classes):
    return folded("check_confusion_matrix")(y, y_pred, n_classes).astype(float)


@each_check
def test_each_check_has_known_mistakes_and_says_what_it_checks(name):
    check = getattr(exercises, name)
    hints = [words for known, _, words in KNOWN if known == name]
    assert len(set(hints)) >= 3
    assert check.__doc__.startswith(f"Check {name.removeprefix('check_')}(")
    assert len(check.cases) >= 2


@pytest.mark.parametrize(
    ("name", "attempt", "words"),
    [pytest.param(*known, id=f"{known[0]}-{known[1].__name__}") for known in KNOWN],
)
def test_a_known_mistake_draws_its_hint(name, attempt, words):
    """So two mistakes with different hints never give the same on all inputs."""
    result = getattr(exercises, name)(attempt)
    text = " ".join(result.text.split())
    assert not result.passed
    assert text.startswith("✗ Not yet. Input: ")
    assert " ".join(words.split()) in text
    assert answer(name, attempt)[0] == text, "the same each time"
    assert max(map(len, result.text.splitlines())) <= 100, "it does not go beyond the page"


# the texts of whole answers


def unstable(logits):
    print("the maximum is", logits.max())
    exps = np.exp(logits)
    return exps / exps.sum(axis=-1, keepdims=True)


def unknown_name(logits):
    shift = logits.max(axis=-1, keepdims=True)
    return np.exp(logits - shift) / total  # noqa: F821


def uphill(X, Y, W1, b1, W2, b2):
    return {n: -grad for n, grad in folded("check_gradients")(X, Y, W1, b1, W2, b2).items()}


WHOLE = [
    (
        "check_softmax",
        unstable,
        """✗ Not yet.
Input: large scores
  logits = [1000, 1001, 0]
Expected: [0.2689, 0.7311, 0]
Came:     [nan, nan, 0]
Why: exp overflows, and inf / inf is nan. Subtract the largest score of each row first.
It printed: 'the maximum is 2.0\\nthe maximum is 3.0\\nthe maximum is 1001.0'""",
    ),
    (
        "check_softmax",
        unknown_name,
        """✗ Not yet.
Input: one row
  logits = [2, 1, 0]
It stopped in the line `return np.exp(logits - shift) / total  # noqa: F821` with NameError:
    name 'total' is not defined
Why: This name is not known. Is it spelt like the argument? Is it imported?""",
    ),
    (
        "check_gradients",
        uphill,
        """Expected W2: [[0.0874, -0.0874], [0, 0], [0.1343, -0.1343]]
Came W2:     [[-0.0874, 0.0874], [-0, -0], [-0.1343, 0.1343]]
Why: W2: The sign is turned round: it is probabilities minus truth, not the other way.""",
    ),
    (
        "check_idx_array",
        array_that_overlooks_a_byte_too_many,
        """✗ Not yet.
Input: the two images, with a byte too many
  data = 00 00 08 03 00 00 00 02 00 00 00 03 00 00 00 02 03 04 05 06 07 08 09 0a …
Expected: ValueError
Came: [[[ 3, 4], [ 5, 6], [ 7, 8]], [[ 9, 10], [11, 12], [13, 14]]]
Why: This input is not valid, and nobody would notice. Say so: `raise ValueError(...)`.""",
    ),
]


@pytest.mark.parametrize(("name", "attempt", "text"), WHOLE)
def test_the_whole_answer(name, attempt, text):
    """But for the input of the gradients, which is long."""
    whole = getattr(exercises, name)(attempt).text
    assert whole == text or (name == "check_gradients" and whole.endswith(f"\n{text}"))


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
    "prints and returns None": (lambda *args: print("hello"), "only `return` hands it back"),
    "returns a text": (lambda *args: "7", "Not yet"),
    "returns a nan": (lambda *args: float("nan"), "Not yet"),
    "returns complex numbers": (lambda *args: np.full(3, 1j), "Not yet"),
    "returns rows of different lengths": (lambda *args: [[1], [1, 2]], "Not yet"),
    "returns an empty array": (lambda *args: np.zeros((0, 3)), "Not yet"),
    "returns a wrong dictionary": (lambda *args: {"W1": 1, 2: None}, "Not yet"),
    "returns something odd": (lambda *args: Odd(), "Not yet"),
    "takes nothing": (lambda: 1, "argument"),
    "takes too many": (lambda a, b, c, d, e, f, g, h, i: 1, "Yours takes (a, b, c"),
    "is a result": (np.zeros(3), "needs the function itself"),
    "is None": (None, "Still to be done"),
    "is a class": (dict, "Not yet"),
    "is built in": (max, "Not yet"),
}


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


def test_dots_in_a_dict_or_a_sum_are_still_to_be_done():
    assert "○ Still to be done" in answer("check_gradients", lambda *args: {"W1": ...})[0]
    assert "○ Still to be done" in answer("check_softmax", lambda logits: logits + ...)[0]


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
    may_end = threading.Event()

    def attempt(logits):
        try:
            loop()
        except BaseException:
            may_end.wait(60)

    before = set(threading.enumerate())
    text, _ = answer("check_softmax", attempt)
    may_end.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
    assert "Restart the kernel" in text


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


@pytest.mark.parametrize("name", [n for n in CHECKS if "idx" not in n])  # bytes cannot be changed
def test_a_changed_argument_is_told_of(name):
    text, passed = answer(name, spoil_arguments(name))
    assert not passed
    if name != "check_minibatches":  # where the second epoch has the changed argument
        assert "has changed its argument" in text


@each_check
def test_a_check_leaves_everything_as_it_was(name, recwarn):
    streams, state = (sys.stdout, sys.stderr), np.random.get_state()[1].tolist()  # noqa: NPY002
    for attempt in (folded(name), spoil_arguments(name), lambda *args: np.log(np.zeros(3)), stop):
        answer(name, attempt)
    assert (sys.stdout, sys.stderr) == streams
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002
    assert not recwarn.list
    assert answer(name, folded(name))[1], "nor are the inputs spoilt"


# what is said where no mistake is known

TABLE = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    ("wanted", "came", "words"),
    [
        (TABLE, -TABLE, "The sign is turned round"),
        (TABLE, TABLE.T, "It is transposed"),
        (TABLE, 3 * TABLE, "Every number is 3 times as large"),
        (TABLE, np.array([[1.0, 2.0], [3.5, 4.0]]), "is at [1, 0]: expected 3, came 3.5"),
        (TABLE, np.array([[1.0, np.inf], [3.0, 4.0]]), "There is nan or inf in it"),
        (TABLE, np.zeros((2, 1)), "The shape should be (2, 2), but is (2, 1)"),
        (TABLE, TABLE.astype(str), "its type is <U32"),
        (TABLE, 2.5, "should return a NumPy array, but returned a value of the type float"),
        (np.arange(30.0), np.arange(30.0) // 7 * 7, "Expected at [1]: 1 Came at [1]: 0"),
        ({"W": 1.0, "b": 2.0}, {"W": 1.0}, "The keys should be 'W', 'b', but are 'W'"),
        ({"W": 1.0}, 1.0, "should return a dict with the keys 'W'"),
        ((1, 2), (1, 2, 3), "should have the length 2, but has 3"),
        (3, 3.0, "should return a whole number, an int"),
        (3, True, "should return a whole number, an int"),
        (3, 4, "The numbers differ"),
        (3.0, np.array([3.0]), "should return a single number"),
    ],
)
def test_without_a_known_mistake_the_difference_is_described(wanted, came, words):
    result = marking.Check("f(x): anything.", [("x", 1)], lambda x: wanted)(lambda x: came)
    assert words in " ".join(result.text.split())


# what the solutions are for


def test_the_solution_to_centred_brings_all_of_the_accuracy_back():
    network = Network.load(data_path("sample_weights.npz"))
    for source in ["uci-digits", *(["mnist"] if find_mnist() else [])]:
        _, (X, y) = load_mnist(source=source)
        X, y = X[:2000], y[:2000]
        middle = {"mnist": 14, "uci-digits": 13.5}[source]
        images = X.reshape(-1, 28, 28)
        ink = images.sum(axis=(1, 2))
        for axis in (1, 2):
            centres = images.sum(axis=axis) @ np.arange(28) / ink
            assert abs(centres.mean() - middle) < 0.05
        shifted = np.roll(images, 2, axis=2)
        centred = np.array([folded("check_centred")(image, middle) for image in shifted])
        before, after = (network.accuracy(x.reshape(-1, 784), y) for x in (shifted, centred))
        assert before < network.accuracy(X, y) - 0.1
        assert abs(after - network.accuracy(X, y)) < 0.001


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
        assert kept == [cell for cell in cells(path) if not tagged(cell, "solution")]
        everything = "\n".join(cell["source"] for cell in kept)
        assert "<summary>Solution" not in everything
