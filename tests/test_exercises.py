"""The exercises: right answers pass, wrong ones draw their hint, and nothing gets past a check.

The attempts are written as a learner would write them, without a look at the tables of mistakes.
"""

import gc
import itertools
import json
import math
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import course_utils
from course_utils import exercises, marking, one_hot
from course_utils.datasets import find_mnist
from course_utils.functions import relu, sigmoid, softmax

RIGHT, WRONG = {}, {}  # check: attempts; check: (attempt, words that the hint must have)


def right(name):
    def keep(attempt):
        RIGHT.setdefault(name, []).append(attempt)
        return attempt

    return keep


def wrong(name, words):
    def keep(attempt):
        WRONG.setdefault(name, []).append((attempt, words))
        return attempt

    return keep


def answer(name, attempt):
    """Return what the check says, in one line, and whether the attempt has passed."""
    result = getattr(exercises, name)(attempt)
    assert repr(result) == result.text
    return " ".join(result.text.split()), result.passed


# 01: the sizes in a header


@right("check_idx_sizes")
def sizes_by_int(data):
    return tuple(int.from_bytes(data[4 + 4 * k : 8 + 4 * k], "big") for k in range(data[3]))


@right("check_idx_sizes")
def sizes_by_numpy(data):
    return tuple(np.frombuffer(data, ">u4", count=data[3], offset=4).tolist())


@wrong("check_idx_sizes", "wrong order")
def sizes_little(data):
    return tuple(int.from_bytes(data[4 + 4 * k : 8 + 4 * k], "little") for k in range(data[3]))


@wrong("check_idx_sizes", "Not every file has three sizes")
def sizes_of_images_only(data):
    return tuple(int.from_bytes(data[k : k + 4], "big") for k in (4, 8, 12))


@wrong("check_idx_sizes", "holds numbers up to 255")
def sizes_last_byte(data):
    return tuple(data[7 + 4 * k] for k in range(data[3]))


@wrong("check_idx_sizes", "The sizes begin behind it")
def sizes_from_zero(data):
    return tuple(int.from_bytes(data[4 * k : 4 + 4 * k], "big") for k in range(data[3]))


# 01: one-hot


@right("check_one_hot")
def one_hot_by_index(y, n_classes):
    Y = np.zeros((len(y), n_classes))
    Y[np.arange(len(y)), y] = 1
    return Y


@right("check_one_hot")
def one_hot_by_comparison(y, n_classes):
    return (y[:, None] == np.arange(n_classes)).astype(int)


@wrong("check_one_hot", "in *every* row")
def one_hot_all_rows(y, n_classes):
    Y = np.zeros((len(y), n_classes))
    Y[:, y] = 1
    return Y


@wrong("check_one_hot", "as the largest label needs")
def one_hot_too_narrow(y, n_classes):
    return np.eye(max(y) + 1)[y]


@wrong("check_one_hot", "transposed")
def one_hot_transposed(y, n_classes):
    Y = np.zeros((n_classes, len(y)))
    Y[y, np.arange(len(y))] = 1
    return Y


@wrong("check_one_hot", "A 1 belongs there")
def one_hot_of_labels(y, n_classes):
    Y = np.zeros((len(y), n_classes))
    for i in range(len(y)):
        Y[i, y[i]] = y[i]
    return Y


@wrong("check_one_hot", "should hold numbers, but its type is bool")
def one_hot_of_truths(y, n_classes):
    return y[:, None] == np.arange(n_classes)


# 01: a whole IDX file

TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


@right("check_idx_array")
def array_by_frombuffer(data):
    numbers = np.frombuffer(data, TYPES[data[2]], offset=4 + 4 * data[3])
    return numbers.reshape(sizes_by_int(data))


@right("check_idx_array")
def array_with_a_look_at_the_length(data):
    sizes, dtype = sizes_by_numpy(data), np.dtype(TYPES[data[2]])
    body = data[4 + 4 * len(sizes) :]
    if len(body) != math.prod(sizes) * dtype.itemsize:
        raise ValueError(f"{len(body)} bytes of numbers do not fit the sizes {sizes}")
    return np.frombuffer(body, dtype).astype(dtype.newbyteorder("=")).reshape(sizes)


@wrong("check_idx_array", 'the type is ">i2", not')
def array_in_the_order_of_this_computer(data):
    dtype = TYPES[data[2]].replace(">", "<")
    return np.frombuffer(data, dtype, offset=4 + 4 * data[3]).reshape(sizes_by_int(data))


@wrong("check_idx_array", "read as a single byte")
def array_of_bytes(data):
    sizes = sizes_by_int(data)
    return np.frombuffer(data, np.uint8, math.prod(sizes), 4 + 4 * len(sizes)).reshape(sizes)


@wrong("check_idx_array", "but in one row")
def array_flat(data):
    return np.frombuffer(data, TYPES[data[2]], offset=4 + 4 * data[3])


@wrong("check_idx_array", "nobody would notice")
def array_that_overlooks_a_byte_too_many(data):
    sizes = sizes_by_int(data)
    numbers = np.frombuffer(data, TYPES[data[2]], math.prod(sizes), 4 + 4 * len(sizes))
    return numbers.reshape(sizes)


# 02: softmax


@right("check_softmax")
def softmax_with_keepdims(logits):
    exps = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exps / exps.sum(axis=-1, keepdims=True)


@right("check_softmax")
def softmax_row_by_row(logits):
    if logits.ndim == 2:
        return np.array([softmax_row_by_row(row) for row in logits])
    exps = [math.exp(z - max(logits)) for z in logits]
    return np.array(exps) / sum(exps)


@wrong("check_softmax", "Subtract the largest score")
def softmax_unshifted(logits):
    exps = np.exp(logits)
    return exps / exps.sum(axis=-1, keepdims=True)


@wrong("check_softmax", "The sum runs over the whole batch")
def softmax_of_the_batch(logits):
    exps = np.exp(logits - logits.max())
    return exps / exps.sum()


@wrong("check_softmax", "The largest score of the *whole batch*")
def softmax_with_one_maximum(logits):
    exps = np.exp(logits - logits.max())
    return exps / exps.sum(axis=-1, keepdims=True)


@wrong("check_softmax", "down the columns")
def softmax_of_columns(logits):
    exps = np.exp(logits - logits.max(axis=0))
    return exps / exps.sum(axis=0)


@wrong("check_softmax", "keepdims=True keeps the column")
def softmax_without_keepdims(logits):
    exps = np.exp(logits - logits.max(axis=-1))
    return exps / exps.sum(axis=-1)


@wrong("check_softmax", "has changed its argument logits")
def softmax_in_place(logits):
    logits -= logits.max(axis=-1, keepdims=True)
    return softmax(logits)


# 02: cross-entropy


@right("check_cross_entropy")
def loss_by_index(probs, y):
    p = probs[np.arange(len(y)), y]
    return -np.log(np.maximum(p, 1e-12)).mean()


@right("check_cross_entropy")
def loss_in_a_loop(probs, y):
    total = 0.0
    for row, label in zip(probs, y, strict=True):
        total -= math.log(row[label] + 1e-12)
    return total / len(y)


