"""IDX files for the tests to read, written without the code that is under test."""

import gzip
import hashlib
import struct

import numpy as np

from course_utils import datasets

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


def sha256(data):
    """Return the checksum of `data`, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def small_mnist(n_train=30, n_test=20):
    """Return the four files of a small MNIST, name to bytes, and its arrays in the same order."""
    rng = np.random.default_rng(0)
    files, arrays = {}, []
    for part, n in [("train", n_train), ("t10k", n_test)]:
        images = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = (np.arange(n) % 10).astype(np.uint8)
        files[f"{part}-images-idx3-ubyte.gz"] = zipped(idx_bytes(images))
        files[f"{part}-labels-idx1-ubyte.gz"] = zipped(idx_bytes(labels))
        arrays += [images, labels]
    return files, arrays


def write_files(folder, files, unpack=False):
    """Write `files` (name to bytes) into `folder`, as they are or unpacked, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        if unpack:
            (folder / name.removesuffix(".gz")).write_bytes(gzip.decompress(data))
        else:
            (folder / name).write_bytes(data)
    return folder


def make_official(monkeypatch, files):
    """Let `files`, and what they unpack to, have the official checksums."""
    unpacked = {name.removesuffix(".gz"): gzip.decompress(data) for name, data in files.items()}
    checksums = {name: sha256(data) for name, data in (files | unpacked).items()}
    monkeypatch.setattr(datasets, "CHECKSUMS", checksums)
