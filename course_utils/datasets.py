"""Handwritten digits: the file format, and where the files are."""

import gzip
import math
import os
import re
import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import _checks, _download
from .functions import one_hot

# the third byte of an IDX file: the type of its numbers, which are big-endian
IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
LARGEST = 1_000_000_000  # bytes that a file may unpack to: far more than MNIST has

# names of files: train-images-idx3-ubyte, with .gz or without, or with a dot for the last but one
# dash, as some programs unpack it; t10k (10,000 to test on); emnist-letters-test-images-…
NAME = re.compile(
    r"(?P<set>(emnist-\w+-)?)(?P<part>train|t10k|test)-(?P<what>images|labels)[-.]idx[13]-ubyte(\.gz)?"
)
PARTS = ("train-images", "train-labels", "t10k-images", "t10k-labels")

# five test images, chosen by eye, that the notebooks come back to
FAMILIAR = {
    "mnist": {"sure": 0, "unsure": 448, "four": 1242, "five": 5937, "unreadable": 659},
    "uci-digits": {"sure": 92, "unsure": 174, "four": 264, "five": 112, "unreadable": 86},
    "other": {"sure": 0, "unsure": 1, "four": 2, "five": 3, "unreadable": 4},
}


@dataclass(frozen=True, eq=False, repr=False)
class Digits:
    """Images and labels; unpacks as ``(X_train, y_train), (X_test, y_test) = digits``."""

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    source: str  # "mnist", "uci-digits" (the offline digits), or "other" for files of your own
    files: dict  # where the four are: "train-images", "train-labels", "t10k-images", "t10k-labels"

    def __iter__(self):
        yield self.X_train, self.y_train
        yield self.X_test, self.y_test

    @property
    def familiar(self):
        """Where the five digits are that the notebooks come back to: name to test image."""
        return FAMILIAR[self.source]

    def __repr__(self):
        n_train, n_test = len(self.X_train), len(self.X_test)
        return f"Digits: {n_train:,} to train on, {n_test:,} to test on, from {self.source}"


