"""Notebook 10: Otsu's threshold, the box of a piece, its centre of mass, and reading order."""

import numpy as np

from .marking import check

_rng = np.random.default_rng(10)
_paper = np.concatenate([_rng.normal(0.1, 0.03, 300), _rng.normal(0.7, 0.1, 40)]).clip(0, 1)
_steps = np.linspace(0.05, 0.95, 19)


@check(
    (
        "six values, three thresholds",
        np.array([0, 0, 1, 1, 8, 9]) / 10,
        np.array([0.05, 0.4, 0.85]),
    ),
    (
        "few dark ones",
        np.array([0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.2, 0.9]),
        np.array([0.1, 0.15, 0.5]),
    ),
    (
        "many dark ones",
        1 - np.array([0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.2, 0.9]),
        np.array([0.5, 0.85]),
    ),
    ("a value just at a threshold", np.array([0.2, 0.5, 0.5, 0.9]), np.array([0.3, 0.5, 0.6])),
    ("two thresholds as good", np.array([0.2, 0.2, 0.8, 0.8]), np.array([0.1, 0.4, 0.6])),
    (
        "light groups",
        np.array([0.9, 0.9, 0.9, 0.9, 0.92, 0.95, 0.97, 1.0]),
        np.array([0.91, 0.94, 0.96, 0.98]),
    ),
    ("one group is empty", np.array([0.3, 0.35, 0.4]), np.array([0.1, 0.37, 0.9])),
    ("an image", np.array([[0.1, 0.8, 0.1], [0.2, 0.9, 0.1]]), np.array([0.15, 0.5, 0.85])),
    ("340 values, 19 thresholds", _paper, _steps),
    ("dark paper, light ink", 1 - _paper, _steps),
)
def check_otsu(values, thresholds):
    """The threshold that sets the two groups furthest apart.

    gap**2 -> abs(gap) -> The gap counts squared.
    len(low) * len(high) * gap**2 -> gap**2
        -> The sizes are missing: multiply by how many there are in each group.
    return thresholds… -> return between.argmax() -> This is its place. Asked for is the threshold.
    return thresholds… -> return between.max()
        -> This is how far apart the groups are, not the threshold.
    return thresholds… -> return thresholds[between.argmin()]
        -> This is the worst threshold, not the best.
    return thresholds… -> return values.mean() -> This is the mean of all values.
    """
    between = np.zeros(len(thresholds))
    for i, threshold in enumerate(thresholds):
        low, high = values[values <= threshold], values[values > threshold]
        if len(low) and len(high):
            gap = high.mean() - low.mean()
            between[i] = len(low) * len(high) * gap**2
    return thresholds[between.argmax()]


def _mask(height, width, *places):
    mask = np.zeros((height, width), bool)
    for place in places:
        mask[place] = True
    return mask


