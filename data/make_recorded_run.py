"""Record data/recorded_run.npz: how a 784-20-10 network learns, for pages without a kernel.

It sees MNIST's 60,000 training images and the 1,437 offline ones together; its errors are those on
MNIST's test images. The digits to choose from are offline test images, one of each, since MNIST is
not stored with the course.

    python data/make_recorded_run.py [FILE]

What train_sample_weights.py says of MNIST, and of the bytes that are written, is true here, too.
"""

import sys
from pathlib import Path

import numpy as np
from train_sample_weights import both_sets

from course_utils import Network
from course_utils.lab.network_view import NetworkView, one_of_each
from course_utils.lab.network_view.recorder import record


def main(path):
    """Train the network, save what a view was told of it to `path`, and print what it reaches."""
    mnist, offline, train = both_sets()
    test = mnist.X_test, mnist.y_test
    shown = one_of_each(offline.X_test, offline.y_test, offline.familiar.values())
    view = NetworkView(offline.X_test[shown], offline.y_test[shown])
    network = Network([784, 20, 10], rng=0)
    record(view, network, train, test, name="a recorded run", snapshots=40, epochs=5, rng=0)
    view.save(path)
    print(f"{network.accuracy(*test):.4f} of MNIST's {len(test[1]):,} test images")
    read = network.predict(offline.X_test[shown]) == offline.y_test[shown]
    print(f"{np.count_nonzero(read)} of the {len(shown)} offline digits to choose from")
    print(f"{Path(path).stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "recorded_run.npz")
