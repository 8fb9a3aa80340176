"""What is wrong with a result: which slip gives the same on every input, or else how it differs."""

import copy
import inspect
import io
import re
import reprlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from numbers import Integral, Number, Real

import numpy as np

from .reading import read_error

MOST_SHOWN = 20  # numbers of an array; of a larger one its shape is told


@dataclass
class Trial:
    """An input, what is wanted, and what came. A dict and a named tuple have parts with names."""

    title: str
    args: dict
    run: Callable  # with a function and the arguments
    wanted: object = None
    given: dict = None  # a copy of `args`, which the attempt gets and may change
    came: object = None
    done: bool = False
    printed: io.StringIO = field(default_factory=io.StringIO)

    def give(self, function):
        """Return what a function gives for a copy of the arguments, or what it raises."""
        try:
            return self.run(function, copy.deepcopy(self.args))
        except Exception as error:
            return error

    def receive(self, came):
        self.came, self.done = _unwrapped(came, self.wanted), True
        self.names = list(_parts(self.wanted, ()))
        alike = isinstance(self.came, Mapping) == isinstance(self.wanted, Mapping)
        if not alike or _parts(self.came, self.names).keys() != set(self.names):
            self.names = [""]
        self.parts = _parts(self.came, self.names)
        self.wanted_parts = _parts(self.wanted, self.names)

    def is_right(self, part=None):
        if part is None:
            return same(self.came, self.wanted) and not _fault_of_type(self.came, self.wanted)
        return part not in self.names or same(self.parts[part], self.wanted_parts[part])

    def overflows(self):
        """Return whether there is nan or inf in what came, or an error."""
        parts = [_numbers(part) for part in self.parts.values()]
        finite = all(part is None or np.isfinite(part).all() for part in parts)
        return isinstance(self.came, BaseException) or not finite

    def changed(self):
        """Return the name of an argument that the attempt has changed, or None."""
        return next((n for n, v in self.args.items() if _differs(self.given[n], v)), None)


def _differs(now, before):
    if isinstance(before, Mapping):
        return now.keys() != before.keys() or any(_differs(now[n], v) for n, v in before.items())
    return isinstance(before, np.ndarray) and not np.array_equal(now, before)


def describe(trials, known, others, source, foreign, facts):
    """Say what is wrong with what came in the first trial that went wrong, and why.

    The `known` mistakes go first, then facts that stand out in the attempt's source, then the `others`
    that any function may see. `foreign` says what comes from the notebook.
    """
    first = next(t for t in trials if not t.is_right())
    raised = isinstance(first.came, BaseException)
    if isinstance(first.wanted, ValueError):
        why = "\nWhy: This input is not valid, and nobody would notice: `raise ValueError(...)`."
        came = f"{type(first.came).__name__}: {first.came}" if raised else show(first.came) + why
        return f"Expected: ValueError\nCame: {came}"
    if raised:
        return read_error(first.came, foreign, first.args)
    wrong = [n for n in first.names if not first.is_right(n) and first.parts[n] is not ...]
    if not wrong and any(part is ... for part in first.parts.values()):
        return _standing(trials).strip()
    part = wrong[0] if wrong else first.names[0]
    came, wanted = first.parts[part], first.wanted_parts[part]
    judged = [t for t in trials if t is first or not t.overflows()]  # which is another matter
    judged.sort(key=Trial.is_right)  # those that rule out most come first
    why = _explain(judged, part, known) if wrong else _fault_of_type(came, wanted)
    member = vars(type(first.wanted)).get(part)
    hint = member and member.__doc__
    if not why and hint and not hint.startswith("Alias"):  # which is what Python says by itself
        why = " ".join([hint, *facts])
    if not why:
        facts = [*facts, *_by_type(trials, first.args)]
        slip = None if facts else _explain(judged, part, others, source)
        whys = [slip] if slip else [_fault_of_type(came, wanted), _fault_of_value(came, wanted)]
        why = " ".join(filter(None, [foreign, *facts, *whys]))
    of, place = f" {part}" if part else "", _first_place(came, wanted)
    if np.size(wanted) > MOST_SHOWN and place:  # then that one says more than the shape
        came, wanted = _numbers(came)[place], _numbers(wanted)[place]
        of += f" at {list(place)}"
    told = f"Expected{of}: {show(wanted)}\nCame{of}:     {show(came)}\nWhy: "
    return f"{told}{f'{part}: ' if part else ''}{why}{_standing(trials)}"


def _standing(trials):
    """Say which parts of the result are right in all trials, if it has some."""
    names = max((t.names for t in trials), key=len)
    if len(names) < 2 or any(t.names == [""] for t in trials):
        return ""
    still = [n for n in names if any(t.parts.get(n) is ... for t in trials)]
    right = [n for n in names if n not in still and all(t.is_right(n) for t in trials)]
    text = f"\nStill to be done: {', '.join(still)}." if still else ""
    return text + (f"\nRight on all inputs: {', '.join(right)}." if right else "")