@wrong("check_cross_entropy", "their mean: divide by n")
def loss_not_divided(probs, y):
    return -np.log(probs[np.arange(len(y)), y]).sum()


@wrong("check_cross_entropy", "Divided by n twice")
def loss_divided_twice(probs, y):
    return -np.log(probs[np.arange(len(y)), y]).mean() / len(y)


@wrong("check_cross_entropy", "as if they were one-hot")
def loss_with_labels_as_one_hot(probs, y):
    return -np.sum(y * np.log(probs)) / len(probs)


@wrong("check_cross_entropy", "takes all these columns from *every* row")
def loss_of_columns(probs, y):
    return -np.log(probs[:, y]).mean()


@wrong("check_cross_entropy", "0 times that is nan")
def loss_by_one_hot(probs, y):
    return -(one_hot(y, probs.shape[1]) * np.log(probs)).sum() / len(y)


@wrong("check_cross_entropy", "np.maximum")
def loss_that_can_be_infinite(probs, y):
    return -np.log(probs[np.arange(len(y)), y]).mean()


# 02: the logarithm of the softmax


@right("check_log_softmax")
def log_softmax_shifted(logits):
    moved = logits - logits.max(axis=-1, keepdims=True)
    return moved - np.log(np.exp(moved).sum(axis=-1, keepdims=True))


@right("check_log_softmax")
def log_softmax_by_logaddexp(logits):
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


@wrong("check_log_softmax", "Never compute the probability")
def log_of_softmax(logits):
    return np.log(softmax(logits))


@wrong("check_log_softmax", "exp overflows")
def log_softmax_unshifted(logits):
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


@wrong("check_log_softmax", "Both need it")
def log_softmax_half_shifted(logits):
    moved = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(moved).sum(axis=-1, keepdims=True))


@wrong("check_log_softmax", "whole batch")
def log_softmax_of_the_batch(logits):
    moved = logits - logits.max()
    return moved - np.log(np.exp(moved).sum())


# 03: the forward pass


@right("check_forward")
def forward_in_matrices(X, W1, b1, W2, b2):
    return softmax(sigmoid(X @ W1 + b1) @ W2 + b2)


@right("check_forward")
def forward_one_by_one(X, W1, b1, W2, b2):
    rows = []
    for x in X:
        hidden = [1 / (1 + math.exp(-(x @ W1[:, j] + b1[j]))) for j in range(len(b1))]
        scores = np.array([np.dot(hidden, W2[:, k]) + b2[k] for k in range(len(b2))])
        rows.append(softmax_row_by_row(scores))
    return np.array(rows)


@wrong("check_forward", "activation is missing")
def forward_linear(X, W1, b1, W2, b2):
    return softmax((X @ W1 + b1) @ W2 + b2)


@wrong("check_forward", "not in a sigmoid")
def forward_sigmoid_at_the_end(X, W1, b1, W2, b2):
    return sigmoid(sigmoid(X @ W1 + b1) @ W2 + b2)


@wrong("check_forward", "all images share a probability of 1")
def forward_with_a_softmax_of_the_batch(X, W1, b1, W2, b2):
    return softmax_of_the_batch(sigmoid(X @ W1 + b1) @ W2 + b2)


@wrong("check_forward", "argmax comes later")
def forward_to_labels(X, W1, b1, W2, b2):
    return softmax(sigmoid(X @ W1 + b1) @ W2 + b2).argmax(axis=1)


@wrong("check_forward", "stable softmax")
def forward_unstable(X, W1, b1, W2, b2):
    return softmax_unshifted(sigmoid(X @ W1 + b1) @ W2 + b2)


@wrong("check_forward", "Is one to be transposed?")
def forward_with_columns(X, W1, b1, W2, b2):
    return softmax(W2 @ sigmoid(W1 @ X + b1) + b2)


# 03: counting mistakes


@right("check_count_misclassified")
def count_by_sum(probs, y):
    return (probs.argmax(axis=1) != y).sum()


@right("check_count_misclassified")
def count_in_a_loop(probs, y):
    count = 0
    for row, label in zip(probs, y, strict=True):
        if np.argmax(row) != label:
            count += 1
    return count


@wrong("check_count_misclassified", "counts the images that are right")
def count_right(probs, y):
    return (probs.argmax(axis=1) == y).sum()


@wrong("check_count_misclassified", "argmax without an axis")
def count_without_axis(probs, y):
    return (probs.argmax() != y).sum()


@wrong("check_count_misclassified", "This is a share")
def share_misclassified(probs, y):
    return (probs.argmax(axis=1) != y).mean()


@wrong("check_count_misclassified", "above ½ or below")
def count_below_half(probs, y):
    return (probs[np.arange(len(y)), y] < 0.5).sum()


@wrong("check_count_misclassified", "taken for one-hot")
def count_with_one_hot_labels(probs, y):
    return (probs.argmax(axis=1) != y.argmax()).sum()


@wrong("check_count_misclassified", "`.sum()` counts the true ones")
def which_misclassified(probs, y):
    return probs.argmax(axis=1) != y


# 03: any number of layers


@right("check_deep_forward")
def deep_by_number(X, params):
    n_layers = len(params) // 2
    for k in range(1, n_layers + 1):
        X = X @ params[f"W{k}"] + params[f"b{k}"]
        X = sigmoid(X) if k < n_layers else softmax(X)
    return X


@right("check_deep_forward")
def deep_by_order(X, params):
    arrays = list(params.values())
    *hidden, last = zip(arrays[::2], arrays[1::2], strict=True)
    for W, b in hidden:
        X = sigmoid(X @ W + b)
    return softmax(X @ last[0] + last[1])


