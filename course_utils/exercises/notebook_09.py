"""Notebook 09: what a winner was overrated by, an interval of a difference, and the best of n equals."""

from collections import namedtuple

import numpy as np

from .marking import check

_rng = np.random.default_rng(0)
_Overrated = namedtuple("_Overrated", "winner by")
_first = np.array([90.0, 95.0, 92.0])
_new = np.array([[91.0, 90.0], [93.0, 91.0], [96.0, 91.0]])


@check(
    ("three settings, two new tries each", _first, _new),
    ("one new try each", np.array([3.0, 1.0, 2.0]), np.array([[2.0], [5.0], [4.0]])),
    ("the winner was underrated", np.array([0.5, 0.75]), np.array([[0.25] * 3, [1.0, 0.5, 1.0]])),
    ("thirty settings, six new tries each", _rng.normal(95, 1, 30), _rng.normal(95, 1, (30, 6))),
)
def check_overrated(first, new):
    """(number of the winner, its first try minus the mean of its new ones).

    first.argmax() -> new.mean(axis=1).argmax() -> The winner is that of the first tries.
    first.argmax() -> new.max(axis=1).argmax() -> The winner is that of the first tries.
    new[winner].mean() -> new.mean() -> It was held against the new tries of all settings.
    new[winner].mean() -> new[winner].max() -> It was held against its best new try, not the mean.
    new[winner].mean() -> new[:, 0].mean() -> A row of `new` is a setting; a column is a seed.
    new[winner].mean() -> np.append(new[winner], first[winner]).mean()
        -> The first try is among those of the mean. It was chosen for being high: leave it out.
    first[winner] - -> first.mean() - -> It begins with the mean of all first tries, not the winner's.
    first[winner] - -> -first[winner] + 2 * -> A winner that did better later has a number below 0.
    """
    winner = first.argmax()
    by = first[winner] - new[winner].mean()
    return _Overrated(winner, by)


_Interval = namedtuple("_Interval", "low high")
_one, _other = _rng.normal([[95.5], [95.0]], 1, (2, 10))


@check(
    ("three seeds", np.array([3.0, 5.0, 7.0]), np.array([2.0, 1.0, 4.0]), 4.3),
    ("two that rise and fall together", np.array([1.0, 5.0, 9.0]), np.array([0.0, 4.5, 8.0]), 4.3),
    ("ten seeds", _one, _other, 2.26),
    ("ten seeds, the other way round", _other, _one, 2.0),
    ("the same difference each time", np.array([2.0, 3.0]), np.array([1.0, 2.0]), 12.7),
)
def check_seed_interval(one, other, factor):
    """(low, high) of the mean difference, seed by seed.

    ddof=1 -> ddof=0 -> The standard deviation was divided by n. Of a few numbers it needs ddof=1.
    / np.sqrt(len(one)) -> / len(one) -> Divided by n. A mean of n strays by 1/√n of what one does.
    / np.sqrt(len(one)) ->  -> This is how far *one* difference strays. The mean strays less.
    error = … -> error = np.sqrt((one.var(ddof=1) + other.var(ddof=1)) / len(one))
        -> The spreads of both were added. Take the differences first: what they share drops out.
    factor * error -> 2 * error -> The factor is always 2, whatever is handed in.
    factor * error -> error -> The factor is missing.
    factor * error -> factor * error / 2 -> Only half of it lies on each side.
    middle = … -> middle = 0 -> It lies around 0, not around the mean difference.
    differences = … -> differences = abs(one - other) -> The signs are lost: who was better, each time?
    """
    differences = one - other
    error = differences.std(ddof=1) / np.sqrt(len(one))
    middle = differences.mean()
    return _Interval(middle - factor * error, middle + factor * error)


@check(
    ("two tries, the best of two", np.array([1.0, 3.0]), 2),
    ("one draw", np.array([4.0, 1.0, 2.5]), 1),
    ("three tries, the best of two", np.array([6.0, 0.0, 3.0]), 2),
    ("two tries are the same", np.array([2.0, 5.0, 2.0, 1.0]), 3),
    ("a single try", np.array([0.75]), 5),
    ("thirty tries, the best of thirty", _rng.normal(95, 1, 30), 30),
)
def check_expected_best(tries, n):
    """The mean of the best of n draws from the tries, each of which may be drawn again.

    np.sort(tries) -> tries -> The tries must be in order. The share up to each counts the smaller ones.
    np.sort(tries) -> np.sort(tries)[::-1] -> This is the mean of the *worst* of n.
    return … -> return ordered.max() -> This is the best of all. The best of n draws may be another.
    ** n ->  -> This is the mean of *one* draw. That all n are so low has this chance to the power n.
    ** n -> * n -> Chances of draws that all must happen are multiplied by each other: ** n.
    np.diff(up_to, prepend=0) -> up_to -> This is the chance of *at most* that. Take differences.
    np.diff(up_to, prepend=0) -> np.append(np.diff(up_to), 0)
        -> The differences are one place off. Before the first stands 0: prepend=0.
    np.arange(1, len(tries) + 1) -> np.arange(len(tries)) -> The ranks begin at 1, not at 0.
    """
    ordered = np.sort(tries)
    rank = np.arange(1, len(tries) + 1)
    up_to = (rank / len(tries)) ** n
    chances = np.diff(up_to, prepend=0)
    return (ordered * chances).sum()