def _by_type(trials, args):
    """Say for which type of an argument it goes wrong, if only for that."""
    for name in args:
        types = {False: set(), True: set()}
        for trial in trials:
            types[trial.is_right()].add(str(getattr(trial.args[name], "dtype", "")))
        wrong, what = " or ".join(types[False]), "cuts off fractions, and more than 255 may not fit"
        if types[True] and not types[False] & types[True]:
            return [f"Wrong is only what has `{name}` of the type {wrong}, which {what}."]
    return []


def _explain(trials, part, functions, source=""):
    """Return the hint of the slip that gives the same in all trials: of several, in most parts."""
    words = set(re.findall(r"\w+", source))
    told = r"`(?:np\.)?(?!relu|sigmoid|softmax)(\w+)` stands"
    fit = [f for f in functions if not source or set(re.findall(told, f.__doc__)) <= words]
    absent = r"`(?:np\.)?(exp|log|relu|sigmoid|softmax|round)` is missing"
    fit = [f for f in fit if not words & set(re.findall(absent, f.__doc__))]
    found = [(_agreement(trials, part, function), function) for function in fit]
    best, function = max(found, key=lambda pair: pair[0], default=(0, None))
    return " ".join(function.__doc__.split()) if best else None


def _agreement(trials, part, function):
    agreeing = 0
    for trial in trials:
        gave = _parts(trial.give(function), trial.names)
        for name in trial.names:
            alike = name in gave and same(trial.parts[name], gave[name])
            right = name != part and name in gave and same(trial.wanted_parts[name], gave[name])
            if not (alike or right or trial.parts[name] is ...):
                return 0
            agreeing += alike
    return agreeing


def _parts(value, names):
    """Return the parts of a result by name: of a dict, of a tuple with `names`, or the whole."""
    if isinstance(value, Mapping) and (not names or set(names) <= set(value)):
        return {name: value[name] for name in names or value}
    names = names or getattr(value, "_fields", ())
    if any(names) and isinstance(value, tuple | list) and len(value) == len(names):
        return dict(zip(names, value, strict=True))
    return {"": value}


def _unwrapped(came, like):
    """Return what came in the wrapping of `like`, where it is as good: an array of two, a generator."""
    if isinstance(like, tuple) and isinstance(came, Iterator):
        return tuple(islice(came, len(like) + 1))
    if isinstance(like, tuple) and isinstance(came, np.ndarray) and came.ndim:
        return tuple(came) if list(map(np.shape, came)) == list(map(np.shape, like)) else came
    if isinstance(like, Mapping) and isinstance(came, Mapping) and set(came) > set(like):
        return {name: came[name] for name in like}
    return came


def same(came, wanted):
    """Return whether two results have the same form, shape and numbers; their types may differ."""
    if isinstance(wanted, Mapping):
        fits = isinstance(came, Mapping) and set(came) == set(wanted)
        return fits and all(same(came[name], wanted[name]) for name in wanted)
    if isinstance(wanted, tuple):
        fits = isinstance(came, tuple | list) and len(came) == len(wanted)
        return fits and all(map(same, came, wanted))
    if isinstance(wanted, BaseException):
        return isinstance(came, type(wanted))
    came, wanted = _numbers(came), _numbers(wanted)
    fits = came is not None and wanted is not None and came.shape == wanted.shape
    return fits and bool(_close(came, wanted).all())


def _close(came, wanted):
    return np.isclose(came, wanted, rtol=1e-5, atol=1e-8, equal_nan=True)


def _numbers(value):
    """Return `value` as an array of float64, or None if it does not hold numbers."""
    try:
        array = np.asarray(value)
        fit = array.dtype.kind in "biuf" or all(isinstance(v, Real) for v in array.flat)
        return array.astype(np.float64) if fit else None
    except Exception:  # rows of different lengths, or an object that cannot be turned into one
        return None


