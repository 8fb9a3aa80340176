"""Parameters on disk: written whole or not at all, read without running what a file says."""

import codecs
import os
import pickle
import re
import secrets
import zipfile
from collections import OrderedDict
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from . import _checks

LARGEST = 500_000_000  # bytes of a file, and of what an .npz file unpacks to


@contextmanager
def whole_file(path):
    """Open a file for writing that appears under its name only when all of it is on the disk."""
    path = Path(path)
    # a name of its own for each writer: two computers may share a folder
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}.part")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_npz(path, arrays):
    with whole_file(path) as file:
        np.savez(file, **arrays)


def check_folder(checkpoint):
    """Raise FileNotFoundError if there is no folder for a checkpoint, before any work is done."""
    if checkpoint is not None and not Path(checkpoint).absolute().parent.is_dir():
        raise FileNotFoundError(f"checkpoint: there is no folder for {checkpoint}; make it first")


def try_to(write, path, work):
    """Write a checkpoint, and return whether that worked: a full disk need not cost what is done."""
    try:
        write(path)
        return True
    except OSError as error:
        reason = error.strerror or type(error).__name__  # str(error) would hold a path
        print(f"The checkpoint cannot be written ({reason}); {work} goes on without it.")
        return False


def read_params(path, activation=None):
    """Return W1, b1, … in order, and the activation; or say what is wrong with the file."""
    _checks.size_of_file(path, Path(path).stat().st_size, LARGEST)
    content, arrays = _content(Path(path))
    stored = content.get("activation", "") if isinstance(content, dict) else ""
    activation = _checks.one_activation(path, activation, str(stored).lower())
    # in the order of the numbers in their names, where all have some; else in that of the file
    numbers = [[int(digits) for digits in re.findall(r"\d+", name)] for name, _ in arrays]
    if all(numbers):
        order = sorted(range(len(arrays)), key=numbers.__getitem__)
        arrays = [arrays[k] for k in order]
    weights = [array for name, array in arrays if not _is_bias(name, array)]
    biases = [array for name, array in arrays if _is_bias(name, array)]
    transposed = [W.T for W in weights]
    if _fit(transposed, biases) and not _fit(weights, biases):
        weights = transposed
        print("The weights in this file are (n_out, n_in); they were transposed to (n_in, n_out).")
    _checks.layers(path, arrays, _fit(weights, biases))
    dtype = np.float64 if any(W.dtype.itemsize >= 8 for W in weights) else np.float32
    params = {}
    for k, (W, b) in enumerate(zip(weights, biases, strict=True), start=1):
        params |= {f"W{k}": np.ascontiguousarray(W, dtype), f"b{k}": b.ravel().astype(dtype)}
    _checks.finite_params(path, params)
    return params, activation


def _is_bias(name, array):
    """Return whether this is a bias: by its name, W1 or b1, or else by its shape."""
    by_name = {"w": False, "b": True}.get(name[:1].lower())
    return (array.ndim == 1 or 1 in array.shape) if by_name is None else by_name


def _fit(weights, biases):
    """Return whether these are layers, each of which takes what the one before it gives."""
    n_in = None
    for W, b in zip(weights, biases, strict=False):
        if W.ndim != 2 or W.size == 0 or n_in not in (None, len(W)):
            return False
        if not b.size == max(b.shape) == W.shape[1]:  # one line of numbers, lying or standing
            return False
        n_in = b.size
    return len(weights) == len(biases) > 0


def _arrays(content, name=""):
    """Return all arrays in lists and dicts, with their names, in order; no single numbers."""
    if isinstance(content, dict):
        return [pair for key, value in content.items() for pair in _arrays(value, str(key))]
    if isinstance(content, list | tuple):
        return [pair for value in content for pair in _arrays(value, name)]
    array = np.asarray(content)
    return [(name, array)] if array.ndim and array.dtype.kind in "fiu" else []


def _content(path):
    """Return what an .npz file or a pickle holds, and the arrays in it; run nothing of it."""
    with open(path, "rb") as file:
        start = file.read(512)
        _checks.known_form(path, start)
        file.seek(0)
        try:
            if start[:2] == b"PK":
                _checks.size_of_file(path, sum(m.file_size for m in _members(file)), LARGEST)
                with np.load(file, allow_pickle=False) as arrays:
                    content = dict(arrays)
            else:
                content = _ArrayUnpickler(file, encoding="latin1").load()
            return content, _arrays(content)
        except Exception as error:  # a broken file can raise almost anything
            _checks.unreadable(path, error)


def _members(file):
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
    _checks.members_of_npz([member.filename for member in members])
    file.seek(0)
    return members


# what a pickle may ask for by name
ALLOWED = {
    "numpy.dtype": np.dtype,
    "numpy.ndarray": np.ndarray,
    # NumPy 1 and 2 keep these in different places; how an array is pickled tells where
    "numpy.core.multiarray._reconstruct": np.zeros(1).__reduce__()[0],
    "numpy.core.multiarray.scalar": np.float64(0).__reduce__()[0],
    "numpy.core.numeric._frombuffer": np.zeros(1).__reduce_ex__(5)[0],
    "_codecs.encode": codecs.encode,  # how the oldest forms of a pickle write bytes
    "collections.OrderedDict": OrderedDict,
}


class _ArrayUnpickler(pickle.Unpickler):
    """An unpickler that builds NumPy arrays and nothing else, much as Python's manual shows it."""

    def find_class(self, module, name):
        """Return what the file asks for by name, if it is something that arrays need."""
        full_name = f"{module}.{name}".replace("numpy._core.", "numpy.core.")
        if full_name in ALLOWED:
            return ALLOWED[full_name]
        raise pickle.UnpicklingError(f"it names {module}.{name}, which was not run")
