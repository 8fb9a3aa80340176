"""Read the digits on photographs of handwriting, and say what each step of the way is worth.

    python benchmarks/photos.py FOLDER

FOLDER holds photographs and labels.tsv: a line of names, ``file``, ``licence``, ``shows`` and
``digits``, and then one line for each photograph, with tabs in between. ``digits`` are the right answers
in reading order, from left to right and row by row, without spaces. Without FOLDER, it is data/photos.

Three tables are printed: pieces and right answers of each photograph; the right answers after each step
from the photograph to MNIST's form, on the pieces of those photographs whose number of pieces is right;
and the time and memory for a sheet of 4,000 × 3,000 pixels.
"""

import csv
import io
import resource
import subprocess
import sys
import time
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
from PIL import Image

from course_utils import Network, data_path
from course_utils.lab.handwriting import (
    PEN,
    SIDE,
    find_digits,
    open_grey,
    read_sheet,
    remove_background,
    to_mnist_form,
)

NETWORKS = ("sample_weights.npz", "handwriting_weights.npz")
STEPS = (
    "resized to 28×28",
    "+ light on dark",
    "+ background and threshold",
    "+ cut out, in 20×20",
    "+ centre of mass at 14",
    "+ pen of 2.6 pixels",
)


def labelled(folder):
    """Return pairs of a photograph's path and its digits."""
    with open(folder / "labels.tsv", encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [(folder / row["file"], row["digits"].replace(" ", "")) for row in rows]


def right(answers, digits):
    """Return how many digits were read: in their places, or in order if pieces are missing."""
    if len(answers) == len(digits):
        return sum(a == b for a, b in zip(answers, digits, strict=True))
    matches = SequenceMatcher(None, answers, digits, autojunk=False).get_matching_blocks()
    return sum(match.size for match in matches)


def answers(network, forms):
    """Return the answers to n forms (28, 28) as a string."""
    return "".join(map(str, network.predict(np.reshape(forms, (-1, SIDE * SIDE)))))


def resized(image):
    """Return an image (h, w), 0–1, as (28, 28), whatever that does to its proportions."""
    small = Image.fromarray(np.asarray(image, np.float32)).resize((SIDE, SIDE), Image.BOX)
    return np.clip(small, 0, 1)


def by_steps(grey, ink, pieces, boxes):
    """Return for each of `STEPS` the forms of all pieces, each seen with a quarter more around it."""
    forms = [[] for _ in STEPS]
    for piece, (rows, columns) in zip(pieces, boxes, strict=True):
        height, width = piece.shape
        middle = (rows.start + rows.stop) // 2, (columns.start + columns.stop) // 2
        half = int(max(height, width) * 0.75)  # a square around the digit, as a hand would cut it
        square = tuple(slice(max(0, place - half), place + half) for place in middle)
        paper = np.zeros((2 * half, 2 * half), np.float32)
        top, left = half - height // 2, half - width // 2
        paper[top : top + height, left : left + width] = piece
        fitted = np.zeros((SIDE, SIDE), np.float32)
        form = to_mnist_form(piece)
        cut = form[np.ix_(form.any(axis=1), form.any(axis=0))]
        y, x = (SIDE - cut.shape[0]) // 2, (SIDE - cut.shape[1]) // 2
        fitted[y : y + cut.shape[0], x : x + cut.shape[1]] = cut
        light = grey[square] / 255.0
        steps = (light, 1 - light, paper)
        for k, image in enumerate([*map(resized, steps), fitted, form, to_mnist_form(piece, PEN)]):
            forms[k].append(image)
    return forms


def main(folder):
    """Print all three tables."""
    networks = [Network.load(data_path(name)) for name in NETWORKS]
    photographs = labelled(folder)
    print(f"{'photograph':<28} pieces expected   right: sample, + pen, own, + pen")
    totals, whole, n_steps = np.zeros(4, int), 0, 0
    steps = np.zeros((len(STEPS), len(networks)), int)
    for path, digits in photographs:
        grey = open_grey(path)
        ink = remove_background(grey)
        pieces, boxes = find_digits(ink)
        forms = by_steps(grey, ink, pieces, boxes)
        read = [right(answers(net, forms[k]), digits) for net in networks for k in (-2, -1)]
        totals += read
        print(f"{path.name:<28} {len(pieces):>6} {len(digits):>8}   {read}")
        if len(pieces) == len(digits):
            whole, n_steps = whole + 1, n_steps + len(digits)
            steps += [[right(answers(net, form), digits) for net in networks] for form in forms]
    n = sum(len(digits) for _, digits in photographs)
    shares = ", ".join(f"{total / n:.1%}" for total in totals)
    print(f"right number of pieces: {whole} of {len(photographs)} photographs")
    print(f"right: {list(map(int, totals))} of {n}: {shares}\n")
    print(f"{'step':<28} sample     own   of {n_steps} digits")
    for step, row in zip(STEPS, steps, strict=True):
        print(f"{step:<28} " + "  ".join(f"{count / max(1, n_steps):6.1%}" for count in row))
    print()
    sys.stdout.flush()
    sheet, file = Image.open(data_path("photos") / "sheet_ruled.jpg"), io.BytesIO()
    sheet.resize((4000, 3000)).save(file, "JPEG", quality=92)
    command = [sys.executable, __file__, "--large"]  # a process of its own, for its memory alone
    subprocess.run(command, input=file.getvalue(), check=True)


def large():
    """Print what the photograph in the standard input costs."""
    photograph, network = sys.stdin.buffer.read(), Network.load(data_path(NETWORKS[1]))
    start = time.perf_counter()
    _, boxes, _ = read_sheet(photograph, network)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1e6 if sys.platform == "darwin" else 1e3  # bytes there, thousands of them elsewhere
    print(f"4,000 × 3,000 pixels: {len(boxes)} digits in {seconds:.2f} s")
    print(f"memory: at most {peak / unit:.0f} MB")  # on Linux never below what started this process


if __name__ == "__main__":
    if "--large" in sys.argv:
        large()
    else:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else data_path("photos"))
