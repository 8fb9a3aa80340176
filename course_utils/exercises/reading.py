"""What an error of an attempt means, and what stands out in its code, which is never judged."""

import ast
import inspect
import linecache
import re
import textwrap
import traceback
from pathlib import Path
from types import ModuleType

import numpy as np

import course_utils

_OFTEN = r"""
AxisError: -> The array has fewer axes than that. Its last is always axis=-1.
IndexError: .*axis (\d+) with size (\d+) -> Axis \1 has \2 places, counted from 0.
TypeError: .*an integer -> A whole number is wanted here: `/` gives a fraction, `//` none.
TypeError: .*a data type -> A shape is one argument, with brackets of its own.
TypeError: .*'dict' -> A dictionary does not compute as a whole. Go through its names.
ValueError: .*reshape -> reshape keeps all numbers, so the sizes must multiply to their count.
ValueError: .*buffer -> Type, offset and count do not fit the bytes that there are.
"""  # the kind of an error, some words of its message, and what often lies behind it


def lines_of(error):
    """Return the lines of the attempt itself, not of NumPy's or ours, that an error went through."""
    ours, steps = Path(__file__).parent, list(traceback.walk_tb(error.__traceback__))
    steps = [(f, n) for f, n in steps if ours not in Path(f.f_code.co_filename).parents]
    own = [(f.f_code.co_filename, n) for f, n in steps if f.f_globals is steps[0][0].f_globals]
    return [line for place in own if (line := linecache.getline(*place).strip())]


def read_error(error, foreign, names):
    """Say in which line an attempt stopped, by which error, and what often lies behind that."""
    lines = lines_of(error)
    where = f" in the line `{lines[-1]}`" if lines else ""
    refused = lines and lines[-1].startswith(("raise", "assert"))
    meaning = "This input is valid, and yet your function refuses it." if refused else None
    why = " ".join(filter(None, [foreign, meaning or _meaning(error, names)]))
    said = f": {error}" if str(error) else ""
    return f"It stopped{where} with {type(error).__name__}{said}" + (f"\nWhy: {why}" if why else "")


def _meaning(error, names):
    text, shapes = str(error), re.findall(r"\([\d,]+\)", str(error))[:2]
    if type(error) is NameError:
        if callable(getattr(course_utils, error.name or "", None)):
            return f"`{error.name}` is not imported: `from course_utils import {error.name}`."
        gets = " and ".join(f"`{name}`" for name in names)
        return f"The name `{error.name}` is not known here. Your function gets {gets}."
    if "matmul" in text or "not aligned" in text:
        shapes = _operands(error) or shapes
        met = f"The shapes {' and '.join(map(str, shapes))} met. " if len(shapes) == 2 else ""
        return f"{met}In a product, the last size of the left is the first of the right."
    if "broadcast" in text and shapes:
        met = f"The shapes {' and '.join(shapes).replace(',', ', ').replace(', )', ',)')} met."
        sizes = [shape.strip("(,)").split(",") for shape in shapes]
        by_row = " If this is a number for each row, it must be a column: keepdims=True."
        by_row *= len(sizes[0]) != len(sizes[-1]) and sizes[0][0] == sizes[-1][0]
        return f"{met} Sizes must be equal, or 1, counted from the last.{by_row}"
    for line in _OFTEN.strip().splitlines():
        pattern, often = line.split(" -> ")
        for kind in type(error).__mro__:
            if found := re.match(pattern, f"{kind.__name__}: {text}"):
                return found.expand(often)
    return None


def _operands(error):
    """Return the shapes on both sides of the product that failed, where its source is known."""
    frame, number = list(traceback.walk_tb(error.__traceback__))[-1]
    last = traceback.extract_tb(error.__traceback__)[-1]
    line = linecache.getline(frame.f_code.co_filename, number).encode()
    try:
        product = ast.parse(line[last.colno : last.end_colno].decode().strip(), mode="eval").body
        names, sides = frame.f_globals | frame.f_locals, (product.left, product.right)
        return [np.shape(eval(ast.unparse(side), names)) for side in sides]  # noqa: S307
    except Exception:  # no source, several lines, or np.dot(…)
        return None


def look_into(attempt):
    """Return the attempt's source, what it takes from outside, or "", and what else stands out."""
    try:
        source = textwrap.dedent(inspect.getsource(attempt))
        tree = ast.parse(source)
        given = [arg.arg for arg in tree.body[0].args.args]
    except (OSError, TypeError, SyntaxError, AttributeError):  # no source, or no `def`
        return "", "", []
    nodes = list(ast.walk(tree))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    read = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    outside = attempt.__globals__ | inspect.getclosurevars(attempt).nonlocals
    known = {*given, *(node.id for node in names if isinstance(node.ctx, ast.Store))}
    facts, foreign = [], ""
    for name in sorted(read - known):
        value = outside.get(name)
        if not (value is None or callable(value) or isinstance(value, ModuleType | str)):
            shape = f", with the shape {value.shape}" if getattr(value, "shape", ()) else ""
            foreign = f"`{name}` is not an argument: it comes from the notebook{shape}."
    loops = [node for node in nodes if isinstance(node, ast.For | ast.While)]
    if any(isinstance(step, ast.Return) for loop in loops for step in ast.walk(loop)):
        facts.append("The loop ends early: a `return` stands inside it.")
    unused = [f"`{name}`" for name in given if name not in read]
    if unused and "..." not in source:  # what is still to be done may use them
        facts.append(f"Your function never uses {' and '.join(unused)}.")
    for node in nodes:
        lost = isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        if lost and ast.unparse(node.targets[0]) in given:
            facts.append(f"`{ast.unparse(node)}` replaces the value that was handed in.")
    return source, foreign, facts
