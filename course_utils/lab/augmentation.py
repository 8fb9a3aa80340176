"""Digits as other hands might have written them: moved, turned, resized, thinner or bolder."""

import numpy as np
from scipy import ndimage

from .. import _checks
from .handwriting import CENTRE


def vary(X, rng, *, shift=2.0, turn=15, scale=0.15, slant=0.2, pen=1.0):
    """Return images (n, 784), 0–1, each changed at random, as float32: they keep their labels.

    Each is moved by up to `shift` pixels, turned by up to `turn` degrees, made larger or smaller by
    a share of up to `scale` in height and in width, leant by up to `slant`, and its stroke made
    bolder or thinner: `pen` is the share of images that this happens to. `rng` is a Generator.
    """
    images = _checks.pictures(X).astype(np.float32)
    n = len(images)
    vary_pen(images, rng, pen)
    angle = np.radians(rng.uniform(-turn, turn, n))
    cos, sin = np.cos(angle), np.sin(angle)
    rotate = np.array([[cos, -sin], [sin, cos]]).transpose(2, 0, 1)  # a matrix (2, 2) an image
    resize = np.zeros((n, 2, 2))
    resize[:, [0, 1], [0, 1]] = 1 / rng.uniform(1 - scale, 1 + scale, (n, 2))
    resize[:, 1, 0] = rng.uniform(-slant, slant, n)  # the column also depends on the row
    matrix = rotate @ resize  # from a place in the new image to that in the old one
    offset = CENTRE - matrix @ np.full(2, CENTRE) + rng.uniform(-shift, shift, (n, 2))
    for k in range(n):
        images[k] = ndimage.affine_transform(images[k], matrix[k], offset[k], order=1)
    return images.reshape(n, -1)


def vary_pen(images, rng, share=1.0):
    """Make the strokes of a share of images (n, 28, 28) bolder, of as many thinner, in place.

    A bolder stroke takes the largest value around each pixel, a thinner one the smallest; how much
    of it is mixed in is drawn at random.
    """
    chance = rng.random(len(images))
    amount = rng.random((len(images), 1, 1)).astype(np.float32)
    cross = ndimage.generate_binary_structure(2, 1)[None]  # a pixel and its four neighbours
    for chosen, change, most in (
        (chance < share / 2, ndimage.grey_dilation, 1.0),
        (chance >= 1 - share / 2, ndimage.grey_erosion, 0.6),  # more would break thin strokes
    ):
        part, much = images[chosen], amount[chosen] * most
        images[chosen] = part + much * (change(part, footprint=cross) - part)
