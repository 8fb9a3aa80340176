"""Train data/sample_weights.npz: a 784-50-100-10 sigmoid network that knows both sets of digits.

It sees MNIST's 60,000 training images and the 1,437 offline ones together, never a test image.

    python data/train_sample_weights.py [FILE]

MNIST is looked for and downloaded as everywhere in the course. On one machine, the same versions of
NumPy and its BLAS write the same bytes each time.
"""

import sys
from pathlib import Path

import numpy as np

from course_utils import Network, load_mnist, train


def both_sets():
    """Return MNIST, the offline digits, and the training images and labels of both together."""
    mnist, offline = load_mnist(source="mnist"), load_mnist(source="uci-digits")
    X = np.concatenate([mnist.X_train, offline.X_train])
    y = np.concatenate([mnist.y_train, offline.y_train])
    return mnist, offline, (X, y)


def main(path):
    """Train the network, print what it reaches, and save it to `path`."""
    mnist, offline, (X, y) = both_sets()
    network = Network([784, 50, 100, 10], activation="sigmoid", init="xavier", rng=0)
    rng = np.random.default_rng(0)
    for learning_rate in (0.5, 0.1):  # large steps first, then small ones to settle
        train(
            network,
            X,
            y,
            epochs=15,
            batch_size=64,
            learning_rate=learning_rate,
            momentum=0.5,
            l2=1e-5,
            rng=rng,
        )
    for digits in (mnist, offline):
        accuracy = network.accuracy(digits.X_test, digits.y_test)
        print(f"{digits.source}: {accuracy:.4f} of {len(digits.X_test):,} test images")
    network.save(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "sample_weights.npz")
