"""Sweeps: the same table everywhere, nothing lost and nothing twice, whatever dies in between."""

import errno
import importlib
import itertools
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import sweep_tasks
from matplotlib import pyplot as plt
from threadpoolctl import threadpool_info

from course_utils import Network, load_mnist, plot_heat_map, train
from course_utils.lab import cells, pools
from course_utils.lab import sweep as sweep_module
from course_utils.lab.pools import broadcast_seconds, simulate
from course_utils.lab.search_panel import SearchPanel
from course_utils.lab.sweep import RESULTS, Search, sweep

ROOT = Path(__file__).resolve().parents[1]
(X, y), _ = load_mnist(source="uci-digits")
X, y, X_val, y_val = X[:-237], y[:-237], X[-237:], y[-237:]
DATA, VALIDATION = (X, y), (X_val, y_val)
TINY = (X[:40], y[:40])
QUIET = {"progress": False, "validation": VALIDATION}
# six that are done, one that diverges, one that cannot begin
GRID = [
    {"hidden": hidden, "learning_rate": rate, "epochs": 2}
    for hidden in (5, (12, 7), 0)
    for rate in (0.02, 0.2)
] + [{"learning_rate": 50, "l2": 0.1, "epochs": 2}, {"learning_rate": -1}]
LONG_GRID = {"learning_rate": [0.01 * k for k in range(1, 13)], "epochs": [2]}
SIZES = {"hidden": [3, 4, 5, 6, 7, 8]}
posix = pytest.mark.skipif(not hasattr(os, "killpg"), reason="this system has no such signals")


def same(a, b, but=("seconds", "worker")):
    """Whether two tables are equal in all that does not hang on where and when."""
    a, b = (table.reset_index(drop=True).drop(columns=list(but)) for table in (a, b))
    pd.testing.assert_frame_equal(a, b)
    return True


