"""Notebook 08: which unit speaks for an answer, which are dead, and a curve made smooth."""

import numpy as np

from .marking import check

_rng = np.random.default_rng(8)
_A1, _W2, _b2 = _rng.random((6, 5)).round(2), _rng.normal(size=(5, 4)).round(2), np.zeros(4)


@check(
    (
        "a strong unit that speaks against the answer",
        np.array([[1.0, 4.0]]),
        np.array([[3.0, 0.0], [-0.25, 0.0]]),
        np.zeros(2),
    ),
    ("six images, five units, four outputs", _A1, _W2, _b2),
    ("a bias that decides", _A1, _W2, np.array([0.0, 0.0, 9.0, 0.0])),
    (
        "a bias that decides by little",
        np.array([[1.0, 2.0], [2.0, 1.0]]),
        np.array([[1.0, 0.0], [0.0, 0.4]]),
        np.array([0.0, 0.3]),
    ),
    ("as many units as images", _A1[:5], _W2[:, :3], _b2[:3]),
    ("units that are off", _A1 * [0, 1, 0, 0, 1], -abs(_W2), np.arange(4.0)),
    ("thirty images", _rng.random((30, 20)), _rng.normal(size=(20, 10)), _rng.normal(size=10)),
)
def check_speaker(A1, W2, b2):
    """For each image, the place of the unit that adds most to the answer's score, counted from 0.

    return parts… -> return A1.argmax(axis=1)
        -> This unit is the most active one. Multiply by its weight to the answer first.
    return parts… -> return W2[:, answers].T.argmax(axis=1)
        -> This unit has the largest weight to the answer. Multiply by its activation first.
    return parts… -> return abs(parts).argmax(axis=1)
        -> The minus is lost: a unit that speaks loudly against the answer does not speak for it.
    return parts… -> return parts.argmin(axis=1) -> This unit speaks most *against* the answer.
    return parts… -> return parts.max(axis=1) -> This is how much it adds. Asked for is its place.
    return parts… -> return parts.argmax(axis=1) + 1 -> The first unit has the number 0 here.
    return parts… -> return answers -> These are the answers. Asked for is a unit for each.
    W2[:, answers].T -> W2[:, answers[0]] -> All images got the answer of the first.
    W2[:, answers].T -> W2.max(axis=1)
        -> Each unit was taken with its largest weight. Take that to the output which is the answer.
    """
    logits = A1 @ W2 + b2
    answers = logits.argmax(axis=1)
    parts = A1 * W2[:, answers].T
    return parts.argmax(axis=1)


_off = _rng.random((4, 6)).round(2) * [0, 1, 1, 0, 1, 0]


@check(
    ("three of six are dead", _off),
    ("one is off for all but the last image", np.array([[0.0, 0, 2], [0, 0, 1], [0, 3, 0]])),
    ("none is dead", np.array([[0.0, 1.0], [1.0, 0.0]])),
    ("all are dead", np.zeros((3, 2))),
    ("a single image", np.array([[0.0, 0.5, 0.0]])),
    ("as many units as images", np.diag([1.0, 0.0, 2.0])),
    ("tiny activations", np.array([[1e-30, 0.0], [0.0, 0.0]])),
)
def check_dead_units(A1):
    """The places of the units that are 0 for every image, counted from 0.

    .all(axis=0) -> .any(axis=0) -> These are off for *some* image. A dead unit is off for all.
    .all(axis=0) -> .all(axis=1) -> These are images without an active unit. A unit is a column.
    A1 == 0 -> A1 != 0 -> These units are active for every image.
    return np… -> return silent -> These are truths, one for each unit. Give the places of the true ones.
    return np… -> return int(silent.sum()) -> This is how many there are. Asked for are their places.
    return np… -> return np.flatnonzero(silent) + 1 -> The first unit has the number 0 here.
    """
    silent = (A1 == 0).all(axis=0)
    return np.flatnonzero(silent)


_loss = np.array([4.0, 2.0, 3.0, 1.0, 2.0, 6.0])


@check(
    ("six losses, three at a time", _loss, 3),
    ("two at a time", np.array([8.0, 4.0, 2.0, 1.0]), 2),
    ("one at a time", _loss, 1),
    ("more at a time than there are", np.array([3.0, 1.0]), 5),
    ("whole numbers", np.array([1, 2, 4, 8, 16]), 2),
    ("fifty losses, ten at a time", _rng.random(50), 10),
    ("a single loss", np.array([2.5]), 4),
)
def check_running_mean(loss, width):
    """The mean of the last `width` losses at each step.

    max(0, k + 1 - width) -> max(0, k - width)
        -> It takes one loss too many: `width` of them, this one included.
    max(0, k + 1 - width) -> 0 -> It goes back to the first step. Only the last `width` losses count.
    return smooth… -> return np.convolve(loss, np.ones(width) / width, "same")[:len(loss)]
        -> The middle of the window is at the step. It should end there: later losses are not known yet.
    return smooth… -> return np.convolve(loss, np.ones(width) / width)[:len(loss)]
        -> The first sums were divided by `width`, though there were fewer losses.
    return smooth… -> return smooth[width - 1:]
        -> The first steps are missing. Take the losses that are there.
    return smooth… -> return loss -> The curve is as it was.
    """
    smooth = np.zeros(len(loss))
    for k in range(len(loss)):
        smooth[k] = loss[max(0, k + 1 - width) : k + 1].mean()
    return smooth
