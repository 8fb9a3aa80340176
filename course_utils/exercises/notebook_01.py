"""Notebook 01: reading an IDX file, and one-hot labels."""

import numpy as np

from ..datasets import IDX_TYPES
from ..functions import one_hot
from .marking import Check


def _sizes(data, first=4, count=None, order="big"):
    count = data[3] if count is None else count
    return tuple(int.from_bytes(data[first + 4 * k :][:4], order) for k in range(count))


class SizesMistakes:
    def other_order(data):
        """The bytes of a size were read in the wrong order. The one that counts most is first: "big"."""
        return _sizes(data, order="little")

    def always_three(data):
        """Not every file has three sizes. How many there are is in the fourth byte, data[3]."""
        return _sizes(data, count=3)

    def type_as_count(data):
        """data[2] is the type of the numbers. How many sizes there are is in data[3]."""
        return _sizes(data, count=data[2])

    def from_the_first_byte(data):
        """The first four bytes are the magic number. The sizes begin behind it, at data[4]."""
        return _sizes(data, first=0)


def _header(type_code, *sizes):
    """Return the header of an IDX file."""
    return bytes([0, 0, type_code, len(sizes)]) + b"".join(n.to_bytes(4, "big") for n in sizes)


check_idx_sizes = Check(
    "idx_sizes(data): the first bytes of an IDX file to the sizes, as a tuple of int.",
    [
        ("a file of 300 labels", _header(0x08, 300)),
        ("a file of 60,000 images", _header(0x08, 60_000, 28, 28)),
        ("a table, with its first numbers behind", _header(0x0D, 500, 7) + bytes(8)),
    ],
    _sizes,
    SizesMistakes,
)


class OneHotMistakes:
    def every_row(y, n_classes):
        """`Y[:, y] = 1` sets these places in *every* row. Each row has its own place: number the
        rows by np.arange(len(y))."""
        Y = np.zeros((len(y), n_classes))
        Y[:, y] = 1
        return Y

    def too_narrow(y, n_classes):
        """The row has as many places as the largest label needs. It should have n_classes."""
        return np.eye(y.max() + 1)[y]

    def label_written(y, n_classes):
        """The label itself was written into the row. A 1 belongs there: a label is only a name."""
        return np.eye(n_classes)[y] * y[:, None]

    def counted_from_one(y, n_classes):
        """The 1 stands one place too far left. Labels count from 0, as Python does."""
        return np.eye(n_classes)[y - 1]


check_one_hot = Check(
    "one_hot(y, n_classes): labels (n,) to rows of zeros with one 1, (n, n_classes).",
    [
        ("three labels of four classes", np.array([2, 0, 2]), 4),
        ("digits", np.array([5, 0, 4, 1, 9, 2]), 10),
        ("a label twice", np.array([1, 1]), 3),
    ],
    one_hot,
    OneHotMistakes,
)


def _array(data, dtype=None, offset=None, count=-1, shape=None):
    offset = 4 + 4 * data[3] if offset is None else offset
    numbers = np.frombuffer(data, dtype or IDX_TYPES[data[2]], count, offset)
    return numbers.reshape(shape or _sizes(data))  # ValueError if too few or too many


class ArrayMistakes:
    def single_bytes(data):
        """Each number was read as a single byte. Their type is in the third byte, data[2]."""
        return _array(data, np.uint8, count=np.prod(_sizes(data)))

    def other_order(data):
        """The bytes of a number were read in the wrong order. The type is ">i2", not "i2"."""
        return _array(data, IDX_TYPES[data[2]].replace(">", "<"))

    def header_of_eight_bytes(data):
        """The numbers were taken from the wrong place. They begin at 4 + 4 * (number of sizes)."""
        return _array(data, offset=8, count=np.prod(_sizes(data)))

    def in_one_row(data):
        """The numbers are right, but in one row. reshape gives them the sizes of the header."""
        return _array(data, shape=-1)


_images = _header(0x08, 2, 3, 2) + bytes(range(3, 15))
_small = np.array([[1, -2], [300, 4]])
_whole = _header(0x0B, 2, 2) + _small.astype(">i2").tobytes()
_fractions = _header(0x0D, 2, 2) + (_small / 4).astype(">f4").tobytes()

check_idx_array = Check(
    "idx_array(data): all bytes of an unpacked IDX file to an array; else ValueError.",
    [
        ("two images of 3×2 bytes", _images),
        ("four labels", _header(0x08, 4) + bytes([7, 2, 1, 0])),
        ("2×2 whole numbers of two bytes, type 0x0B", _whole),
        ("2×2 fractions of four bytes, type 0x0D", _fractions),
        ("the two images, cut off", _images[:-1]),
        ("the two images, with a byte too many", _images + bytes(1)),
    ],
    _array,
    ArrayMistakes,
)
