"""From a photograph of paper to digits in MNIST's form, one small step after the other.

``read_photo`` opens a photograph and makes its ink light on dark, ``find_digits`` finds the pieces of
writing, and ``to_mnist_form`` brings each to the form that a network knows. Notebook 10 first writes
the steps in between by hand.
"""

from itertools import combinations

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.patches import Rectangle
from PIL import Image
from scipy import ndimage

from ..plotting import RIGHT, STYLE, WRONG, new_axes
from .photographs import open_grey

SIDE, FITTED = 28, 20  # pixels: of MNIST's images, and of the square that a digit is fitted into
CENTRE = 14  # the row and the column of the centre of mass, where the first pixel is number 0
PEN = 2.6  # pixels: how wide the strokes of MNIST's digits are on average
FAINTEST = 0.06  # share of the light that ink takes away at least; less is the grain of paper
EDGE = 0.4  # how dark the edge of a stroke is, as a share of its middle
BROKEN = 500  # pieces: with more, this is no sheet of digits, and none is put together again


# 1. a photograph


def read_photo(source):
    """Return the ink on a photograph of paper: (height, width), float32, paper 0, black ink 1.

    `source` is a path, the bytes of a file, an open file, or an array, as for `open_grey`, with the
    same errors. Light ink on black, as MNIST shows it, is turned round.
    """
    grey = open_grey(source)
    return remove_background(255 - grey if is_light_on_dark(grey) else grey)


# 2. ink light on dark, without shadows


