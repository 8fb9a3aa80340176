"""Settings for pytest: no network, `--nbval` (strict) wins over the lax default, and Ctrl-C works."""

import os
import signal

from course_utils.datasets import find_mnist


def pytest_configure(config):
    if config.option.nbval:
        config.option.nbval_lax = False
    if find_mnist() is None:  # the notebooks' kernels inherit this
        os.environ["MNIST_SOURCE"] = "uci-digits"
    if getattr(config.option, "dist", "no") == "load":  # pytest-xdist, with -n
        # whole files to each worker, since the cells of a notebook need those before them
        config.option.dist = "loadfile"
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # a script's shell starts jobs in the background so; what the tests start would inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
