"""A fully connected network for classification: parameters, forward pass and backpropagation.

Inputs are rows. With one hidden layer, and with the names that the course uses throughout::

    Z1 = X @ W1 + b1        A1 = activation(Z1)
    Z2 = A1 @ W2 + b2       probs = softmax(Z2)
"""

from collections.abc import MutableMapping
from contextlib import suppress

import numpy as np

from . import weight_files
from .functions import accuracy, check_labels, negative_log_likelihood, relu, sigmoid, softmax

_AT_ONCE = 2000  # images that are read together: what is computed between layers fits the cache

# name: the activation A = f(Z), and its slope dA/dZ written in terms of A
ACTIVATIONS = {
    "relu": (relu, np.sign),  # 1 where A is positive, 0 where it is 0; A is never negative
    "sigmoid": (sigmoid, lambda A: A * (1 - A)),
}

# name: the standard deviation of a layer's first weights
INITS = {
    "he": lambda n_in, n_out: np.sqrt(2 / n_in),  # He et al. 2015, for ReLU
    "xavier": lambda n_in, n_out: np.sqrt(2 / (n_in + n_out)),  # Glorot and Bengio 2010
    "normal": lambda n_in, n_out: 1.0,
}


class Parameters(MutableMapping):
    """The weights and biases of a network by name, all of them kept in one long vector.

    ``params["W1"]`` is a view into ``params.vector``: a change in one is a change in the other. So
    an optimiser moves every parameter in a single line, and no interrupt can fall between two
    layers. Assigning copies the numbers into place.

    Parameters
    ----------
    layer_sizes : sequence of int
    vector : ndarray, shape (number of parameters,), optional
        The weights of all layers, then the biases of all layers. Kept, not copied. Zeros if left
        out.
    dtype : type of the zeros

    Attributes
    ----------
    vector : ndarray, shape (number of parameters,)
    all_weights : ndarray
        The front part of `vector`, without the biases.
    weights, biases : list of ndarray
        A view for each layer, shapes (n_in, n_out) and (n_out,).
    """

    def __init__(self, layer_sizes, vector=None, dtype=np.float32):
        self.layer_sizes = tuple(layer_sizes)
        shapes = list(zip(self.layer_sizes[:-1], self.layer_sizes[1:], strict=True))
        n_weights = sum(n_in * n_out for n_in, n_out in shapes)
        n_biases = sum(self.layer_sizes[1:])
        self.vector = np.zeros(n_weights + n_biases, dtype) if vector is None else vector
        self.all_weights = self.vector[:n_weights]
        self.weights, self.biases = [], []
        weight, bias = 0, n_weights
        for n_in, n_out in shapes:
            self.weights.append(self.vector[weight : weight + n_in * n_out].reshape(n_in, n_out))
            self.biases.append(self.vector[bias : bias + n_out])
            weight, bias = weight + n_in * n_out, bias + n_out
        self._views = {}
        for k, (W, b) in enumerate(zip(self.weights, self.biases, strict=True), start=1):
            self._views |= {f"W{k}": W, f"b{k}": b}

    def __getitem__(self, name):
        return self._views[name]

    def __setitem__(self, name, value):
        if name not in self._views:
            raise KeyError(f"no parameter {name!r}; this network has {', '.join(self)}")
        if np.shape(value) != self[name].shape:
            raise ValueError(f"{name} has the shape {self[name].shape}, not {np.shape(value)}")
        self[name][...] = value

    def __delitem__(self, name):
        raise TypeError("a network's parameters cannot be removed")

    def __iter__(self):
        return iter(self._views)

    def __len__(self):
        return len(self._views)

    def __repr__(self):
        return "{" + ", ".join(f"{name!r}: {view.shape}" for name, view in self.items()) + "}"

    def __reduce__(self):  # copies and pickles keep the views tied to their own vector
        return type(self), (self.layer_sizes, self.vector)