@wrong("check_deep_forward", "sigmoid before its softmax")
def deep_sigmoid_everywhere(X, params):
    for k in range(1, len(params) // 2 + 1):
        X = sigmoid(X @ params[f"W{k}"] + params[f"b{k}"])
    return softmax(X)


@wrong("check_deep_forward", "The last layer is missing")
def deep_one_short(X, params):
    for k in range(1, len(params) // 2):
        X = sigmoid(X @ params[f"W{k}"] + params[f"b{k}"])
    return X


@wrong("check_deep_forward", "W10 sorts before W2")
def deep_sorted(X, params):
    weights = sorted(name for name in params if name.startswith("W"))
    biases = sorted(name for name in params if name.startswith("b"))
    for W, b in zip(weights[:-1], biases[:-1], strict=True):
        X = sigmoid(X @ params[W] + params[b])
    return softmax(X @ params[weights[-1]] + params[biases[-1]])


@wrong("check_deep_forward", "softmax behind every layer")
def deep_softmax_everywhere(X, params):
    for k in range(1, len(params) // 2 + 1):
        X = softmax(X @ params[f"W{k}"] + params[f"b{k}"])
    return X


# 04: the numerical gradient


@right("check_numerical_gradient")
def differences_by_index(f, x, h):
    x = x.astype(float)
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        value = x[index]
        x[index] = value + h
        above = f(x)
        x[index] = value - h
        below = f(x)
        x[index] = value
        gradient[index] = (above - below) / (2 * h)
    return gradient


@right("check_numerical_gradient")
def differences_by_unit_steps(f, x, h):
    slopes = []
    for k in range(x.size):
        step = h * np.eye(x.size)[k].reshape(x.shape)
        slopes.append((f(x + step) - f(x - step)) / (2 * h))
    return np.array(slopes).reshape(x.shape)


@wrong("check_numerical_gradient", "The step went up only")
def differences_forward(f, x, h):
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        moved = x.astype(float)
        moved[index] += h
        gradient[index] = (f(moved) - f(x)) / h
    return gradient


@wrong("check_numerical_gradient", "Divide by 2 * h, not by h")
def differences_over_h(f, x, h):
    return 2 * differences_by_unit_steps(f, x, h)


@wrong("check_numerical_gradient", "were not put back")
def differences_left_behind(f, x, h):
    x = x.astype(float)
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        x[index] += h
        above = f(x)
        x[index] -= 2 * h
        gradient[index] = (above - f(x)) / (2 * h)
    return gradient


@wrong("check_numerical_gradient", "x holds whole numbers, and so does its copy")
def differences_cut_off(f, x, h):
    x = x.copy()
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        value = x[index]
        x[index] = value + h
        above = f(x)
        x[index] = value - h
        gradient[index] = (above - f(x)) / (2 * h)
        x[index] = value
    return gradient


@wrong("check_numerical_gradient", "All entries were moved at once")
def differences_all_at_once(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


# 04: the four gradients


@right("check_gradients")
def gradients_in_matrices(X, Y, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = relu(Z1)
    dZ2 = (softmax(A1 @ W2 + b2) - Y) / len(X)
    dZ1 = dZ2 @ W2.T * (Z1 > 0)
    return {"W1": X.T @ dZ1, "b1": dZ1.sum(axis=0), "W2": A1.T @ dZ2, "b2": dZ2.sum(axis=0)}


@right("check_gradients")
def gradients_image_by_image(X, Y, W1, b1, W2, b2):
    total = {"b2": 0, "W2": 0, "b1": 0, "W1": 0}
    for x, truth in zip(X, Y, strict=True):
        z1 = x @ W1 + b1
        a1 = np.where(z1 > 0, z1, 0)
        dz2 = softmax(a1 @ W2 + b2) - truth
        dz1 = np.where(z1 > 0, W2 @ dz2, 0)
        each = {"W1": np.outer(x, dz1), "b1": dz1, "W2": np.outer(a1, dz2), "b2": dz2}
        total = {name: total[name] + each[name] / len(X) for name in total}
    return total


@wrong("check_gradients", "1/n is missing")
def gradients_not_divided(X, Y, W1, b1, W2, b2):
    grads = gradients_in_matrices(X, Y, W1, b1, W2, b2)
    return {name: len(X) * grad for name, grad in grads.items()}


@wrong("check_gradients", "The mask of relu is missing")
def gradients_without_mask(X, Y, W1, b1, W2, b2):
    A1 = relu(X @ W1 + b1)
    dZ2 = (softmax(A1 @ W2 + b2) - Y) / len(X)
    dZ1 = dZ2 @ W2.T
    return {"W1": X.T @ dZ1, "b1": dZ1.sum(axis=0), "W2": A1.T @ dZ2, "b2": dZ2.sum(axis=0)}


@wrong("check_gradients", "truth minus probabilities")
def gradients_uphill(X, Y, W1, b1, W2, b2):
    return {k: -grad for k, grad in gradients_in_matrices(X, Y, W1, b1, W2, b2).items()}


def spoilt(name, spoil):
    """Return an attempt at the gradients in which one of the four is spoilt."""

    def attempt(X, Y, W1, b1, W2, b2):
        grads = gradients_in_matrices(X, Y, W1, b1, W2, b2)
        return grads | {name: spoil(grads[name], len(X))}

    return attempt


for weight in ("W1", "W2"):
    wrong("check_gradients", f"{weight}: The weight gradient is transposed")(
        spoilt(weight, lambda grad, n: grad.T)
    )
    wrong("check_gradients", f"{weight}: Divided by n twice: a weight gradient")(
        spoilt(weight, lambda grad, n: grad / n)
    )
    wrong("check_gradients", f"{weight}: 1/n is missing")(spoilt(weight, lambda grad, n: grad * n))
for bias in ("b1", "b2"):
    wrong("check_gradients", f"{bias}: Divided by n twice: the bias gradient")(
        spoilt(bias, lambda grad, n: grad / n)
    )
    wrong("check_gradients", f"{bias}: 1/n is missing")(spoilt(bias, lambda grad, n: grad * n))
    wrong("check_gradients", f"{bias}: The gradient of a bias is a row")(
        spoilt(bias, lambda grad, n: grad[None])
    )
    wrong("check_gradients", f"{bias}: The gradient of a bias was summed over everything")(
        spoilt(bias, lambda grad, n: grad.sum())
    )


@wrong("check_gradients", "W1: On the way back through the second layer the transpose is missing")
def gradients_with_w2_not_transposed(X, Y, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = relu(Z1)
    dZ2 = (softmax(A1 @ W2 + b2) - Y) / len(X)
    dZ1 = dZ2 @ (W2 if len(b1) == len(b2) else W2.T) * (Z1 > 0)
    return {"W1": X.T @ dZ1, "b1": dZ1.sum(axis=0), "W2": A1.T @ dZ2, "b2": dZ2.sum(axis=0)}


# 04: with a sigmoid, and L2


@right("check_sigmoid_gradients")
def sigmoid_gradients(X, Y, W1, b1, W2, b2, l2):
    A1 = sigmoid(X @ W1 + b1)
    dZ2 = (softmax(A1 @ W2 + b2) - Y) / len(X)
    dZ1 = dZ2 @ W2.T * A1 * (1 - A1)
    return {
        "W1": X.T @ dZ1 + l2 * W1,
        "b1": dZ1.sum(axis=0),
        "W2": A1.T @ dZ2 + l2 * W2,
        "b2": dZ2.sum(axis=0),
    }


@right("check_sigmoid_gradients")
def sigmoid_gradients_numerically(X, Y, W1, b1, W2, b2, l2):
    params = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}

    def loss(name, value):
        p = params | {name: value}
        probs = softmax(sigmoid(X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"])
        squares = (p["W1"] ** 2).sum() + (p["W2"] ** 2).sum()
        return -np.log((probs * Y).sum(axis=1)).mean() + l2 / 2 * squares

    return {
        name: course_utils.numerical_gradient(lambda x, name=name: loss(name, x), value)
        for name, value in params.items()
    }


@wrong("check_sigmoid_gradients", "with the activation A1 and not with Z1")
def sigmoid_gradients_slope_of_z(X, Y, W1, b1, W2, b2, l2):
    Z1 = X @ W1 + b1
    A1 = sigmoid(Z1)
    dZ2 = (softmax(A1 @ W2 + b2) - Y) / len(X)
    dZ1 = dZ2 @ W2.T * Z1 * (1 - Z1)
    grads = {"W1": X.T @ dZ1 + l2 * W1, "b1": dZ1.sum(axis=0)}
    return grads | {"W2": A1.T @ dZ2 + l2 * W2, "b2": dZ2.sum(axis=0)}


@wrong("check_sigmoid_gradients", "The L2 term is missing")
def sigmoid_gradients_without_l2(X, Y, W1, b1, W2, b2, l2):
    return sigmoid_gradients(X, Y, W1, b1, W2, b2, 0)


@wrong("check_sigmoid_gradients", "the ½ cancels")
def sigmoid_gradients_with_half_l2(X, Y, W1, b1, W2, b2, l2):
    return sigmoid_gradients(X, Y, W1, b1, W2, b2, l2 / 2)


@wrong("check_sigmoid_gradients", "for weights, not for biases")
def sigmoid_gradients_with_l2_on_biases(X, Y, W1, b1, W2, b2, l2):
    grads = sigmoid_gradients(X, Y, W1, b1, W2, b2, l2)
    return grads | {"b1": grads["b1"] + l2 * b1, "b2": grads["b2"] + l2 * b2}


@wrong("check_sigmoid_gradients", "The mask of relu is still there")
def sigmoid_gradients_with_mask(X, Y, W1, b1, W2, b2, l2):
    grads = sigmoid_gradients(X, Y, W1, b1, W2, b2, l2)
    Z1 = X @ W1 + b1
    dZ2 = (softmax(sigmoid(Z1) @ W2 + b2) - Y) / len(X)
    dZ1 = dZ2 @ W2.T * (Z1 > 0)
    return grads | {"W1": X.T @ dZ1 + l2 * W1, "b1": dZ1.sum(axis=0)}


# 05: a step


@right("check_sgd_step")
def step_in_a_loop(params, grads, learning_rate):
    new = {}
    for name in params:
        new[name] = params[name] - learning_rate * grads[name]
    return new


@right("check_sgd_step")
def step_on_copies(params, grads, learning_rate):
    new = {name: value.copy() for name, value in params.items()}
    for name in new:
        new[name] -= learning_rate * grads[name]
    return new


@wrong("check_sgd_step", "goes uphill")
def step_uphill(params, grads, learning_rate):
    return {name: params[name] + learning_rate * grads[name] for name in params}


@wrong("check_sgd_step", "The learning rate is missing")
def step_without_rate(params, grads, learning_rate):
    return {name: params[name] - grads[name] for name in params}


@wrong("check_sgd_step", "has changed its argument params")
def step_in_place(params, grads, learning_rate):
    for name in params:
        params[name] -= learning_rate * grads[name]
    return params


@wrong("check_sgd_step", "Biases learn, too")
def step_of_weights(params, grads, learning_rate):
    new = dict(params)
    for name in ("W1", "W2"):
        if name in params:
            new[name] = params[name] - learning_rate * grads[name]
    return new


# 05: minibatches


@right("check_minibatches")
def deal_by_permutation(X, y, batch_size, rng):
    order = rng.permutation(len(X))
    for start in range(0, len(X), batch_size):
        batch = order[start : start + batch_size]
        yield X[batch], y[batch]


@right("check_minibatches")
def deal_a_list(X, y, batch_size, rng):
    order = np.arange(len(X))
    rng.shuffle(order)
    X, y = X[order], y[order]
    n_batches = math.ceil(len(X) / batch_size)
    cuts = [slice(k * batch_size, (k + 1) * batch_size) for k in range(n_batches)]
    return [(X[cut], y[cut]) for cut in cuts]


@wrong("check_minibatches", "lost their labels")
def deal_two_orders(X, y, batch_size, rng):
    X, y = rng.permutation(X), rng.permutation(y)
    for start in range(0, len(X), batch_size):
        yield X[start : start + batch_size], y[start : start + batch_size]


@wrong("check_minibatches", "The last one, which is smaller, is missing")
def deal_whole_batches(X, y, batch_size, rng):
    order = rng.permutation(len(X))
    for k in range(len(X) // batch_size):
        batch = order[k * batch_size : (k + 1) * batch_size]
        yield X[batch], y[batch]


@wrong("check_minibatches", "more than once")
def deal_with_replacement(X, y, batch_size, rng):
    for start in range(0, len(X), batch_size):
        batch = rng.integers(0, len(X), min(batch_size, len(X) - start))
        yield X[batch], y[batch]


@wrong("check_minibatches", "old order")
def deal_unshuffled(X, y, batch_size, rng):
    for start in range(0, len(X), batch_size):
        yield X[start : start + batch_size], y[start : start + batch_size]


@wrong("check_minibatches", "A second epoch has the same order")
def deal_the_same_each_time(X, y, batch_size, rng):
    yield from deal_by_permutation(X, y, batch_size, np.random.default_rng(0))


@wrong("check_minibatches", "and from nowhere else")
def deal_from_elsewhere(X, y, batch_size, rng, fresh=np.random.default_rng(1)):  # noqa: B008
    yield from deal_by_permutation(X, y, batch_size, fresh)


@wrong("check_minibatches", "Shuffle the images, not the minibatches")
def deal_shuffled_batches(X, y, batch_size, rng):
    for start in rng.permutation(np.arange(0, len(X), batch_size)):
        yield X[start : start + batch_size], y[start : start + batch_size]


@wrong("check_minibatches", "It goes on and on")
def deal_for_ever(X, y, batch_size, rng):
    while True:
        yield from deal_by_permutation(X, y, batch_size, rng)


@wrong("check_minibatches", "a pair: `yield X_batch, y_batch`")
def deal_images_only(X, y, batch_size, rng):
    for X_batch, _ in deal_by_permutation(X, y, batch_size, rng):
        yield X_batch


@wrong("check_minibatches", "Each should have batch_size images")
def deal_batch_size_batches(X, y, batch_size, rng):
    order = rng.permutation(len(X))
    for batch in np.array_split(order, min(batch_size, len(X))):
        yield X[batch], y[batch]


@wrong("check_minibatches", "Not all images come up")
def deal_half(X, y, batch_size, rng):
    batches = list(deal_by_permutation(X, y, batch_size, rng))
    return batches[: len(batches) // 2]


# 05: momentum


@right("check_momentum_step")
def momentum_by_the_formula(W, v, grad, learning_rate, momentum):
    v = momentum * v - learning_rate * grad
    return W + v, v


@right("check_momentum_step")
def momentum_on_copies(W, v, grad, learning_rate, momentum):
    new_v = v.copy()
    new_v *= momentum
    new_v -= learning_rate * grad
    return [np.add(W, new_v), new_v]


@wrong("check_momentum_step", "It goes uphill")
def momentum_uphill(W, v, grad, learning_rate, momentum):
    v = momentum * v + learning_rate * grad
    return W + v, v


@wrong("check_momentum_step", "W moved by the *old* velocity")
def momentum_late(W, v, grad, learning_rate, momentum):
    return W + v, momentum * v - learning_rate * grad


@wrong("check_momentum_step", "has changed its argument W")
def momentum_in_place(W, v, grad, learning_rate, momentum):
    v *= momentum
    v -= learning_rate * grad
    W += v
    return W, v


@wrong("check_momentum_step", "The last step is forgotten")
def momentum_forgotten(W, v, grad, learning_rate, momentum):
    v = -learning_rate * grad
    return W + v, v


@wrong("check_momentum_step", "The formula here has the minus in v")
def momentum_other_custom(W, v, grad, learning_rate, momentum):
    v = momentum * v + learning_rate * grad
    return W - v, v


@wrong("check_momentum_step", "return W first")
def momentum_swapped(W, v, grad, learning_rate, momentum):
    v = momentum * v - learning_rate * grad
    return v, W + v


@wrong("check_momentum_step", "should return a tuple")
def momentum_without_velocity(W, v, grad, learning_rate, momentum):
    return W + momentum * v - learning_rate * grad


# 05: an epoch


def train_with(gradients, X, Y, W1, b1, W2, b2, learning_rate, batch_size):
    params = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
    for start in range(0, len(X), batch_size):
        batch = slice(start, start + batch_size)
        grads = gradients(X[batch], Y[batch], **params)
        params = step_in_a_loop(params, grads, learning_rate)
    return tuple(params[name] for name in ("W1", "b1", "W2", "b2"))


@right("check_train_epoch")
def epoch_with_functions(X, Y, W1, b1, W2, b2, learning_rate, batch_size):
    return train_with(gradients_in_matrices, X, Y, W1, b1, W2, b2, learning_rate, batch_size)


@right("check_train_epoch")
def epoch_on_copies(X, Y, W1, b1, W2, b2, learning_rate, batch_size):
    W1, b1, W2, b2 = (array.copy() for array in (W1, b1, W2, b2))
    n_batches = math.ceil(len(X) / batch_size)
    for X_batch, Y_batch in zip(
        (X[k * batch_size : (k + 1) * batch_size] for k in range(n_batches)),
        (Y[k * batch_size : (k + 1) * batch_size] for k in range(n_batches)),
        strict=True,
    ):
        A1 = np.maximum(X_batch @ W1 + b1, 0)
        dZ2 = (softmax(A1 @ W2 + b2) - Y_batch) / len(X_batch)
        dZ1 = (dZ2 @ W2.T) * (A1 > 0)  # before W2 moves
        for array, gradient in [
            (W2, A1.T @ dZ2),
            (b2, dZ2.sum(axis=0)),
            (W1, X_batch.T @ dZ1),
            (b1, dZ1.sum(axis=0)),
        ]:
            array -= learning_rate * gradient
    return W1, b1, W2, b2


@wrong("check_train_epoch", "went through the *new* W2")
def epoch_with_new_w2(X, Y, W1, b1, W2, b2, learning_rate, batch_size):
    for start in range(0, len(X), batch_size):
        X_batch, Y_batch = X[start : start + batch_size], Y[start : start + batch_size]
        Z1 = X_batch @ W1 + b1
        A1 = relu(Z1)
        dZ2 = (softmax(A1 @ W2 + b2) - Y_batch) / len(X_batch)
        W2 = W2 - learning_rate * A1.T @ dZ2
        b2 = b2 - learning_rate * dZ2.sum(axis=0)
        dZ1 = dZ2 @ W2.T * (Z1 > 0)
        W1 = W1 - learning_rate * X_batch.T @ dZ1
        b1 = b1 - learning_rate * dZ1.sum(axis=0)
    return W1, b1, W2, b2


@wrong("check_train_epoch", "the parameters of the start")
def epoch_from_the_start(X, Y, W1, b1, W2, b2, learning_rate, batch_size):
    start = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
    return train_with(
        lambda X, Y, **now: gradients_in_matrices(X, Y, **start),
        *(X, Y, W1, b1, W2, b2, learning_rate, batch_size),
    )


@wrong("check_train_epoch", "also for the last minibatch")
def epoch_divided_by_batch_size(X, Y, W1, b1, W2, b2, learning_rate, batch_size):
    def gradients(X, Y, **now):
        grads = gradients_in_matrices(X, Y, **now)
        return {name: grad * len(X) / batch_size for name, grad in grads.items()}

    return train_with(gradients, X, Y, W1, b1, W2, b2, learning_rate, batch_size)


@wrong("check_train_epoch", "was left out")
def epoch_without_the_last(X, Y, W1, b1, W2, b2, learning_rate, batch_size):
    n = len(X) // batch_size * batch_size
    return epoch_with_functions(X[:n], Y[:n], W1, b1, W2, b2, learning_rate, batch_size)


@wrong("check_train_epoch", "truth minus probabilities")
def epoch_uphill(X, Y, W1, b1, W2, b2, learning_rate, batch_size):
    return epoch_with_functions(X, Y, W1, b1, W2, b2, -learning_rate, batch_size)


@wrong("check_train_epoch", "Only the first minibatch was used")
def epoch_that_returns_too_early(X, Y, W1, b1, W2, b2, learning_rate, batch_size):
    X, Y = X[:batch_size], Y[:batch_size]
    return epoch_with_functions(X, Y, W1, b1, W2, b2, learning_rate, batch_size)


# 06: the confusion matrix


@right("check_confusion_matrix")
def confusion_in_a_loop(y, y_pred, n_classes):
    table = np.zeros((n_classes, n_classes), dtype=int)
    for label, guess in zip(y, y_pred, strict=True):
        table[label, guess] += 1
    return table


@right("check_confusion_matrix")
def confusion_by_bincount(y, y_pred, n_classes):
    counts = np.bincount(y * n_classes + y_pred, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes)


@wrong("check_confusion_matrix", "changed places")
def confusion_transposed(y, y_pred, n_classes):
    return confusion_in_a_loop(y_pred, y, n_classes)


@wrong("check_confusion_matrix", "only once at each place")
def confusion_once(y, y_pred, n_classes):
    table = np.zeros((n_classes, n_classes), dtype=int)
    table[y, y_pred] += 1
    return table


@wrong("check_confusion_matrix", "The diagonal is missing")
def confusion_of_mistakes(y, y_pred, n_classes):
    return confusion_in_a_loop(y[y != y_pred], y_pred[y != y_pred], n_classes)


@wrong("check_confusion_matrix", "only as large as the labels")
def confusion_too_small(y, y_pred, n_classes):
    return confusion_in_a_loop(y, y_pred, len(set(y)))


@wrong("check_confusion_matrix", "should hold whole numbers, but its type is float64")
def confusion_of_floats(y, y_pred, n_classes):
    return confusion_in_a_loop(y, y_pred, n_classes).astype(float)


# 06: accepting an answer


@right("check_accept")
def accept_by_mask(probs, y, threshold):
    kept = probs.max(axis=1) >= threshold
    return kept.mean(), (probs.argmax(axis=1) == y)[kept].mean()


@right("check_accept")
def accept_in_a_loop(probs, y, threshold):
    kept = correct = 0
    for row, label in zip(probs, y, strict=True):
        if max(row) >= threshold:
            kept += 1
            correct += int(np.argmax(row) == label)
    return kept / len(y), correct / kept


@wrong("check_accept", "not `>`")
def accept_above(probs, y, threshold):
    kept = probs.max(axis=1) > threshold
    return kept.mean(), (probs.argmax(axis=1) == y)[kept].mean()


@wrong("check_accept", "Divide by the number of those accepted")
def accept_and_right(probs, y, threshold):
    kept = probs.max(axis=1) >= threshold
    return kept.mean(), ((probs.argmax(axis=1) == y) & kept).mean()


@wrong("check_accept", "nobody knows when it matters")
def accept_by_the_label(probs, y, threshold):
    kept = probs[np.arange(len(y)), y] >= threshold
    return kept.mean(), (probs.argmax(axis=1) == y)[kept].mean()


@wrong("check_accept", "the accuracy on all images")
def accept_without_looking(probs, y, threshold):
    return (probs.max(axis=1) >= threshold).mean(), (probs.argmax(axis=1) == y).mean()


# 06: centring


@right("check_centred")
def centred_by_roll(image, middle):
    ink = image.sum()
    if ink == 0:
        return image
    row = (image.sum(axis=1) * np.arange(28)).sum() / ink
    column = (image.sum(axis=0) * np.arange(28)).sum() / ink
    return np.roll(image, (round(middle - row), round(middle - column)), axis=(0, 1))


@right("check_centred")
def centred_by_copying(image, middle):
    new = np.zeros_like(image)
    places = [(r, c) for r in range(28) for c in range(28) if image[r, c] > 0]
    total = sum(image[place] for place in places)
    for r, c in places:
        down = middle - sum(image[place] * place[0] for place in places) / total
        across = middle - sum(image[place] * place[1] for place in places) / total
        new[r + int(np.rint(down)), c + int(np.rint(across))] = image[r, c]
    return new


def centred_by(image, middle, shift, weights=None):
    weights = image if weights is None else weights
    if not weights.any():
        return image
    rows, columns = np.indices((28, 28))
    centre = [(weights * rows).sum() / weights.sum(), (weights * columns).sum() / weights.sum()]
    return np.roll(image, shift(*(middle - np.array(centre))), axis=(0, 1))


@wrong("check_centred", "away from the middle")
def centred_away(image, middle):
    return centred_by(image, middle, lambda down, across: (round(-down), round(-across)))


@wrong("check_centred", "Rows and columns have changed places")
def centred_swapped(image, middle):
    return centred_by(image, middle, lambda down, across: (round(across), round(down)))


@wrong("check_centred", "a dark pixel counts more")
def centred_unweighted(image, middle):
    return centred_by(
        image, middle, lambda down, across: (round(down), round(across)), (image > 0).astype(int)
    )


@wrong("check_centred", "cut off, not rounded")
def centred_cut_off(image, middle):
    return centred_by(image, middle, lambda down, across: (int(down), int(across)))


@wrong("check_centred", "to the left or right only")
def centred_across(image, middle):
    return centred_by(image, middle, lambda down, across: (0, round(across)))


@wrong("check_centred", "not the one that was handed in")
def centred_by_14(image, middle):
    return centred_by_roll(image, 14)


# right and wrong

CHECKS = exercises.__all__
each_check = pytest.mark.parametrize("name", CHECKS)


def pairs(attempts):
    return [pytest.param(n, a, id=f"{n}-{a.__name__}") for n in attempts for a in attempts[n]]


@each_check
def test_each_exercise_has_its_answers(name):
    assert len(RIGHT[name]) >= 2
    assert len(WRONG[name]) >= 3
    assert getattr(course_utils, name) is getattr(exercises, name)


@pytest.mark.parametrize(("name", "attempt"), pairs(RIGHT))
def test_a_right_answer_passes_in_any_style(name, attempt):
    start = time.perf_counter()
    text, passed = answer(name, attempt)
    assert passed, text
    assert re.fullmatch(r"✓ Right, on all \d+ inputs\.", text)
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    ("name", "attempt", "words"),
    [
        pytest.param(name, attempt, words, id=f"{name}-{attempt.__name__}-{words[:12]}")
        for name, attempts in WRONG.items()
        for attempt, words in attempts
    ],
)
def test_a_wrong_answer_draws_its_hint(name, attempt, words):
    text, passed = answer(name, attempt)
    assert not passed
    assert text.startswith("✗ Not yet. Input: ")
    assert words in text
    assert answer(name, attempt)[0] == text, "the same each time"


@each_check
def test_the_mistakes_that_a_check_knows_are_mistakes_and_are_told_apart(name, monkeypatch):
    """Each function of a table fails its own check, and draws its own hint."""
    tables = []

    def remember(reference, mistakes, **tolerance):
        tables.append(mistakes)
        return marking.compare(reference, mistakes, **tolerance)

    module = sys.modules[getattr(exercises, name).__module__]
    monkeypatch.setattr(module, "compare", remember)
    answer(name, RIGHT[name][0])
    for hint, wrongs in itertools.chain(*(table.items() for table in tables)):
        for attempt in wrongs if isinstance(wrongs, tuple) else (wrongs,):
            text, passed = answer(name, lambda *args, attempt=attempt: attempt(*args))
            assert not passed, hint
            assert " ".join(hint.split()) in text, f"{hint!r} was expected, but: {text}"


# attempts that behave badly


def spoil_arguments(name):
    """Return a right attempt that changes one of its arguments."""

    def attempt(*args):
        result = RIGHT[name][0](*args)
        result = list(result) if name == "check_minibatches" else result
        for array in itertools.chain(*(a.values() if isinstance(a, dict) else [a] for a in args)):
            if isinstance(array, np.ndarray):
                array[...] = 7
                break
        return result

    return attempt


def stop(*args):
    sys.exit()


def loop(*args):
    while True:
        pass


def loop_against_all_errors(*args):
    try:
        loop()
    except BaseException:
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            pass


def chatter(*args):
    while True:
        print("still here")


def recurse(*args):
    return recurse(*args)


class Odd:
    """Something that does not even let itself be looked at."""

    def __getattr__(self, name):
        raise KeyError(name)

    def __repr__(self):
        raise KeyError

    def __array__(self, *args, **options):
        raise KeyError

    def __eq__(self, other):
        raise KeyError

    __hash__ = None


ILL_BEHAVED = {
    "raises": (lambda *args: 1 / 0, "ZeroDivisionError: division by zero"),
    "raises an error of its own": (lambda *args: {}["lost"], "KeyError"),
    "stops Python": (stop, "SystemExit"),
    "calls itself": (recurse, "RecursionError"),
    "an unknown name": (lambda *args: nothing_of_that_name, "Is it spelt like"),  # noqa: F821
    "returns None": (lambda *args: None, "Still to be done"),
    "returns dots": (lambda *args: ..., "Still to be done"),
    "prints and returns None": (lambda *args: print("hello"), "only `return` hands it back"),
    "returns a text": (lambda *args: "7", "Not yet"),
    "returns a function": (lambda *args: loop, "Not yet"),
    "returns a nan": (lambda *args: float("nan"), "Not yet"),
    "returns an array of nan": (lambda *args: np.full((2, 3), np.nan), "Not yet"),
    "returns complex numbers": (lambda *args: np.full(3, 1j), "Not yet"),
    "returns rows of different lengths": (lambda *args: [[1], [1, 2]], "Not yet"),
    "returns an empty array": (lambda *args: np.zeros((0, 3)), "Not yet"),
    "returns an empty tuple": (lambda *args: (), "Not yet"),
    "returns an empty dictionary": (lambda *args: {}, "Not yet"),
    "returns a wrong dictionary": (lambda *args: {"W1": 1, 2: None}, "Not yet"),
    "returns something odd": (lambda *args: Odd(), "Not yet"),
    "returns something odd in a dictionary": (lambda *args: {"W1": Odd()}, "Not yet"),
    "returns a value of the wrong shape": (lambda *args: np.zeros((1, 2, 3, 4)), "Not yet"),
    "takes nothing": (lambda: 1, "argument"),
    "takes too many": (lambda a, b, c, d, e, f, g, h, i: 1, "Yours takes (a, b, c"),
    "is a number": (3.5, "needs the function itself"),
    "is a result": (np.zeros(3), "needs the function itself"),
    "is None": (None, "Still to be done"),
    "is dots": (..., "Still to be done"),
    "is a class": (dict, "Not yet"),
    "is built in": (max, "Not yet"),
}


@pytest.mark.parametrize("what", ILL_BEHAVED)
@each_check
def test_an_ill_behaved_attempt_gets_an_answer(name, what, capsys):
    attempt, words = ILL_BEHAVED[what]
    text, passed = answer(name, attempt)
    assert not passed
    assert words in text
    assert "Traceback" not in text
    assert "0x" not in text, "no addresses"
    assert capsys.readouterr() == ("", "")


def test_what_python_tidies_up_meanwhile_is_not_in_the_answer():
    """Python's garbage collection fails deep in an endless recursion, and prints that."""

    def tell(phase, info):
        (lambda: (lambda: phase)())()

    def recurse_with_garbage(*args):
        garbage = [{} for _ in range(5)]
        return recurse_with_garbage(*args, *garbage[:0])

    thresholds = gc.get_threshold()
    gc.callbacks.append(tell)
    gc.set_threshold(20)
    try:
        text, _ = answer("check_accept", recurse_with_garbage)
        assert gc.isenabled()
    finally:
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(tell)
    assert "RecursionError" in text
    assert "It printed" not in text


@each_check
def test_an_attempt_that_is_not_begun_is_still_to_be_done(name):
    def refuse(*args):
        raise NotImplementedError

    unfinished = {"W1": ...} if "gradients" in name else (..., ...)
    for attempt in (refuse, lambda *args: unfinished, lambda *args: [...]):
        text, passed = answer(name, attempt)
        assert (text[:18], passed) == ("○ Still to be done", False)
    assert "its `return` is missing" in answer(name, lambda *args: None)[0]
    assert "Still to be done" in answer(name, lambda *args: args[0] + ...)[0] or (
        name in ("check_idx_sizes", "check_idx_array")  # bytes say it in other words
    )


@pytest.mark.parametrize("attempt", [loop, chatter])
@each_check
def test_an_endless_loop_is_stopped(name, attempt, monkeypatch, capsys):
    monkeypatch.setattr(marking, "TIME_LIMIT", 0.05)
    start = time.perf_counter()
    text, passed = answer(name, attempt)
    assert not passed
    assert "not come to an end after 0.05 seconds" in text
    assert "Restart the kernel" not in text
    assert time.perf_counter() - start < 5
    assert capsys.readouterr() == ("", "")


def test_a_loop_that_cannot_be_stopped_is_left_and_told_of(monkeypatch):
    monkeypatch.setattr(marking, "TIME_LIMIT", 0.05)
    assert "Restart the kernel" in answer("check_softmax", loop_against_all_errors)[0]
    time.sleep(0.6)  # until it has ended by itself


def test_an_endless_generator_is_stopped(monkeypatch):
    monkeypatch.setattr(marking, "TIME_LIMIT", 0.05)

    def attempt(X, y, batch_size, rng):
        loop()
        yield X, y

    assert "not come to an end" in answer("check_minibatches", attempt)[0]


@each_check
def test_prints_are_left_out_where_the_answer_is_right(name, capsys):
    def attempt(*args):
        print("x" * 10_000)
        print("to the error stream", file=sys.stderr)
        return RIGHT[name][0](*args)

    text, passed = answer(name, attempt)
    assert passed
    assert text.endswith("(What it printed is left out.)")
    assert capsys.readouterr() == ("", "")


def test_prints_are_quoted_where_it_is_wrong():
    def attempt(logits):
        print("the maximum is", logits.max())
        return softmax_unshifted(logits)

    assert "It printed: 'the maximum is 2.0" in answer("check_softmax", attempt)[0]


@each_check
def test_a_changed_argument_is_told_of(name):
    if name in ("check_idx_sizes", "check_idx_array"):
        pytest.skip("bytes cannot be changed")
    text, passed = answer(name, spoil_arguments(name))
    assert not passed
    if name != "check_minibatches":  # where the second epoch has the changed argument
        assert "has changed its argument" in text


@each_check
def test_a_check_leaves_everything_as_it_was(name, recwarn):
    streams, state = (sys.stdout, sys.stderr), np.random.get_state()[1].tolist()  # noqa: NPY002
    for attempt in (RIGHT[name][0], WRONG[name][0][0], loop_once_and_warn):
        answer(name, attempt)
    assert (sys.stdout, sys.stderr) == streams
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002
    assert not recwarn.list


def loop_once_and_warn(*args):
    return np.log(np.zeros(3)) / 0


def test_a_text_does_not_go_beyond_the_page():
    for name, attempts in WRONG.items():
        for attempt, _ in attempts:
            lines = getattr(exercises, name)(attempt).text.splitlines()
            assert max(map(len, lines)) <= 100


def test_the_line_that_failed_is_quoted():
    def attempt(logits):
        shift = logits.max(axis=-1, keepdims=True)
        return np.exp(logits - shift) / total  # noqa: F821

    text, _ = answer("check_softmax", attempt)
    assert "It stopped in the line `return np.exp(logits - shift) / total # noqa: F821`" in text
    assert "NameError: name 'total' is not defined" in text


# what is said where no mistake is known


@pytest.mark.parametrize(
    ("came", "words"),
    [
        (np.array([[-1.0, -2.0], [-3.0, -4.0]]), "The sign is turned round"),
        (np.array([[1.0, 3.0], [2.0, 4.0]]), "It is transposed"),
        (np.array([[3.0, 6.0], [9.0, 12.0]]), "Every number is 3 times as large"),
        (
            np.array([[1.0, 2.0], [3.5, 4.0]]),
            "The first number that differs is at [1, 0]: expected 3, came 3.5",
        ),
        (np.array([[1.0, np.inf], [3.0, 4.0]]), "There is nan or inf in it"),
        (np.zeros((2, 1)), "The shape should be (2, 2), but is (2, 1)"),
        ([[1, 2], [3, 4]], "should return a NumPy array, but returned a value of the type list"),
        (np.array([["1", "2"], ["3", "4"]]), "its type is <U1"),
        (2.5, "should return a NumPy array, but returned a value of the type float"),
    ],
)
def test_without_a_known_mistake_the_difference_is_described(came, words):
    wanted = np.array([[1.0, 2.0], [3.0, 4.0]])
    result = marking.mark(lambda x: came, [("x", {"x": 1})], marking.compare(lambda x: wanted, {}))
    assert words in " ".join(result.text.split())


@pytest.mark.parametrize(
    ("wanted", "came", "words"),
    [
        ({"W": 1.0, "b": 2.0}, {"W": 1.0}, "The keys should be 'W', 'b', but are 'W'"),
        ({"W": 1.0}, 1.0, "should return a dictionary with the keys 'W'"),
        ((1, 2), (1, 2, 3), "should have the length 2, but has 3"),
        ((1, 2), 1, "should return a tuple"),
        (3, 3.0, "should return a whole number, an int"),
        (3, True, "should return a whole number, an int"),
        (3, 4, "The numbers differ"),
        (3.0, np.array([3.0]), "should return a single number"),
        (np.array([[1.0, 2.0, 3.0]]), np.array([[1.0], [2.0], [3.0]]), "It is transposed"),
    ],
)
def test_what_has_the_wrong_form_is_told(wanted, came, words):
    result = marking.mark(lambda x: came, [("x", {"x": 1})], marking.compare(lambda x: wanted, {}))
    assert words in " ".join(result.text.split())


# in the notebooks

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FOLD = re.compile(
    r"<details><summary>Solution</summary>\n\n```python\n(.+?)\n```\n\n(?:.+\n\n)?</details>",
    re.DOTALL,
)


def cells(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [cell | {"source": "".join(cell["source"])} for cell in notebook["cells"]]


def tagged(cell, tag):
    return tag in cell["metadata"].get("tags", [])


def exercises_of(path):
    """Yield (text, stub, solution), three cells that follow each other, for each exercise."""
    found = cells(path)
    for k, cell in enumerate(found):
        if tagged(cell, "exercise") and cell["cell_type"] == "markdown":
            yield tuple(found[k : k + 3])


IN_NOTEBOOKS = [
    pytest.param(path, *three, id=re.search(r"check_\w+", three[1]["source"])[0])
    for path in NOTEBOOKS
    for three in exercises_of(path)
]
each_exercise = pytest.mark.parametrize(("path", "text", "stub", "solution"), IN_NOTEBOOKS)


def names_of(path):
    """Return what is known in a notebook once its first code cell has run."""
    names = {}
    first = next(cell for cell in cells(path) if cell["cell_type"] == "code")
    exec(first["source"], names)  # noqa: S102
    return names


def test_each_exercise_is_in_a_notebook():
    assert sorted(param.id for param in IN_NOTEBOOKS) == CHECKS


def test_the_notebooks_have_two_to_four_exercises_and_a_larger_one():
    for path in NOTEBOOKS[:6]:
        headings = [text["source"].splitlines()[0] for text, _, _ in exercises_of(path)]
        assert [h.partition(":")[0] for h in headings] == [
            *["### Exercise"] * (len(headings) - 1),
            "### Larger exercise",
        ]
        assert 2 <= len(headings) - 1 <= 4
        sections = re.findall(
            r"^##+ .*$", "\n".join(c["source"] for c in cells(path)), re.MULTILINE
        )
        assert sections[sections.index(headings[-1]) - 1] == "## On your own"


@each_exercise
def test_an_exercise_is_a_text_a_stub_and_a_solution(path, text, stub, solution):
    kinds = [cell["cell_type"] for cell in (text, stub, solution)]
    assert kinds == ["markdown", "code", "markdown"]
    assert tagged(stub, "exercise")
    assert tagged(solution, "solution")
    assert len(text["source"].split()) > 30
    *_, call = stub["source"].splitlines()
    assert re.fullmatch(r"check_(\w+)\(my_\1\)", call)
    assert FOLD.fullmatch(solution["source"])


@each_exercise
def test_a_stub_runs_and_is_still_to_be_done(path, text, stub, solution):
    code, _, call = stub["source"].rpartition("\n")
    names = names_of(path)
    exec(code, names)  # noqa: S102
    result = eval(call, names)  # noqa: S307
    assert (
        result.text == "○ Still to be done. Replace the dots by your code, then run the cell again."
    )
    assert not result.passed


@each_exercise
def test_a_folded_solution_passes(path, text, stub, solution):
    names = names_of(path)
    exec(FOLD.fullmatch(solution["source"])[1], names)  # noqa: S102
    result = eval(stub["source"].splitlines()[-1], names)  # noqa: S307
    assert result.passed, result.text
    given = re.search(r"def my_\w+\(.*\):", stub["source"])[0]
    assert given in solution["source"], "the arguments of the stub"


def test_the_solution_in_notebook_06_brings_all_of_the_accuracy_back():
    names = {"np": np}
    solution = next(p.values[3] for p in IN_NOTEBOOKS if p.id == "check_centred")
    exec(FOLD.fullmatch(solution["source"])[1], names)  # noqa: S102
    network = course_utils.Network.load(course_utils.data_path("sample_weights.npz"))
    for source in ["uci-digits", *(["mnist"] if find_mnist() else [])]:
        _, (X, y) = course_utils.load_mnist(source=source)
        X, y = X[:2000], y[:2000]
        middle = {"mnist": 14, "uci-digits": 13.5}[source]
        images = X.reshape(-1, 28, 28)
        ink = images.sum(axis=(1, 2))
        for axis in (1, 2):
            centres = images.sum(axis=axis) @ np.arange(28) / ink
            assert abs(centres.mean() - middle) < 0.05
        shifted = np.roll(images, 2, axis=2)
        centred = np.array([names["my_centred"](image, middle) for image in shifted])
        before, after = (network.accuracy(x.reshape(-1, 784), y) for x in (shifted, centred))
        assert before < network.accuracy(X, y) - 0.1
        assert abs(after - network.accuracy(X, y)) < 0.001


# the version for a class


def test_the_class_version_has_all_but_the_solutions(tmp_path):
    texts = [path.read_text(encoding="utf-8") for path in ROOT.rglob("*.md")]
    found = {
        line for text in texts for line in text.splitlines() if "TagRemovePreprocessor" in line
    }
    assert len(found) == 1, "one command, the same wherever it stands"
    command = shlex.split(found.pop())
    assert command[:2] == ["jupyter", "nbconvert"]
    command[command.index("--output-dir") + 1] = str(tmp_path)
    subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=True, capture_output=True)
    assert [path.name for path in sorted(tmp_path.glob("*"))] == [path.name for path in NOTEBOOKS]
    for path in NOTEBOOKS:
        kept = cells(tmp_path / path.name)
        assert kept == [cell for cell in cells(path) if not tagged(cell, "solution")]
        everything = "\n".join(cell["source"] for cell in kept)
        assert "<summary>Solution" not in everything
        for _, _, solution in exercises_of(path):
            body = FOLD.fullmatch(solution["source"])[1].partition("):\n")[2]
            assert body not in everything


def test_no_cell_of_a_solution_runs():
    """So the class version runs from top to bottom if the notebook does: it has the same code."""
    for path in NOTEBOOKS:
        assert all(c["cell_type"] == "markdown" for c in cells(path) if tagged(c, "solution"))
