"""The slow, certain way to a gradient, to hold the fast one against."""

import sys

import numpy as np


def numerical_gradient(f, x, h=1e-5, *, progress=True):
    """Estimate the gradient of `f` at `x` by trying out a small step in each direction.

    For every entry of `x` in turn: ``(f(x + h) - f(x - h)) / (2 h)``, the central difference, whose
    error shrinks with h². That takes two calls of `f` for each entry.

    Parameters
    ----------
    f : callable
        Takes an array of the shape of `x`, returns a float.
    x : array_like of float, any shape
        Worked on as a float64 copy; float32 is too coarse for differences this small.
    h : float
        Size of the step.
    progress : bool
        Whether to show a bar if it takes more than two seconds.

    Returns
    -------
    ndarray of float64, the shape of `x`

    Examples
    --------
    >>> numerical_gradient(lambda x: float((x**2).sum()), [1.0, -3.0]).round(6)
    array([ 2., -6.])
    """
    from tqdm import tqdm

    x = np.array(x, dtype=np.float64)
    gradient = np.empty_like(x)
    entries = np.ndindex(x.shape)
    for index in tqdm(entries, total=x.size, delay=2, file=sys.stdout, disable=not progress):
        value = x[index]
        x[index] = value + h
        above = f(x)
        x[index] = value - h
        below = f(x)
        x[index] = value
        gradient[index] = (above - below) / (2 * h)
    return gradient


def relative_error(a, b):
    """Compare two gradients: their largest difference, as a share of the largest entry.

    Parameters
    ----------
    a, b : array_like of float, the same shape

    Returns
    -------
    float
        0 if the two are equal; below about 1e-6 for a right gradient in float64; ``nan`` if an
        entry is.

    Raises
    ------
    ValueError
        If the shapes differ: a gradient has the shape of what it is the gradient of.

    Examples
    --------
    >>> round(relative_error([1.0, 2.0], [1.0, 2.002]), 6)
    0.000999
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"both must have the same shape, but one has {a.shape}, one {b.shape}")
    largest = np.maximum(np.abs(a).max(initial=0), np.abs(b).max(initial=0))
    if largest == 0:
        return 0.0
    return float(np.abs(a - b).max() / largest)