def remove_background(grey):
    """Return the share of the paper's light that ink takes away: grey (h, w), uint8, to float32, 0–1.

    The paper's light at a pixel is what 70 % of a window around it do not exceed, found on a small
    copy of the image; a window is an eighth of the longer side. A dark table around the sheet is
    no ink.
    """
    image = Image.fromarray(grey)
    small = np.asarray(image.reduce(max(1, max(grey.shape) // 160)), np.float32)
    light = ndimage.percentile_filter(small, 70, max(small.shape) // 8 + 2, mode="nearest")
    light = np.maximum(light, max(1, 0.4 * np.percentile(small, 70)))  # where ink fills a window
    table = Image.fromarray(_table(small < 0.75 * light)).resize(image.size)
    light = np.asarray(Image.fromarray(light).resize(image.size, Image.Resampling.BILINEAR))
    ink = np.clip(1 - grey / light, 0, 1) * ~np.asarray(table)
    return ndimage.gaussian_filter(ink, min(grey.shape) / 800)  # for pencil's grain


def _table(dark):
    """Return which dark areas of a small image (h, w) are broad and reach its border, with a rim."""
    rim, square = 3, np.ones((3, 3))
    broad = ndimage.binary_opening(np.pad(dark, rim, mode="edge"), square)
    border = np.pad(np.zeros(dark.shape, bool), rim, constant_values=True)
    table = ndimage.binary_propagation(broad & border, square, mask=broad)
    return ndimage.binary_dilation(table, square, iterations=2)[rim:-rim, rim:-rim]


def is_light_on_dark(grey):
    """Return whether the writing is light on black, as MNIST and screens show it."""
    small = np.asarray(Image.fromarray(grey).reduce(max(1, max(grey.shape) // 100)), np.float32)
    around = ndimage.median_filter(small, max(small.shape) // 4 + 1, mode="nearest")
    differences = (small - around) ** 3  # cubed, so that much counts more than often
    return bool(np.median(small) < 50 and differences.sum() > 0)


# 3. strokes


def otsu(values):
    """Return the threshold 0–1 that splits numbers 0–1 into two groups, each as alike as can be.

    Alike means that the variance within the groups is least, so that between them is largest.
    """
    counts, edges = np.histogram(values, 256, (0, 1))
    below, middle = counts.cumsum(), (edges[:-1] + edges[1:]) / 2
    above = below[-1] - below
    sums = (counts * middle).cumsum()
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1 + np.nan_to_num(between[:-1]).argmax()])


def find_strokes(ink):
    """Return where strokes are, True or False (h, w), and how dark they are in the middle.

    Pixels above a first threshold belong to a stroke if it somewhere passes a second one, which
    splits what is left once more: lines printed on the paper are fainter than ink. Without
    ink all is False.
    """
    noise = 1.5 * np.median(np.abs(ink - np.median(ink)))  # about its standard deviation
    first = max(otsu(ink), FAINTEST, 4 * noise)
    dark = ink[ink > first]
    if not len(dark):
        return np.zeros(ink.shape, bool), 1.0
    second = otsu(dark)
    full = float(np.median(dark[dark > second] if dark.max() > second else dark))
    labels, n = ndimage.label(ink > max(first, EDGE * full), np.ones((3, 3)))
    passes = np.zeros(n + 1, bool)
    passes[labels[ink > second]] = True
    passes[0] = False  # the paper
    return passes[labels], full


# 4. pieces


def find_digits(ink):
    """Return the pieces of writing on an image of ink (h, w), 0–1, in reading order, and their boxes.

    A piece is its ink (height, width), float32, 0–1, without what else is in its box. A box is two
    slices, of rows and of columns, so that `ink[box]` is the part of the sheet. Both lists are empty
    if there is no ink. What is far smaller than the others, or touches the border, is left out.
    """
    ink = _as_ink(ink)
    mask, full = find_strokes(ink)
    labels = label_pieces(mask)
    found = [(k, box) for k, box in enumerate(ndimage.find_objects(labels), start=1) if box]
    found = [found[k] for k in digit_like([box for _, box in found], mask.shape)]
    found = [found[k] for k in reading_order([box for _, box in found])]
    pieces = [np.clip(ink[box] / full, 0, 1) * (labels[box] == k) for k, box in found]
    return pieces, [box for _, box in found]


def label_pieces(mask):
    """Give each piece of a mask (h, w) a number: strokes that nearly touch, or whose boxes overlap.

    The second are a 5 and its bar, written with a gap. Returns (h, w) integers, 0 for paper; a number
    may be missing.
    """
    reach = 1 + round(pen_width(mask) / 4)  # pixels, in all directions
    near = ndimage.maximum_filter(mask, 2 * reach + 1)
    labels = ndimage.label(near, np.ones((3, 3)))[0] * mask
    boxes = ndimage.find_objects(labels)
    number = np.arange(len(boxes) + 1)
    if len(boxes) <= BROKEN:
        for (i, a), (j, b) in combinations(enumerate(boxes, start=1), 2):
            if overlap(a[0], b[0]) > 0 and overlap(a[1], b[1]) > min(map(length, (a[1], b[1]))) / 2:
                number[number == number[j]] = number[i]
    return number[labels]


def overlap(a, b):
    """Return how many places two slices share; below 0, how many lie between them."""
    return min(a.stop, b.stop) - max(a.start, b.start)


def length(a):
    """Return how many places a slice has."""
    return a.stop - a.start


def digit_like(boxes, shape):
    """Return the numbers of the boxes that may hold a digit, on an image of this shape (h, w).

    Specks go by size: a digit is at least a third as high as most writing on the sheet, and not much
    wider than high. What touches the border is no digit, but the table, or a shadow.
    """
    if not boxes:
        return []
    sides = np.array([[length(rows), length(columns)] for rows, columns in boxes])
    heights = np.sort(sides[:, 0])
    usual = heights[np.searchsorted(heights.cumsum(), heights.sum() / 2)]  # half the ink is as high
    inside = [
        all(side.start > 0 and side.stop < full for side, full in zip(box, shape, strict=True))
        for box in boxes
    ]
    fits = (sides[:, 0] >= max(usual / 3, 8)) & (sides[:, 1] <= 2.5 * sides[:, 0])
    return list(np.flatnonzero(fits & inside))


def reading_order(boxes):
    """Return the numbers of the boxes row by row, each from left to right.

    Rows may climb: a box belongs to the row whose last box so far has most of its height.
    """
    rows = []
    for k in sorted(range(len(boxes)), key=lambda k: boxes[k][1].start):
        shared = [overlap(boxes[k][0], boxes[row[-1]][0]) for row in rows]
        if max(shared, default=0) > 0:
            rows[np.argmax(shared)].append(k)
        else:
            rows.append([k])
    rows.sort(key=lambda row: boxes[row[0]][0].start)
    return [k for row in rows for k in row]


# 5. MNIST's form


def to_mnist_form(piece, pen=None):
    """Bring a drawn digit (height, width) to MNIST's form: (28, 28), float32, 0–1.

    This is the recipe of MNIST's makers: the digit is cut out along its edges, enlarged or reduced
    until it fits into 20×20 pixels, with its proportions kept, and placed so that the centre of
    mass of its ink is in row and column 14, counted from 0, as in MNIST: half a pixel below and to
    the right of the middle. Ink is 0 for paper and at most 1, or 255 in integers.
    With `pen` the strokes get that width, in pixels of the result: MNIST's is 2.6 (`PEN`). All is 0 if
    there is no ink. Raises ValueError if `piece` is not a grey image in that range.
    """
    digit = _cut_out(np.rint(_as_ink(piece) * 255).astype(np.uint8))
    form = np.zeros((SIDE, SIDE), np.float32)
    if not digit.size:
        return form
    if pen is not None:
        digit = _cut_out(set_pen(digit, pen))
    scale = FITTED / max(digit.shape)
    height, width = (max(1, round(side * scale)) for side in digit.shape)
    resized = Image.fromarray(digit).resize((width, height), Image.Resampling.BICUBIC)
    digit = np.asarray(resized, dtype=np.float64)
    if not digit.any():  # specks so faint that reducing them left nothing
        return form
    # a digit whose ink is all at one end would stick out; it is moved back in
    middle = np.round(CENTRE - np.array(ndimage.center_of_mass(digit))).astype(int)
    top, left = np.clip(middle, 0, SIDE - np.array(digit.shape))
    form[top : top + height, left : left + width] = digit / 255
    return form


def _cut_out(ink):
    """Return the part of an image that has ink: without empty rows and columns around it."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else ink[:0]


def _as_ink(image):
    """Return a grey image of ink as float32, 0–1, or say what is wrong with it."""
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
    return image.astype(np.float32) / np.float32(full)


def pen_width(mask):
    """Return how wide the strokes of a mask (h, w) are, in pixels, or 0 if there are none.

    In a stroke `w` pixels wide, the distance to its edge grows from half a pixel to `w`/2 in the
    middle; their mean is `w`/4 + 1/2.
    """
    if not mask.any():
        return 0.0
    distance = ndimage.distance_transform_edt(np.pad(mask, 1))
    return 4 * (float(distance[distance > 0].mean()) - 0.5)


def set_pen(digit, pen):
    """Return a digit (h, w), uint8, with strokes that are `pen` pixels wide once it is 20 high.

    Each edge is moved: to where the distance from the stroke is `grow`, or, for a thinner one, as far
    inside it.
    """
    if not 0 < pen < FITTED:
        raise ValueError(f"pen must be a number of pixels between 0 and {FITTED}, but is {pen}")
    factor = 100 / max(digit.shape)  # on a small copy, which is quick, and fine enough
    size = [max(1, round(side * factor)) for side in digit.shape[::-1]]
    digit = np.asarray(Image.fromarray(digit).resize(size, Image.Resampling.BICUBIC))
    mask = digit > digit.max() // 2
    if not mask.any():  # specks so faint that resizing them left nothing
        return digit
    width = pen_width(mask)
    grow = (pen * max(mask.shape) - FITTED * width) / (2 * (FITTED - pen))
    grow = max(grow, -0.35 * width)  # or thin strokes would be gone
    mask = np.pad(mask, max(0, int(np.ceil(grow))) + 1)
    distance = np.where(  # to the edge, and below 0 outside; an edge lies between two pixels
        mask,
        ndimage.distance_transform_edt(mask) - 0.5,
        0.5 - ndimage.distance_transform_edt(~mask),
    )
    return np.rint(np.clip(distance + grow + 0.5, 0, 1) * 255).astype(np.uint8)


# 6. the answers on the sheet


def read_sheet(source, network, pen=None):
    """Return a photograph's ink (h, w), the boxes of its n digits, and the probabilities (n, 10)."""
    ink = read_photo(source)
    boxes, _, probs = read_digits(ink, network, pen)
    return ink, boxes, probs


def read_digits(ink, network, pen=None):
    """Return the boxes of n digits on an image of ink, their forms (n, 784), and `probs` (n, 10)."""
    pieces, boxes = find_digits(ink)
    forms = np.array([to_mnist_form(piece, pen) for piece in pieces]).reshape(-1, SIDE * SIDE)
    return boxes, forms, network.predict_proba(forms)


def plot_answers(image, boxes, probs, *, doubt=0.9, ax=None):
    """Draw boxes and answers on a sheet (h, w): blue, or with a question mark where in doubt.

    `probs` (n, 10) are the network's probabilities; in doubt means that the highest is below `doubt`.
    """
    height, width = np.shape(image)
    ax = new_axes(ax, figsize=(8, np.clip(8 * height / width, 1.5, 12)))
    _draw_sheet(ax, image)
    for (rows, columns), p in zip(boxes, probs, strict=True):
        sure, corner = p.max() >= doubt, (columns.start, rows.start)
        color = RIGHT if sure else WRONG
        box = Rectangle(corner, length(columns), length(rows), fill=False, edgecolor=color)
        ax.add_patch(box)
        text = f"{p.argmax()}" if sure else f"{p.argmax()}?"
        ax.annotate(text, corner, (0, 1), textcoords="offset points", color=color, size=12)
    return ax


def plot_sheets(images, titles):
    """Draw sheets (h, w) side by side, and return the figure: photographs in grey, ink on white.

    Photographs are uint8, 0 for black; ink is floats, or True and False, with 0 for paper.
    """
    with plt.style.context(STYLE):
        figure, axes = plt.subplots(1, len(images), figsize=(9, 7.5 / len(images)), squeeze=False)
    for ax, image, title in zip(axes[0], images, titles, strict=True):
        _draw_sheet(ax, image)
        ax.set_title(title)
    return figure


def _draw_sheet(ax, image):
    photograph = np.asarray(image).dtype == np.uint8
    ax.imshow(
        image, cmap="gray" if photograph else "gray_r", vmin=0, vmax=255 if photograph else None
    )
    ax.axis("off")
