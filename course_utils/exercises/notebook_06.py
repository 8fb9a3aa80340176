"""Notebook 06: the confusion matrix, when to accept an answer, and centring a digit."""

from functools import partial
from typing import NamedTuple

import numpy as np

from ..functions import confusion_matrix
from .marking import compare, mark


def check_confusion_matrix(attempt):
    """Check ``confusion_matrix(y, y_pred, n_classes)``: counts, a row for each right label."""
    rng = np.random.default_rng(0)
    cases = [
        (
            "six images, four classes",
            {
                "y": np.array([0, 1, 1, 2, 2, 2]),
                "y_pred": np.array([0, 1, 2, 1, 1, 0]),
                "n_classes": 4,
            },
        ),
        (
            "a hundred digits",
            {
                "y": rng.integers(0, 10, 100),
                "y_pred": rng.integers(0, 10, 100),
                "n_classes": 10,
            },
        ),
    ]

    def once(y, y_pred, n_classes):
        table = np.zeros((n_classes, n_classes), dtype=int)
        table[y, y_pred] += 1
        return table

    def shares(*args):
        table = confusion_matrix(*args)
        return table / np.maximum(table.sum(axis=1, keepdims=True), 1)

    mistakes = {
        "Rows and columns have changed places: the row is the right label, the "
        "column the answer.": lambda *args: confusion_matrix(*args).T,
        "`table[y, y_pred] += 1` adds 1 only once at each place, however often it occurs. Use a "
        "loop, or np.add.at(table, (y, y_pred), 1).": once,
        "The table is only as large as the labels that occur. It should have n_classes rows and "
        "columns.": lambda y, y_pred, n: confusion_matrix(
            y, y_pred, max(y.max(), y_pred.max()) + 1
        ),
        "The diagonal is missing. The right answers are counted, too.": lambda *args: (
            confusion_matrix(*args) * (1 - np.eye(args[-1], dtype=int))
        ),
        "Only the right answers are counted.": lambda *args: (
            confusion_matrix(*args) * np.eye(args[-1], dtype=int)
        ),
        "These are shares of each row. Counts are asked for.": shares,
        "These are shares of all images. Counts are asked for.": lambda *args: (
            confusion_matrix(*args) / len(args[0])
        ),
        "The mistakes were counted for each label, but not for each answer. "
        "Return a table.": lambda y, y_pred, n: np.bincount(y[y != y_pred], minlength=n),
    }
    return mark(attempt, cases, compare(confusion_matrix, mistakes))


class _Accepted(NamedTuple):
    share: float
    accuracy: float


def _accept(
    probs,
    y,
    threshold,
    *,
    keep=lambda confidence, threshold: confidence >= threshold,
    confidence=lambda probs, y: probs.max(axis=1),
):
    kept = keep(confidence(probs, y), threshold)
    right = probs.argmax(axis=1) == y
    return _Accepted(float(kept.mean()), float(right[kept].mean()))


