"""Notebook 02: softmax, its logarithm, and cross-entropy."""

import numpy as np

from .marking import check

_rows = np.array([[2.0, 1.0, 0.0], [0.0, 3.0, 0.5], [-1.0, 0.0, -2.0]])
_scores = [
    ("one row", np.array([2.0, 1.0, 0.0])),
    ("three rows", _rows),
    ("two rows of four", np.array([[1.0, -1.0, 0.125, 2.0], [3.0, 0.0, 1.0, 1.0]])),
    ("a batch of one row", np.array([[0.5, -1.0]])),
    ("whole numbers", np.array([[1, 3], [2, 0], [0, 0]])),
    ("large scores", np.array([1000.0, 1001.0, 0.0])),
    ("one high row and one low", np.array([[900.0, 901.0], [-900.0, -902.0]])),
    ("one score far above the mean", np.array([0.0, 0.0, 0.0, 1500.0])),
]


@check(
    *_scores,
)
def check_softmax(logits):
    """Scores (k,) or (n, k) to probabilities of the same shape.

    - logits.max(axis=-1, keepdims=True) ->  -> exp overflows, and inf / inf is nan.
    """
    exps = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exps / exps.sum(axis=-1, keepdims=True)


_two = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
_square = np.array([[0.5, 0.3, 0.2], [0.25, 0.65, 0.1], [0.05, 0.8, 0.15]])
_zero = np.array([[0.5, 0.5, 0.0], [0.25, 0.75, 0.0]])
_digits = np.random.default_rng(0).dirichlet(np.ones(10), size=400) + 1e-9


@check(
    ("two images, three classes", _two, np.array([0, 2])),
    ("three images, three classes", _square, np.array([2, 0, 1])),
    ("a single image", _two[1:], np.array([1])),
    ("400 digits, the labels as bytes", _digits, (np.arange(400) * 7 % 10).astype(np.uint8)),
    ("a 0 where it does not count", _zero, np.array([0, 1])),
    ("a 0 for the right class", _zero, np.array([2, 1])),
    ("far below 1e-12", np.array([[1.0, 1e-30], [1.0, 0.0]]), np.array([1, 0])),
    ("sure, once right and once wrong", np.eye(2, dtype=int), np.array([0, 0])),
    ("a little above 1e-12", np.array([[2e-12, 1.0], [0.5, 0.5]]), np.array([0, 1])),
)
def check_cross_entropy(probs, y):
    """Mean loss in nats; a probability of 0 counts as 1e-12.

    p = … -> p = probs[:, y] -> Whole columns were taken, those of the labels. Take one of each row.
    p = … -> p = probs.max(axis=1) -> This is the highest of each row, not that of the label.
    p = … -> p = (…).mean() -> This is the logarithm of the mean. Take the mean of the logarithms.
    np.maximum(p, 1e-12) -> p + 1e-12 -> 1e-12 was added. Only what is below is raised to it.
    np.maximum(p, 1e-12) -> np.where(p == 0, 1e-12, p) -> Not only 0 is replaced: all below are.
    losses.mean() -> losses.sum() / probs.size -> It was divided by n·k. There are n images.
    """
    p = probs[np.arange(len(y)), y]
    losses = -np.log(np.maximum(p, 1e-12))
    return losses.mean()


@check(
    *_scores,
    ("a score far below the other", np.array([0.0, -800.0])),
)
def check_log_softmax(logits):
    """The logarithm of the softmax, finite for all finite scores.

    return … -> return np.log(softmax(logits))
        -> A small probability is rounded to 0, and log(0) is -inf. Use log(a / b) = log(a) - log(b).
    return … -> return np.log(np.maximum(softmax(logits), 1e-12)) -> It was cut off at log(1e-12).
     - logits.max(axis=-1, keepdims=True) ->  -> exp overflows in the sum.
    return moved -> return logits -> The largest score was subtracted in the sum only.
    """
    moved = logits - logits.max(axis=-1, keepdims=True)
    total = np.exp(moved).sum(axis=-1, keepdims=True)
    return moved - np.log(total)
