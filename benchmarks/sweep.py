"""Measure what a sweep gains from a second worker, and what it costs to run it on Dask.

    python -m pip install -e ".[cluster]" && python benchmarks/sweep.py

Three ways to do the same runs take turns, so that whatever else the computer does hits all of them:
one worker process, two of them, and two workers of a Dask cluster on this computer. From what it
measures it plans 10,000 runs on up to 1,000 workers. It writes
``benchmarks/results/sweep.json`` and brings the tables in ``CLUSTER.md`` up to date. Let nothing
else run meanwhile. ``--quick`` is a small form that writes nothing, to see that it works.
"""

import argparse
import json
import os
import platform
import re
import statistics
import time
from importlib.metadata import version
from pathlib import Path

import distributed
import numpy as np

from course_utils import load_mnist
from course_utils.lab.pools import broadcast_seconds, simulate
from course_utils.lab.sweep import sweep

ROOT = Path(__file__).resolve().parents[1]
RESULT, PAGE = ROOT / "benchmarks" / "results" / "sweep.json", ROOT / "CLUSTER.md"
WAYS = {"one worker": 1, "two processes": 2, "two Dask workers": 2}
N_WORKERS = (1, 10, 100, 1000)
N_PLANNED = 10_000
NETWORK = 125e6  # bytes a second: 1 Gbit/s, an assumption


def timed(way, client, grid, X, y, validation):
    """Do a sweep; return its seconds from the call to the table, and the table."""
    start = time.perf_counter()
    where = {"client": client} if way == "two Dask workers" else {"n_jobs": WAYS[way]}
    table = sweep(grid, X, y, validation=validation, progress=False, **where)
    seconds = time.perf_counter() - start
    if set(table.status) != {"done"}:
        raise RuntimeError(f"not all runs are done:\n{table}")
    return seconds, table


def what_was_found(table):
    return table.drop(columns=["seconds", "worker"])


