"""Notebook 04: the numerical gradient, and backpropagation."""

from functools import partial
from types import SimpleNamespace

import numpy as np

from ..functions import numerical_gradient, one_hot, relu, sigmoid, softmax
from .faults import with_step
from .marking import Check
from .notebook_03 import layers


def _differences(f, x, h, *, slope):
    """Do as `numerical_gradient` does, with another formula for the slope along `step`."""
    gradient = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[index] = h
        gradient[index] = slope(f, x, step, h)
    return gradient


class Formulas:  # for the slope along a step
    def upwards_only(f, x, step, h):
        """The step went up only. Take one up and one down: (f(x + h) - f(x - h)) / (2 * h)."""
        return (f(x + step) - f(x)) / h

    def over_h(f, x, step, h):
        """The two places are 2 h apart. Divide by 2 * h, not by h."""
        return (f(x + step) - f(x - step)) / h

    def times_h(f, x, step, h):
        """`/ 2 * h` divides by 2 and then *multiplies* by h. Write `/ (2 * h)`."""
        return (f(x + step) - f(x - step)) / 2 * h

    def cut_off(f, x, step, h):
        """x holds whole numbers, and so does its copy: the step is cut off. Use `x.astype(float)`."""
        return (f((x + step).astype(x.dtype)) - f((x - step).astype(x.dtype))) / (2 * h)

    def not_put_back(f, x, step, h):
        """Each entry keeps its step while the next is tried. Put it back before you go on."""
        x += step
        above = f(x)
        x -= 2 * step
        return (above - f(x)) / (2 * h)


def all_at_once(f, x, h):
    """All entries were moved at once, which gives a single slope. Move one entry at a time."""
    return (f(x + h) - f(x - h)) / (2 * h)


def _squares(x):
    """f(x) = the sum of all x²."""
    return float((x**2).sum())


def _cubes(x):
    """f(x) = the sum of all x³, plus the first entry times the last."""
    return float((x**3).sum() + x.flat[0] * x.flat[-1])


check_numerical_gradient = Check(
    "numerical_gradient(f, x, h): central differences, an array of the shape of x.",
    [
        ("two numbers", _cubes, np.array([1.0, -3.0]), 0.1),
        ("a small step", _squares, np.array([0.3, 0.0, 2.0]), 1e-4),
        ("a table", _cubes, np.array([[0.5, -1.0, 2.0], [1.5, 0.0, -0.5]]), 0.01),
        ("whole numbers", _squares, np.array([1, -3]), 0.1),
    ],
    numerical_gradient,
    with_step(_differences, slope=Formulas),
    all_at_once,
)


_RIGHT = {
    "activation": relu,
    "start": lambda probs, Y: (probs - Y) / len(Y),
    "weight": lambda A, dZ: A.T @ dZ,
    "bias": lambda dZ: dZ.sum(axis=0),
    "back": lambda dZ2, W2, dW2: dZ2 @ W2.T,
    "slope": lambda Z1, A1: Z1 > 0,
    "penalty": lambda W: W,
    "bias_penalty": lambda b: 0,
}


def backpropagate(X, Y, W1, b1, W2, b2, l2=0, **wrong):
    """Return the four gradients, as a walk back meets them; each step can be replaced."""
    step = SimpleNamespace(**_RIGHT | wrong)
    Z1 = X @ W1 + b1
    A1 = step.activation(Z1)
    dZ2 = step.start(softmax(A1 @ W2 + b2), Y)
    dW2 = step.weight(A1, dZ2)
    dZ1 = step.back(dZ2, W2, dW2) * step.slope(Z1, A1)
    return {
        "W2": dW2 + l2 * step.penalty(W2),
        "b2": step.bias(dZ2) + l2 * step.bias_penalty(b2),
        "W1": step.weight(X, dZ1) + l2 * step.penalty(W1),
        "b1": step.bias(dZ1) + l2 * step.bias_penalty(b1),
    }


class Starts:  # from the probabilities to dZ2
    def not_divided(probs, Y):
        """1/n is missing: the loss is a mean over the n images, so each counts one n-th."""
        return probs - Y

    def divided_twice(probs, Y):
        """Divided by n twice: dZ2 has the 1/n in it already."""
        return (probs - Y) / len(Y) ** 2

    def turned_round(probs, Y):
        """The sign is turned round: it is probabilities minus truth, not the other way."""
        return (Y - probs) / len(Y)