def wait_until(condition, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def n_lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.fixture
def stand_in(monkeypatch):
    """Let workers do something else than to train."""
    return lambda task: monkeypatch.setattr(sweep_module, "train_once", task)


@pytest.fixture
def gate(stand_in, tmp_path):
    """After `shut(n)`, all runs but the first n wait until `open()`, in the processes `begun()`."""
    task = partial(sweep_tasks.at_gate, folder=str(tmp_path))
    gate = SimpleNamespace(
        shut=lambda n_free=0: stand_in(partial(task, n_free=n_free)),
        open=(tmp_path / "gate").touch,
        begun=lambda: {int(path.stem) for path in tmp_path.glob("*.begun")},
    )
    yield gate
    gate.open()  # no worker may wait on


@pytest.fixture
def background():
    """Call a function in a thread; `.result(300)` has what it returned."""
    with ThreadPoolExecutor() as threads:
        yield threads.submit


@pytest.fixture(scope="module")
def serial_checkpoint(tmp_path_factory):
    return tmp_path_factory.mktemp("serial") / "checkpoint"


@pytest.fixture(scope="module")
def serial(serial_checkpoint):
    return sweep(GRID, *DATA, repeats=2, n_jobs=1, checkpoint=serial_checkpoint, **QUIET)


@pytest.fixture(scope="module")
def dask_client():
    distributed = pytest.importorskip("distributed", reason='pip install -e ".[cluster]"')
    options = {"threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None}
    with (
        # a second death of its workers, and a run is given up
        pytest.importorskip("dask").config.set({"distributed.scheduler.allowed-failures": 1}),
        suppress(KeyError),  # distributed may look for a killed worker as it closes
        distributed.LocalCluster(n_workers=2, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def cluster(dask_client):
    """Two workers, which begin anew when they are killed; `scale(n)` makes them n."""

    def scale(n):
        dask_client.cluster.scale(n)
        wait_until(lambda: len(dask_client.ncores()) == n)

    def n_tasks():
        return dask_client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))

    yield SimpleNamespace(client=dask_client, scale=scale, n_tasks=n_tasks)
    scale(2)
    wait_until(lambda: n_tasks() == 0)  # no images stay there


def pids(table):
    return {int(worker.split(":")[1]) for worker in table.worker if worker}


@pytest.fixture(params=["processes", "cluster"])
def where(request):
    """Return the options of `sweep` for two workers, here and on a cluster."""
    if request.param == "processes":
        return {"n_jobs": 2}
    return {"client": request.getfixturevalue("cluster").client}


# what is run


def planned(grid):
    runs = list(Search(grid, *TINY, VALIDATION, repeats=2).planned.values())
    assert [seed for _, seed in runs] == [0, 1] * (len(runs) // 2)
    return [setting for setting, seed in runs if seed == 0]


def test_a_dict_of_lists_stands_for_every_combination():
    settings = planned({"hidden": [2, 3], "l2": np.array([0, 0.1])})
    assert settings == [{"hidden": h, "l2": l2} for h in (2, 3) for l2 in (0, 0.1)]
    assert planned({}) == [{}]


def test_a_list_of_dicts_stands_for_itself_and_nothing_runs_twice():
    wide = [{"l2": 0.1, "hidden": (3, np.int64(4))}, {"l2": 0.1, "hidden": [3, 4]}]
    grid = [{"hidden": 3}, *wide, {"hidden": np.int64(3)}, {"hidden": [3], "epochs": 5}]
    # 5 epochs is what it is if left out
    assert planned(grid) == [{"hidden": 3, "epochs": 5}, {"l2": 0.1, "hidden": (3, 4)}]


@pytest.mark.parametrize("grid", [[], {"hidden": [], "l2": [0]}])
def test_an_empty_grid_gives_an_empty_table(grid):
    table = sweep(grid, *TINY, **QUIET)
    assert len(table) == 0
    assert list(table) == ["seed", *RESULTS]


def test_a_row_is_what_train_comes_to():
    options = {"epochs": 2, "batch_size": 1, "momentum": 0.5, "l2": 0.001, "learning_rate": 0.001}
    settings = [
        {"hidden": (9, 8), "activation": "sigmoid", "init": "xavier"} | options,
        {"hidden": 5, "dtype": "float64"} | options,
    ]
    data, validation = (X[:200].astype(float), y[:200]), (X_val.astype(float), y_val)
    table = sweep(settings, *data, validation=validation, repeats=2, n_jobs=1, progress=False)
    networks = [
        Network([784, 9, 8, 10], activation="sigmoid", init="xavier", rng=1),
        Network([784, 5, 10], rng=1, dtype="float64"),
    ]
    for row, network in zip(table[table.seed == 1].itertuples(), networks, strict=True):
        history = train(network, *data, rng=1, validation=validation, progress=False, **options)
        accuracies = [epoch.validation_accuracy for epoch in history.epochs]
        assert row.accuracies == accuracies
        assert (row.accuracy, row.best_accuracy) == (accuracies[-1], max(accuracies))
        assert row.loss == pytest.approx(np.reshape(history.loss, (200, 2)).mean(axis=1))
        assert row.final_loss == row.loss[-1]


def test_the_runs_with_most_to_compute_begin_first(serial, serial_checkpoint):
    runs = map(json.loads, serial_checkpoint.read_text().splitlines())
    began = dict.fromkeys((str(r["run"][0]["hidden"]), r["run"][0]["epochs"]) for r in runs)
    assert list(began) == [("20", 5), ("20", 2), ("[12, 7]", 2), ("0", 2), ("5", 2)]


def test_each_run_has_a_single_core_for_its_matrix_products(monkeypatch):
    inside = []
    look = lambda *a, **k: inside.extend(threadpool_info()) or 1 / 0  # noqa: E731
    monkeypatch.setattr(sweep_module, "Network", look)
    sweep_module.train_once({}, 0, *TINY, *TINY)
    assert {lib["num_threads"] for lib in inside if lib["user_api"] == "blas"} == {1}


# what is wrong is told at once


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"grid": {"l2": [], "rng": [1]}}, "no option 'rng'.*among hidden, .*repeats"),
        ({"grid": [{"l2": 0.1}, {"layer_sizes": 1}]}, "no option 'layer_sizes'.*'hidden'"),
        ({"grid": {"hidden": 5}}, r"must be a list of values, such as \[5\]"),
        ({"grid": {"activation": "relu"}}, "must be a list of values"),
        ({"grid": ["hidden"]}, "a dict of lists.*or a list of dicts"),
        ({"grid": {"init": [np.tanh]}}, "a number or a name"),
        ({"grid": {"hidden": [(5, [6])]}}, "a number or a name"),
        ({"repeats": 0}, "repeats must be a whole number of 1 or more"),
        ({"n_jobs": -1}, "n_jobs must be a whole number of 1 or more"),
        ({"validation": None}, r"validation must be a pair of images and labels"),
        ({"validation": (X_val[:, :100], y_val)}, r"in validation.*shape \(n, 784\)"),
        ({"X": X * 255}, "0–255"),
        ({"checkpoint": "missing/checkpoint"}, "checkpoint: there is no folder .*; make it"),
    ],
)
def test_what_is_wrong_is_told_at_once(arguments, told):
    with pytest.raises((ValueError, FileNotFoundError), match=told):
        sweep(**{"grid": {}, "X": X, "y": y, **QUIET, **arguments})