def measure(client, X, y, validation, n_runs, n_tiny, n_rounds):
    """Return everything that is measured, in seconds."""
    rates = np.geomspace(0.05, 0.4, n_runs // 4)
    grid = {"learning_rate": rates, "hidden": [8, 16, 32, 64]}
    tiny_rates = [0.01 + k / n_tiny for k in range(n_tiny)]
    tiny = {"learning_rate": tiny_rates, "hidden": [3], "epochs": [1]}
    tiny_data = (X[:40], y[:40], (X[40:50], y[40:50]))
    rounds, tables = [], {}
    for way in WAYS:  # warm up: start the processes, and import what they need
        timed(way, client, {"hidden": [3, 4, 5, 6]}, *tiny_data)
    for _ in range(n_rounds):
        seconds = {}
        for way in WAYS:
            seconds[way], tables[way] = timed(way, client, grid, X, y, validation)
            if not what_was_found(tables[way]).equals(what_was_found(tables["one worker"])):
                raise RuntimeError(f"{way} came to another table than one worker")
            tiny_seconds, tiny_table = timed(way, client, tiny, *tiny_data)
            work = tiny_table.seconds.sum() / WAYS[way]
            seconds[f"{way}, for each run"] = (tiny_seconds - work) / n_tiny
            seconds[f"{way}, predicted"] = simulate(
                sorted(tables["one worker"].seconds, reverse=True),
                WAYS[way],
                per_run=seconds[f"{way}, for each run"],
            )
        rounds.append(seconds)
        print(", ".join(f"{name} {seconds[name]:.2f} s" for name in WAYS), flush=True)
    return {
        "rounds": rounds,
        "seconds of each run": tables["one worker"].seconds.tolist(),
        "bytes of the images": X.nbytes + validation[0].nbytes,
    }


def evaluate(measured):
    """Return what the rounds say: medians over the rounds, each compared within its round."""

    def median(value):
        return statistics.median(map(value, measured["rounds"]))

    per_run = median(lambda r: r["two Dask workers, for each run"])
    durations = np.random.default_rng(0).choice(measured["seconds of each run"], N_PLANNED)
    durations = np.sort(durations)[::-1]  # as a sweep hands them out
    plan = []
    for n in N_WORKERS:
        start = broadcast_seconds(measured["bytes of the images"], n, NETWORK)
        plan.append(
            {
                "workers": n,
                "seconds": simulate(durations, n, per_run=per_run, start=start),
                "of that, the images": start,
                "at best": float(durations.sum()) / n,
                "the scheduler needs": N_PLANNED * per_run,
            }
        )
    return {
        "two processes, times as fast as one worker": median(
            lambda r: r["one worker"] / r["two processes"]
        ),
        "Dask's cost over two processes": median(
            lambda r: r["two Dask workers"] / r["two processes"] - 1
        ),
        "mean run, seconds": float(np.mean(measured["seconds of each run"])),
        "workers that one scheduler can feed": float(
            np.mean(measured["seconds of each run"]) / per_run
        ),
        **{way: median(lambda r, way=way: r[way]) for way in measured["rounds"][0]},
        "plan": plan,
    }


def page_tables(result):
    """Return the tables of ``CLUSTER.md``, in Markdown."""
    e, about = result["evaluation"], result["about"]
    lines = [
        f"Measured on {about['cores']} cores, {len(result['measured']['rounds'])} rounds, "
        f"{about['runs']} runs of {e['mean run, seconds']:.2f} s on {about['digits']}; medians:",
        "",
        "| | measured | predicted | a run costs, beside the training |",
        "|---|---|---|---|",
    ]
    for way in WAYS:
        lines.append(
            f"| {way} | {e[way]:.1f} s | {e[f'{way}, predicted']:.1f} s | "
            f"{1000 * e[f'{way}, for each run']:.1f} ms |"
        )
    speed, cost = (
        e["two processes, times as fast as one worker"],
        e["Dask's cost over two processes"],
    )
    lines += [
        "",
        f"Two processes are {speed:.2f} times as fast as one worker. Dask takes "
        f"{abs(cost):.0%} {'more' if cost > 0 else 'less'} time than the two processes.",
        "",
        f"Planned: {N_PLANNED:,} such runs on Dask, with a network of 1 Gbit/s.",
        "",
        "| workers | hours:minutes:seconds | if nothing but training took time | sending the images |",
        "|---|---|---|---|",
    ]
    for p in e["plan"]:
        lines.append(
            f"| {p['workers']:,} | {clock(p['seconds'])} | {clock(p['at best'])} | "
            f"{clock(p['of that, the images'])} |"
        )
    lines += [
        "",
        f"One scheduler can feed about {e['workers that one scheduler can feed']:.0f} workers with "
        f"such short runs: it needs {clock(e['plan'][0]['the scheduler needs'])} for all of them, "
        "however many workers there are.",
    ]
    return "\n".join(lines)


def clock(seconds):
    minutes, s = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{s:02}"


def with_tables(page, result):
    """Return the text of the page with its tables up to date."""
    begin, end = "<!-- benchmarks/sweep.py writes from here -->", "<!-- to here -->"
    new = f"{begin}\n\n{page_tables(result)}\n\n{end}"
    page, n = re.subn(f"{begin}.*?{end}", lambda _: new, page, flags=re.DOTALL)
    if n != 1:
        raise ValueError(f"{PAGE.name} must have the line {begin} and after it {end}, once each")
    return page


def main():
    """Measure, print, and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small form that writes nothing")
    quick = parser.parse_args().quick
    digits = load_mnist()
    (X, y), _ = digits
    n = len(X) // 6
    X, y, validation = X[:-n], y[:-n], (X[-n:], y[-n:])
    if quick:
        X, y = X[:5000], y[:5000]
    n_runs, n_tiny, n_rounds = (8, 100, 1) if quick else (32, 1000, 5)
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    )
    with cluster, distributed.Client(cluster) as client:
        measured = measure(client, X, y, validation, n_runs, n_tiny, n_rounds)
    result = {
        "about": {
            "digits": digits.source,
            "images": len(X),
            "runs": n_runs,
            "tiny runs": n_tiny,
            "cores": os.cpu_count(),
            "processor": platform.machine(),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "pebble": version("pebble"),
            "distributed": distributed.__version__,
        },
        "evaluation": evaluate(measured),
        "measured": measured,
    }
    print(page_tables(result))
    if not quick:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), result), encoding="utf-8")


if __name__ == "__main__":
    main()
