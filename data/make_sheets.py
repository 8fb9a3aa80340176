"""Make the sheets in data/photos: digits written by a drawn hand on paper that is photographed.

No person wrote them and no camera took them, so that they are free to share, and the right answers are
known. The pen follows smooth curves through a few points for each digit, which are moved a little
each time; the paper has lines, grain and folds; the light is uneven, with a shadow; the camera
looks from the side, is a little out of focus, and stores a JPEG file.

    python data/make_sheets.py [FOLDER]

The same versions of NumPy, SciPy and Pillow write the same bytes each time.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy.interpolate import make_interp_spline
from scipy.ndimage import gaussian_filter

# for each digit, strokes through points (x, y) in a box one high, from its top left corner
DIGITS = {
    0: ["38,3 14,16 2,45 8,80 28,99 50,86 60,52 52,16 34,2 24,8"],
    1: ["30,1 27,34 24,66 20,99"],
    2: ["5,24 16,6 36,1 53,14 50,36 34,60 14,84 4,97", "4,97 22,94 44,97 64,94"],
    3: ["6,12 22,1 44,6 48,26 34,42 22,46", "22,46 42,48 55,66 48,90 26,100 4,90"],
    4: ["24,2 14,26 3,58", "3,58 26,57 64,54", "50,24 46,60 43,100"],
    5: ["14,4 12,22 9,42", "9,42 28,36 48,46 54,68 42,92 22,100 3,92", "14,4 34,5 56,1"],
    6: ["48,1 26,16 9,44 4,74 16,97 36,98 49,80 42,60 24,56 8,70"],
    7: ["2,6 24,6 56,3", "56,3 46,28 34,60 25,100"],
    8: ["50,14 34,1 14,8 12,26 32,45 50,66 48,90 28,100 8,90 8,70 28,46 46,28 50,12"],
    9: ["50,20 36,3 16,6 6,26 16,46 36,44 50,22", "50,12 50,44 44,74 36,100"],
}
INKS = {"ballpoint": (38, 48, 110), "pencil": (92, 92, 96), "black": (36, 34, 38)}
# what is written, and how; lengths in pixels of a sheet of paper 1,600 × 1,200
SHEETS = {
    "sheet_ruled.jpg": {
        "rows": ["0123456789", "3141592653", "2718281828"],
        "ink": "ballpoint",
        "width": 8,
        "paper": "ruled",
        "seed": 1,
    },
    "sheet_squared.jpg": {
        "rows": ["90210", "86753", "14142"],
        "ink": "black",
        "width": 9,
        "paper": "squared",
        "seed": 2,
    },
    "sheet_pencil.jpg": {
        "rows": ["5772156", "1618033", "6022140"],
        "ink": "pencil",
        "width": 6,
        "paper": "plain",
        "seed": 3,
    },
}
WIDE, HIGH, FINE = 1600, 1200, 2  # the pen is drawn twice as fine


def curve(points, rng, wobble):
    """Return a smooth curve (n, 2) through points "x,y x,y …" that are moved a little."""
    xy = np.array([point.split(",") for point in points.split()], float) / 100
    xy = xy + rng.normal(scale=wobble, size=xy.shape)
    along = np.linspace(0, 1, len(xy))
    spline = make_interp_spline(along, xy, k=min(3, len(xy) - 1))
    return spline(np.linspace(0, 1, 160))


def write(draw, digit, place, size, width, rng):
    """Write a digit with its top left corner at a place (x, y); the pen presses more and less."""
    slant, stretch, turn = rng.normal(0.12, 0.04), rng.normal(1, 0.06), rng.normal(0, 0.04)
    shift = 0  # strokes that begin where the last ended do so here, too
    end = None
    for points in DIGITS[digit]:
        line = curve(points, rng, 0.012)
        first = points.split()[0]
        if end is not None and first == end[0]:
            shift = end[1] - line[0]
            line = line + shift * np.linspace(1, 0, len(line))[:, None]
        end = points.split()[-1], line[-1]
        x, y = line.T
        x = x * stretch + slant * (1 - y)
        x, y = x - turn * y, y + turn * x
        pressure = 1 + 0.12 * np.cumsum(rng.normal(scale=0.12, size=len(x)))
        radius = width / 2 * np.clip(pressure, 0.75, 1.3) * FINE
        x, y = (place[0] + size * x) * FINE, (place[1] + size * y) * FINE
        for px, py, r in zip(x, y, radius, strict=True):
            draw.ellipse((px - r, py - r, px + r, py + r), fill=255)


def written(rows, width, rng):
    """Return the ink of all rows (h, w), 0–1: the lines climb a little, the sizes differ."""
    image = Image.new("L", (WIDE * FINE, HIGH * FINE))
    draw = ImageDraw.Draw(image)
    pitch, step = HIGH * 0.82 / len(rows), WIDE * 0.8 / max(map(len, rows))
    for i, row in enumerate(rows):
        climb = rng.normal(-0.02, 0.01)
        for k, digit in enumerate(row):
            x = WIDE * 0.11 + step * (k + rng.uniform(-0.06, 0.06))
            size = min(pitch * 0.5, step * 0.95) * rng.normal(1, 0.05)
            y = HIGH * 0.14 + pitch * i + climb * x + rng.normal(0, 4)
            write(draw, int(digit), (x, y), size, width, rng)
    return np.asarray(image.reduce(FINE), float) / 255


def paper(kind, rng):
    """Return a sheet's colours (h, w, 3), 0–1: lines, fibres, and a fold."""
    sheet = np.ones((HIGH, WIDE, 3)) * (0.93, 0.92, 0.885)
    y, x = np.ogrid[:HIGH, :WIDE]
    lines = np.zeros((HIGH, WIDE))
    if kind != "plain":
        gap = 64 if kind == "squared" else 82
        lines = np.maximum(lines, np.abs((y + 20) % gap - gap / 2) < 1.2)
        if kind == "squared":
            lines = np.maximum(lines, np.abs((x + 30) % gap - gap / 2) < 1.2)
        lines *= 0.75 + 0.25 * gaussian_filter(rng.normal(size=lines.shape), 6) * 10
    sheet -= np.clip(lines, 0, 1)[:, :, None] * (0.24, 0.17, 0.10)
    fibres = sum(
        gaussian_filter(rng.normal(size=(HIGH, WIDE)), scale) * scale * weight
        for scale, weight in ((1, 0.030), (4, 0.015), (30, 0.03))
    )
    fold = (
        np.exp(-np.abs(x - WIDE * 0.53 - 0.03 * y) / 3) * 0.02 * np.sign(x - WIDE * 0.53 - 0.03 * y)
    )
    return sheet + (fibres + fold)[:, :, None]


