"""What is wrong with a result: which known mistake gives the same, or else how it differs."""

import copy
import inspect
import linecache
import reprlib
import traceback
from collections.abc import Mapping
from functools import partial
from numbers import Integral, Real
from pathlib import Path

import numpy as np

_MOST_SHOWN = 20  # numbers of an array; of a larger one its shape is told


def functions(family):
    """Return the functions of a family: of a class that holds nothing else, of a list, or itself."""
    if inspect.isclass(family):
        return [f for f in vars(family).values() if inspect.isfunction(f)]
    if isinstance(family, list | tuple):
        return [f for part in family for f in functions(part)]
    return [family]


def with_step(function, **families):
    """Return `function` with a wrong step in place of the right one, for each wrong step.

    ``with_step(backpropagate, slope=Slopes)`` is ``backpropagate(…, slope=…)`` with each of `Slopes`
    in turn. The hint is the docstring of the step.
    """
    mistakes = []
    for step, family in families.items():
        for wrong in functions(family):
            mistake = partial(function, **{step: wrong})
            mistake.__doc__, mistake.__name__ = wrong.__doc__, f"{step}_{wrong.__name__}"
            mistakes.append(mistake)
    return mistakes


def run(function, args):
    return function(*args.values())


def describe(reference, mistakes, args, came, passed):
    """Say what is wrong with what came, by what a known mistake would have given; None if nothing.

    If several mistakes give what came, one goes first that is right where the attempt was right: on
    the inputs before, `passed`, and in the other parts of a dict or a named tuple.
    """
    wanted = _call(reference, args)
    if isinstance(wanted, ValueError):
        if isinstance(came, ValueError):
            return None
        if isinstance(came, BaseException):
            return f"Expected: ValueError\nCame: {type(came).__name__}: {came}"
        return (
            f"Expected: ValueError\nCame: {show(came)}\nWhy: This input is not valid, and nobody "
            "would notice. Say so: `raise ValueError(...)`."
        )
    if isinstance(came, BaseException):
        return describe_error(came)
    if same(came, wanted):
        return _fault_of_type(came, wanted)
    came_parts, wanted_parts = _parts(came, wanted), _parts(wanted, wanted)
    if came_parts.keys() != wanted_parts.keys():
        came_parts, wanted_parts = {"": came}, {"": wanted}
    name = next(n for n, part in wanted_parts.items() if not same(came_parts[n], part))
    came_part, wanted_part = came_parts[name], wanted_parts[name]
    best, why = (), ""
    for mistake in mistakes:
        parts = _parts(_call(mistake, args), wanted)
        if name in parts and same(came_part, parts[name]):
            may_be = all(same(_call(mistake, a), _call(reference, a)) for a in passed)
            explained = sum(n in came_parts and same(came_parts[n], parts[n]) for n in parts)
            if (may_be, explained) > best:
                best, why = (may_be, explained), " ".join(mistake.__doc__.split())
    why = why or _fault_of_type(came_part, wanted_part) or _fault_of_value(came_part, wanted_part)
    of = f" {name}" if name else ""
    place = _first_place(came_part, wanted_part)
    if np.size(wanted_part) > _MOST_SHOWN and place:  # then that one says more than the shape
        came_part, wanted_part = _as_numbers(came_part)[place], _as_numbers(wanted_part)[place]
        of += f" at [{', '.join(map(str, place))}]"
    return (
        f"Expected{of}: {show(wanted_part)}\nCame{of}:     {show(came_part)}\n"
        f"Why: {f'{name}: ' if name else ''}{why}"
    )