# the table


def test_runs_that_diverge_or_fail_are_rows_that_say_so(serial):
    assert list(serial.status) == ["done"] * 12 + ["diverged"] * 2 + ["failed"] * 2
    assert "no longer a finite number" in serial.message[12]
    assert serial.message[14].startswith("ValueError: learning_rate must be")
    assert serial.accuracy.isna().tolist() == [False] * 12 + [True] * 4
    assert serial.final_loss.isna().tolist() == [False] * 14 + [True] * 2
    assert serial.accuracy.max() == serial.accuracy[10:12].max() > 0.85


def test_the_table_has_a_column_for_each_option_and_makes_a_heat_map(serial):
    assert list(serial) == ["hidden", "learning_rate", "epochs", "l2", "seed", *RESULTS]
    assert serial.hidden.tolist() == [5] * 4 + [(12, 7)] * 4 + [0] * 4 + [20] * 4  # the default
    assert serial.epochs.tolist() == [2] * 14 + [5] * 2
    part = serial[(serial.seed == 0) & (serial.status == "done")]
    values = part.pivot(index="hidden", columns="learning_rate", values="accuracy")
    assert values.loc[[5], 0.2].item() == serial.accuracy[2]
    ax = plot_heat_map(values, values.index, values.columns)
    assert len(ax.texts) == 6
    plt.close(ax.figure)


# the same table, wherever it is done


def test_two_workers_come_to_the_same_table_and_the_bar_tells_the_best(where, serial, capsys):
    table = sweep(GRID, *DATA, validation=VALIDATION, **where)
    assert same(table, serial[::2])  # fewer seeds are a part of it
    shown = capsys.readouterr().out
    assert "8/8" in shown
    assert f"best={table.accuracy.max():.2%}" in shown


def test_two_sweeps_at_once_in_threads(where, background, serial):
    first, second = (background(sweep, GRID, *DATA, **where | {"n_jobs": 1}, **QUIET) for _ in "ab")
    assert same(first.result(300), serial[::2])
    assert same(second.result(300), serial[::2])


@posix
@pytest.mark.parametrize("n_killed", [1, 2])
def test_killed_workers_cost_no_run_and_no_image(where, gate, background, n_killed, serial):
    gate.shut()
    sweeping = background(sweep, GRID, *DATA, **where, **QUIET)
    wait_until(lambda: len(gate.begun()) == 2)
    for pid in list(gate.begun())[:n_killed]:
        os.kill(pid, signal.SIGKILL)
    gate.open()
    assert same(sweeping.result(300), serial[::2])