def light(rng):
    """Return how much light falls on each pixel of the photograph (h, w): a lamp, and a shadow."""
    y, x = np.mgrid[:HIGH, :WIDE] / HIGH
    lamp = rng.uniform(0.1, 1.2), rng.uniform(-0.2, 0.2)
    falls = 1.08 - 0.26 * np.hypot(x - lamp[0], y - lamp[1])
    angle = rng.uniform(0.5, 1.1)
    edge = x * np.cos(angle) + y * np.sin(angle) - rng.uniform(1.0, 1.2)
    edge = edge + 0.04 * np.sin(5 * (x - y))  # as a hand's shadow, not a ruler's
    return falls * (1 - 0.34 / (1 + np.exp(-edge / 0.035)))


def perspective(corners):
    """Return the eight numbers with which Pillow shows a sheet whose corners are at these places."""
    rows, right = [], []
    for (x, y), (u, v) in zip(corners, [(0, 0), (WIDE, 0), (WIDE, HIGH), (0, HIGH)], strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    return np.linalg.solve(np.array(rows, float), np.array(right, float))


def photograph(rows, ink, width, paper_kind, seed):
    """Return a photograph of a sheet, as an image of Pillow."""
    rng = np.random.default_rng(seed)
    sheet, pen = paper(paper_kind, rng), written(rows, width, rng)
    skips = 1 if ink == "ballpoint" else 1 - 0.3 * (rng.random(pen.shape) < 0.3)  # between fibres
    amount = (gaussian_filter(pen * skips, 0.8) * 0.94)[:, :, None]
    sheet = sheet * (1 - amount) + np.array(INKS[ink]) / 255 * amount
    picture = Image.fromarray(np.rint(np.clip(sheet, 0, 1) * 255).astype(np.uint8))
    near = rng.uniform(0.01, 0.05, (4, 2)) * (WIDE, HIGH)
    signs = np.array([(1, -1), (-1, -1), (-1, 1), (1, 1)])
    full = np.array([(0, 0), (WIDE, 0), (WIDE, HIGH), (0, HIGH)])
    corners = full + signs * near * (1.2, 0.9)  # the sheet's sides lean, and its ends are outside
    size, form = (WIDE, HIGH), Image.Transform.PERSPECTIVE
    table = (92, 70, 52)
    picture = picture.transform(
        size, form, perspective(corners), Image.Resampling.BICUBIC, fillcolor=table
    )
    seen = np.asarray(picture, float) / 255 * light(rng)[:, :, None] * (1.0, 0.975, 0.93)
    seen = gaussian_filter(seen, (0.9, 0.9, 0)) + rng.normal(scale=0.008, size=seen.shape)
    return Image.fromarray(np.rint(np.clip(seen, 0, 1) * 255).astype(np.uint8))


def main(folder):
    """Write the sheets into `folder`."""
    for name, how in SHEETS.items():
        picture = photograph(how["rows"], how["ink"], how["width"], how["paper"], how["seed"])
        picture.save(folder / name, quality=72, optimize=True)
        print(f"{name}: {(folder / name).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "photos")
