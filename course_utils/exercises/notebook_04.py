"""Notebook 04: the numerical gradient, and backpropagation."""

import numpy as np

from ..functions import numerical_gradient, one_hot, relu, sigmoid, softmax
from .marking import check
from .notebook_03 import images, layers


def _rows(x):
    """f(x) = the sum of the squares of what each row adds up to."""
    return float((x.sum(axis=-1) ** 2).sum())


def _cubes(x):
    """f(x) = the sum of all x³, plus the first entry times the last."""
    return float((x**3).sum() + x.flat[0] * x.flat[-1])


check_numerical_gradient = check(
    ("two numbers", _cubes, np.array([1.0, -3.0]), 0.1),
    ("a small step", _cubes, np.array([0.3, 0.0, 2.0]), 1e-4),
    ("a table", _cubes, np.array([[0.125, -1.0, 2.0], [1.5, 0.0, -0.5]]), 0.01),
    ("whole numbers", _cubes, np.array([1, -3]), 0.1),
    ("whole numbers, and slopes that are none", _cubes, np.array([[2], [1]]), 0.5),
    ("a table, turned over", _rows, np.array([[0.5, 1.0], [-1.0, 2.0], [0.0, 1.0]]).T, 0.5),
    ("two tables", _rows, np.array([[[0.5, 1.0]], [[2.0, -1.5]]]), 0.2),
    about="""Central differences, an array of the shape of x.

(above - below) / (2 * h) -> (above - f(x)) / h -> The step went up only. Take one down, too.
return gradient -> return (f(x + h) - f(x - h)) / (2 * h) -> All entries moved at once.
return gradient -> return np.full(x.shape, (f(x + h) - f(x - h)) / 2 / h) -> All moved at once.
- h -> + h -> Both places are the same: are two names one array, for lack of a copy?
= f(x) -> = f(x.ravel()) -> f got x in one row. It must get an array of the shape of x.
/ (2 * h) -> / 2 * h -> It was divided by 2 and then *multiplied* by h: (2 * h) needs brackets.
below = f(x)…gradient -> below = f(x); gradient -> It is not put back before the next one moves.
""",
)(numerical_gradient)


def case(rng, title, n, sizes, *others):
    X, params = images(rng, n, sizes[0]), layers(rng, *sizes)
    Y = one_hot(rng.integers(0, sizes[-1], n), sizes[-1]).astype(float)
    if "black" in title:  # then some scores are 0, the place where relu has its edge
        X[0], params["b1"][:], params["b2"][:] = 0, 0, 0
    if "large" in title:
        params["b2"] += [999, 1000]
    return (title, X, Y, *params.values(), *others)


def _cases():
    rng = np.random.default_rng(3)
    return [
        case(rng, "three images", 3, (2, 4, 2)),
        case(rng, "five images, four classes", 5, (4, 3, 4)),
        case(rng, "three images, and all sizes 3", 3, (3, 3, 3)),
        case(rng, "a single image", 1, (4, 5, 3)),
        case(rng, "large scores", 2, (3, 2, 2)),
        case(rng, "a black image and biases of 0", 2, (3, 2, 2)),
    ]


@check(*_cases())
def check_gradients(X, Y, W1, b1, W2, b2):
    """A dict of four gradients, network with relu."""
    Z1 = X @ W1 + b1
    A1 = relu(Z1)
    probs = softmax(A1 @ W2 + b2)
    dZ2 = (probs - Y) / len(X)
    dW2 = A1.T @ dZ2
    db2 = dZ2.sum(axis=0)
    dA1 = dZ2 @ W2.T
    dZ1 = dA1 * (Z1 > 0)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(axis=0)
    return {"W2": dW2, "b2": db2, "W1": dW1, "b1": db1}


@check(*_cases())
def check_sigmoid_gradients(X, Y, W1, b1, W2, b2):
    """A dict of four gradients, network with the sigmoid in relu's place.

    sigmoid(Z1)…A1 * (1 - A1) -> relu(Z1)…(Z1 > 0) -> relu is still there. Here is the sigmoid.
    A1 * (1 - A1) -> (A1 * 1 - A1) -> Brackets are missing around 1 - A1.
    """
    Z1 = X @ W1 + b1
    A1 = sigmoid(Z1)
    probs = softmax(A1 @ W2 + b2)
    dZ2 = (probs - Y) / len(X)
    dW2 = A1.T @ dZ2
    db2 = dZ2.sum(axis=0)
    dA1 = dZ2 @ W2.T
    dZ1 = dA1 * A1 * (1 - A1)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(axis=0)
    return {"W2": dW2, "b2": db2, "W1": dW1, "b1": db1}