def weights_divided(A, dZ):
    """Divided by n twice: a weight gradient is A.T @ dZ. The 1/n is in dZ2 already."""
    return A.T @ dZ / len(dZ)


class Biases:  # from dZ to the gradient of the biases
    def mean(dZ):
        """Divided by n twice: the bias gradient is the *sum* of dZ, since 1/n is in dZ2 already."""
        return dZ.mean(axis=0)

    def keepdims(dZ):
        """The gradient of a bias has the bias's own shape: sum with axis=0, without keepdims."""
        return dZ.sum(axis=0, keepdims=True)

    def over_everything(dZ):
        """The gradient of a bias was summed over everything. Sum over the images only: axis=0."""
        return dZ.sum()

    def over_the_units(dZ):
        """The gradient of a bias was summed over the units. Sum over the images: axis=0."""
        return dZ.sum(axis=1)


def not_transposed(dZ2, W2, dW2):
    """On the way back the transpose is missing: dZ2 @ W2.T. The shapes fit here by accident."""
    return dZ2 @ (W2 if W2.shape[0] == W2.shape[1] else W2.T)


class ReluSlopes:
    def no_mask(Z1, A1):
        """The mask of relu is missing: where Z1 is not positive, dZ1 is 0."""
        return 1

    def activation(Z1, A1):
        """dA1 was multiplied by A1. The slope of relu is 1 or 0: multiply by `Z1 > 0`."""
        return A1

    def turned_round(Z1, A1):
        """The mask is turned round: the gradient passes where Z1 is positive."""
        return Z1 <= 0


_with_sigmoid = partial(backpropagate, activation=sigmoid, slope=lambda Z1, A1: A1 * (1 - A1))


def sigmoid_in_place_of_relu(*arguments):
    """The sigmoid is in here. The hidden layer of this network has relu."""
    return _with_sigmoid(*arguments)


def relu_in_place_of_sigmoid(*arguments):
    """relu is still there in the forward pass."""
    return backpropagate(*arguments)


class SigmoidSlopes:
    def mask_of_relu(Z1, A1):
        """The mask of relu is still there. The slope of the sigmoid is A1 * (1 - A1)."""
        return Z1 > 0

    def missing(Z1, A1):
        """The slope of the sigmoid is missing: A1 * (1 - A1)."""
        return 1

    def of_Z1(Z1, A1):
        """The slope is A1 * (1 - A1): with the activation A1, not with Z1."""
        return Z1 * (1 - Z1)

    def sigmoid_twice(Z1, A1):
        """The sigmoid was taken twice: A1 is the sigmoid of Z1 already."""
        return sigmoid(A1) * (1 - sigmoid(A1))


class Penalties:  # from the weights to the L2 term, without λ
    def missing(W):
        """The L2 term is missing: add l2 * W to each weight gradient."""
        return 0

    def half(W):
        """The L2 term of the *loss* is λ/2 · W². Its derivative is λ · W: the ½ cancels."""
        return W / 2


def penalty_for_biases(b):
    """The L2 term is for weights, not for biases."""
    return b


def case(rng, title, n, sizes, *others):
    Y = one_hot(rng.integers(0, sizes[-1], n), sizes[-1])
    return (title, rng.random((n, sizes[0])), Y, *layers(rng, *sizes).values(), *others)


def _cases(*others):
    rng = np.random.default_rng(3)
    return [
        case(rng, "five images", 5, (4, 3, 2), *others),
        case(rng, "three images, and all sizes 3", 3, (3, 3, 3), *others),
        case(rng, "a single image", 1, (4, 5, 3), *others),
    ]


_shared = {"start": Starts, "weight": weights_divided, "bias": Biases, "back": not_transposed}

check_gradients = Check(
    "gradients(X, Y, W1, b1, W2, b2): a dict of four gradients, network with relu.",
    _cases(),
    backpropagate,
    with_step(backpropagate, **_shared, slope=ReluSlopes),
    sigmoid_in_place_of_relu,
)

_penalties = {"penalty": Penalties, "bias_penalty": penalty_for_biases}

check_sigmoid_gradients = Check(
    "sigmoid_gradients(X, Y, W1, b1, W2, b2, l2): with sigmoid in relu's place, and L2.",
    [("five images, without L2", *_cases(0.0)[0][1:]), *_cases(0.3)],
    _with_sigmoid,
    with_step(_with_sigmoid, **_shared, slope=SigmoidSlopes, **_penalties),
    relu_in_place_of_sigmoid,
)
