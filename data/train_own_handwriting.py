"""Train data/handwriting_weights.npz: a 784-200-100-10 relu network for digits on photographs.

It sees what the sample weights have seen, MNIST's 60,000 training images and the 1,437 offline ones,
but never the same image twice: each epoch, all of them are moved, turned, resized, and written with
another pen, at random. It never sees a photograph, nor a test image.

    python data/train_own_handwriting.py [FILE]

The weights are stored as float16, half as large; they are float32 again when they are loaded. MNIST
is looked for and downloaded as everywhere in the course. On one machine, the same versions of NumPy,
SciPy and BLAS write the same bytes each time.
"""

import sys
import time
from pathlib import Path

import numpy as np
from train_sample_weights import both_sets

from course_utils import Network, train
from course_utils.lab.augmentation import vary

EPOCHS = 30


def moved_by_two(X):
    """Return images (n, 784) moved up, down, left and right by two pixels: (4n, 784)."""
    images = X.reshape(-1, 28, 28)
    moves = [(step, axis) for axis in (1, 2) for step in (-2, 2)]
    return np.concatenate([np.roll(images, *move) for move in moves]).reshape(-1, 784)


def main(path, epochs=EPOCHS):
    """Train the network, print what it reaches, and save it to `path`."""
    start = time.perf_counter()
    mnist, offline, (X, y) = both_sets()
    network = Network([784, 200, 100, 10], activation="relu", rng=0)
    rng = np.random.default_rng(0)
    for epoch in range(epochs):
        learning_rate = 0.08 * (1 - epoch / epochs)  # shorter and shorter steps, to settle
        options = {"epochs": 1, "batch_size": 100, "momentum": 0.9, "rng": rng}
        train(network, vary(X, rng), y, learning_rate=learning_rate, progress=False, **options)
    print(f"{epochs} epochs in {time.perf_counter() - start:.0f} s")
    half = {name: array.astype(np.float16) for name, array in network.params.items()}
    network.params = half
    network.save(path)
    network = Network.load(path)
    for digits in (mnist, offline):
        accuracy = network.accuracy(digits.X_test, digits.y_test)
        print(f"{digits.source}: {accuracy:.4f} of {len(digits.X_test):,} test images")
        accuracy = network.accuracy(moved_by_two(digits.X_test), np.tile(digits.y_test, 4))
        print(f"{digits.source}: {accuracy:.4f} of them moved by two pixels")


if __name__ == "__main__":
    here = Path(__file__).parent
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else here / "handwriting_weights.npz")
