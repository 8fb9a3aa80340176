"""Notebook 01: reading an IDX file, and one-hot labels."""

import numpy as np

from ..datasets import IDX_TYPES
from .marking import check


def _header(type_code, *sizes):
    """Return the header of an IDX file."""
    return bytes([0, 0, type_code, len(sizes)]) + b"".join(n.to_bytes(4, "big") for n in sizes)


@check(
    ("a file of 300 labels", _header(0x08, 300)),
    ("60,000 images of 28×30 pixels", _header(0x08, 60_000, 28, 30)),
    ("70,000 rows of two, above 65,535", _header(0x0D, 70_000, 2)),
    ("four sizes, with numbers behind", _header(0x0B, 4, 300, 1, 3_000_000_007) + bytes(8)),
)
def check_idx_sizes(data):
    """The first bytes of an IDX file to the sizes, as a tuple of int.

    'big' -> 'little' -> The bytes were read in the wrong order. The one that counts most is first.
    data[3] -> data[4] -> The fourth byte is data[3]: it counts from 0.
    data[3] -> 3 -> Not every file has three sizes. How many is in data[3].
    data[3] -> 1 -> It is one size only. How many there are is in data[3].
    data[3] -> ((len(data) - 4) // 4) -> It went on beyond the data[3] sizes.
    range(… -> range(0, 4 * data[3], 4) -> The magic number was read as a size. Begin behind it.
    data[k: -> data[k + 2: -> Only the last two of four bytes were read.
    """
    starts = range(4, 4 + 4 * data[3], 4)
    return tuple(int.from_bytes(data[k : k + 4], "big") for k in starts)


@check(
    ("three labels of four classes", np.array([2, 0, 2]), 4),
    ("the last label of three is there", np.array([1, 2]), 3),
    ("digits, as bytes", np.array([5, 0, 4, 1, 9, 2], np.uint8), 10),
    ("as many labels as classes", np.array([1, 2, 0]), 3),
    ("a single label of twelve classes", np.array([10]), 12),
    ("thirty digits, as bytes", (np.arange(30) * 7 % 10).astype(np.uint8), 10),
    ("300 classes", np.array([255, 256, 0, 298]), 300),
)
def check_one_hot(y, n_classes):
    """Labels (n,) to rows of zeros with one 1, (n, n_classes).

    return … -> return np.tile((…).max(0), (len(y), 1)) -> The 1s of all labels are in *every* row.
    np.eye(n_classes -> np.eye(y.max() + 1 -> It is as wide as the largest label, not n_classes.
    np.eye(n_classes -> np.eye(10 -> There are always ten places, not n_classes.
    return … -> return … * y[:, None] -> The label itself was written. A 1 belongs there.
    return … -> return np.roll(…, -1, axis=1) -> The labels were counted from 1. The first is 0.
    """
    return np.eye(n_classes)[y]


def _file(title, type_code, numbers):
    numbers = np.array(numbers, IDX_TYPES[type_code])
    return title, _header(type_code, *numbers.shape) + numbers.tobytes()


_, _images = _file("", 0x08, [[[3, 4], [5, 255], [7, 8]], [[9, 10], [11, 12], [13, 14]]])
_, _rows = _file("", 0x0B, [[1, -2, 5], [300, 4, 6]])


@check(
    ("two images of 3×2 bytes", _images),
    _file("four labels", 0x08, [7, 200, 1, 0]),
    _file("bytes with a sign, type 9", 0x09, [[1, -2, 100]]),
    ("2×3 whole numbers of two bytes, type 11", _rows),
    _file("three whole numbers of four bytes, type 12", 0x0C, [70_000, -2, 1]),
    _file("3×1 fractions of four bytes, type 13", 0x0D, [[0.125], [-1.5], [70.0]]),
    _file("1×2 fractions of eight bytes, type 14", 0x0E, [[0.1, -1e100]]),
    ("no rows of 16,909,060", _header(0x08, 0, 1, 16_909_060)),
    ("the two images, cut off", _images[:-1]),
    ("the two images, with a byte too many", _images + bytes(1)),
    ("the two images, of which the second is missing", _images[:-6]),
    ("whole numbers of two bytes, with a byte too many", _rows + bytes(1)),
    ("whole numbers of two bytes, with a row too many", _rows + _rows[-6:]),
)
def check_idx_array(data):
    """All bytes of an unpacked IDX file to an array; else ValueError.

    dtype, offset=… -> '>u1', np.prod(check_idx_sizes.reference(data)), …
        -> Each byte was taken for a number. Their type is in data[2].
    = IDX_TYPES… -> = IDX_TYPES….replace('>', '<') -> The bytes of a number were turned round.
    = IDX_TYPES… -> = IDX_TYPES….replace('i1', 'u1') -> Type 9 has a sign: -2 is not 254.
    """
    dtype = IDX_TYPES[data[2]]
    numbers = np.frombuffer(data, dtype, offset=4 + 4 * data[3])
    return numbers.reshape(check_idx_sizes.reference(data))
