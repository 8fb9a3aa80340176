"""Notebook 02: softmax, its logarithm, and cross-entropy."""

from functools import partial

import numpy as np

from ..functions import cross_entropy, one_hot, softmax
from .marking import compare, mark


def softmax_with(z, *, shift=lambda z: z.max(axis=-1, keepdims=True), total=None):
    exps = np.exp(z - shift(z))
    return exps / (exps.sum(axis=-1, keepdims=True) if total is None else total(exps))


def check_softmax(attempt):
    """Check ``softmax(logits)``: scores (k,) or (n, k) to probabilities of the same shape."""
    cases = [
        ("one row", {"logits": np.array([2.0, 1.0, 0.0])}),
        (
            "three rows",
            {"logits": np.array([[2.0, 1.0, 0.0], [0.0, 3.0, 0.5], [-1.0, 0.0, -2.0]])},
        ),
        ("large scores", {"logits": np.array([1000.0, 1001.0, 0.0])}),
        ("one high row and one low", {"logits": np.array([[900.0, 901.0], [-900.0, -902.0]])}),
    ]
    none = partial(softmax_with, shift=lambda z: 0)
    row = partial(softmax_with, shift=lambda z: z.max(axis=-1))
    mistakes = {
        "exp overflows to infinity, and inf / inf is nan. Subtract the largest score of each row "
        "first: that changes no result.": none,
        "The largest score of the *whole batch* was subtracted. In a row with low scores every exp "
        "is then 0, and 0 / 0 is nan. The maximum needs axis=-1 and keepdims=True.": partial(
            softmax_with, shift=np.max
        ),
        "The sum runs over the whole batch, so that all rows share a probability of 1. Sum along "
        "each row: axis=-1, keepdims=True.": (
            partial(softmax_with, total=np.sum),
            partial(none, total=np.sum),
        ),
        "The sum runs down the columns, over the images. Sum along each row: axis=-1.": (
            partial(softmax_with, total=lambda exps: exps.sum(axis=0)),
            partial(none, total=lambda exps: exps.sum(axis=0)),
        ),
        "The sums came as a row and not as a column, so that each number was divided by the sum of "
        "another row. keepdims=True keeps the column.": (
            partial(softmax_with, total=lambda exps: exps.sum(axis=-1)),
            partial(none, total=lambda exps: exps.sum(axis=-1)),
            partial(row, total=lambda exps: exps.sum(axis=-1)),
        ),
        "The maxima came as a row and not as a column, so that the largest score of another row was "
        "subtracted. keepdims=True keeps the column.": row,
        "The scores are positive now, but do not add up to 1. Divide by their sum.": (
            partial(softmax_with, total=lambda exps: 1),
            np.exp,
        ),
        "The scores themselves were divided by their sum. Take their exponentials "
        "first.": lambda z: z / z.sum(axis=-1, keepdims=True),
    }
    return mark(attempt, cases, compare(softmax, mistakes))


