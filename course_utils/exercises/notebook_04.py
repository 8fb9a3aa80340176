"""Notebook 04: the numerical gradient, and backpropagation."""

from functools import partial

import numpy as np

from ..functions import one_hot, relu, sigmoid, softmax
from ..functions import numerical_gradient
from .marking import compare, mark
from ..network import Network
from .notebook_03 import layers


def _sum_of_squares(x):
    """f(x) = the sum of all x²."""
    return float((x**2).sum())


def _cubic(x):
    """f(x) = the sum of all x³, plus the first entry times the last."""
    return float((x**3).sum() + x.flat[0] * x.flat[-1])


def _differences(f, x, h, *, way=lambda f, above, x, below, h: (f(above) - f(below)) / (2 * h)):
    """Do as `numerical_gradient` does, with another formula."""
    gradient = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[index] = h
        gradient[index] = way(f, x + step, x, x - step, h)
    return gradient


def _left_behind(f, x, h):
    x, gradient = x.astype(float), np.empty(x.shape)
    for index in np.ndindex(x.shape):
        value = x[index]
        x[index] = value + h
        above = f(x)
        x[index] = value - h
        gradient[index] = (above - f(x)) / (2 * h)
    return gradient


def _truncated(f, x, h):
    gradient = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[index] = x[index] + h  # x holds whole numbers: so does this
        below[index] = x[index] - h
        gradient[index] = (f(above) - f(below)) / (2 * h)
    return gradient


def check_numerical_gradient(attempt):
    """Check ``numerical_gradient(f, x, h)``: central differences, an array of the shape of x."""
    table = np.array([[0.5, -1.0, 2.0], [1.5, 0.0, -0.5]])
    cases = [
        ("two numbers", {"f": _cubic, "x": np.array([1.0, -3.0]), "h": 0.1}),
        ("a small step", {"f": _sum_of_squares, "x": np.array([0.3, 0.0, 2.0]), "h": 1e-4}),
        ("a table", {"f": _cubic, "x": table, "h": 0.01}),
        ("whole numbers", {"f": _sum_of_squares, "x": np.array([1, -3]), "h": 0.1}),
    ]
    mistakes = {
        "The step went up only: (f(x + h) - f(x)) / h. Take one step up and one down; that is far"
        " more exact.": partial(
            _differences, way=lambda f, above, x, below, h: (f(above) - f(x)) / h
        ),
        "The two places are 2 h apart. Divide by 2 * h, not by h.": partial(
            _differences, way=lambda f, above, x, below, h: (f(above) - f(below)) / h
        ),
        "`/ 2 * h` divides by 2 and then *multiplies* by h. Write `/ (2 * h)`.": partial(
            _differences, way=lambda f, above, x, below, h: (f(above) - f(below)) / 2 * h
        ),
        "The difference was not divided by the distance, 2 * h.": partial(
            _differences, way=lambda f, above, x, below, h: f(above) - f(below)
        ),
        "The entries were not put back: each keeps its step while the next one is tried. Only one"
        " entry may differ from x at a time.": _left_behind,
        "All entries were moved at once, which gives a single slope. Move one "
        "entry at a time.": lambda f, x, h: (f(x + h) - f(x - h)) / (2 * h),
        "All entries were moved at once. Move one entry at a time.": lambda f, x, h: np.full(
            x.shape, (f(x + h) - f(x - h)) / (2 * h)
        ),
        "x holds whole numbers, and so does its copy: the step is cut off. Work on a copy with "
        "fractions, `x.astype(float)`.": _truncated,
    }
    return mark(attempt, cases, compare(numerical_gradient, mistakes, rtol=1e-5, atol=1e-7))


def _sum_rows(dZ):
    return dZ.sum(axis=0)


def backpropagate(
    X,
    Y,
    W1,
    b1,
    W2,
    b2,
    l2=0.0,
    *,
    activation=relu,
    slope=lambda Z1, A1: Z1 > 0,
    start=lambda probs, Y: (probs - Y) / len(Y),
    weight=lambda A, dZ: A.T @ dZ,
    bias=_sum_rows,
    back=lambda dZ2, W2: dZ2 @ W2.T,
    penalty=lambda W: W,
    bias_penalty=False,
):
    """Return the four gradients; each step can be replaced by a wrong one."""
    Z1 = X @ W1 + b1
    A1 = activation(Z1)
    dZ2 = start(softmax(A1 @ W2 + b2), Y)
    dZ1 = back(dZ2, W2) * slope(Z1, A1)
    return {
        "W2": weight(A1, dZ2) + (l2 * penalty(W2) if l2 else 0),
        "b2": bias(dZ2) + (l2 * b2 if bias_penalty else 0),
        "W1": weight(X, dZ1) + (l2 * penalty(W1) if l2 else 0),
        "b1": bias(dZ1) + (l2 * b1 if bias_penalty else 0),
    }


def _course_gradients(X, Y, W1, b1, W2, b2, l2=0.0, *, activation="relu"):
    """Return what `Network.gradients` gives, in the order in which a walk back meets them."""
    sizes = [len(W1), len(W2), len(b2)]
    network = Network(sizes, activation=activation, dtype="float64")
    network.params.update({"W1": W1, "b1": b1, "W2": W2, "b2": b2})
    _, grads = network.gradients(X, Y.argmax(axis=1), l2)
    return {name: grads[name] for name in ("W2", "b2", "W1", "b1")}


