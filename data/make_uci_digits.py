"""Make data/uci-digits: 1,797 real handwritten digits, in the form of MNIST's four files.

The source is the test part of the "Optical Recognition of Handwritten Digits" data set of UCI, which
scikit-learn carries: images of 8×8 pixels, 0–16. They are enlarged by MNIST's own recipe: the
digit, cut out along its edges, is fitted into 20×20 pixels without changing its proportions, and
then placed so that its centre of mass is in row and column 14 of the 28×28 image.

    python -m pip install scikit-learn && python data/make_uci_digits.py [FOLDER]

The same versions of scikit-learn and Pillow write the same bytes each time.
"""

import gzip
import struct
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from course_utils.lab.handwriting import to_mnist_form

N_TRAIN = 1437


def enlarge(image):
    """Return a digit (8, 8), 0–16, as MNIST would show it: (28, 28), uint8, 0–255."""
    ink = (image * 255 / 16).astype(np.uint8)
    return np.rint(to_mnist_form(ink) * 255).astype(np.uint8)


def write_idx(path, array):
    """Write a uint8 array as a gzipped IDX file, without a time stamp."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 0x08, array.ndim, *array.shape)
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write(header + array.tobytes())


def main(folder):
    """Write the four files into `folder`."""
    digits = load_digits()
    images = np.stack([enlarge(image) for image in digits.images])
    labels = digits.target.astype(np.uint8)
    # the same writers' digits follow each other in the source
    order = np.random.default_rng(0).permutation(len(images))
    folder.mkdir(parents=True, exist_ok=True)
    for part, chosen in [("train", order[:N_TRAIN]), ("t10k", order[N_TRAIN:])]:
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", images[chosen])
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", labels[chosen])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "uci-digits")
