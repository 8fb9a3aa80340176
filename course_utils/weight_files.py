"""Read and write network parameters on disk, without ever running what a file says.

A pickle is a small program: `pickle.load` carries out whatever it names. The reader here knows two
names, that of an array and that of an array's type, and builds both itself from plain bytes. It
also takes only the instructions that these need, and not many: some few bytes of others are enough
to fill any memory, or to compute for ever.
"""

import io
import math
import os
import pickle
import reprlib
import secrets
import struct
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np

# the arrays of a file may take so many bytes, or so many times the file's size
SIZE_LIMIT, SIZE_RATIO = 64_000_000, 4
MAX_ARRAYS = 1000
_MAX_HEADER = 1000  # bytes; NumPy parses it as Python
_MAX_READS = 100 * MAX_ARRAYS  # of an unpickler, which reads each instruction by itself


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
    with whole_file(path, "wb") as file:
        np.savez(file, **arrays, activation=np.array(activation))


@contextmanager
def whole_file(path, mode, **options):
    """Open a file for writing that appears under its name only when all of it is on the disk.

    Parameters
    ----------
    path : path-like
    mode, **options
        As for `open`.

    Returns
    -------
    context manager
        Of the open file. If the block ends with an error, there is no file, or still the old one.
    """
    path = Path(path)
    # its own for each writer: on a shared folder, two computers may have the same process number
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}.part")
    try:
        with open(temporary, mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def check_folder(checkpoint):
    """Raise FileNotFoundError if there is no folder for a checkpoint, before any work is done for it.

    Parameters
    ----------
    checkpoint : path-like
    """
    if not Path(checkpoint).absolute().parent.is_dir():
        raise FileNotFoundError(f"checkpoint: there is no folder for {checkpoint}; make it first")


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


def _check_size(n_bytes, data):
    if n_bytes > max(SIZE_LIMIT, SIZE_RATIO * len(data)):
        raise ValueError(f"its arrays need {n_bytes:,} bytes, but it has only {len(data):,}")


def _read_npz(path, data):
    name = None
    arrays = {}
    try:
        if data.count(b"PK\x01\x02") > MAX_ARRAYS:  # how a zip file begins each entry of its list
            raise ValueError(f"it holds more than {MAX_ARRAYS:,} arrays")
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            _check_size(sum(member.file_size for member in file.infolist()), data)
            for member in file.infolist():
                name = member.filename.removesuffix(".npy")
                if name in arrays:
                    raise ValueError("there are two of that name")
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise ValueError("compressed in a way that NumPy does not use")
                with file.open(member) as opened:  # may hold more than it says; not read
                    arrays[name] = _read_npy(opened.read(member.file_size))
    except Exception as e:  # a broken zip file can raise almost anything
        where = "" if name is None else f"{reprlib.repr(name)}: "
        raise ValueError(
            f"{path}: not a readable .npz file of plain arrays ({where}{_short(e)})"
        ) from e
    activation = arrays.pop("activation", None)
    if activation is None:
        return arrays, None
    activation = np.asarray(activation)
    if activation.dtype.kind != "U" or activation.ndim != 0 or activation.itemsize > 100:
        raise ValueError(f"{path}: activation must be one word, but is {activation.dtype}")
    try:
        return arrays, str(activation)
    except (ValueError, SystemError) as e:  # NumPy's, for what is no letter
        raise ValueError(f"{path}: activation must be one word, but is no text ({e})") from e


def _short(error):
    return str(error)[:300] or type(error).__name__  # what it quotes from the file may be long


def _read_npy(data):
    """Return the array in the bytes of an ``.npy`` file, or the bytes if they are none."""
    if not data.startswith(np.lib.format.MAGIC_PREFIX):
        return data
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file, _MAX_HEADER)
    else:
        shape, fortran_order, dtype = np.lib.format.read_array_header_2_0(file, _MAX_HEADER)
    if dtype.hasobject:
        raise ValueError("an array of Python objects, not of numbers")
    data = data[file.tell() :]
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"{dtype} of shape {shape} does not take {len(data):,} bytes")
    return _array(data, dtype, shape, fortran_order)


def _array(data, dtype, shape, fortran_order):
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran_order else "C")


def _read_pickle(path, data):
    try:
        content = _ArrayUnpickler(_FewReads(data), encoding="latin1").load()
        if isinstance(content, list | tuple):  # weight, bias, weight, bias, …
            names = [f"{kind}{k // 2 + 1}" for k in range(len(content)) for kind in "Wb"[k % 2]]
            content = dict(zip(names, content, strict=True))
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}, not a dict or list of arrays")
        if len(content) > MAX_ARRAYS:
            raise ValueError(f"it holds more than {MAX_ARRAYS:,} arrays")
        pickled = [value for value in content.values() if isinstance(value, _PickledArray)]
        _check_size(sum(len(array.state[-1]) for array in pickled), data)
        return {
            name: value.to_numpy(name) if isinstance(value, _PickledArray) else value
            for name, value in content.items()
        }
    except Exception as e:  # a broken pickle can raise almost anything
        raise ValueError(f"{path}: not a pickle of plain NumPy arrays ({_short(e)})") from e


