"""Notebook 01: reading an IDX file, and one-hot labels."""

from functools import partial

import numpy as np

from ..datasets import IDX_TYPES
from ..functions import one_hot
from .marking import compare, mark


def _idx(type_code, *sizes):
    """Return the header of an IDX file."""
    return bytes([0, 0, type_code, len(sizes)]) + b"".join(n.to_bytes(4, "big") for n in sizes)


def _idx_sizes(data, *, order="big", first=4, width=4, n_sizes=lambda data: data[3]):
    starts = range(first, first + 4 * n_sizes(data), 4)
    return tuple(int.from_bytes(data[k + 4 - width : k + 4], order) for k in starts)


def check_idx_sizes(attempt):
    """Check ``idx_sizes(data)``: the first bytes of an IDX file to the sizes, as a tuple of int."""
    cases = [
        ("a file of 300 labels", {"data": _idx(0x08, 300)}),
        ("a file of 60,000 images", {"data": _idx(0x08, 60_000, 28, 28)}),
        ("a table, with its first numbers behind", {"data": _idx(0x0D, 500, 7) + bytes(8)}),
    ]
    mistakes = {
        "The bytes of a size were read in the wrong order. In an IDX file the byte that counts "
        'most comes first: "big".': partial(_idx_sizes, order="little"),
        "Not every file has three sizes. How many there are is in the fourth byte, data[3].": partial(
            _idx_sizes, n_sizes=lambda data: 3
        ),
        "The third byte, data[2], is the type of the numbers. How many sizes there are is in the "
        "fourth, data[3].": partial(_idx_sizes, n_sizes=lambda data: data[2]),
        "The first four bytes are the magic number. The sizes begin behind it, at data[4].": partial(
            _idx_sizes, first=0
        ),
        "The magic number in front is not one of the sizes. They begin at data[4].": partial(
            _idx_sizes, first=0, n_sizes=lambda data: data[3] + 1
        ),
        "A size has four bytes, and only its last one was read. That holds numbers up to 255.": partial(
            _idx_sizes, width=1
        ),
    }
    return mark(attempt, cases, compare(_idx_sizes, mistakes))


def _one_hot(
    y, n_classes, *, value=lambda y: 1, rows=lambda y: np.arange(len(y)), place=lambda y: y
):
    Y = np.zeros((len(y), n_classes), dtype=np.float32)
    Y[rows(y), place(y)] = value(y)
    return Y


def check_one_hot(attempt):
    """Check ``one_hot(y, n_classes)``: labels (n,) to rows of zeros with one 1, (n, n_classes)."""
    cases = [
        ("three labels of four classes", {"y": np.array([2, 0, 2]), "n_classes": 4}),
        ("digits", {"y": np.array([5, 0, 4, 1, 9, 2]), "n_classes": 10}),
        ("a label twice", {"y": np.array([1, 1]), "n_classes": 3}),
    ]
    mistakes = {
        "`Y[:, y] = 1` sets these places in *every* row. Each row has its own place: number the "
        "rows by np.arange(len(y)).": partial(_one_hot, rows=lambda y: np.arange(len(y))[:, None]),
        "The row has as many places as the largest label needs. It should have n_classes, also "
        "where the last classes do not occur.": lambda y, n_classes: one_hot(y, y.max() + 1),
        "The label itself was written into the row. A 1 belongs there: a label is a name, not a "
        "quantity.": partial(_one_hot, value=lambda y: y),
        "The 1 stands one place too far left. Labels count from 0, as Python does.": partial(
            _one_hot, place=lambda y: y - 1
        ),
        "Zeros and ones have changed places.": lambda y, n_classes: 1 - one_hot(y, n_classes),
        "It is transposed. Each *row* belongs to one label: the shape is "
        "(n, n_classes).": lambda y, n_classes: one_hot(y, n_classes).T,
        "All is 0. Where is the 1 set?": lambda y, n_classes: np.zeros((len(y), n_classes)),
    }
    return mark(attempt, cases, compare(one_hot, mistakes))


def _idx_array(data, *, offset=None, dtype=lambda data: IDX_TYPES[data[2]], order="C", exact=True):
    sizes, dtype = _idx_sizes(data), np.dtype(dtype(data))
    data = data[4 + 4 * len(sizes) if offset is None else offset :]
    n = int(np.prod(sizes))
    if exact and len(data) != n * dtype.itemsize:
        raise ValueError("too few bytes, or too many")
    array = np.frombuffer(data, dtype, count=n).reshape(sizes, order=order)
    return array.astype(dtype.newbyteorder("="))


def check_idx_array(attempt):
    """Check ``idx_array(data)``: all bytes of an unpacked IDX file to an array; else ValueError."""
    images = _idx(0x08, 2, 3, 2) + bytes(range(3, 15))
    small = np.array([[1, -2], [300, 4]])
    cases = [
        ("two images of 3×2 bytes", {"data": images}),
        ("four labels", {"data": _idx(0x08, 4) + bytes([7, 2, 1, 0])}),
        (
            "2×2 whole numbers of two bytes, type 0x0B",
            {"data": _idx(0x0B, 2, 2) + small.astype(">i2").tobytes()},
        ),
        (
            "2×2 fractions of four bytes, type 0x0D",
            {"data": _idx(0x0D, 2, 2) + (small / 4).astype(">f4").tobytes()},
        ),
        ("the two images, cut off", {"data": images[:-1]}),
        ("the two images, with a byte too many", {"data": images + bytes(1)}),
    ]
    bytes_only = partial(_idx_array, dtype=lambda data: np.uint8, exact=False)
    mistakes = {
        "Each number was read as a single byte. Their type is in the third byte, data[2].": bytes_only,
        "Numbers of several bytes were read in the order of this computer. In the file the byte "
        'that counts most comes first: the type is ">i2", not "i2".': partial(
            _idx_array, dtype=lambda data: IDX_TYPES[data[2]].replace(">", "<")
        ),
        "The last size changes fastest, which is what reshape does by itself.": partial(
            _idx_array, order="F"
        ),
        "The numbers were taken from the first byte on. The header comes before them.": partial(
            _idx_array, offset=0, exact=False
        ),
        "The header has 4 bytes and then 4 for each size, so it is longer the more sizes there "
        "are. Here the numbers were taken from another place.": partial(
            _idx_array, offset=8, exact=False
        ),
        "The numbers are right, but in one row. reshape gives them the sizes "
        "of the header.": lambda data: _idx_array(data).ravel(),
    }
    return mark(attempt, cases, compare(_idx_array, mistakes))
