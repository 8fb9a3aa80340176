"""Notebook 06: the confusion matrix, when to accept an answer, and centring a digit."""

from collections import namedtuple

import numpy as np

from ..functions import confusion_matrix
from .faults import with_step
from .marking import Check


class TableMistakes:
    def transposed(y, y_pred, n_classes):
        """Rows and columns have changed places: the row is the right label, the column the answer."""
        return confusion_matrix(y_pred, y, n_classes)

    def once(y, y_pred, n_classes):
        """`table[y, y_pred] += 1` adds 1 only once at each place, however often it occurs. Use a
        loop, or np.add.at(table, (y, y_pred), 1)."""
        table = np.zeros((n_classes, n_classes), dtype=int)
        table[y, y_pred] += 1
        return table

    def too_small(y, y_pred, n_classes):
        """The table is only as large as the labels that occur. It has n_classes rows and columns."""
        return confusion_matrix(y, y_pred, max(y.max(), y_pred.max()) + 1)


_rng = np.random.default_rng(0)

check_confusion_matrix = Check(
    "confusion_matrix(y, y_pred, n_classes): counts, a row for each right label.",
    [
        ("six images, four classes", *np.array([[0, 1, 1, 2, 2, 2], [0, 1, 2, 1, 1, 0]]), 4),
        ("a hundred digits", *_rng.integers(0, 10, (2, 100)), 10),
    ],
    confusion_matrix,
    TableMistakes,
)

_Accepted = namedtuple("_Accepted", "share accuracy")


def _accept(
    probs,
    y,
    threshold,
    *,
    keep=lambda p, y, threshold: p.max(axis=1) >= threshold,
    score=lambda right, kept, confidence: right[kept].mean(),
):
    kept = keep(probs, y, threshold)
    return _Accepted(kept.mean(), score(probs.argmax(axis=1) == y, kept, probs.max(axis=1)))


class Kept:  # which answers are accepted
    def above(probs, y, threshold):
        """A confidence that is exactly the threshold is enough: `>=`, not `>`."""
        return probs.max(axis=1) > threshold

    def below(probs, y, threshold):
        """These are the images that are *rejected*."""
        return probs.max(axis=1) < threshold

    def by_the_label(probs, y, threshold):
        """The confidence is the *highest* probability: in use nobody knows the right label."""
        return probs[np.arange(len(y)), y] >= threshold


class Scores:  # from what is right, what is kept and the confidence to the second number
    def divided_by_all(right, kept, confidence):
        """The right answers were divided by all images. Divide by those kept: `right[kept].mean()`."""
        return (right & kept).mean()

    def on_all(right, kept, confidence):
        """This is the accuracy on all images. Look at the accepted ones only: `right[kept]`."""
        return right.mean()

    def mean_confidence(right, kept, confidence):
        """This is the mean confidence, what the network claims. How often is it right?"""
        return confidence[kept].mean()


def other_order(probs, y, threshold):
    """The two are in the wrong order: the share of images first, then the accuracy."""
    return _accept(probs, y, threshold)[::-1]


_rng = np.random.default_rng(0)
_few = [[0.75, 0.25], [0.5, 0.5], [0.125, 0.875], [0.625, 0.375], [0.25, 0.75], [0.0, 1.0]]
_few = np.array(_few), np.array([0, 0, 1, 0, 0, 0])
_many = _rng.dirichlet(np.full(10, 0.2), size=60)
_y = np.where(_rng.random(60) < 0.7, _many.argmax(axis=1), _rng.integers(0, 10, 60))

check_accept = Check(
    "accept(probs, y, threshold): (share of images accepted, accuracy on those).",
    [
        ("six images", *_few, 0.6),
        ("just at the threshold", *_few, 0.75),
        ("sixty digits", _many, _y, 0.8),
    ],
    _accept,
    with_step(_accept, keep=Kept, score=Scores),
    other_order,
)


def _centre(ink):
    """Return row and column of the centre of mass."""
    return [(ink.sum(axis=1 - axis) @ np.arange(28)) / ink.sum() for axis in (0, 1)]


def _centred(
    image,
    middle,
    *,
    centre=_centre,
    shift=lambda middle, row, column: (middle - row, middle - column),
):
    if not image.any():
        return image
    down, across = shift(middle, *centre(image))
    return np.roll(image, (int(np.rint(down)), int(np.rint(across))), axis=(0, 1))


class Centres:  # which place of the digit comes to the middle
    def unweighted(image):
        """Each lit pixel counted the same. Weigh its place by its value: a dark one counts more."""
        return _centre((image > 0).astype(int))

    def box(image):
        """This is the middle of the box around the digit. The centre of mass weighs the ink."""
        return [(places.min() + places.max()) / 2 for places in np.nonzero(image)]


class Moves:  # how far it moves down and to the right
    def away(middle, row, column):
        """It moved the wrong way. The shift is the middle minus the centre of mass."""
        return row - middle, column - middle

    def swapped(middle, row, column):
        """Rows and columns have changed places: the shift for one was used for the other."""
        return middle - column, middle - row

    def down_only(middle, row, column):
        """It moved along the rows' direction only. Columns count, too."""
        return middle - row, 0

    def cut_off(middle, row, column):
        """The shift was cut off, not rounded: `int(2.9)` is 2. Use round()."""
        return int(middle - row), int(middle - column)

    def always_14(middle, row, column):
        """The middle was not the one that was handed in."""
        return 14 - row, 14 - column


_rng = np.random.default_rng(0)
_blot, _stroke, _in_place, _blank = np.zeros((4, 28, 28))
_blot[3:9, 14:19] = _rng.random((6, 5)) ** 3
_blot[3, 14:24] = 0.05
_stroke[15:26, 2:9] = _rng.random((11, 7))
_stroke[15:17, 2:4] = 40.0
_in_place[10:18, 9:19] = 1.0

check_centred = Check(
    "centred(image, middle): moved by whole pixels, its centre of mass to the middle.",
    [
        ("a blot at the top, right of the middle", _blot, 13.5),
        ("a stroke at the lower left, with a heavy end", _stroke, 14),
        ("a digit in the middle", _in_place, 13.5),
        ("blank paper", _blank, 14),
    ],
    _centred,
    with_step(_centred, centre=Centres, shift=Moves),
)
