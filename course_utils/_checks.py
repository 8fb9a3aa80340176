"""What must hold of an input, and what to say where it does not. Nothing is computed in here.

Each function returns its input as arrays, or raises ValueError with what was expected, what came,
and what to do.
"""

import inspect
import math
import os

import numpy as np


def as_float(x):
    """Return `x` as floats: 0 - 1 is 255 in pixels of type uint8."""
    x = np.asarray(x)
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def scores(z):
    z = as_float(z)
    if z.ndim == 0 or z.shape[-1] == 0:
        raise ValueError(
            f"softmax needs at least one score, (k,) or (n, k) with k of 1 or more, but got {z.shape}"
        )
    return z


def same_shape(a, b):
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"both must have the same shape, but one has {a.shape}, one {b.shape}")
    return a, b


def same_length(y_pred, y):
    y_pred, y = np.asarray(y_pred), np.asarray(y)
    if y_pred.shape != y.shape or y.ndim != 1 or y.size == 0:
        raise ValueError(
            "these must be two rows of labels of the same length, 1 or more, but have the shapes "
            f"{y_pred.shape} and {y.shape}; probabilities become labels by probs.argmax(axis=1)"
        )
    return y_pred, y


def labels(y, n_classes):
    y = np.asarray(y)
    if y.ndim != 1:
        is_one_hot = y.shape[1:] == (n_classes,)
        hint = ", which looks one-hot; y.argmax(axis=1) gives the labels" if is_one_hot else ""
        raise ValueError(f"y must be a row of labels, shape (n,), but has {y.shape}{hint}")
    if y.size == 0:
        return y.astype(np.intp)
    if y.dtype.kind not in "iu":
        raise ValueError(f"labels must be whole numbers (an int type), but y has type {y.dtype}")
    if y.min() < 0 or y.max() >= n_classes:
        raise ValueError(
            f"labels must be 0 to {n_classes - 1}, one for each output, but y goes from {y.min()} "
            f"to {y.max()}"
        )
    return y


def probabilities(probs, y):
    probs = as_float(probs)
    if probs.ndim != 2 or len(probs) == 0:
        raise ValueError(f"probs must have the shape (n, k), n at least 1, but has {probs.shape}")
    y = labels(y, probs.shape[1])
    if len(y) != len(probs):
        raise ValueError(f"there are {len(probs)} rows of probabilities, but {len(y)} labels")
    return probs, y


def pictures(X):
    """Return `X` as (n, 28, 28)."""
    X = np.asarray(X)
    one, several = X.shape in ((784,), (28, 28)), X.shape[1:] in ((784,), (28, 28), (28, 28, 1))
    if X.dtype.kind not in "fiub" or X.size == 0 or not (one or several):
        raise ValueError(
            "X must hold images of 28×28 numbers, shape (n, 784) or (n, 28, 28), or one of them, but "
            f"holds {X.dtype} of shape {X.shape}"
        )
    return X.reshape(-1, 28, 28)


def titles(titles, n):
    titles = [""] * n if titles is None else [str(title) for title in titles]
    if len(titles) != n:
        raise ValueError(f"there must be a title for each of the {n} images, but are {len(titles)}")
    return titles


def images(network, X):
    """Check the shape and type of all, and the pixels of the first ten images."""
    X, n_in = np.asarray(X), network.layer_sizes[0]
    if X.ndim not in (1, 2) or X.shape[-1] != n_in:
        hint = ""
        if X.size == n_in:
            hint = f"; make it a row with X.reshape(1, {n_in})"
        elif X.ndim > 2 and math.prod(X.shape[1:]) == n_in:
            hint = f"; flatten the images with X.reshape(len(X), {n_in})"
        raise ValueError(
            f"X must have the shape (n, {n_in}), one row an image, but has {X.shape}{hint}"
        )
    if X.dtype.kind not in "fiub":
        raise ValueError(f"X must hold real numbers, but has the type {X.dtype}")
    pixels(X if X.ndim == 1 else X[:10])
    return X.astype(network.params["W1"].dtype, copy=False)


def pixels(X, nan_allowed=True):
    if X.size == 0:
        return
    low, high = X.min(), X.max()  # nan if one is nan
    if np.isinf(low) or np.isinf(high) or (np.isnan(low) and not nan_allowed):
        raise ValueError("X must be finite, but holds nan or infinity; look with np.isfinite(X)")
    if low >= 0 and high > 2:  # standardised pixels may be larger, but then others are negative
        raise ValueError(
            f"pixels must be 0–1, but X goes up to {high:g}: they look like 0–255; divide by 255 or "
            "load them with load_mnist(normalize=True)"
        )


def numbers(X, probs):
    """Return `probs`, if they are numbers; no label would be right for nan."""
    if np.isnan(probs).any():
        pixels(np.asarray(X), nan_allowed=False)
        raise ValueError(
            "the network's answers are nan, since its parameters are too large or not finite; has its "
            "training blown up? Start again from a new network, with a lower learning_rate"
        )
    return probs


