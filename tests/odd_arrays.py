"""Arrays as they seldom lie in memory."""

import numpy as np


def unaligned(array):
    """Return a copy that begins in the middle of a number, as arrays from a cluster may."""
    memory = np.empty(array.nbytes + 1, np.uint8)
    copy = memory[1:].view(array.dtype).reshape(array.shape)
    copy[...] = array
    assert not copy.flags.aligned
    return copy
