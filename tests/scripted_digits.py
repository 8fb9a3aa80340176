"""Ten digits as a person might write them: strokes of a pen, for tests of what is drawn."""

import math


def arc(x, y, rx, ry, start, end, n=24):
    """Return points on an ellipse around (x, y); degrees: 0 is to the right, 90 is down."""
    angles = [math.radians(start + (end - start) * k / n) for k in range(n + 1)]
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


# in a box one high, from the top left corner; each stroke without lifting the pen
STROKES = {
    0: [arc(0.33, 0.5, 0.31, 0.5, -80, 285)],
    1: [[(0.2, 0.0), (0.16, 0.35), (0.12, 0.7), (0.08, 1.0)]],
    2: [
        [
            *arc(0.32, 0.28, 0.29, 0.28, 190, 380),
            (0.45, 0.6),
            (0.2, 0.84),
            (0.02, 0.99),
            (0.3, 0.96),
            (0.68, 0.97),
        ]
    ],
    3: [[*arc(0.27, 0.24, 0.28, 0.24, 205, 445), *arc(0.27, 0.73, 0.33, 0.27, -85, 150)]],
    4: [
        [(0.12, 0.02), (0.06, 0.3), (0.03, 0.52), (0.3, 0.54), (0.62, 0.5)],
        [(0.56, 0.05), (0.52, 0.4), (0.47, 0.75), (0.45, 1.0)],
    ],
    5: [
        [(0.14, 0.02), (0.11, 0.22), (0.08, 0.42), *arc(0.26, 0.68, 0.32, 0.3, -115, 145)],
        [(0.14, 0.02), (0.4, 0.03), (0.66, 0.0)],
    ],
    6: [[(0.46, 0.0), (0.26, 0.18), (0.1, 0.42), *arc(0.32, 0.72, 0.28, 0.28, 190, -175)]],
    7: [[(0.0, 0.06), (0.3, 0.05), (0.62, 0.03), (0.5, 0.3), (0.36, 0.62), (0.26, 1.0)]],
    8: [
        [
            *arc(0.33, 0.25, 0.24, 0.25, -40, -270),
            *arc(0.33, 0.75, 0.28, 0.25, -90, 270),
            *arc(0.33, 0.25, 0.24, 0.25, 90, -40),
        ]
    ],
    9: [[*arc(0.31, 0.28, 0.28, 0.28, -20, -380), (0.56, 0.45), (0.5, 0.75), (0.44, 1.0)]],
}

# three ways to write: height, left and top edge, width of the line (all as shares of the
# paper's side), how wide the digit is, and how far its top leans to the right
WAYS = {
    "large": (0.8, 0.2, 0.1, 0.09, 1.0, 0.0),
    "middling, upper left": (0.55, 0.1, 0.05, 0.06, 0.85, 0.12),
    "small, lower right": (0.36, 0.55, 0.6, 0.04, 1.1, 0.05),
}


def write(digit, way):
    """Return the strokes of a digit, points (x, y) from 0 to 1, and the width of the line."""
    height, left, top, width, breadth, lean = WAYS[way]
    strokes = [
        [(left + height * (x * breadth + lean * (1 - y)), top + height * y) for x, y in stroke]
        for stroke in STROKES[digit]
    ]
    return strokes, width
