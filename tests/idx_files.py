"""IDX files for the tests to read, written without the code that is under test."""

import gzip
import hashlib
import struct

import numpy as np
import pytest

from course_utils import _download, datasets

REAL_MNIST = datasets.find_mnist()  # before a test hides it
needs_mnist = pytest.mark.skipif(
    REAL_MNIST is None or not all(map(_download.is_official, REAL_MNIST.values())),
    reason="MNIST is not on this computer",
)

TYPE_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array):
    """Return `array` in the IDX format."""
    code = TYPE_CODES[array.dtype.str[1:]]
    header = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def zipped(data):
    """Return `data` as a gzip file, the same bytes each time."""
    return gzip.compress(data, mtime=0)


def flipped(data, place):
    """Return `data` with one bit changed."""
    changed = bytearray(data)
    changed[place] ^= 0x10
    return bytes(changed)


def small_mnist(n_train=30, n_test=20, n_classes=10, first=0):
    """Return the four files of a small MNIST, name to bytes, and its arrays in the same order."""
    rng = np.random.default_rng(0)
    files, arrays = {}, []
    for part, n in [("train", n_train), ("t10k", n_test)]:
        images = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = (first + np.arange(n) % n_classes).astype(np.uint8)
        files[f"{part}-images-idx3-ubyte.gz"] = zipped(idx_bytes(images))
        files[f"{part}-labels-idx1-ubyte.gz"] = zipped(idx_bytes(labels))
        arrays += [images, labels]
    return files, arrays


def unpacked(files):
    """Return the same files without gzip, under names without .gz."""
    return {name.removesuffix(".gz"): gzip.decompress(data) for name, data in files.items()}


def write_files(folder, files):
    """Write `files` (name to bytes) into `folder`, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def contents(folder):
    """Return what is in `folder`, name to bytes, hidden and temporary files too."""
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


def checksums(files):
    """Return the SHA-256 of each file, by its name."""
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def make_official(monkeypatch, files):
    """Let `files`, and what they unpack to, have the official checksums."""
    monkeypatch.setattr(_download, "CHECKSUMS", checksums(files))
    monkeypatch.setattr(_download, "UNPACKED", set(checksums(unpacked(files)).values()))
