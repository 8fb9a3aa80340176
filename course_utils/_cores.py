"""How many cores a matrix product may use."""

from contextlib import contextmanager, nullcontext
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController

# multiplications in a product; with fewer, a second core costs more than it brings, above all where
# other programs use it: the two wait for each other at every product
SMALL = 20_000_000
_in_use = Lock()


def one_core_if_small(network, batch_size):
    """Return a context in which matrix products get one core, if this network's are small."""
    largest = max(array.size for array in network.params.values())
    return blas_cores(1) if batch_size * largest < SMALL else nullcontext()


@contextmanager
def blas_cores(limit):
    """Give matrix products so many cores, unless someone else has set the number just now.

    The number is the whole process's. If two threads set it, the one that came second would find
    the first one's, and give that back if it also left second.
    """
    if not _in_use.acquire(blocking=False):
        yield
        return
    try:
        with _controller().limit(limits=limit, user_api="blas"):
            yield
    finally:
        _in_use.release()


@cache
def _controller():
    return ThreadpoolController()  # looks for the libraries that are loaded, which takes a while
