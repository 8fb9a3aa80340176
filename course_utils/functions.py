"""The mathematics of the network, one function a formula, without any state.

No function changes its arguments. Floating-point input keeps its type, so float32 stays float32.
"""

import numpy as np

# by the size of the type in bytes; asking np.finfo each time costs more than the logarithm
_SMALLEST_NORMAL = {np.dtype(t).itemsize: np.finfo(t).tiny for t in ("f2", "f4", "f8")}


def _as_float(x):
    """Return `x` as an array of floats: 0 - 1 is 255 in pixels of type uint8."""
    x = np.asarray(x)
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def sigmoid(z):
    """Squash each number into the interval (0, 1): ``1 / (1 + exp(-z))``.

    Parameters
    ----------
    z : array_like of any shape

    Returns
    -------
    ndarray of the same shape
        0 for ``-inf``, 1 for ``inf``, ``nan`` for ``nan``. Only exponentials of numbers that are
        not positive are taken, so that nothing overflows, however large `z` is.

    Examples
    --------
    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    z = _as_float(z)
    return np.exp(np.minimum(z, 0)) / (1 + np.exp(-np.abs(z)))


def relu(z):
    """Keep positive numbers and replace the others by 0: ``max(0, z)``.

    Parameters
    ----------
    z : array_like of any shape

    Returns
    -------
    ndarray of the same shape
        ``nan`` stays ``nan``.

    Examples
    --------
    >>> relu(np.array([-2.0, 0.0, 3.0]))
    array([0., 0., 3.])
    """
    return np.maximum(z, 0)


def softmax(logits):
    """Turn scores into probabilities, along the last axis: ``exp(z) / sum(exp(z))``.

    The largest score of each row is subtracted first. That changes no result, and every exponential
    is then at most 1, so that nothing overflows.

    Parameters
    ----------
    logits : array_like, shape (k,) or (n, k)
        `k` scores, or `n` rows of them.

    Returns
    -------
    ndarray of the same shape
        Each row is 0 or more and sums to 1. A score of ``-inf`` gets the probability 0. A row that
        holds ``nan`` or ``inf``, or nothing but ``-inf``, has no answer: all of it is ``nan``
        (for an infinity NumPy also warns of an invalid value). No rows, shape (0, k), give no rows.

    Raises
    ------
    ValueError
        If there is no score to choose from: a single number, or rows of length 0.

    Examples
    --------
    >>> softmax(np.array([1000.0, 1000.0, -np.inf]))
    array([0.5, 0.5, 0. ])
    """
    logits = _as_float(logits)
    if logits.ndim == 0 or logits.shape[-1] == 0:
        raise ValueError(
            f"softmax needs at least one score in each row, but got shape {logits.shape}; "
            "give it an array of shape (k,) or (n, k) with k of 1 or more"
        )
    logits = np.asfortranarray(logits)  # column after column: quicker along rows as short as ten
    exps = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exps / exps.sum(axis=-1, keepdims=True)


def cross_entropy(probs, y):
    """Measure how much probability was given to the right labels: the mean of ``-log(p)``, in nats.

    0 is perfect; a network that knows nothing and answers 1/10 for each of ten digits pays
    ln 10 = 2.30.

    Parameters
    ----------
    probs : array_like, shape (n, k)
        One row of probabilities an example, as `softmax` gives them.
    y : array_like of int, shape (n,)
        The right labels, 0 to k - 1.

    Returns
    -------
    float
        In nats, mean an example. Finite even where a probability is 0: it then counts as the
        smallest normal number of its type, which caps the loss of one example at 87.3 nats in
        float32 and 708.4 in float64. ``nan`` if a probability that counts is ``nan``.

    Raises
    ------
    ValueError
        If the shapes do not fit, there is no example, or a label is not one of 0 to k - 1.

    Examples
    --------
    >>> round(cross_entropy(np.full((1, 10), 0.1), [3]), 4)
    2.3026
    """
    probs = _as_float(probs)
    if probs.ndim != 2:
        raise ValueError(
            f"probs must have the shape (n, k), one row an example, but has {probs.shape}"
        )
    y = check_labels(y, len(probs), probs.shape[1])
    return negative_log_likelihood(probs[np.arange(len(y)), y])


def negative_log_likelihood(p):
    """Return the mean of ``-log(p)``, in nats: `cross_entropy` once the right entries are picked.

    Parameters
    ----------
    p : ndarray of float, shape (n,)
        The probability given to each right label; 0 counts as the smallest normal number.

    Returns
    -------
    float
    """
    smallest = _SMALLEST_NORMAL[p.dtype.itemsize]
    return 0.0 - float(np.log(np.maximum(p, smallest)).sum()) / len(p)  # 0.0 -: never -0.0


def one_hot(y, n_classes=10):
    """Write each label as a row of zeros with a single 1 at the label's place.

    Parameters
    ----------
    y : array_like of int, shape (n,)
        Labels, 0 to ``n_classes - 1``.
    n_classes : int

    Returns
    -------
    ndarray of float32, shape (n, n_classes)

    Raises
    ------
    ValueError
        If `y` is not a row of whole numbers in that range.

    Examples
    --------
    >>> one_hot([2, 0], n_classes=3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    y = check_labels(y, len(np.atleast_1d(y)), n_classes, allow_empty=True)
    return np.eye(n_classes, dtype=np.float32)[y]


def accuracy(y_pred, y):
    """Return the share of predictions that are right.

    Parameters
    ----------
    y_pred, y : array_like of int, shape (n,)
        Predicted and right labels.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If the two are not rows of the same length, or empty.

    Examples
    --------
    >>> accuracy([7, 2, 1, 1], [7, 2, 1, 0])
    0.75
    """
    y_pred, y = np.asarray(y_pred), np.asarray(y)
    if y_pred.shape != y.shape or y.ndim != 1 or y.size == 0:
        raise ValueError(
            "accuracy compares two rows of labels of the same length, at least one long, but got "
            f"the shapes {y_pred.shape} and {y.shape}; probabilities become labels by "
            "probs.argmax(axis=1)"
        )
    return float((y_pred == y).mean())


def confusion_matrix(y, y_pred, n_classes=10):
    """Count how often each label was taken for each other.

    Parameters
    ----------
    y, y_pred : array_like of int, shape (n,)
        Right and predicted labels, 0 to ``n_classes - 1``.
    n_classes : int

    Returns
    -------
    ndarray of int, shape (n_classes, n_classes)
        In row i and column j: how many examples with the label i were predicted as j.

    Raises
    ------
    ValueError
        If the two are not rows of such labels, of the same length.

    Examples
    --------
    >>> confusion_matrix([0, 1, 1], [0, 0, 1], n_classes=2)
    array([[1, 0],
           [1, 1]])
    """
    y = check_labels(y, len(np.atleast_1d(y)), n_classes)
    y_pred = check_labels(y_pred, len(y), n_classes)
    matrix = np.zeros((n_classes, n_classes), dtype=int)
    np.add.at(matrix, (y, y_pred), 1)
    return matrix


def check_labels(y, n, n_classes, *, allow_empty=False):
    """Return `y` as an array of labels, or say what is wrong with it.

    Parameters
    ----------
    y : array_like of int, shape (n,)
    n : int
        How many labels there must be.
    n_classes : int
        Labels must be 0 to ``n_classes - 1``.
    allow_empty : bool
        Whether `n` may be 0.

    Returns
    -------
    ndarray of int, shape (n,)

    Raises
    ------
    ValueError
        If the shape, the type or a value does not fit.
    """
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == n_classes:
        raise ValueError(
            f"y must hold one whole number an example, shape ({n},), but has shape {y.shape}, "
            "which looks one-hot; take the labels back with y.argmax(axis=1)"
        )
    if y.shape != (n,):
        raise ValueError(f"y must hold one label for each of the {n} examples, but has {y.shape}")
    if n == 0:
        if not allow_empty:
            raise ValueError("there is no example: y is empty")
        return y.astype(np.intp)
    if y.dtype.kind not in "iu":
        raise ValueError(f"labels must be whole numbers (an int type), but y has type {y.dtype}")
    if y.min() < 0 or y.max() >= n_classes:
        raise ValueError(
            f"labels must be 0 to {n_classes - 1}, one for each output, but y goes from "
            f"{y.min()} to {y.max()}"
        )
    return y