@posix
def test_a_run_that_kills_its_worker_is_a_row_and_the_others_go_on(where, stand_in, tmp_path):
    # Dask may blame a run that was on the same worker as well, but not most of them
    most, told = (3, "died.*KilledWorker") if "client" in where else (1, "its worker died")
    options = {"checkpoint": tmp_path / "checkpoint", **where, **QUIET}
    stand_in(sweep_tasks.die_with_seven_units)
    table = sweep(SIZES, *TINY, **options)
    assert table.hidden.tolist() == SIZES["hidden"]
    lost = table[table.status != "done"]
    assert 7 in set(lost.hidden)
    assert len(lost) <= most
    assert lost.message.str.contains(told).all()
    assert n_lines(options["checkpoint"]) == len(table) - len(lost)
    stand_in(sweep_tasks.quickly)  # on a computer with more memory, say
    again = sweep(SIZES, *TINY, **options)
    assert set(again.status) == {"done"}
    assert again.worker.drop(lost.index).tolist() == table.worker.drop(lost.index).tolist()


# processes


def test_many_tiny_runs_by_as_many_processes_as_there_are_cores(stand_in, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    stand_in(sweep_tasks.how_x_came)
    grid = {"learning_rate": [k / 1000 for k in range(1, 301)]}
    table = sweep(grid, *DATA, **QUIET)
    assert table.learning_rate.tolist() == grid["learning_rate"]
    assert table.worker.nunique() <= pools.n_cores()
    assert set(table.message) == {"ndarray in a file"}  # which all share
    assert not list(tmp_path.iterdir())  # and which goes with them


def test_a_run_that_cannot_be_sent_is_a_row(stand_in):
    stand_in(lambda *arguments: None)
    table = sweep({}, *TINY, n_jobs=1, **QUIET)
    assert table.status.tolist() == ["failed"]
    assert "could not be sent" in table.message[0]


# interrupt, crash, and go on

SCRIPT = """
import sys, test_sweep as t
from functools import partial
t.sweep_module.train_once = partial(t.sweep_tasks.at_gate, folder=sys.argv[1], n_free=3)
table = t.sweep(t.LONG_GRID, *t.DATA, n_jobs=2, checkpoint=sys.argv[1] + "/checkpoint", **t.QUIET)
print("in the table:", len(table))
"""
SCHEDULER = """
from distributed import LocalCluster
with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
    print(cluster.scheduler_address, flush=True)
    input()
"""


def started(script, folder):
    """Start a Python of its own, with the tests' modules and a folder for temporary files."""
    path = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
    return subprocess.Popen(
        [sys.executable, "-c", script, folder],
        env=os.environ | {"TMPDIR": str(folder), "PYTHONPATH": path},
        **dict.fromkeys(["stdin", "stdout", "stderr"], subprocess.PIPE),
        text=True,
        start_new_session=True,
    )


def stopped_in_the_middle(gate, folder, end):
    """Run `SCRIPT`, end it when three runs are done and two under way; return what it printed."""
    with started(SCRIPT, folder) as process:

        def in_the_middle():
            assert process.poll() is None, process.stderr.read()
            return n_lines(folder / "checkpoint") == 3 and len(gate.begun()) == 2

        wait_until(in_the_middle)
        end(process.pid)
        return process.communicate(timeout=300)  # when its workers have ended as well


def goes_on(path):
    """Run the same sweep to its end; check that it keeps the rows of the file as they are."""
    lines = [line for line in path.read_bytes().splitlines(keepends=True) if line[-1:] == b"\n"]
    assert 3 <= len(lines) <= 4
    kept = {json.loads(line)["result"]["seconds"] for line in lines}
    table = sweep(LONG_GRID, *DATA, n_jobs=1, checkpoint=path, **QUIET)
    assert kept <= set(table.seconds)
    assert table.status.tolist() == ["done"] * 12
    assert n_lines(path) == 12
    assert same(sweep(LONG_GRID, *DATA, checkpoint=path, **QUIET), table, but=())


@posix
def test_an_interrupt_returns_what_has_finished_and_the_same_call_goes_on(gate, tmp_path):
    interrupt = lambda pid: os.killpg(pid, signal.SIGINT)  # noqa: E731 - as a terminal does it
    out, err = stopped_in_the_middle(gate, tmp_path, interrupt)
    said = "Interrupted: {0} of 12 runs have finished and are in the table; the same call goes on"
    said += " from here.\nin the table: {0}\n"
    assert out in (said.format(2), said.format(3))  # one may be on the disk only
    assert not err
    goes_on(tmp_path / "checkpoint")


@posix
def test_not_even_sigkill_loses_a_finished_run_or_leaves_anything_behind(gate, tmp_path):
    stopped_in_the_middle(gate, tmp_path, lambda pid: os.kill(pid, signal.SIGKILL))
    assert not list(tmp_path.glob("sweep-*"))
    with open(tmp_path / "checkpoint", "ab") as file:
        file.write(b'{"data": "as if it was cut short')
    goes_on(tmp_path / "checkpoint")


def test_a_full_disk_costs_a_sweep_its_checkpoint_only(tmp_path, monkeypatch, capsys, stand_in):
    stand_in(sweep_tasks.quickly)
    path, fsync, calls = tmp_path / "checkpoint", os.fsync, itertools.count(1)

    def full_at_the_third(file):
        fsync(file)
        if next(calls) == 3:
            os.truncate(file, os.fstat(file).st_size - 20)  # a part of the line only
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_at_the_third)
    table = sweep(SIZES, *TINY, n_jobs=1, checkpoint=path, **QUIET)
    assert set(table.status) == {"done"}
    assert capsys.readouterr().out == (
        "The checkpoint cannot be written (No space left on device); the sweep goes on without it.\n"
    )
    again = sweep(SIZES, *TINY, n_jobs=1, checkpoint=path, **QUIET)
    assert (again.worker == table.worker).sum() == 2
    assert n_lines(path) == 6