def check_cross_entropy(attempt):
    """Check ``cross_entropy(probs, y)``: mean loss in nats; a probability of 0 counts as 1e-12."""
    three = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.25, 0.5, 0.25]])
    digits = np.random.default_rng(0).dirichlet(np.ones(10), size=4)
    zero = np.array([[0.5, 0.5, 0.0], [0.25, 0.75, 0.0]])
    cases = [
        ("three images, three classes", {"probs": three, "y": np.array([0, 2, 2])}),
        ("four digits", {"probs": digits, "y": np.array([3, 1, 4, 1])}),
        ("a 0 where it does not count", {"probs": zero, "y": np.array([0, 1])}),
        ("a 0 for the right class", {"probs": zero, "y": np.array([2, 1])}),
    ]

    def picked(probs, y):
        return probs[np.arange(len(y)), y]

    mistakes = {
        "This is the sum over the images. The loss is their mean: divide by n.": lambda probs, y: (
            -np.log(picked(probs, y)).sum()
        ),
        "The minus is missing: the logarithm of a probability is negative, a "
        "loss is not.": lambda probs, y: np.log(picked(probs, y)).mean(),
        "This is one loss for each image. Return their mean, a single number.": lambda probs, y: (
            -np.log(picked(probs, y))
        ),
        "The mean runs over all numbers in probs. Only the probability of the right class counts:"
        " pick one from each row.": lambda probs, y: -np.log(probs).mean(),
        "`probs[:, y]` takes all these columns from *every* row. Take one number from each row: "
        "`probs[np.arange(len(y)), y]`.": lambda probs, y: -np.log(probs[:, y]).mean(),
        "The integer labels were multiplied with the probabilities as if they were one-hot. A "
        "label says *which* number to pick.": lambda probs, y: -(y * np.log(probs)).sum() / len(y),
        "Divided by n twice: a mean has its division by n in it.": lambda probs, y: (
            -np.log(picked(probs, y)).mean() / len(y)
        ),
        "This is the logarithm to base 2, so the loss is in bits. np.log gives nats.": lambda probs, y: (
            -np.log2(picked(probs, y)).mean()
        ),
        "This is the logarithm to base 10. np.log is the natural one.": lambda probs, y: (
            -np.log10(picked(probs, y)).mean()
        ),
        "This is 1 - p. It is also small where p is large, but the loss asked "
        "for is -log(p).": lambda probs, y: (1 - picked(probs, y)).mean(),
        "The logarithm of 0 is minus infinity, and 0 times that is nan, even where it should not "
        "count. Pick the right probabilities first; then take the logarithm.": lambda probs, y: (
            -(one_hot(y, probs.shape[1]) * np.log(probs)).sum(axis=1).mean()
        ),
        "The logarithm of 0 is minus infinity. Let no probability be below "
        "1e-12: np.maximum.": lambda probs, y: -np.log(picked(probs, y)).mean(),
    }
    reference = lambda probs, y: cross_entropy(np.maximum(probs, 1e-12), y)  # noqa: E731
    return mark(attempt, cases, compare(reference, mistakes))


def _log_softmax(z, *, shift=lambda z: z.max(axis=-1, keepdims=True), total=None):
    moved = z - shift(z)
    exps = np.exp(moved)
    return moved - np.log(exps.sum(axis=-1, keepdims=True) if total is None else total(exps))


def check_log_softmax(attempt):
    """Check ``log_softmax(logits)``: the logarithm of the softmax, finite for all finite scores."""
    cases = [
        ("one row", {"logits": np.array([2.0, 1.0, 0.0])}),
        ("two rows", {"logits": np.array([[2.0, 1.0], [0.5, 3.0]])}),
        ("a score far below the other", {"logits": np.array([0.0, -800.0])}),
        ("large scores", {"logits": np.array([[1000.0, 999.0], [-2000.0, 5.0]])}),
    ]
    mistakes = {
        "The softmax rounds a very small probability to 0, and the logarithm of 0 is minus "
        "infinity. Never compute the probability: use log(a / b) = log(a) - log(b) first.": lambda z: (
            np.log(softmax(z))
        ),
        "exp overflows to infinity. Subtract the largest score of each row first, "
        "here as well.": partial(_log_softmax, shift=lambda z: 0),
        "These are the probabilities. Their logarithm is asked for.": softmax,
        "This is minus the logarithm, a loss. Here the logarithm itself is asked for.": lambda z: (
            -_log_softmax(z)
        ),
        "The largest score was subtracted in the sum, but not from the score in front of it. Both"
        " need it.": lambda z: _log_softmax(z) + z.max(axis=-1, keepdims=True),
        "The sum runs over the whole batch. Sum along each row: axis=-1, keepdims=True.": (
            partial(_log_softmax, total=np.sum),
            partial(_log_softmax, shift=np.max, total=np.sum),
        ),
        "The sums came as a row and not as a column. keepdims=True keeps the column.": (
            partial(_log_softmax, total=lambda exps: exps.sum(axis=-1)),
            partial(_log_softmax, shift=np.max, total=lambda exps: exps.sum(axis=-1)),
        ),
    }
    return mark(attempt, cases, compare(_log_softmax, mistakes))