def _fault_of_type(came, wanted):
    """Say what is wrong with the kind of thing that came, or return None."""
    pairs, told = [], ""
    if isinstance(wanted, BaseException):
        return None
    if isinstance(wanted, Mapping):
        fine = isinstance(came, Mapping) and set(came) == set(wanted)
        pairs = [(came[name], wanted[name]) for name in wanted] if fine else []
    elif isinstance(wanted, tuple):
        fine = isinstance(came, tuple | list if hasattr(wanted, "_fields") else tuple)
        told = " `tuple(…)` makes one of it." * isinstance(came, list)
        fine = fine and len(came) == len(wanted)
        pairs = zip(came, wanted, strict=True) if fine else []
    elif isinstance(wanted, np.ndarray):
        allowed = "iu" if wanted.dtype.kind in "iu" else "iuf"
        fine = isinstance(came, np.ndarray) and (came.dtype.kind in allowed or not came.size)
        fits = isinstance(came, list | tuple) and same(came, wanted)
        told = " The numbers are right: np.array(…) makes one of it." * fits
    else:
        single = isinstance(came, np.ndarray | np.generic) and came.ndim == 0
        value = came.item() if single else came
        fine = isinstance(value, Integral if isinstance(wanted, Integral) else Real)
        fine = fine and isinstance(value, bool) == isinstance(wanted, bool)
    if not fine:
        return f"It should return {kind(wanted)}, but returned {kind(came)}.{told}"
    return next(filter(None, (_fault_of_type(*pair) for pair in pairs)), None)


def _fault_of_value(came, wanted):
    """Say how the numbers that came differ from those that were wanted."""
    came, wanted = _numbers(came), _numbers(wanted)
    if came is None or wanted is None:
        return ""
    if came.shape != wanted.shape:
        alike = came.size == wanted.size and same(came.ravel(), wanted.ravel())
        right = " The numbers themselves are right." if alike else ""
        return f"The shape should be {wanted.shape}, but is {came.shape}.{right}"
    if not np.isfinite(came).all() and np.isfinite(wanted).all():
        return "There is nan or inf in it: exp of a large number, log(0), or a division by 0?"
    if same(came, wanted):
        return ""
    for digits in range(2, 5):
        if same(came, wanted.round(digits)):
            return f"It is rounded to {digits} digits. Return all of them."
    if wanted.size > 1 and same(np.sort(came, axis=None), np.sort(wanted, axis=None)):
        return "The right numbers are there, but at other places."
    right, place = _close(came, wanted), _first_place(came, wanted)
    first = f"Right: {right.sum()} of {right.size} numbers. The first that differs is at {list(place)}: "
    first += f"expected {wanted[place]:.6g}, came {came[place]:.6g}. "
    ratio = Fraction(float(came[place] / (wanted[place] or np.inf))).limit_denominator(100)
    off = abs(came[place] - wanted[place])
    told = f"too {'large' if came[place] > wanted[place] else 'small'} by {off:.4g}"
    if ratio and 1 in (abs(ratio.numerator), ratio.denominator) and came[place] % 1:
        told = f"{ratio} times as large" if same(came[place], ratio * wanted[place]) else told
    return f"{first if wanted.size > 1 else ''}That is {told}."


def _first_place(came, wanted):
    """Return the index of the first number that differs, or None if there is no such place."""
    came, wanted = _numbers(came), _numbers(wanted)
    if came is None or wanted is None or came.shape != wanted.shape:
        return None
    return next((tuple(map(int, place)) for place in np.argwhere(~_close(came, wanted))), None)


def kind(value):
    """Describe in words what a value is, without its numbers."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, np.ndarray):
        words = {"i": "whole numbers", "u": "whole numbers", "f": "numbers"}
        what = words.get(value.dtype.kind, f"the type {value.dtype}")
        return f"an array of {what}, of shape {value.shape}"
    if isinstance(value, Mapping):
        return f"a dict with the keys {', '.join(map(show, value))}" if value else "an empty dict"
    if isinstance(value, tuple | list):
        return f"a {'list' if isinstance(value, list) else 'tuple'} of {len(value)}"
    what = "number" if isinstance(value, Number) else "value"
    what = f"a {what} of the type {type(value).__name__}"
    return {int: "a whole number", type(None): "None"}.get(type(value), what)


def show(value, most=MOST_SHOWN):
    """Write a value for people: small ones as they are, large ones by their shape."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bytes):
        return f"{value[:24].hex(' ')}{' …' if len(value) > 24 else ''}"
    if isinstance(value, Mapping):
        parts = [f"{n!r}: {show(v, most)}" if len(value) <= 6 else str(n) for n, v in value.items()]
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, tuple | list):
        parts = [show(part, most) for part in value[:6]] + ["…"] * (len(value) > 6)
        return f"({', '.join(parts)}{',' * (len(parts) == 1)})"
    if isinstance(value, np.ndarray) and value.ndim > 0:
        if value.size > most or value.dtype.kind not in "biufc":
            return kind(value) if value.size <= most else f"array of shape {value.shape}"
        number = {"float_kind": lambda x: f"{x:.4g}"}
        return " ".join(np.array2string(value, separator=", ", formatter=number).split())
    if isinstance(value, float):
        return f"{value:.6g}"
    if inspect.isfunction(value):
        return (value.__doc__ or "a function").strip().splitlines()[0]
    known = int | str | Fraction  # what others say of themselves may hold an address
    return reprlib.repr(value) if isinstance(value, known) else kind(value)