@check(
    ("an L", _mask(5, 6, (slice(1, 4), 2), (3, slice(2, 5)))),
    ("two parts with a gap", _mask(6, 5, (0, 3), (slice(3, 6), 1))),
    ("a single pixel", _mask(4, 7, (2, 5))),
    ("all of it", np.ones((3, 2), bool)),
    ("a slanted line", np.eye(5, 8, 2, dtype=bool)),
    ("a ring, empty in the middle", _mask(7, 9, (slice(1, 6), (2, 6)), ((1, 5), slice(2, 7)))),
    ("40 rows, 60 columns", _mask(40, 60, (slice(12, 31), slice(7, 22)), (35, 50))),
)
def check_box(mask):
    """(top, bottom, left, right): the first row, the last plus 1, and the same for columns.

    rows[-1] + 1, columns[0], columns[-1] + 1 -> rows[-1], columns[0], columns[-1]
        -> The ends are one too small: as in a slice, they do not count any more.
    return rows… -> return columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
        -> Rows and columns are exchanged.
    return rows… -> return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1
        -> The order is top, bottom, left, right.
    return rows… -> return rows[0], rows[-1] + 1 - rows[0], columns[0], columns[-1] + 1 - columns[0]
        -> These are height and width. Asked for is where it ends.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


_corner = np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@check(
    ("a single pixel", _corner),
    ("two pixels, one three times as dark", np.array([[1.0, 0, 0, 0], [0, 0, 0, 3.0]])),
    ("faint ink", np.array([[0.0, 0.1], [0.0, 0.1], [0.2, 0.0]])),
    ("evenly dark", np.ones((4, 6))),
    ("ink in whole numbers", np.array([[0, 255, 0], [0, 0, 255], [0, 0, 0]])),
    ("a row", np.array([[0.2, 0.2, 0.6, 1.0]])),
    ("a column", np.array([[0.5], [0.0], [1.0]])),
    ("5 rows, 8 columns", _rng.random((5, 8)).round(2)),
)
def check_centre(ink):
    """(row, column), each a mean of places, weighted by ink.

    return (rows… -> return (columns * ink).sum() / total, (rows * ink).sum() / total
        -> Row and column are exchanged: the row comes first.
    return (rows… -> return rows[ink > 0].mean(), columns[ink > 0].mean()
        -> All ink counts the same here. Dark ink counts more: each place is weighted by its ink.
    return (rows… -> return (ink.shape[0] - 1) / 2, (ink.shape[1] - 1) / 2
        -> This is the middle of the image. Where the ink lies does not matter for it.
    return (rows… -> return (rows * ink).sum() / total + 0.5, (columns * ink).sum() / total + 0.5
        -> It is half a pixel too far. The first row has the number 0 here.
    return (rows… -> return (rows * ink).sum() / total + 1, (columns * ink).sum() / total + 1
        -> It is one too far: the first row and the first column have the number 0.
    / total, -> / ink.size, -> The row was divided by the number of pixels. Divide by the sum of the ink.
    return (rows… -> return (rows * ink).mean(), (columns * ink).mean()
        -> It was divided by the number of pixels. Divide by the sum of the ink.
    """
    rows, columns = np.indices(ink.shape)
    total = ink.sum()
    return (rows * ink).sum() / total, (columns * ink).sum() / total


_line = np.array([[10, 30, 40, 50], [12, 31, 5, 20], [8, 29, 70, 85]])
_two = np.array([[60, 80, 5, 20], [10, 30, 40, 55], [10, 32, 5, 20], [61, 79, 42, 55]])
_climbing = np.array([[50 - 9 * k, 70 - 9 * k, 30 * k, 30 * k + 20] for k in range(6)])
_sheet = np.concatenate([_climbing, _climbing + np.array([60, 60, 7, 7])])


@check(
    ("three in a row", _line),
    ("two rows of two", _two),
    ("a single box", _line[:1]),
    (
        "the left one lies lower, and yet in the same row",
        np.array([[10, 30, 60, 80], [18, 38, 5, 25]]),
    ),
    ("a column of three", np.array([[70, 90, 12, 30], [5, 25, 14, 30], [40, 60, 10, 30]])),
    ("boxes that only touch", np.array([[30, 50, 10, 20], [10, 30, 40, 60]])),
    ("a small one at the foot of a high one", np.array([[40, 50, 60, 70], [10, 50, 5, 30]])),
    ("a row that climbs", _climbing[[3, 0, 5, 1, 4, 2]]),
    ("two rows that climb", _sheet[_rng.permutation(12)]),
    (
        "a high one beside two rows",
        np.array([[10, 30, 5, 20], [50, 70, 5, 20], [12, 52, 40, 60], [11, 31, 80, 95]]),
    ),
)
def check_reading_order(boxes):
    """The numbers of the boxes: row by row, each row from left to right.

    return np… -> return np.argsort(boxes[:, 2]) -> It goes from left to right, over all rows at once.
    return np… -> return np.argsort(boxes[:, 0])
        -> It goes by the upper edge only. A row goes from left to right.
    return np… -> return np.lexsort((boxes[:, 2], boxes[:, 0]))
        -> It goes by the upper edge only. A row goes from left to right.
    rows[int(np.argmax(shared))].append(k) -> rows[0].append(k)
        -> All went to the first row that there was. Take the row that it shares most height with.
    for row in rows] -> for row in rows[:1]] -> Only the first row was looked at.
    boxes[row[-1]] -> boxes[row[0]]
        -> It was compared with the first box of each row. A row may climb: take its last box so far.
    rows.sort(key=lambda row: boxes[row[0], 0]) -> rows.sort(key=lambda row: -boxes[row[0], 0])
        -> The rows go from the lowest to the highest.
    if max(shared, default=0) > 0: -> if max(shared, default=-1) >= 0:
        -> Boxes that only touch share no height.
    """
    rows = []
    for k in np.argsort(boxes[:, 2]):
        top, bottom = boxes[k, :2]
        lasts = [boxes[row[-1]] for row in rows]
        shared = [min(bottom, last[1]) - max(top, last[0]) for last in lasts]
        if max(shared, default=0) > 0:
            rows[int(np.argmax(shared))].append(k)
        else:
            rows.append([k])
    rows.sort(key=lambda row: boxes[row[0], 0])
    return np.concatenate(rows)