def test_a_checkpoint_gives_the_same_table_again_and_grows(serial, serial_checkpoint, tmp_path):
    path, options = tmp_path / "checkpoint", {"repeats": 2, "n_jobs": 1, **QUIET}
    shutil.copy(serial_checkpoint, path)
    more = sweep([GRID[0] | {"hidden": 3}, *GRID], *DATA, checkpoint=path, **options)
    assert same(more[2:], serial, but=())  # what diverged, what failed and the tuples as well
    assert n_lines(path) == 16 + 2
    other = sweep(GRID[:1], X[1:], y[1:], checkpoint=path, **options)
    assert n_lines(path) == 18 + 2  # another set of images
    assert not set(other.seconds) & set(serial.seconds)


@pytest.mark.parametrize("text", ["my diary", "my diary\n", '{"data": "x"}\n', "[]\n", "1\n"])
def test_a_file_of_something_else_is_never_written_to(tmp_path, text):
    path = tmp_path / "diary.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"line 1 of .*diary\.txt is no run"):
        sweep({}, *TINY, checkpoint=path, **QUIET)
    assert path.read_text() == text


# the panel


def panel_in_the_middle(gate, **options):
    """Return a panel with one run at the gate, and three that are done."""
    gate.shut(3)
    panel = SearchPanel(LONG_GRID, *DATA, n_jobs=1, validation=VALIDATION, **options)
    wait_until(lambda: len(panel.table) == 3 and gate.begun())
    return panel


def test_the_panel_comes_to_the_same_table(serial):
    panel = SearchPanel(GRID, *DATA, n_jobs=1, validation=VALIDATION)
    table = panel.wait()
    assert same(table, serial[::2])
    assert panel.progress.value == panel.progress.max == 8
    assert "8 of 8 runs" in panel.status.value
    assert f"{table.accuracy.max():.2%}" in panel.status.value
    assert panel.stop_button.disabled
    panel.close()


def test_stop_keeps_what_has_finished(gate, tmp_path):
    panel = panel_in_the_middle(gate, checkpoint=tmp_path / "checkpoint")
    wait_until(lambda: "of 12 runs finished" in panel.status.value)
    assert panel.running
    panel.stop_button.click()
    assert "Stopping" in panel.status.value
    gate.open()
    table = panel.wait()
    assert 3 < len(table) < 12
    assert f"{len(table)} of 12 runs" in panel.status.value
    assert n_lines(tmp_path / "checkpoint") == len(table)
    panel.stop_button.click()
    assert "Stopped after" in panel.status.value
    panel.close()