def read_idx(path):
    """Read an array from a file in the IDX format, gzipped or not, whatever its name.

    Two zero bytes; a byte for the type of the numbers; a byte for the number of sizes; each size
    as a big-endian 32-bit integer; then the numbers, big-endian, the last size changing fastest.
    Raises ValueError, with what is wrong, if the file is not whole and right.
    """
    with open(path, "rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"  # how every gzip file begins
    with (gzip.open if zipped else open)(path, "rb") as file:
        try:
            *_, type_code, n_sizes = _checks.idx_start(file.read(4), IDX_TYPES)
            shape = struct.unpack(f">{n_sizes}I", file.read(4 * n_sizes))  # each of four bytes
            dtype = np.dtype(IDX_TYPES[type_code])
            n_bytes = math.prod(shape) * dtype.itemsize
            if n_bytes > LARGEST:
                raise ValueError(f"its header promises {n_bytes:,} bytes, more than {LARGEST:,}")
            data = file.read(n_bytes + 1)  # one more, to see whether that is all
            if len(data) != n_bytes:
                more = "more" if len(data) > n_bytes else f"only {len(data):,}"
                raise ValueError(f"its sizes {shape} need {n_bytes:,} bytes, but it has {more}")
            array = np.frombuffer(data, dtype).reshape(shape)
        except (ValueError, EOFError, gzip.BadGzipFile, struct.error, zlib.error) as error:
            raise ValueError(f"{path}: not a whole IDX file: {error}; get it again") from error
    return array.astype(dtype.newbyteorder("="))  # in this computer's order; a copy, to be changed


def load_mnist(normalize=True, flatten=True, one_hot_label=False, *, source="auto", data_dir=None):
    """Load handwritten digits: MNIST, or the offline digits where MNIST cannot be had.

    Parameters
    ----------
    normalize : bool
        Pixels as float32, 0–1; otherwise as uint8, 0–255.
    flatten : bool
        Images as rows, (n, 784); otherwise (n, 28, 28).
    one_hot_label : bool
        Labels as float32 rows, (n, 10); otherwise as int64, (n,).
    source : {"auto", "mnist", "uci-digits"}
        "auto" looks for MNIST on this computer; then downloads it; then falls back to the offline
        digits, and says so. "mnist" raises OSError in place of falling back. "uci-digits" takes the
        offline digits at once. The environment variable MNIST_SOURCE takes the place of "auto".
    data_dir : path-like, optional
        A folder of yours that holds the four files, of MNIST or of another set in its form: no other
        place is looked into. The environment variable MNIST_DIR does the same.

    Returns
    -------
    Digits
        Unpacks as ``(X_train, y_train), (X_test, y_test)``.

    Raises
    ------
    FileNotFoundError
        If the folder that you name does not hold the four files.
    ValueError
        If a file is damaged, `source` is unknown, or two of your wishes contradict each other.
    OSError
        If `source` is "mnist", and it is neither on this computer nor to be downloaded.
    """
    name = "source"
    if source == "auto" and data_dir is None and os.environ.get("MNIST_SOURCE"):
        name, source = "MNIST_SOURCE", os.environ["MNIST_SOURCE"]
    _checks.one_of(name, source, ("auto", "mnist", "uci-digits"))
    if source == "uci-digits":
        _checks.no_folder_beside(source, data_dir)
        files = files_in(data_path("uci-digits"))
    else:
        files, source = _find(source, data_dir)
    pairs, arrays = [], []
    for part in ("train", "t10k"):
        paths = files[f"{part}-images"], files[f"{part}-labels"]
        pairs.append(_checks.images_and_labels(*paths, *map(read_idx, paths)))
    n_classes = max(10, *(int(y.max(initial=0)) + 1 for _, y in pairs))
    for X, y in pairs:
        X = np.divide(X, np.float32(255), dtype=np.float32) if normalize else X
        y = one_hot(y, n_classes) if one_hot_label else y.astype(np.int64)
        arrays += [X.reshape(len(X), 784) if flatten else X, y]
    return Digits(*arrays, source, files)


def find_mnist(data_dir=None):
    """Look for the four files on this computer: a dict as `Digits.files`, or None.

    Raises FileNotFoundError if `data_dir`, or else MNIST_DIR, is set and does not hold them.
    """
    name = "data_dir" if data_dir is not None else "MNIST_DIR"
    folder = data_dir if data_dir is not None else os.environ.get("MNIST_DIR") or None
    if folder is not None:
        folder = os.path.expanduser(folder)
        return _checks.all_files(name, folder, PARTS, files_in(folder))
    for folder in _download.folders():
        with suppress(OSError):  # not ours to read
            files = files_in(folder)
            if files.keys() == set(PARTS) and all(map(_download.is_official, files.values())):
                return files
    return None


def files_in(folder):
    """Return which of the four files are in a folder, by part; several sets there are an error."""
    sets = {}
    paths = Path(folder).iterdir() if os.path.isdir(folder) else ()
    for path in sorted(paths, key=lambda path: (path.suffix == ".gz", path)):
        name = NAME.fullmatch(path.name)
        if name and path.is_file():  # some programs unpack each into a folder of its name
            part = f"{name['part'].replace('test', 't10k')}-{name['what']}"
            sets.setdefault(name["set"], {})[part] = path  # of two the later, with .gz
    return _checks.only_one_set(folder, sets)


def data_path(name):
    """Return the path of a file or folder that the course ships, such as "sample_weights.npz"."""
    here = Path(__file__).resolve().parent
    for folder in (here.parent / "data", here / "data"):  # in a checkout; once installed
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(f"the course ships no {name!r}, or was installed without its data")


def _find(source, data_dir):
    """Return the four files, downloaded if need be, and what they are."""
    files = find_mnist(data_dir)
    try:
        files = files or files_in(_download.download_mnist())
    except OSError as error:
        if source == "mnist":
            raise
        print(f"{error.args[0]} So these are the offline digits, not MNIST.")
        return files_in(data_path("uci-digits")), "uci-digits"
    if all(map(_download.is_official, files.values())):
        return files, "mnist"
    _checks.may_be_other(source, files)
    print("The files found are not the official MNIST; they are used as they are.")
    return files, "other"
