"""Read and write network parameters on disk, without ever running what a file says.

A pickle is a small program: `pickle.load` carries out whatever it names. The reader here knows two
names, that of an array and that of an array's type, and builds both itself from plain bytes.
"""

import io
import os
import pickle
from pathlib import Path

import numpy as np


def write_npz(path, arrays, activation):
    """Write named arrays and the name of the activation to an ``.npz`` file, whole or not at all.

    Parameters
    ----------
    path : path-like
    arrays : mapping of str to ndarray
    activation : str

    Raises
    ------
    OSError
        If the file cannot be written; an old file of that name is then still there.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}-{os.getpid()}.part")
    try:
        with open(temporary, "wb") as file:
            np.savez(file, **arrays, activation=np.array(activation))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read(path):
    """Read the parameters of a network from an ``.npz`` file or a pickle.

    Parameters
    ----------
    path : path-like
        What it is, is told by its first bytes, not by its name.

    Returns
    -------
    arrays : dict of str to ndarray
        W1, b1, W2, b2, …: shapes (n_in, n_out) and (n_out,), float32 or float64.
    activation : str or None
        None where the file does not say it.

    Raises
    ------
    ValueError
        If the file is neither, or the arrays are not whole layers that fit each other.
    OSError
        If the file cannot be read.
    """
    path = Path(path)
    data = path.read_bytes()
    if data[:2] == b"PK":
        arrays, activation = _read_npz(path, data)
    else:
        arrays, activation = _read_pickle(path, data), None
    return _checked_layers(path, arrays), activation


def _read_npz(path, data):
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = dict(file)
    except Exception as e:  # a broken zip file, too, can raise almost anything
        raise ValueError(f"{path}: not a readable .npz file of plain arrays ({e})") from e
    activation = arrays.pop("activation", None)
    if activation is None:
        return arrays, None
    activation = np.asarray(activation)  # np.load gives bytes for what is no array
    if activation.dtype.kind != "U" or activation.ndim != 0:
        raise ValueError(f"{path}: activation must be one word, but is {activation.dtype}")
    return arrays, str(activation)


def _read_pickle(path, data):
    try:
        content = _ArrayUnpickler(io.BytesIO(data), encoding="latin1").load()
        if isinstance(content, list | tuple):  # weight, bias, weight, bias, …
            names = [f"{kind}{k // 2 + 1}" for k in range(len(content)) for kind in "Wb"[k % 2]]
            content = dict(zip(names, content, strict=True))
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}, not a dict or list of arrays")
        return {
            name: value.to_numpy(name) if isinstance(value, _PickledArray) else value
            for name, value in content.items()
        }
    except Exception as e:  # a broken pickle can raise almost anything
        raise ValueError(f"{path}: not a pickle of plain NumPy arrays ({e})") from e


class _PickledType:
    """Stands in for numpy.dtype: remembers the name of a number type and its byte order."""

    def __init__(self, name="", *_):
        self.name, self.order = name, "<"

    def __setstate__(self, state):
        self.order = state[1]

    def to_numpy(self):
        return np.dtype(self.name).newbyteorder(self.order)


class _PickledArray:
    """Stands in for numpy.ndarray: remembers shape and bytes, and makes the array at the end."""

    def __init__(self, *_):
        self.state = None

    def __setstate__(self, state):
        self.state = state

    def to_numpy(self, name):
        _, shape, dtype, fortran_order, data = self.state
        dtype = dtype.to_numpy()
        if dtype.kind not in "fiu":
            raise ValueError(f"{name} is an array of type {dtype}, not of real numbers")
        if isinstance(data, str):  # Python 2 wrote bytes as text
            data = data.encode("latin1")
        flat = np.frombuffer(data, dtype)
        return flat.reshape(shape, order="F" if fortran_order else "C")


class _PickledBuffer(_PickledArray):
    """Stands in for the function that makes an array in pickles of protocol 5."""

    def __init__(self, data, dtype, shape, order, *_):
        self.state = None, shape, dtype, order == "F", data


class _ArrayUnpickler(pickle.Unpickler):
    """An unpickler that knows the names which arrays need, and refuses every other."""

    def find_class(self, module, name):
        known = {
            ("numpy", "dtype"): _PickledType,
            ("numpy", "ndarray"): _PickledArray,
            ("numpy.core.multiarray", "_reconstruct"): _PickledArray,
            ("numpy._core.multiarray", "_reconstruct"): _PickledArray,
            ("numpy.core.numeric", "_frombuffer"): _PickledBuffer,
            ("numpy._core.numeric", "_frombuffer"): _PickledBuffer,
            ("_codecs", "encode"): lambda text, encoding: text.encode("latin1"),
        }
        if (module, name) not in known:
            raise ValueError(f"it names {module}.{name}, which is not allowed and was not run")
        return known[module, name]


def _checked_layers(path, arrays):
    """Return W1, b1, W2, b2, … in order, biases flat; or say which array does not fit, and why."""
    n_layers = max(1, *(sum(str(name)[:1] == kind for name in arrays) for kind in "Wb"))
    expected = [f"{kind}{k}" for k in range(1, n_layers + 1) for kind in "Wb"]
    if set(arrays) != set(expected):
        missing = ", ".join(name for name in expected if name not in arrays) or "nothing"
        extra = ", ".join(repr(name) for name in arrays if name not in expected) or "nothing"
        raise ValueError(
            f"{path}: a network's file holds W1, b1, W2, b2, …; missing: {missing}; "
            f"not a parameter: {extra}"
        )
    layers, n_in = {}, None
    for name in expected:
        array = arrays[name]
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
            kind = getattr(array, "dtype", type(array).__name__)
            raise ValueError(f"{path}: {name} must be an array of real numbers, but is {kind}")
        if name[0] == "b" and array.ndim == 2 and len(array) == 1:
            array = array[0]  # some write biases as (1, n)
        if name[0] == "W":
            fits = array.ndim == 2 and array.size and n_in in (None, len(array))
            wanted = f"({n_in or 'n_in'}, n_out)"
            n_in = array.shape[-1] if fits else None
        else:
            fits, wanted = array.shape == (n_in,), f"({n_in},)"
        if not fits:
            raise ValueError(f"{path}: {name} must have the shape {wanted}, but has {array.shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{path}: {name} holds nan or infinity")
        # in this machine's byte order, and float32 unless the file is more exact
        layers[name] = array.astype(np.float64 if array.dtype.itemsize == 8 else np.float32)
    return layers