def one_row(probs):
    probs = np.asarray(probs)
    if probs.ndim == 2 and len(probs) == 1:
        probs = probs[0]
    if probs.ndim != 1 or probs.size == 0:
        raise ValueError(f"probs must be of one image, shape (k,), not {probs.shape}: try probs[0]")
    return probs


def losses(loss):
    loss = np.asarray(loss, dtype=float)
    if loss.ndim != 1 or loss.size == 0:
        raise ValueError(f"loss must be a row of at least one number, but has shape {loss.shape}")
    return loss


def examples(network, X, y):
    """Check all images, and that there is a label for each."""
    X = images(network, X)
    if X.ndim != 2:
        raise ValueError(f"X must have the shape (n, {len(X)}); X[None] makes a row of one image")
    if len(X) == 0 or np.ndim(y) == 0 or len(X) != len(y):
        raise ValueError(
            f"X and y must have the same length, at least 1, but X has {len(X)} images and y has "
            f"the shape {np.shape(y)}"
        )
    pixels(X, nan_allowed=False)
    return X, labels(y, network.layer_sizes[-1])


def validation(network, pair):
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        kind = type(pair).__name__
        raise ValueError(f"validation must be a pair of images and labels, (X, y), but is {kind}")
    try:
        return examples(network, *pair)
    except ValueError as error:
        raise ValueError(f"in validation: {error}") from None


def network_options(layer_sizes, activation, init, dtype, activations, inits):
    sizes = list(layer_sizes) if np.iterable(layer_sizes) else [layer_sizes]
    if len(sizes) < 2 or any(not isinstance(s, int | np.integer) or s < 1 for s in sizes):
        raise ValueError(
            "layer_sizes must be two or more whole numbers of 1 or more, such as [784, 20, 10], "
            f"but is {layer_sizes}"
        )
    one_of("activation", activation, activations)
    one_of("init", init, inits)
    one_of("dtype", getattr(dtype, "__name__", str(dtype)), ("float32", "float64"))


def one_of(name, value, allowed):
    if value not in allowed:
        raise ValueError(f"{name} must be {' or '.join(map(repr, allowed))}, but is {value!r}")


def sgd_options(epochs, batch_size, learning_rate, momentum, l2):
    whole_number("epochs", epochs)
    whole_number("batch_size", batch_size)
    number("learning_rate", learning_rate, "more than 0", lambda v: v > 0)
    number("momentum", momentum, "from 0 to less than 1", lambda v: 0 <= v < 1)
    number("l2", l2, "0 or more", lambda v: v >= 0)


def whole_number(name, value):
    if not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} must be a whole number of 1 or more, but is {value!r}")


def number(name, value, words, fits):
    is_number = isinstance(value, float | int | np.floating | np.integer)
    if not (is_number and fits(value) and value < math.inf):
        raise ValueError(f"{name} must be a finite number {words}, but is {value!r}")


def training_options(sgd, options):
    """Return all options of `sgd`, those in `options` and the defaults of the others."""
    defaults = options_of(sgd)
    known = [*defaults, "rng", "validation", "checkpoint", "progress"]
    for name in options:
        one_of("an option of train", name, known)
    options = defaults | options
    sgd_options(*(options[n] for n in ("epochs", "batch_size", "learning_rate", "momentum", "l2")))
    return options


def options_of(*functions):
    """Return the options of these functions that have a default, with that; `rng` is left out."""
    parameters = [p for f in functions for p in inspect.signature(f).parameters.values()]
    return {p.name: p.default for p in parameters if p.default is not p.empty and p.name != "rng"}


# files of digits

# MNIST in other wrappings: how a file's name ends, what that is, and what to do
WRAPPINGS = {
    ".pkl.gz": "a pickle: gzip.open and pickle.load give its arrays, if you trust where it is from",
    ".npz": "an archive of NumPy arrays: np.load gives them by name, such as 'x_train'",
    ".csv": "a table with a row an image: np.loadtxt(path, delimiter=',', skiprows=1) reads it",
    ".parquet": "a table: pandas.read_parquet reads it",
    ".mat": "a MATLAB file: scipy.io.loadmat reads it",
    ".zip": "packed: unpack it first",
    ".png": "a single picture: PIL.Image.open reads it, and np.stack puts many together",
    "/": "a folder: if the files are in there, name that one",
}


def idx_start(start, types):
    """Return the first four bytes of an IDX file, or say what they are instead."""
    if start.lstrip().startswith(b"<"):
        raise ValueError("it is a web page: the download gave a page, not the file")
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in types:
        begins = f"begins with {start.hex(' ')}" if start else "is empty"
        raise ValueError(f"it {begins}, and must begin with 00 00 and a known type")
    return start


def no_folder_beside(source, data_dir):
    if data_dir is not None:
        raise ValueError(f"source={source!r} contradicts data_dir; leave one of them out")


