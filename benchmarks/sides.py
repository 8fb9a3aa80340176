"""The sides of the comparison: the course, NumPy's matrix products alone, the article's loop.

PyTorch and scikit-learn have a file each beside this one, so that the memory of one side can be
measured without the others.

Each side is a class. It is made for one network, and tuned once: on a short piece of the work it
tries its own ways of doing it (how many cores, which optimiser) and keeps the quickest. `epoch`
then does the work and returns the seconds that it took.

For a seed, the course and PyTorch start from the same weights and take the images in the same
order, so their accuracies can be compared, too.
"""

import os
import time
from contextlib import contextmanager
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from course_utils import Network, sgd, train
from course_utils._cores import one_core_if_small

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
SOME_OR_ALL = sorted({1, CORES})


@cache
def blas():
    """Return the controller of the libraries for matrix products; call it when all are loaded."""
    return ThreadpoolController()


@contextmanager
def stopwatch():
    """Yield a list that holds the seconds when the block is done."""
    seconds = []
    start = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - start)


class Side:
    """One way to train a network and to ask it.

    Parameters
    ----------
    sizes : list of int
    X, y : ndarray
        Images and labels to train on.
    options : dict
        batch_size, learning_rate, momentum.
    """

    ways = (None,)  # the ways of doing the work that `tune` chooses from

    def __init__(self, sizes, X, y, *, batch_size, learning_rate=0.1, momentum=0.0):
        self.sizes, self.X, self.y = sizes, X, y
        self.batch_size, self.learning_rate, self.momentum = batch_size, learning_rate, momentum
        self.way = self.ways[0]

    def tune(self):
        """Warm up, and keep the quickest way."""
        n = min(len(self.X), self.batch_size * max(2, min(30, 2000 // self.batch_size)))
        X, y = self.X, self.y
        self.X, self.y = X[:n], y[:n]
        took = {}
        for way in self.ways * 2:
            self.way = way
            took[way] = min(self.epoch(0), took.get(way, np.inf))
        self.way = min(took, key=took.get)
        self.X, self.y = X, y

    def accuracy(self, X, y):
        """Return the share of right answers, or None if nothing is learned."""


class Course(Side):
    """`course_utils.train`, as a learner calls it."""

    def options(self, seed):
        return {
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "momentum": self.momentum,
            "rng": seed,
        }

    def epoch(self, seed):
        self.network = Network(self.sizes, rng=seed)
        with stopwatch() as seconds:
            train(self.network, self.X, self.y, epochs=1, progress=False, **self.options(seed))
        return seconds[0]

    def until(self, seed, X_test, y_test, goals, epochs):
        """Train until the last goal is reached; return the seconds to each."""
        self.network, reached = Network(self.sizes, rng=seed), {}
        per_epoch = -(-len(self.X) // self.batch_size)
        start = time.perf_counter()
        with one_core_if_small(self.network, self.batch_size):
            for step in sgd(self.network, self.X, self.y, epochs=epochs, **self.options(seed)):
                if step.iteration % per_epoch == 0:
                    note(reached, goals, self.accuracy(X_test, y_test), start)
                    if len(reached) == len(goals):
                        break
        return reached

    def accuracy(self, X, y):
        return self.network.accuracy(X, y)


def note(reached, goals, accuracy, start):
    """Write down the seconds since `start` for each goal that is reached for the first time."""
    for goal in goals:
        if accuracy >= goal:
            reached.setdefault(goal, time.perf_counter() - start)


class Products(Side):
    """Nothing but the five matrix products of each iteration: the floor of any NumPy loop.

    The images are taken in their order, without being gathered.
    """

    ways = tuple(SOME_OR_ALL)

    def epoch(self, seed):
        params = Network(self.sizes, rng=seed).params
        W1, W2 = params["W1"], params["W2"]
        dW1, dW2 = np.empty_like(W1), np.empty_like(W2)
        A1 = np.ones((self.batch_size, len(W2)), np.float32)
        dZ2 = np.ones((self.batch_size, W2.shape[1]), np.float32)
        with blas().limit(limits=self.way, user_api="blas"), stopwatch() as seconds:
            for start in range(0, len(self.X), self.batch_size):
                X = self.X[start : start + self.batch_size]
                n = len(X)
                self.multiply(X, A1[:n], dZ2[:n], W1, W2, dW1, dW2)
        return seconds[0]

    @staticmethod
    def multiply(X, A1, dZ2, W1, W2, dW1, dW2):
        np.dot(X, W1)
        np.dot(A1, W2)
        np.dot(A1.T, dZ2, out=dW2)
        dZ1 = np.dot(dZ2, W2.T)
        np.dot(X.T, dZ1, out=dW1)


class PlainProducts(Products):
    """The same five products, as one writes them first: with ``@``."""

    @staticmethod
    def multiply(X, A1, dZ2, W1, W2, dW1, dW2):
        X @ W1
        A1 @ W2
        A1.T @ dZ2
        dZ1 = dZ2 @ W2.T
        X.T @ dZ1


class ArticleCourse(Course):
    """The article's recipe by `train`: one image an iteration, N(0, 1), L2."""

    def epoch(self, seed):
        self.network = Network(self.sizes, init="normal", rng=seed)
        with stopwatch() as seconds:
            train(
                self.network,
                self.X,
                self.y,
                epochs=1,
                progress=False,
                l2=0.01,
                **self.options(seed),
            )
        return seconds[0]


class ArticleLoop(ArticleCourse):
    """The article's own loop, from its formulas: float64, one image at a time, no printing."""

    def epoch(self, seed):
        self.network = Network(self.sizes, init="normal", rng=seed, dtype="float64")
        W1, b1, W2, b2 = (self.network.params[name].copy() for name in ("W1", "b1", "W2", "b2"))
        X, Y = self.X.astype(np.float64), np.eye(10)[self.y]
        rate, l2, losses = self.learning_rate, 0.01, []
        # one image is no work for two cores
        with blas().limit(limits=1, user_api="blas"), stopwatch() as seconds:
            for i in np.random.default_rng(seed).permutation(len(X)):
                x, t = X[i : i + 1], Y[i : i + 1]
                z1 = x @ W1 + b1
                a1 = np.maximum(z1, 0)
                z2 = a1 @ W2 + b2
                e = np.exp(z2 - z2.max())
                p = e / e.sum()
                squares = (W1**2).sum() + (W2**2).sum()
                losses.append(-(t * np.log(p + 1e-12)).sum() + l2 / 2 * squares)
                d2 = p - t
                d1 = d2 @ W2.T * (z1 > 0)
                W2 = W2 - rate * (a1.T @ d2 + l2 * W2)
                b2 = b2 - rate * d2[0]
                W1 = W1 - rate * (x.T @ d1 + l2 * W1)
                b1 = b1 - rate * d1[0]
        self.network.params.update({"W1": W1, "b1": b1, "W2": W2, "b2": b2})
        return seconds[0]


def layers(network):
    """Return weights and bias of each layer, from the first to the last."""
    params = network.params
    return [(params[f"W{k}"], params[f"b{k}"]) for k in range(1, len(params) // 2 + 1)]


def one_by_one(network, X):
    """Ask for one image after the other, with the formulas of notebook 03."""
    relu_or_sigmoid = {
        "relu": lambda z: np.maximum(z, 0),
        "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    }[network.activation]
    *hidden, (W_last, b_last) = layers(network)
    labels = []
    for x in X:
        for W, b in hidden:
            x = relu_or_sigmoid(x @ W + b)
        exps = np.exp(x @ W_last + b_last)
        labels.append((exps / exps.sum()).argmax())
    return np.array(labels)