def check_accept(attempt):
    """Check ``accept(probs, y, threshold)``: (share of images accepted, accuracy on those)."""
    rng = np.random.default_rng(0)
    few = [[0.75, 0.25], [0.5, 0.5], [0.125, 0.875], [0.625, 0.375], [0.25, 0.75], [0.0, 1.0]]
    many = rng.dirichlet(np.full(10, 0.2), size=60)
    y = np.where(rng.random(60) < 0.7, many.argmax(axis=1), rng.integers(0, 10, 60))
    labels = np.array([0, 0, 1, 0, 0, 0])
    cases = [
        ("six images", {"probs": np.array(few), "y": labels, "threshold": 0.6}),
        ("just at the threshold", {"probs": np.array(few), "y": labels, "threshold": 0.75}),
        ("sixty digits", {"probs": many, "y": y, "threshold": 0.8}),
    ]

    def right(probs, y):
        return probs.argmax(axis=1) == y

    def of_all(probs, y, threshold):
        kept = probs.max(axis=1) >= threshold
        return _Accepted(kept.mean(), (kept & right(probs, y)).mean())

    def counts(probs, y, threshold):
        kept = probs.max(axis=1) >= threshold
        return _Accepted(kept.sum(), right(probs, y)[kept].sum())

    mistakes = {
        "A confidence that is exactly the threshold is enough: `>=`, not `>`.": partial(
            _accept, keep=np.greater
        ),
        "These are the images that are *rejected*.": partial(_accept, keep=np.less),
        "The confidence is the *highest* probability. Here the probability of the right label was"
        " taken, which nobody knows when it matters.": partial(
            _accept, confidence=lambda probs, y: probs[np.arange(len(y)), y]
        ),
        "The right answers were divided by the number of all images. Divide by the number of "
        "those accepted: `right[kept].mean()`.": of_all,
        "This is the accuracy on all images. Look at the accepted ones only: "
        "`right[kept]`.": lambda *args: _Accepted(_accept(*args).share, right(*args[:2]).mean()),
        "These are counts. Shares are asked for: numbers from 0 to 1.": counts,
        "The second number is the mean confidence, what the network claims. How often is it "
        "right?": lambda probs, y, threshold: _Accepted(
            _accept(probs, y, threshold).share,
            probs.max(axis=1)[probs.max(axis=1) >= threshold].mean(),
        ),
        "The two are in the wrong order: the share of images first, then the accuracy.": lambda *args: (
            _Accepted(*_accept(*args)[::-1])
        ),
    }
    return mark(attempt, cases, compare(_accept, mistakes))


def _centred(
    image, middle, *, sign=1, axes=(0, 1), swap=False, ink=lambda image: image, rounded=np.rint
):
    """Move an image by whole pixels, so that its centre of mass comes to `middle`."""
    weights = ink(image)
    if not weights.any():
        return image
    centre = [(weights.sum(axis=1 - k) @ np.arange(28)) / weights.sum() for k in (0, 1)]
    shift = [int(rounded(sign * (middle - c))) for c in (centre[::-1] if swap else centre)]
    return np.roll(image, [shift[k] for k in axes], axes)


def check_centred(attempt):
    """Check ``centred(image, middle)``: moved by whole pixels, its centre of mass to the middle."""
    rng = np.random.default_rng(0)
    blot = np.zeros((28, 28))
    blot[3:9, 14:19] = rng.random((6, 5)) ** 3
    blot[3, 14:24] = 0.05
    far = np.zeros((28, 28))
    far[15:26, 2:9] = rng.random((11, 7))
    far[15:17, 2:4] = 40.0
    in_place = np.zeros((28, 28))
    in_place[10:18, 9:19] = 1.0
    blank = np.zeros((28, 28))
    cases = [
        ("a blot at the top, right of the middle", {"image": blot, "middle": 13.5}),
        ("a stroke at the lower left, with a heavy end", {"image": far, "middle": 14}),
        ("a digit in the middle", {"image": in_place, "middle": 13.5}),
        ("blank paper", {"image": blank, "middle": 14}),
    ]

    def box(image):
        rows, columns = np.nonzero(image)
        edges = np.zeros_like(image)
        edges[rows.min(), columns.min()] += 1
        edges[rows.max(), columns.max()] += 1
        return edges

    mistakes = {
        "It moved the wrong way: away from the middle. The shift is the middle minus the centre of "
        "mass.": partial(_centred, sign=-1),
        "Rows and columns have changed places: the shift for one was used for the other.": partial(
            _centred, swap=True
        ),
        "It moved along the rows' direction only. Columns count, too.": partial(
            _centred, axes=(0,)
        ),
        "It moved to the left or right only. Rows count, too.": partial(_centred, axes=(1,)),
        "Each lit pixel counted the same. In the centre of mass a dark pixel counts more: weigh "
        "its place by its value.": partial(_centred, ink=lambda image: (image > 0) * 1.0),
        "This is the middle of the box around the digit. The centre of mass asks where the most "
        "ink is.": partial(_centred, ink=box),
        "The shift was cut off, not rounded: `int(2.9)` is 2. Use round().": partial(
            _centred, rounded=np.trunc
        ),
        "The middle was not the one that was handed in.": (
            lambda image, middle: _centred(image, 13.5),
            lambda image, middle: _centred(image, 14),
        ),
        "Nothing has moved.": lambda image, middle: image,
    }
    return mark(attempt, cases, compare(_centred, mistakes))