class Network:
    """A network of fully connected layers that ends in a softmax.

    Parameters
    ----------
    layer_sizes : sequence of int
        Number of inputs, of units in each hidden layer, and of classes: ``[784, 20, 10]``.
    activation : {"relu", "sigmoid"}
        What follows each hidden layer.
    init : {"he", "xavier", "normal"}
        Standard deviation of the first weights: √(2 / n_in), √(2 / (n_in + n_out)), or 1.
        Biases start at 0.
    rng : int or numpy.random.Generator
        The same seed gives the same weights.
    dtype : {"float32", "float64"}
        Type of the parameters and of all that is computed with them.

    Attributes
    ----------
    params : mapping of str to ndarray
        ``{"W1": (784, 20), "b1": (20,), "W2": (20, 10), "b2": (10,)}``.

    Raises
    ------
    ValueError
        If an option is not one of the above.

    Examples
    --------
    >>> network = Network([784, 20, 10], activation="relu", init="he", rng=0)
    >>> network
    Network([784, 20, 10], activation='relu'): 15,910 parameters, float32
    >>> network.predict_proba(np.zeros((2, 784))).shape
    (2, 10)
    """

    def __init__(self, layer_sizes, activation="relu", init="he", rng=0, dtype="float32"):
        sizes = list(layer_sizes) if np.iterable(layer_sizes) else [layer_sizes]
        if len(sizes) < 2 or any(not isinstance(s, int | np.integer) or s < 1 for s in sizes):
            raise ValueError(
                "layer_sizes must be two or more whole numbers of 1 or more, such as "
                f"[784, 20, 10], but is {layer_sizes}"
            )
        with suppress(TypeError):  # of a type that NumPy does not know; told below
            dtype = np.dtype(dtype).name
        for name, value, allowed in [
            ("activation", activation, ACTIVATIONS),
            ("init", init, INITS),
            ("dtype", dtype, ("float32", "float64")),
        ]:
            if value not in allowed:
                choices = " or ".join(repr(choice) for choice in allowed)
                raise ValueError(f"{name} must be {choices}, but is {value!r}")
        rng = np.random.default_rng(rng)
        self.activation = activation
        self._params = Parameters([int(size) for size in sizes], dtype=dtype)
        for W in self.params.weights:
            W[...] = rng.normal(scale=INITS[init](*W.shape), size=W.shape)

    @property
    def params(self):
        """Weights and biases by name; see `Parameters`."""
        return self._params

    @property
    def layer_sizes(self):
        """Number of inputs, of units in each hidden layer, and of classes."""
        return self.params.layer_sizes

    @property
    def dtype(self):
        """Type of the parameters."""
        return self.params.vector.dtype

    def __repr__(self):
        sizes, count = list(self.layer_sizes), self.params.vector.size
        return (
            f"Network({sizes}, activation={self.activation!r}): {count:,} parameters, {self.dtype}"
        )

    def predict_proba(self, X):
        """Return the probability of each class for each image.

        Parameters
        ----------
        X : array_like, shape (n, n_in) or (n_in,)
            Images as rows, pixels 0–1; or a single image.

        Returns
        -------
        ndarray, shape (n, n_classes) or (n_classes,)

        Raises
        ------
        ValueError
            If `X` has another shape, or its pixels are infinite or still 0–255.
        """
        X = self.check_images(X)
        if X.ndim == 1:
            return self.predict_proba(X[None])[0]
        probs = np.empty((len(X), self.layer_sizes[-1]), self.dtype)
        for start in range(0, len(X), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            probs[part] = self._forward(X[part].astype(self.dtype, copy=False))[-1]
        return probs

    def predict(self, X):
        """Return the most probable label of each image, shape (n,); see `predict_proba`.

        A pixel that is nan is a ValueError here, as no label would be right.
        """
        probs = self.predict_proba(X)
        if np.isnan(probs).any():  # of the pixels, only some were looked at so far
            self.check_images(X, rows=None)
        return probs.argmax(axis=-1)

    def accuracy(self, X, y):
        """Return the share, 0 to 1, of the images `X` (n, n_in) whose label in `y` (n,) is predicted."""
        return accuracy(self.predict(X), y)

    def gradients(self, X, y, l2=0.0):
        """Return the loss, and how fast it changes with each parameter (backpropagation).

        Parameters
        ----------
        X : array_like, shape (n, n_in)
            Images as rows, pixels 0–1.
        y : array_like of int, shape (n,)
            Labels, 0 to n_classes - 1.
        l2 : float
            Strength λ of L2 regularisation. It adds λ/2 · Σ‖W‖² to the loss, for weights, not for
            biases.

        Returns
        -------
        loss : float
            Mean cross-entropy in nats, plus the L2 term.
        grads : mapping of str to ndarray
            The keys and shapes of `params`.

        Raises
        ------
        ValueError
            If the shapes or values do not fit, or there is no example.
        """
        X, y = self.check_examples(X, y)
        grads = Parameters(self.layer_sizes, dtype=self.dtype)
        loss = self.backpropagate(X.astype(self.dtype, copy=False), y, l2, grads)
        return loss, grads

    def _forward(self, X):
        """Return ``[X, A1, …, probs]``: the input of each layer, and the answer."""
        activate, _ = ACTIVATIONS[self.activation]
        weights, biases = self.params.weights, self.params.biases
        A = [X]  # np.dot is @, but quicker where the matrices are small
        for k in range(len(weights) - 1):
            A.append(activate(np.dot(A[k], weights[k]) + biases[k]))
        A.append(softmax(np.dot(A[-1], weights[-1]) + biases[-1]))
        return A

    def backpropagate(self, X, y, l2, grads):
        """Write the gradients into `grads` and return the loss, without checking the input.

        This is the inside of `gradients`, for a loop that has checked its data once and reuses one
        `Parameters` for all its steps.
        """
        _, slope = ACTIVATIONS[self.activation]
        *inputs, probs = self._forward(X)
        n = len(y)
        right = np.arange(n), y  # where in probs the right labels are
        p = probs[right]
        loss = negative_log_likelihood(p)
        dZ = probs  # from here on probabilities minus truth, a mean an example
        dZ[right] = p - 1
        dZ /= n
        for k in reversed(range(len(inputs))):
            A, W = inputs[k], self.params.weights[k]
            np.dot(A.T, dZ, out=grads.weights[k])
            dZ.sum(axis=0, out=grads.biases[k])
            if k > 0:
                dZ = np.dot(dZ, W.T) * slope(A)
        if l2:
            weights = self.params.all_weights
            loss += l2 / 2 * float(weights @ weights)
            grads.all_weights += l2 * weights
        return loss

    def check_images(self, X, *, rows=10):
        """Return `X` as an array, or say what is wrong with it.

        Parameters
        ----------
        X : array_like, shape (n, n_in) or (n_in,)
        rows : int or None
            How many images to look into, from the first; None for all.

        Raises
        ------
        ValueError
            If the shape does not fit, the type is not a number, or, of the pixels looked at, one is
            infinite, or they are still 0–255. With all looked at, none may be nan.
        """
        X, n_in = np.asarray(X), self.layer_sizes[0]
        if X.ndim not in (1, 2) or X.shape[-1] != n_in:
            hint = ""
            if X.ndim == 3 and X.shape[1] * X.shape[2] == n_in:
                hint = "; flatten the images with X.reshape(len(X), -1)"
            raise ValueError(
                f"X must have the shape (n, {n_in}), one row an image, but has {X.shape}{hint}"
            )
        if X.dtype.kind not in "fiub":
            raise ValueError(f"X must hold real numbers, but has the type {X.dtype}")
        looked_at = X if X.ndim == 1 else X[:rows]
        if looked_at.size == 0:
            return X
        low, high = np.inf, -np.inf
        for start in range(0, len(looked_at), 500):  # by parts, so that memory is read only once
            part = looked_at[start : start + 500]
            low, high = np.minimum(low, part.min()), np.maximum(high, part.max())
        if np.isinf(low) or np.isinf(high) or (rows is None and np.isnan(low)):
            raise ValueError(
                "X must be finite, but holds nan or infinity; look with np.isfinite(X)"
            )
        # standardised pixels may be larger than 2, but then others are negative
        if low >= 0 and high > 2:
            raise ValueError(
                f"pixels must be 0–1, but X goes up to {high:g}: they look like 0–255; divide by 255 "
                "or load them with load_mnist(normalize=True)"
            )
        return X

    def check_examples(self, X, y, *, rows=10):
        """Return `X` and `y` as arrays that fit each other and the network, or say what is wrong.

        `rows` is that of `check_images`. Raises ValueError.
        """
        X = self.check_images(X, rows=rows)
        if X.ndim != 2:
            raise ValueError(
                f"X must have the shape (n, {len(X)}), one row an image; X[None] makes a row of one"
            )
        if np.ndim(y) == 0 or len(X) != len(y):
            raise ValueError(
                f"X and y must have the same length, but X has {len(X)} images and y has the "
                f"shape {np.shape(y)}"
            )
        return X, check_labels(y, len(X), self.layer_sizes[-1])

    def save(self, path):
        """Write the parameters and the activation to an ``.npz`` file.

        The file appears under its name only when it is whole; an old file of that name is kept
        until then.

        Parameters
        ----------
        path : path-like

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        weight_files.write_npz(path, self.params, self.activation)

    @classmethod
    def load(cls, path, activation=None):
        """Read a network from a file of weights.

        Parameters
        ----------
        path : path-like
            An ``.npz`` file as `save` writes it, or a pickle of NumPy arrays: a dict of W1, b1, …
            or a list of weight, bias, weight, bias, …
        activation : {"relu", "sigmoid"}, optional
            Needed where the file does not say it, as pickles never do.

        Returns
        -------
        Network

        Raises
        ------
        ValueError
            If the file is not such a file, holds something else than whole layers of finite
            numbers that fit each other, or leaves the activation open. Nothing in it is ever run.
        OSError
            If the file cannot be read.
        """
        arrays, stored_activation = weight_files.read(path)
        if activation is None and stored_activation is None:
            raise ValueError(
                f"{path} does not say which activation its network has; add activation='sigmoid' "
                "or activation='relu'"
            )
        if activation and stored_activation and activation != stored_activation:
            raise ValueError(
                f"{path} holds a network with {stored_activation}, not {activation}; leave "
                "activation out"
            )
        sizes = [len(arrays["W1"])] + [len(b) for name, b in arrays.items() if name[0] == "b"]
        dtype = np.result_type(np.float32, *arrays.values())
        network = cls(sizes, activation=activation or stored_activation, dtype=dtype)
        network.params.update(arrays)
        return network