class _FewReads(io.BytesIO):
    """A file in memory that may be read from only so many times."""

    n_reads = 0

    def read(self, *size):
        self.n_reads += 1
        if self.n_reads > _MAX_READS:
            raise ValueError("it has far more instructions than the arrays of a network need")
        return super().read(*size)


class _PickledType:
    """Stands in for numpy.dtype: remembers the name of a number type and its byte order."""

    def __init__(self, name="", *_):
        self.name, self.order = name, "<"

    def __setstate__(self, state):
        self.order = state[1]

    def to_numpy(self):
        if not (isinstance(self.name, str) and len(self.name) < 10 and isinstance(self.order, str)):
            raise ValueError("a type of numbers without a plain name")
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
        return _array(data, dtype, shape, fortran_order)


class _PickledBuffer(_PickledArray):
    """Stands in for the function that makes an array in pickles of protocol 5."""

    def __init__(self, data, dtype, shape, order, *_):
        self.state = None, shape, dtype, order == "F", data


# the instructions of a pickle that build numbers, texts, tuples, lists, dicts and arrays
_INSTRUCTIONS = """
    PROTO STOP MARK PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET
    NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT
    STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE
    BINBYTES SHORT_BINBYTES BINBYTES8
    EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST LIST APPEND APPENDS EMPTY_DICT
    GLOBAL STACK_GLOBAL INST REDUCE
""".split()  # noqa: SIM905 - easier to read


class _ArrayUnpickler(pickle._Unpickler):
    """An unpickler that knows the names and the instructions which arrays need, and no other.

    It is Python's own, in the form that is written in Python: there the table of instructions can
    be replaced.
    """

    def find_class(self, module, name):
        known = {
            ("numpy", "dtype"): _PickledType,
            ("numpy", "ndarray"): _PickledArray,
            ("numpy.core.multiarray", "_reconstruct"): _PickledArray,
            ("numpy._core.multiarray", "_reconstruct"): _PickledArray,
            ("numpy.core.numeric", "_frombuffer"): _PickledBuffer,
            ("numpy._core.numeric", "_frombuffer"): _PickledBuffer,
            ("_codecs", "encode"): _same_text,
        }
        if (module, name) not in known:
            name = reprlib.repr(f"{module}.{name}").strip("'")
            raise ValueError(f"it names {name}, which is not allowed and was not run")
        return known[module, name]

    def load_frame(self):  # frames only help to read ahead
        self.read(8)

    def load_bytearray8(self):  # without making room for as much as it promises
        (length,) = struct.unpack("<Q", self.read(8))
        self.append(self.read(length))

    def load_build(self):
        state, built = self.stack.pop(), self.stack[-1]
        if not isinstance(built, _PickledArray | _PickledType):
            raise ValueError("it changes what is not an array")
        built.__setstate__(state)

    def load_setitems(self):
        items = self.pop_mark()
        self._set_items(items[::2], items[1::2])

    def load_setitem(self):
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items([key], [value])

    def load_dict(self):
        items = self.pop_mark()
        self.append({})
        self._set_items(items[::2], items[1::2])

    def _set_items(self, keys, values):
        for key in keys:  # tuples of tuples of tuples … can take for ever to look up
            if not isinstance(key, str | int | None):
                raise ValueError(f"it has a {type(key).__name__} where a name must be")
        self.stack[-1].update(zip(keys, values, strict=True))

    def load_other(self):
        raise ValueError("it has an instruction that arrays do not need")

    dispatch = dict.fromkeys(range(256), load_other)
    dispatch |= {
        code: pickle._Unpickler.dispatch[code]
        for code in (getattr(pickle, name)[0] for name in _INSTRUCTIONS)
    }
    dispatch |= {
        pickle.FRAME[0]: load_frame,
        pickle.BYTEARRAY8[0]: load_bytearray8,
        pickle.BUILD[0]: load_build,
        pickle.SETITEMS[0]: load_setitems,
        pickle.SETITEM[0]: load_setitem,
        pickle.DICT[0]: load_dict,
    }


def _same_text(text, _encoding):
    return text  # NumPy's bytes in old pickles; `_PickledArray` turns them into bytes, once


def _checked_layers(path, arrays):
    """Return W1, b1, W2, b2, … in order, biases flat; or say which array does not fit, and why."""
    n_layers = max(1, *(sum(str(name)[:1] == kind for name in arrays) for kind in "Wb"))
    expected = [f"{kind}{k}" for k in range(1, n_layers + 1) for kind in "Wb"]
    if set(arrays) != set(expected):
        missing = ", ".join(name for name in expected if name not in arrays) or "nothing"
        extra = reprlib.repr([name for name in arrays if name not in expected])[1:-1] or "nothing"
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
        # in this machine's byte order, and float32 unless the file is more exact
        with np.errstate(over="ignore"):  # told below
            array = array.astype(np.float64 if array.dtype.itemsize >= 8 else np.float32)
        if not np.isfinite(array).all():
            raise ValueError(f"{path}: {name} holds nan or infinity")
        layers[name] = array
    return layers
