"""Settings for pytest: notebooks cell by cell, no network, strict `--nbval`, and Ctrl-C works."""

import os
import signal

import pytest

from course_utils.datasets import find_mnist


def pytest_configure(config):
    if config.option.nbval:
        config.option.nbval_lax = False  # which is the default here
    config.option.nbval_sanitize_with = str(config.rootpath / "tests" / "nbval.cfg")
    try:
        found = find_mnist()
    except FileNotFoundError as error:  # MNIST_DIR leads nowhere
        raise pytest.UsageError(str(error)) from None
    if found is None:  # the notebooks' kernels inherit this
        os.environ["MNIST_SOURCE"] = "uci-digits"
    if getattr(config.option, "dist", "no") == "load":  # pytest-xdist, with -n
        # whole files to each worker, since the cells of a notebook need those before them
        config.option.dist = "loadfile"
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # a script's shell starts jobs in the background so; what the tests start would inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Keep the cells of a notebook together and in order, however a plugin has shuffled them."""
    place, first = {}, {}  # of an item; of the first item of its file
    for i, item in enumerate(items):
        place[item] = i
        first.setdefault(item.path, i)
    items.sort(
        key=lambda item: (
            (first[item.path], item.cell_num) if hasattr(item, "cell_num") else (place[item], 0)
        )
    )