def _gradient_cases(extra=()):
    rng = np.random.default_rng(3)
    cases = []
    for title, n, sizes in [
        ("five images", 5, (4, 3, 2)),
        ("three images, and all sizes 3", 3, (3, 3, 3)),
        ("a single image", 1, (4, 5, 3)),
    ]:
        Y = one_hot(rng.integers(0, sizes[-1], n), sizes[-1])
        args = {"X": rng.random((n, sizes[0])), "Y": Y, **layers(rng, *sizes)}
        cases.append((title, args | dict(extra)))
    return cases


# hint: the step of `backpropagate` that is wrong
START_MISTAKES = {
    "1/n is missing: the loss is a mean over the n images, so each counts one n-th.": {
        "start": lambda probs, Y: probs - Y
    },
    "Divided by n twice: dZ2 has the 1/n in it already.": {
        "start": lambda probs, Y: (probs - Y) / len(Y) ** 2
    },
    "The sign is turned round: it is probabilities minus truth, not truth minus probabilities.": {
        "start": lambda probs, Y: (Y - probs) / len(Y)
    },
    "The truth was not subtracted: dZ2 is (probs - Y) / n.": {
        "start": lambda probs, Y: probs / len(Y)
    },
    "Divided by n twice: the bias gradient is the *sum* of dZ over the images, not the mean. The "
    "1/n is in dZ2 already.": {"bias": lambda dZ: dZ.mean(axis=0)},
}
GRADIENT_MISTAKES = {
    **START_MISTAKES,
    "Divided by n twice: a weight gradient is A.T @ dZ and no more. The 1/n is in dZ2 already.": {
        "weight": lambda A, dZ: A.T @ dZ / len(dZ)
    },
    "The weight gradient is transposed. It must have the shape of the weights: A.T @ dZ, not dZ.T"
    " @ A.": {"weight": lambda A, dZ: dZ.T @ A},
    "The gradient of a bias is a row of the bias's own shape: sum over the images with axis=0, "
    "and without keepdims.": {"bias": lambda dZ: dZ.sum(axis=0, keepdims=True)},
    "The gradient of a bias was summed over everything. Sum over the images only: axis=0.": {
        "bias": np.sum
    },
    "The gradient of a bias was summed along the rows, over the units. Sum over the images: "
    "axis=0.": {"bias": lambda dZ: dZ.sum(axis=1)},
    "On the way back through the second layer the transpose is missing: dZ2 @ W2.T. The shapes "
    "fit here by accident.": {
        "back": lambda dZ2, W2: dZ2 @ W2 if W2.shape[0] == W2.shape[1] else dZ2 @ W2.T
    },
}


def with_mistakes(function, mistakes):
    return {hint: partial(function, **wrong) for hint, wrong in mistakes.items()}


def check_gradients(attempt):
    """Check ``gradients(X, Y, W1, b1, W2, b2)``: a dict of four gradients, network with relu."""
    mistakes = {
        **GRADIENT_MISTAKES,
        "The mask of relu is missing: where Z1 is not positive, dZ1 is 0.": {
            "slope": lambda Z1, A1: 1
        },
        "dA1 was multiplied by A1. The slope of relu is 1 or 0: multiply by `Z1 > 0`.": {
            "slope": lambda Z1, A1: A1
        },
        "The mask is turned round: the gradient passes where Z1 is positive.": {
            "slope": lambda Z1, A1: Z1 <= 0
        },
        "The sigmoid is in here. The hidden layer of this network has relu.": {
            "activation": sigmoid,
            "slope": lambda Z1, A1: A1 * (1 - A1),
        },
    }
    judge = compare(_course_gradients, with_mistakes(backpropagate, mistakes))
    return mark(attempt, _gradient_cases(), judge)


def check_sigmoid_gradients(attempt):
    """Check ``sigmoid_gradients(X, Y, W1, b1, W2, b2, l2)``: with sigmoid in relu's place, and L2."""
    with_sigmoid = partial(backpropagate, activation=sigmoid, slope=lambda Z1, A1: A1 * (1 - A1))
    mistakes = {
        **GRADIENT_MISTAKES,
        "The mask of relu is still there. The slope of the sigmoid is A1 * (1 - A1).": {
            "slope": lambda Z1, A1: Z1 > 0
        },
        "The slope of the sigmoid is missing: A1 * (1 - A1).": {"slope": lambda Z1, A1: 1},
        "The slope is A1 * (1 - A1), with the activation A1 and not with Z1.": {
            "slope": lambda Z1, A1: Z1 * (1 - Z1)
        },
        "The sigmoid was taken twice: A1 is the sigmoid of Z1 already.": {
            "slope": lambda Z1, A1: sigmoid(A1) * (1 - sigmoid(A1))
        },
        "Half of the slope is missing: A1 * (1 - A1).": {"slope": lambda Z1, A1: 1 - A1},
        "relu is still there in the forward pass.": {
            "activation": relu,
            "slope": lambda Z1, A1: Z1 > 0,
        },
        "The L2 term is missing: add l2 * W to each weight gradient.": {"penalty": lambda W: 0},
        "The L2 term of the *loss* is λ/2 · W². Its derivative is λ · W: the ½ cancels.": {
            "penalty": lambda W: W / 2
        },
        "The derivative of λ/2 · W² is λ · W.": {"penalty": lambda W: W**2 / 2},
        "The L2 term is for weights, not for biases.": {"bias_penalty": True},
        "The L2 term goes the wrong way: add l2 * W.": {"penalty": lambda W: -W},
    }
    reference = partial(_course_gradients, activation="sigmoid")
    cases = _gradient_cases({"l2": 0.3})
    cases.insert(0, ("five images, without L2", cases[0][1] | {"l2": 0.0}))
    return mark(attempt, cases, compare(reference, with_mistakes(with_sigmoid, mistakes)))
