"""From strokes of a pen to an image like those of MNIST."""

import numpy as np
from PIL import Image

SIDE, FITTED = 28, 20  # pixels: of MNIST's images, and of the square that a digit is fitted into
CENTRE = 14  # the row and the column of the centre of mass, where the first pixel is number 0


def to_mnist_form(image):
    """Bring a drawn digit (height, width) to MNIST's form: (28, 28), float32, 0–1.

    This is the recipe of MNIST's makers: the digit is cut out along its edges, enlarged or reduced
    until it fits into 20×20 pixels, with its proportions kept, and placed so that the centre of
    mass of its ink is in row and column 14, counted from 0, as in MNIST: half a pixel below and to
    the right of the middle. Ink is 0 for paper and at most 1, or 255 in integers.
    All is 0 if there is no ink. Raises ValueError if `image` is not a grey image in that range.
    """
    ink = _as_bytes(image)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    form = np.zeros((SIDE, SIDE), np.float32)
    if not len(rows):
        return form
    digit = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = FITTED / max(digit.shape)
    height, width = (max(1, round(side * scale)) for side in digit.shape)
    resized = Image.fromarray(digit).resize((width, height), Image.Resampling.BICUBIC)
    digit = np.asarray(resized, dtype=np.float64)
    if not digit.any():  # specks so faint that reducing them left nothing
        return form
    top, left = _start(digit.sum(axis=1)), _start(digit.sum(axis=0))
    form[top : top + height, left : left + width] = digit / 255
    return form


def _as_bytes(image):
    """Return a grey image as uint8, 0–255, or say what is wrong with it."""
    image = np.asarray(image)
    if image.ndim != 2 or image.dtype.kind not in "fiub":
        raise ValueError(
            "image must be one grey image, an array of numbers of shape (height, width), but is "
            f"of type {image.dtype} and shape {image.shape}"
        )
    full = 255 if image.dtype.kind in "iu" else 1
    if image.size and not (image.min() >= 0 and image.max() <= full):  # nan fails, too
        raise ValueError(
            f"ink must be from 0 to {full} in an image of {image.dtype}, but is from "
            f"{image.min():g} to {image.max():g}"
        )
    return image.astype(np.uint8) if full == 255 else np.rint(image * 255.0).astype(np.uint8)


def _start(ink):
    """Return where along one side the digit starts, so that its centre of mass is at `CENTRE`.

    A digit whose ink is all at one end would stick out; it is moved back in.
    """
    centre = ink @ np.arange(len(ink)) / ink.sum()
    return int(np.clip(round(CENTRE - centre), 0, SIDE - len(ink)))


def rasterise(strokes, width, *, side=280):
    """Draw strokes with a round pen and soft edges: an image (side, side), float32, of ink 0–1.

    A stroke is a sequence of points (x, y), drawn without lifting the pen: (0, 0) is the top left
    corner of the paper, (1, 1) the bottom right one. A single point is a dot; what lies outside is cut
    off. `width` is that of the line, as a share of the side; it is at least one pixel.
    """
    if not 0 < width < np.inf:
        raise ValueError(f"width must be a number above 0, but is {width}")
    radius = max(width * side, 1) / 2
    image = np.zeros((side, side), np.float32)
    for stroke in strokes:
        points = np.asarray(stroke, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
            raise ValueError(f"a stroke must be finite points (x, y), but one is {points.shape}")
        points = points * side
        for start, end in zip(points, [*points[1:], points[-1]], strict=True):
            _draw_line(image, start, end, radius)
    return image


def _draw_line(image, start, end, radius):
    """Add the line from one point (x, y), in pixels, to another to the image."""
    margin = radius + 1  # only pixels this near can get ink
    left, top = np.clip(np.minimum(start, end) - margin, 0, len(image)).astype(int)
    right, bottom = np.clip(np.maximum(start, end) + margin + 1, 0, len(image)).astype(int)
    y, x = np.ogrid[top:bottom, left:right]
    x, y = x + 0.5 - start[0], y + 0.5 - start[1]
    dx, dy = end - start
    squared_length = dx * dx + dy * dy
    if squared_length > 1e-6:  # or it is a dot
        # how far along the line, 0 to 1, the point nearest to each pixel lies
        along = np.clip((x * dx + y * dy) / squared_length, 0, 1)
        x, y = x - along * dx, y - along * dy
    ink = radius + 0.5 - np.hypot(x, y)  # a pixel on the edge is half covered
    part = image[top:bottom, left:right]
    np.maximum(part, np.minimum(ink, 1), out=part)