def test_an_interrupt_while_waiting_is_a_click_on_stop(gate, monkeypatch):
    panel, join = panel_in_the_middle(gate), threading.Thread.join

    def interrupted(thread, timeout=None):
        monkeypatch.setattr(threading.Thread, "join", join)
        gate.open()
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    assert 3 < len(panel.wait()) < 12
    panel.close()


def test_to_run_the_cell_again_ends_the_sweep_before(gate, monkeypatch):
    monkeypatch.setattr(cells, "current", lambda: ("cell", "run 1"))
    first = panel_in_the_middle(gate)
    monkeypatch.setattr(cells, "current", lambda: ("cell", "run 2"))
    second = SearchPanel([], *TINY, validation=VALIDATION)
    gate.open()
    assert len(first.wait()) < 12
    second.close()
    assert not {first, second} & set(cells.OPEN)


def test_the_panel_tells_what_went_wrong(monkeypatch):
    def no_cluster(self):
        raise TimeoutError("no worker")
        yield

    monkeypatch.setattr(Search, "results", no_cluster)
    panel = SearchPanel({}, *TINY, validation=VALIDATION)
    with pytest.raises(TimeoutError):
        panel.wait()
    assert "no worker" in panel.status.value
    panel.close()


# what only a cluster can do


@pytest.mark.parametrize("n_workers", [1, 2])
def test_in_many_tiny_runs_the_images_travel_to_each_worker_once(cluster, stand_in, n_workers):
    cluster.scale(n_workers)
    stand_in(sweep_tasks.where_x_is)
    grid = {"learning_rate": [k / 1000 for k in range(1, 201)]}
    table = sweep(grid, *DATA, client=cluster.client, **QUIET)
    assert table.learning_rate.tolist() == grid["learning_rate"]
    assert pids(table) == set(cluster.client.run(os.getpid).values())
    assert table.message.nunique() == n_workers


@posix
def test_a_worker_that_dies_while_the_images_are_sent_is_done_without(cluster, background):
    dies, lives = cluster.client.run(os.getpid).values()
    os.kill(dies, signal.SIGSTOP)  # it answers no more, but is still among the workers
    sweeping = background(sweep, GRID[:4], *DATA, client=cluster.client, **QUIET)
    wait_until(lambda: cluster.n_tasks() == 4 + 4)
    os.kill(dies, signal.SIGKILL)
    table = sweeping.result(300)
    assert set(table.status) == {"done"}
    assert lives in pids(table)
    assert dies not in pids(table)


def test_a_run_the_cluster_cannot_read_is_a_row(cluster, stand_in, tmp_path, monkeypatch):
    (tmp_path / "at_home.py").write_text("def train_once(*arguments): pass")
    monkeypatch.syspath_prepend(tmp_path)
    stand_in(importlib.import_module("at_home").train_once)
    table = sweep({}, *TINY, client=cluster.client, **QUIET)
    cluster.scale(0)  # those that could not read it have ended
    assert table.status.tolist() == ["failed"]
    assert "could not be sent" in table.message[0]


@pytest.mark.parametrize("n_free", [0, 3])
def test_where_no_worker_is_left_what_has_finished_is_kept(
    cluster, gate, background, tmp_path, monkeypatch, capsys, n_free
):
    monkeypatch.setattr(pools, "PATIENCE", 1)
    gate.shut(n_free)
    path, client = tmp_path / "checkpoint", cluster.client
    sweeping = background(sweep, LONG_GRID, *DATA, checkpoint=path, client=client, **QUIET)
    wait_until(lambda: n_lines(path) == n_free and gate.begun())
    cluster.scale(0)
    if n_free:
        assert len(sweeping.result(300)) == 3
        assert "3 of 12 runs have finished and are in the table;" in capsys.readouterr().out
    else:
        with pytest.raises(TimeoutError):
            sweeping.result(300)


def test_a_worker_added_in_the_middle_is_used(cluster, gate, background, serial):
    gate.shut()
    sweeping = background(sweep, GRID, *DATA, client=cluster.client, **QUIET)
    wait_until(lambda: len(gate.begun()) == 2)
    cluster.scale(3)
    wait_until(lambda: len(gate.begun()) == 3)
    gate.open()
    table = sweeping.result(300)
    assert same(table, serial[::2])
    assert pids(table) == gate.begun()


