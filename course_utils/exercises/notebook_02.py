"""Notebook 02: softmax, its logarithm, and cross-entropy."""

from functools import partial

import numpy as np

from ..functions import cross_entropy, one_hot, softmax
from .faults import with_step
from .marking import Check


def _row_max(z):
    return z.max(axis=-1, keepdims=True)


def _row_sum(exps):
    return exps.sum(axis=-1, keepdims=True)


def softmax_with(z, *, shift=_row_max, total=_row_sum):
    exps = np.exp(z - shift(z))
    return exps / total(exps)


class Shifts:  # what is subtracted from the scores
    def nothing(z):
        """exp overflows, and inf / inf is nan. Subtract the largest score of each row first."""
        return 0

    def of_the_batch(z):
        """The largest score of the *whole batch* was subtracted, and in a low row every exp is 0.
        Take the maximum of each row: axis=-1, keepdims=True."""
        return z.max()

    def as_a_row(z):
        """The largest score of another row was subtracted. keepdims=True keeps the column."""
        return z.max(axis=-1)


class Totals:  # what the exponentials are divided by
    def of_the_batch(exps):
        """The sum runs over the whole batch. Sum along each row: axis=-1, keepdims=True."""
        return exps.sum()

    def of_columns(exps):
        """The sum runs down the columns, over the images. Sum along each row: axis=-1."""
        return exps.sum(axis=0)

    def as_a_row(exps):
        """Each number was divided by the sum of another row. keepdims=True keeps the column."""
        return exps.sum(axis=-1)


def not_divided(exps):
    """The scores are positive now, but do not add up to 1. Divide by their sum."""
    return 1


def scores_divided(z):
    """The scores themselves were divided by their sum. Take their exponentials first."""
    return z / _row_sum(z)


check_softmax = Check(
    "softmax(logits): scores (k,) or (n, k) to probabilities of the same shape.",
    [
        ("one row", np.array([2.0, 1.0, 0.0])),
        ("three rows", np.array([[2.0, 1.0, 0.0], [0.0, 3.0, 0.5], [-1.0, 0.0, -2.0]])),
        ("large scores", np.array([1000.0, 1001.0, 0.0])),
        ("one high row and one low", np.array([[900.0, 901.0], [-900.0, -902.0]])),
    ],
    softmax,
    with_step(softmax_with, shift=Shifts, total=[Totals, not_divided]),
    with_step(partial(softmax_with, shift=Shifts.nothing), total=[Totals, not_divided]),
    with_step(partial(softmax_with, shift=Shifts.as_a_row), total=Totals.as_a_row),
    scores_divided,
)


def _picked(probs, y):
    return probs[np.arange(len(y)), y]


def _loss(probs, y):
    return cross_entropy(np.maximum(probs, 1e-12), y)


class LossMistakes:
    def not_divided(probs, y):
        """This is the sum over the images. The loss is their mean: divide by n."""
        return -np.log(_picked(probs, y)).sum()

    def without_minus(probs, y):
        """The minus is missing: the logarithm of a probability is negative, a loss is not."""
        return np.log(_picked(probs, y)).mean()

    def one_for_each(probs, y):
        """This is one loss for each image. Return their mean, a single number."""
        return -np.log(_picked(probs, y))

    def all_numbers(probs, y):
        """The mean runs over all of probs. Pick the probability of the right class from each row."""
        return -np.log(probs).mean()

    def columns(probs, y):
        """`probs[:, y]` takes all these columns from *every* row. Take one number from each row:
        `probs[np.arange(len(y)), y]`."""
        return -np.log(probs[:, y]).mean()

    def in_bits(probs, y):
        """This is the logarithm to base 2, so the loss is in bits. np.log gives nats."""
        return -np.log2(_picked(probs, y)).mean()

    def zero_times_infinity(probs, y):
        """log(0) is minus infinity, and 0 times that is nan. Pick the right probabilities first."""
        return -(one_hot(y, probs.shape[1]) * np.log(probs)).sum(axis=1).mean()

    def infinite(probs, y):
        """The logarithm of 0 is minus infinity. Let no probability be below 1e-12: np.maximum."""
        return -np.log(_picked(probs, y)).mean()


_two = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
_digits = np.random.default_rng(0).dirichlet(np.ones(10), size=4)
_zero = np.array([[0.5, 0.5, 0.0], [0.25, 0.75, 0.0]])

check_cross_entropy = Check(
    "cross_entropy(probs, y): mean loss in nats; a probability of 0 counts as 1e-12.",
    [
        ("two images, three classes", _two, np.array([0, 2])),
        ("four digits", _digits, np.array([3, 1, 4, 1])),
        ("a 0 where it does not count", _zero, np.array([0, 1])),
        ("a 0 for the right class", _zero, np.array([2, 1])),
    ],
    _loss,
    LossMistakes,
)


def _log_softmax(z, *, shift=_row_max, total=_row_sum):
    moved = z - shift(z)
    return moved - np.log(total(np.exp(moved)))


class LogSoftmaxMistakes:
    def by_way_of_softmax(z):
        """The softmax rounds a very small probability to 0, and log(0) is minus infinity. Never
        compute the probability: use log(a / b) = log(a) - log(b) first."""
        return np.log(softmax(z))

    def unshifted(z):
        """exp overflows. Subtract the largest score of each row first, here as well."""
        return z - np.log(_row_sum(np.exp(z)))

    def half_shifted(z):
        """The largest score was subtracted in the sum, but not from the score in front of it."""
        return z - np.log(_row_sum(np.exp(z - _row_max(z))))


check_log_softmax = Check(
    "log_softmax(logits): the logarithm of the softmax, finite for all finite scores.",
    [
        ("one row", np.array([2.0, 1.0, 0.0])),
        ("two rows", np.array([[2.0, 1.0], [0.5, 3.0]])),
        ("a score far below the other", np.array([0.0, -800.0])),
        ("large scores", np.array([[1000.0, 999.0], [-2000.0, 5.0]])),
    ],
    _log_softmax,
    LogSoftmaxMistakes,
    with_step(_log_softmax, total=Totals),
    with_step(partial(_log_softmax, shift=Shifts.of_the_batch), total=Totals),
)