def may_be_other(source, files):
    if source == "mnist":
        folder = files["train-images"].parent
        raise ValueError(
            f"MNIST is asked for, by source or MNIST_SOURCE, but the files in {folder} are others, or "
            "damaged; leave that out to take them as they are"
        )


def only_one_set(folder, sets):
    if len(sets) > 1:
        raise ValueError(
            f"{folder} holds several sets ({', '.join(name + 'train-…' for name in sets)}); put the "
            "four files of one into a folder of its own"
        )
    return next(iter(sets.values()), {})


def all_files(name, folder, parts, files):
    """Return the four files, or say which are missing, and what lies there instead."""
    missing = [part for part in parts if part not in files]
    if not missing:
        return files
    wanted = ", ".join(f"{p}-idx{3 if 'images' in p else 1}-ubyte.gz" for p in missing)
    there, lies = [], f"there is no folder {os.path.abspath(folder)}"
    if os.path.isdir(folder):
        there = sorted(entry.name + "/" * entry.is_dir() for entry in os.scandir(folder))
        some = f"{', '.join(there[:8])}{' …' * (len(there) > 8)}"
        lies = f"in it there is {some}" if there else "it is empty"
    elif os.path.exists(folder):
        there, lies = [os.path.basename(folder)], "that is a file, not a folder"
    hints = [f" ({f} is {h})" for end, h in WRAPPINGS.items() for f in there if f.endswith(end)]
    raise FileNotFoundError(
        f"{name} is {folder!r}, but {lies}{''.join(hints[:1])}. It must hold {wanted}, unpacked or "
        f"not: mend {name}, or do without it to have MNIST looked for and downloaded."
    )


def images_and_labels(images_path, labels_path, X, y):
    for path, a, form, fits in (
        (images_path, X, "images of 28×28 bytes", X.shape[1:] == (28, 28)),
        (labels_path, y, "one byte a label", y.ndim == 1),
    ):
        if a.dtype != np.uint8 or not fits:
            raise ValueError(f"{path}: must hold {form}, but holds {a.dtype} of shape {a.shape}")
    if len(X) != len(y):
        raise ValueError(f"{labels_path}: {len(y):,} labels for {len(X):,} images")
    return X, y


# files of weights

# how a file begins, and what it is then
FORMS = {
    b"\x89HDF": "an HDF5 file, as Keras writes it",
    b"\x93NUMPY": "a single array (.npy), not several (.npz)",
    b"MATLAB": "a MATLAB file",
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself: `git lfs pull` brings it",
    b"\x1f\x8b": "packed by gzip: unpack it first",
    b"\x80\x02\x8a\nl\xfc\x9c": "a file of PyTorch",
    b"<": "a web page: the download gave a page, not the file",
    b"{": "JSON",
    b"[": "JSON",
}
BY_HAND = """
To use such weights all the same, read them with what wrote them, and put the arrays in by hand:
    network = Network([784, 50, 10], activation="sigmoid")  # its sizes, its activation
    network.params["W1"], network.params["b1"] = W1, b1  # shapes (784, 50), (50,)
    network.params["W2"], network.params["b2"] = W2, b2  # shapes (50, 10), (10,)"""


def known_form(path, start):
    forms = [form for magic, form in FORMS.items() if start.lstrip().startswith(magic)]
    if start[8:9] == b"{":
        forms = ["a safetensors file"]
    if not start:
        forms = ["empty"]
    if forms:
        raise ValueError(f"{path} is {forms[0]}; a network is read from .npz or a pickle.{BY_HAND}")


def members_of_npz(names):
    for end, form in (("data.pkl", "a file of PyTorch"), (".h5", "a file of Keras")):
        if any(name.endswith(end) for name in names):
            raise ValueError(f"it is {form}")


def unreadable(path, error):
    raise ValueError(
        f"{path}: not a readable file of plain NumPy arrays, .npz or pickle "
        f"({str(error)[:300] or type(error).__name__}).{BY_HAND}"
    ) from error


def size_of_file(path, n_bytes, most):
    if n_bytes > most:
        raise ValueError(f"{path}: {n_bytes:,} bytes, and {most:,} are the most that is read")


def one_activation(path, wanted, stored):
    if not (wanted or stored):
        raise ValueError(
            f"{path} does not say which activation its network has; add activation='sigmoid' or "
            "activation='relu'"
        )
    one_of(f"{path}: activation", stored or wanted, ("relu", "sigmoid"))
    if stored and wanted not in (None, stored):
        raise ValueError(
            f"{path} holds a network with {stored!r}, not {wanted!r}; leave activation out"
        )
    return stored or wanted


def layers(path, arrays, fit):
    if not fit:
        shapes = ", ".join(f"{name or 'array'} {array.shape}" for name, array in arrays[:12])
        raise ValueError(
            f"{path}: a network's file holds W1, b1, W2, b2, …, of shapes (n_in, n_out) and (n_out,), "
            "where each layer takes what the one before it gives; but this one holds "
            f"{shapes or 'no array of numbers'}"
        )


def finite_params(path, params):
    for name, array in params.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{path}: {name} holds nan or infinity")
