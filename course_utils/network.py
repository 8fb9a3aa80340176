"""A fully connected network: parameters, forward pass, backpropagation.

Inputs are rows. With one hidden layer, and with the names that the course uses throughout::

    Z1 = X @ W1 + b1        A1 = relu(Z1)
    Z2 = A1 @ W2 + b2       probs = softmax(Z2)
"""

from itertools import pairwise

import numpy as np

from . import _checks, _files
from .functions import accuracy, relu, sigmoid, softmax

# name: the activation A = f(Z), and its slope dA/dZ, written with A (A > 0 just where Z > 0)
ACTIVATIONS = {
    "relu": (relu, lambda A: A > 0),
    "sigmoid": (sigmoid, lambda A: A * (1 - A)),
}

# name: the standard deviation of a layer's first weights
INITS = {
    "he": lambda n_in, n_out: np.sqrt(2 / n_in),  # He et al. 2015, for relu
    "xavier": lambda n_in, n_out: np.sqrt(2 / (n_in + n_out)),  # Glorot and Bengio 2010
    "normal": lambda n_in, n_out: 1.0,
}


class Network:
    """Layers of units, each connected to all of the layer before, and a softmax at the end.

    Parameters
    ----------
    layer_sizes : list of int
        Inputs, units of each hidden layer, classes: ``[784, 20, 10]``.
    activation : {"relu", "sigmoid"}
        What follows each hidden layer.
    init : {"he", "xavier", "normal"}
        Standard deviation of the first weights: √(2 / n_in), √(2 / (n_in + n_out)), or 1. Biases
        start at 0.
    rng : int or numpy.random.Generator
        The same seed gives the same weights.
    dtype : {"float32", "float64"}

    Attributes
    ----------
    layer_sizes, activation
        As above.
    params : dict of ndarray
        ``{"W1": (784, 20), "b1": (20,), "W2": (20, 10), "b2": (10,)}``.

    Examples
    --------
    >>> Network([784, 20, 10])
    Network([784, 20, 10], activation='relu'): 15,910 parameters, float32
    """

    def __init__(self, layer_sizes, activation="relu", init="he", rng=0, dtype="float32"):
        _checks.network_options(layer_sizes, activation, init, dtype, ACTIVATIONS, INITS)
        self.layer_sizes = [int(size) for size in layer_sizes]
        self.activation, self.params = activation, {}
        rng = np.random.default_rng(rng)
        for k, (n_in, n_out) in enumerate(pairwise(self.layer_sizes), start=1):
            W = rng.normal(scale=INITS[init](n_in, n_out), size=(n_in, n_out))
            self.params[f"W{k}"] = W.astype(dtype)
            self.params[f"b{k}"] = np.zeros(n_out, dtype)

    def __repr__(self):
        count, dtype = sum(a.size for a in self.params.values()), self.params["W1"].dtype
        name = f"Network({self.layer_sizes}, activation={self.activation!r})"
        return f"{name}: {count:,} parameters, {dtype}"

    def forward(self, X):
        """Return [X, A1, …, probs]: what goes into each layer, and the answer. `X` is (n, n_in)."""
        activate, _ = ACTIVATIONS[self.activation]
        last = len(self.layer_sizes) - 1
        A = [X]
        for k in range(1, last + 1):
            Z = A[-1] @ self.params[f"W{k}"] + self.params[f"b{k}"]
            A.append(activate(Z) if k < last else softmax(Z))
        return A

    def backpropagate(self, X, y, l2=0.0):
        """Return the loss, and the gradient of each parameter. `X` and `y` are not checked here.

        On the way back, each line is the chain rule for a line of `forward`: see notebook 04.
        """
        _, slope = ACTIVATIONS[self.activation]
        *A, probs = self.forward(X)  # the last is probs; A[k - 1] is what goes into layer k
        n, rows = len(y), np.arange(len(y))
        p = probs[rows, y]
        # this is cross_entropy(probs, y), without its checks
        loss = -float(np.log(np.maximum(p, np.finfo(p.dtype).tiny)).sum()) / n
        dZ = probs  # changed in place: probs is not needed any more
        dZ[rows, y] -= 1  # probabilities minus truth …
        dZ /= n  # … and 1/n, since the loss is a mean over the n images
        grads = {}
        for k in range(len(A), 0, -1):
            W = self.params[f"W{k}"]
            grads[f"W{k}"] = np.dot(A[k - 1].T, dZ)  # `@`, but quicker for a single image
            grads[f"b{k}"] = dZ.sum(axis=0)
            if k > 1:
                dZ = dZ @ W.T * slope(A[k - 1])  # A[k - 1] comes from layer k - 1: this is its dZ
            if l2:  # λ/2 · ΣW² is added to the loss, for weights, not for biases
                loss += l2 / 2 * float((W**2).sum())
                grads[f"W{k}"] += l2 * W
        return loss, grads

    def gradients(self, X, y, l2=0.0):
        """Return the loss on images `X` (n, n_in) with labels `y` (n,), and all gradients.

        The loss is the mean cross-entropy in nats plus λ/2 · ΣW² with λ = `l2`. The gradients
        are a dict with the keys and shapes of `params`. Raises ValueError if `X` or `y` do not fit.
        """
        X, y = _checks.examples(self, X, y)
        return self.backpropagate(X, y, l2)

    def predict_proba(self, X):
        """Return the probability of each class: (n, n_in) to (n, n_classes), or one image (n_in,).

        Raises ValueError if `X` has another shape, or its pixels are still 0–255.
        """
        return self.forward(_checks.images(self, X))[-1]

    def predict(self, X):
        """Return the most probable label of each image: (n, n_in) to (n,), or that of one (n_in,).

        Raises ValueError where no label would be right: if a pixel or the network's answer is nan.
        """
        probs = _checks.numbers(X, self.predict_proba(X))
        return probs.argmax(axis=-1)

    def accuracy(self, X, y):
        """Return the share of images `X` (n, n_in) whose label in `y` (n,) is predicted."""
        return accuracy(self.predict(X), y)  # the function, not this method

    def save(self, path):
        """Write parameters and activation to an ``.npz`` file, whole or not at all."""
        _files.write_npz(path, self.params | {"activation": self.activation})

    @classmethod
    def load(cls, path, activation=None):
        """Read a network from an ``.npz`` file, or from a pickle of arrays. Nothing in it is run.

        The file names its arrays W1, b1, W2, …, or holds them in that order. If it does not say its
        activation, as a pickle never does, pass it. Raises ValueError if it holds no network.
        """
        params, activation = _files.read_params(path, activation)
        biases = [array for name, array in params.items() if name.startswith("b")]
        sizes = [len(params["W1"]), *(len(b) for b in biases)]
        network = cls(sizes, activation, dtype=params["W1"].dtype)
        network.params = params  # in place of the random ones
        return network
