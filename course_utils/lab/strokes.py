"""Strokes of a pen, drawn as an image."""

import numpy as np


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


def side_by_side(signs, *, gap=0.02, side=500):
    """Draw signs in a row, as `rasterise` does: an image (0.4 `side`, `side`) of ink 0–1.

    A sign is a list of strokes in a box that is one wide and one high. The box becomes a fifth of the
    side wide and high; `gap` is the share of the side between two boxes.
    """
    size, margin = 0.2, 0.1
    strokes = [
        [(margin + k * (size + gap) + size * x, margin + size * y) for x, y in stroke]
        for k, sign in enumerate(signs)
        for stroke in sign
    ]
    return rasterise(strokes, 0.016, side=side)[: round((2 * margin + size) * side)]


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
