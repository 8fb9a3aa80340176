"""Notebook 07: the confusion matrix, when to accept an answer, and centring a digit."""

import math  # noqa: F401
from collections import namedtuple

import numpy as np

from .marking import check

_rng = np.random.default_rng(0)


@check(
    ("six images, four classes", *np.array([[0, 1, 1, 2, 2, 2], [0, 1, 2, 1, 1, 0]]), 4),
    ("a hundred digits", *_rng.integers(0, 10, (2, 100)), 10),
    ("a single image", np.array([2]), np.array([0]), 3),
    ("the last class is there", np.array([1, 0]), np.array([1, 1]), 2),
    ("300 images of one kind, as bytes", *np.zeros((2, 300), np.uint8), 2),
    ("twenty classes, as bytes", *np.array([[19, 18, 3], [1, 18, 19]], np.uint8), 20),
)
def check_confusion_matrix(y, y_pred, n_classes):
    """Counts, a row for each right label.

    return table -> return np.minimum(table, 1) -> A pair counts once at most. `+=` at lists adds once.
    return table -> return table * (1 - np.eye(n_classes)) -> The right answers are missing.
    return table -> return table / table.sum(axis=1, keepdims=True) -> These are shares, not counts.
    return table -> return np.diag(np.diag(table)) -> The mistakes are missing.
    return table -> return np.tile(table.sum(axis=0), (n_classes, 1)) -> All rows are the same list.
    return table -> return table % 256 -> The count began again behind 255: the type is too small.
    (n_classes, n_classes) -> (max(*y, *y_pred) + 1,) * 2 -> It is as large as the labels.
    """
    table = np.zeros((n_classes, n_classes), dtype=int)
    for label, answer in zip(y, y_pred, strict=True):
        table[label, answer] += 1
    return table


_Accepted = namedtuple("_Accepted", "share accuracy")
_few = [[0.75, 0.25], [0.5, 0.5], [0.125, 0.875], [0.625, 0.375], [0.25, 0.75], [0.0, 1.0]]
_few = np.array(_few), np.array([0, 0, 1, 0, 0, 0])
_three = np.array([[0.4, 0.35, 0.25], [0.3, 0.1, 0.6], [0.3, 0.3, 0.4], [0.34, 0.33, 0.33]])
_many = _rng.dirichlet(np.full(10, 0.2), size=600).round(3)
_y = np.where(_rng.random(600) < 0.7, _many.argmax(axis=1), _rng.integers(0, 10, 600))


@check(
    ("six images", *_few, 0.6),
    ("just at the threshold", *_few, 0.75),
    ("more than one class above the threshold", _three, np.array([0, 2, 1, 0]), 0.345),
    ("all accepted", _three, np.array([0, 1, 2, 1]), 0.1),
    ("600 digits", _many, _y, 0.6),
)
def check_accept(probs, y, threshold):
    """(share of images accepted, accuracy on those).

    probs.max(axis=1) -> probs[np.arange(len(y)), y] -> In use nobody knows the label.
    threshold -> threshold / 100 -> The threshold is a number from 0 to 1, not percent.
    kept.mean() -> (probs >= threshold).sum() / len(y) -> Classes were counted. An image counts once.
    right[kept].mean() -> (right & kept).mean() -> Divided by all images, not by the accepted ones.
    right[kept].mean() -> right.mean() -> It is that of all images, not of the accepted ones.
    right[kept].mean() -> probs.max(axis=1)[kept].mean() -> It is the mean confidence.
    """
    kept = probs.max(axis=1) >= threshold
    right = probs.argmax(axis=1) == y
    share = kept.mean()
    accuracy = right[kept].mean()
    return _Accepted(share, accuracy)


_rng = np.random.default_rng(0)
_blot, _stroke, _in_place, _dots, _faint, _blank = np.zeros((6, 28, 28))
_blot[3:9, 14:19] = _rng.random((6, 5)) ** 3
_blot[3, 14:24] = 0.05
_stroke[15:26, 2:9] = _rng.random((11, 7))
_stroke[15:17, 2:4] = 40.0
_in_place[10:18, 9:19] = 1.0
_dots[5, 20], _dots[20, 6] = 3.0, 1.0
_faint[[27, 27, 26], [27, 26, 27]] = 0.3, 0.1, 0.1
_bytes = (_blot[::-1, ::-1] * 255).astype(np.uint8)


@check(
    ("a blot at the top, right of the middle", _blot, 13.5),
    ("a stroke at the lower left, with a heavy end", _stroke, 14),
    ("two dots, the upper one heavier", _dots, 13.254),
    ("whole numbers, a digit at the lower right", _bytes, 12),
    ("a digit in the middle", _in_place, 13.5),
    ("a faint dot in the last row and column", _faint, 14),
    ("blank paper", _blank, 14),
)
def check_centred(image, middle):
    """Moved by whole pixels, its centre of mass to the middle.

    image.sum -> (image > 0).sum -> Each lit pixel counted the same. Weigh its place by its value.
    down = … -> row, column = [(k.min() + k.max()) / 2 for k in np.nonzero(image)]; down = …
        -> This is the middle of the box around the digit. The centre of mass weighs the ink.
    down = … -> down = 0 -> It did not move up or down. Rows count, too.
    right = … -> right = 0 -> It did not move to the side. Columns count, too.
    , axis=(0, 1) ->  -> np.roll got no axis, and moved the image as one long row.
    middle - …) -> middle - round(…)) -> The centre was rounded too early. Round the shift.
    middle - …) -> middle - int(…)) -> The centre was cut off to a whole number. Round the shift.
    """
    ink = image.sum()
    if ink == 0:
        return image
    row = (image.sum(axis=1) * np.arange(28)).sum() / ink
    column = (image.sum(axis=0) * np.arange(28)).sum() / ink
    down = round(middle - row)
    right = round(middle - column)
    return np.roll(image, (down, right), axis=(0, 1))