def test_a_sweep_on_a_cluster_can_be_interrupted_and_goes_on(cluster, gate, background, tmp_path):
    gate.shut(3)
    path, ended = tmp_path / "checkpoint", threading.Event()

    def interrupt():
        wait_until(lambda: n_lines(path) == 3)
        signal.raise_signal(signal.SIGINT)
        while not ended.wait(60):  # one can be lost; press again, as a user would
            signal.raise_signal(signal.SIGINT)

    background(interrupt)
    try:
        first = sweep(LONG_GRID, *DATA, checkpoint=path, client=cluster.client, **QUIET)
    finally:
        ended.set()
    assert 2 <= len(first) <= 3  # one may be on the disk, but not yet in the table
    gate.open()
    goes_on(path)


def test_where_the_scheduler_dies_what_has_finished_is_kept(gate, background, tmp_path, capsys):
    distributed = pytest.importorskip("distributed", reason='pip install -e ".[cluster]"')
    gate.shut(3)
    path = tmp_path / "checkpoint"
    with started(SCHEDULER, tmp_path) as scheduler:
        client = distributed.Client(scheduler.stdout.readline().strip())
        sweeping = background(sweep, LONG_GRID, *DATA, client=client, checkpoint=path, **QUIET)
        wait_until(lambda: n_lines(path) == 3)
        scheduler.kill()
    assert len(sweeping.result(300)) == 3
    assert "the scheduler is gone" in capsys.readouterr().out
    client.close()


# planning


def test_the_images_reach_all_in_as_many_rounds_as_the_copies_double():
    rounds = [broadcast_seconds(50, n, bytes_per_second=50) for n in (1, 2, 3, 4, 7, 1000)]
    assert rounds == [1, 2, 2, 3, 3, 10]


def test_simulate_hands_out_runs_in_order_to_whoever_is_free():
    assert simulate([3.0, 1.0, 1.0, 1.0], 1) == 6
    assert simulate([3.0, 1.0, 1.0, 1.0], 2, start=10.0) == 13
    assert simulate([1.0, 1.0, 1.0, 3.0], 2) == 4
    assert simulate([], 3, start=2.0) == 2
    seconds = [simulate([1.0] * 1000, n, per_run=0.01) for n in (1, 10, 100, 1000)]
    assert seconds == pytest.approx([1010, 101.09, 11.0, 11.0], rel=0.01)


# the page on clusters


def test_the_first_example_of_the_page_runs(tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason='pip install -e ".[cluster]"')
    monkeypatch.setenv("MNIST_SOURCE", "uci-digits")
    code = (ROOT / "CLUSTER.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    with started(code, tmp_path) as process:
        out, err = process.communicate(timeout=300)
    assert "accuracy" in out, err
    assert "done" in out


def test_the_numbers_of_the_page_are_those_of_the_benchmark():
    pytest.importorskip("distributed", reason='pip install -e ".[cluster]"')
    benchmark = SimpleNamespace(**runpy.run_path(str(ROOT / "benchmarks" / "sweep.py")))
    result = json.loads(benchmark.RESULT.read_text(encoding="utf-8"))
    page = benchmark.PAGE.read_text(encoding="utf-8")
    assert benchmark.with_tables(page, result) == page
    e = result["evaluation"]
    assert e == benchmark.evaluate(result["measured"])
    one, two, dask = (e[way] for way in benchmark.WAYS)
    last = e["plan"][-1]
    for told in (
        f"{one:.1f} / {two:.1f} = {one / two:.2f}, and {dask:.1f} / {two:.1f} = {dask / two:.2f}",
        f"Two processes took {two / e['two processes, predicted'] - 1:.0%} longer",
        f"two Dask workers {dask / e['two Dask workers, predicted'] - 1:.0%}",
        f"The scheduler needs {last['the scheduler needs']:.0f} s",
        f"takes {last['of that, the images']:.0f} s, more than the {last['at best']:.0f} s of",
    ):
        assert told.replace("%", " %") in " ".join(page.split())
