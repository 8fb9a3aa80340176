"""Settings for pytest: never the network, and `--nbval` (strict) wins over the lax default."""

import os

from course_utils.datasets import find_mnist


def pytest_configure(config):
    if config.option.nbval:
        config.option.nbval_lax = False
    if find_mnist() is None:  # the notebooks' kernels inherit this
        os.environ["MNIST_SOURCE"] = "uci-digits"
