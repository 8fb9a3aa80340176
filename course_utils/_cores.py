"""How many cores a matrix product may use."""

from functools import cache

from threadpoolctl import ThreadpoolController

# multiplications in a product; with fewer, a second core costs more than it brings, above all where
# other programs use it: the two wait for each other at every product
SMALL = 20_000_000


def one_core_if_small(network, batch_size):
    """Return a context in which matrix products get one core, if this network's are small."""
    largest = max(array.size for array in network.params.values())
    return blas_cores(1 if batch_size * largest < SMALL else None)


def blas_cores(limit):
    """Return a context in which matrix products get so many cores; with None it changes nothing."""
    return _controller().limit(limits=limit, user_api="blas")


@cache
def _controller():
    return ThreadpoolController()  # looks for the libraries that are loaded, which takes a while