def describe_error(error):
    """Say in which line an attempt stopped, by which error, and what often lies behind that."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = Path(__file__).parent
    theirs = [frame for frame in frames if ours not in Path(frame.filename).parents]
    line = linecache.getline(theirs[0].filename, theirs[0].lineno).strip() if theirs else ""
    where = f" in the line `{line}`" if line else ""
    text = f"It stopped{where} with {type(error).__name__}: {error}"
    for known, words, often in _OFTEN:
        if isinstance(error, known) and words in str(error):
            return f"{text}\nWhy: {often}"
    return text


_OFTEN = (
    (NameError, "", "This name is not known. Is it spelt like the argument? Is it imported?"),
    (ValueError, "matmul", "The shapes do not fit in a matrix product. Is one to be transposed?"),
    (ValueError, "broadcast", "The shapes do not fit. Is keepdims missing, or y not one-hot?"),
    (IndexError, "", "An index goes beyond the end. Look at the shapes in the input."),
    (RecursionError, "", "The function calls itself, without end."),
)


def _call(function, args):
    """Call with a copy of `args`; return what is raised."""
    try:
        return run(function, copy.deepcopy(args))
    except Exception as error:
        return error


def same(came, wanted):
    """Return whether two results have the same form, shape and numbers; their types may differ."""
    if isinstance(wanted, Mapping):
        fits = isinstance(came, Mapping) and set(came) == set(wanted)
        return fits and all(same(came[name], wanted[name]) for name in wanted)
    if isinstance(wanted, tuple):
        fits = isinstance(came, tuple | list) and len(came) == len(wanted)
        return fits and all(map(same, came, wanted))
    came, wanted = _as_numbers(came), _as_numbers(wanted)
    if came is None or wanted is None or came.shape != wanted.shape:
        return False
    return bool(_close(came, wanted).all())


def _close(came, wanted):
    return np.isclose(came, wanted, rtol=1e-5, atol=1e-8, equal_nan=True)


def _as_numbers(value):
    """Return `value` as an array of float64, or None if it does not hold numbers."""
    try:
        array = np.asarray(value)
        return array.astype(np.float64) if array.dtype.kind in "biuf" else None
    except Exception:  # rows of different lengths, or an object that cannot be turned into one
        return None


def _parts(value, like):
    """Return the named parts of a dict, or of a tuple like the named one in `like`, or the whole."""
    if isinstance(value, Mapping) and isinstance(like, Mapping):
        return dict(value)
    names = getattr(like, "_fields", ())
    if names and isinstance(value, tuple | list) and len(value) == len(names):
        return dict(zip(names, value, strict=True))
    return {"": value}


def _fault_of_type(came, wanted):
    """Say what is wrong with the kind of thing that came, or return None."""
    if isinstance(wanted, Mapping):
        names = ", ".join(map(repr, wanted))
        if not isinstance(came, Mapping):
            return f"It should return a dict with the keys {names}, but returned {kind(came)}."
        if set(came) != set(wanted):
            return f"The keys should be {names}, but are {', '.join(map(repr, came))}."
        return next(filter(None, (_fault_of_type(came[n], wanted[n]) for n in wanted)), None)
    if isinstance(wanted, tuple):
        if not isinstance(came, tuple | list):
            return f"It should return a tuple, but returned {kind(came)}."
        if len(came) != len(wanted):
            return f"The tuple should have the length {len(wanted)}, but has {len(came)}."
        return next(filter(None, map(_fault_of_type, came, wanted)), None)
    if isinstance(wanted, np.ndarray):
        if not isinstance(came, np.ndarray):
            return f"It should return a NumPy array, but returned {kind(came)}."
        allowed, whole = ("iu", "whole ") if wanted.dtype.kind in "iu" else ("iuf", "")
        if came.dtype.kind not in allowed:
            return f"The array should hold {whole}numbers, but its type is {came.dtype}."
        return None
    value = came.item() if isinstance(came, np.ndarray | np.generic) and came.ndim == 0 else came
    whole = isinstance(wanted, Integral)
    if isinstance(value, bool) or not isinstance(value, Integral if whole else Real):
        what = "whole number, an int" if whole else "single number"
        return f"It should return a {what}, but returned {kind(came)}."
    return None


def _fault_of_value(came, wanted):
    """Say how the numbers that came differ from those that were wanted."""
    came, wanted = _as_numbers(came), _as_numbers(wanted)
    if came is None or wanted is None:
        return "The two differ."
    if came.ndim == 2 and same(came.T, wanted):
        return "It is transposed: rows and columns have changed places."
    if came.shape != wanted.shape:
        return f"The shape should be {wanted.shape}, but is {came.shape}."
    if not np.isfinite(came).all() and np.isfinite(wanted).all():
        return "There is nan or inf in it: exp of a large number, log(0), or a division by 0?"
    if same(-came, wanted):
        return "The sign is turned round."
    if wanted.size > 1 and wanted.any():
        factor = float((came * wanted).sum() / (wanted * wanted).sum())
        if factor and same(came, factor * wanted):
            return f"Every number is {factor:.4g} times as large as it should be."
        place = _first_place(came, wanted)
        at = f"at [{', '.join(map(str, place))}]: expected {wanted[place]:.6g}"
        return f"The first number that differs is {at}, came {came[place]:.6g}."
    return "The numbers differ."


def _first_place(came, wanted):
    """Return the index of the first number that differs, or None if there is no such place."""
    came, wanted = _as_numbers(came), _as_numbers(wanted)
    if came is None or wanted is None or came.shape != wanted.shape:
        return None
    return next((tuple(map(int, place)) for place in np.argwhere(~_close(came, wanted))), None)


def kind(value):
    """Describe the type of `value` in words."""
    return "None" if value is None else f"a value of the type {type(value).__name__}"


def show(value):
    """Write a value for people: small ones as they are, large ones by their shape."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bytes):
        return f"{value[:24].hex(' ')}{' …' if len(value) > 24 else ''}"
    if isinstance(value, Mapping) and len(value) > 6:
        return f"a dictionary with the keys {', '.join(map(str, value))}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name!r}: {show(v)}" for name, v in value.items()) + "}"
    if isinstance(value, tuple | list):
        parts = [show(part) for part in value[:6]] + ["…"] * (len(value) > 6)
        return f"({', '.join(parts)}{',' * (len(parts) == 1)})"
    if isinstance(value, np.ndarray) and value.ndim > 0:
        if value.size > _MOST_SHOWN:
            return f"array of shape {value.shape}"
        number = {"float_kind": lambda x: f"{x:.4g}"}
        return " ".join(np.array2string(value, separator=", ", formatter=number).split())
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int | str):
        return reprlib.repr(value)
    if inspect.isfunction(value):
        return (value.__doc__ or "a function").strip().splitlines()[0]
    return kind(value)  # what it says of itself may hold an address
