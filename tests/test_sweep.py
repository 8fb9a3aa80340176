"""Sweeps: the same table everywhere, nothing lost and nothing twice, whatever dies in between."""

import csv
import errno
import importlib.util
import itertools
import json
import os
import platform
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import sweep_tasks
from joblib import parallel_config
from joblib.parallel import get_active_backend
from matplotlib import pyplot as plt
from threadpoolctl import threadpool_info

from course_utils import (
    Network,
    SearchPanel,
    broadcast_seconds,
    load_mnist,
    plot_heat_map,
    simulate,
    sweep,
    sweeps,
    train,
)
from course_utils.sweep_table import SweepRow, SweepTable
from course_utils.sweeps import OPTIONS, Search
from course_utils.widgets import cells

(X, y), _ = load_mnist(source="uci-digits")
X, y, X_val, y_val = X[:-237], y[:-237], X[-237:], y[-237:]
TINY = (X[:40], y[:40])
TINY_VALIDATION = (X_val[:10], y_val[:10])
QUIET = {"progress": False, "validation": (X_val, y_val)}
# six that are done, one that diverges, one that cannot begin
GRID = [
    {"hidden": hidden, "learning_rate": rate, "epochs": 2}
    for hidden in (5, (12, 7), 0)
    for rate in (0.02, 0.2)
] + [{"learning_rate": 50, "l2": 0.1, "epochs": 2}, {"learning_rate": -1}]


def what_was_found(table):
    """Return all of a table but how long it took, and where."""
    return [(r.setting, r.seed, r.status, r.message, r.accuracies, r.loss) for r in table]


def tiny(n, **options):
    """Return a grid of `n` tiny runs, and the data for it."""
    rates = [0.01 + k / 1000 for k in range(n)]
    grid = {"learning_rate": rates, "hidden": [3], "epochs": [1]}
    return (grid, *TINY), {"validation": TINY_VALIDATION, "progress": False, **options}


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def serial():
    return sweep(GRID, X, y, repeats=2, n_jobs=1, **QUIET)


# what is run


def test_a_dict_of_lists_stands_for_every_combination():
    table = sweep({"hidden": [2, 3], "l2": [0, 0.1, 0.2]}, *TINY, n_jobs=1, **QUIET)
    pairs = [(row.setting["hidden"], row.setting["l2"]) for row in table]
    assert pairs == [(2, 0), (2, 0.1), (2, 0.2), (3, 0), (3, 0.1), (3, 0.2)]


def test_a_list_of_dicts_stands_for_itself_and_nothing_runs_twice():
    grid = [{"hidden": 3}, {"l2": 0.1, "hidden": (3, 4)}, {"hidden": [3]}, {"hidden": np.int64(3)}]
    table = sweep(grid, *TINY, repeats=2, n_jobs=1, **QUIET)
    assert [(row.setting, row.seed) for row in table] == [
        ({"hidden": 3}, 0),
        ({"hidden": 3}, 1),
        ({"l2": 0.1, "hidden": (3, 4)}, 0),
        ({"l2": 0.1, "hidden": (3, 4)}, 1),
    ]


@pytest.mark.parametrize("grid", [[], {"hidden": []}, {"hidden": [], "l2": [0]}])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_empty_grid_gives_an_empty_table(grid, n_jobs, tmp_path):
    table = sweep(grid, *TINY, n_jobs=n_jobs, **QUIET)
    assert (len(table), table.n_planned) == (0, 0)
    assert "0 of 0 runs" in table._repr_html_()
    table.sort("accuracy").to_csv(tmp_path / "t.csv")
    with pytest.raises(ValueError, match="no best run"):
        table.best()


def test_a_grid_without_any_option_is_one_run_with_the_defaults():
    (row,) = sweep({}, *TINY, n_jobs=1, **QUIET)
    (same,) = sweep({"hidden": [20], "learning_rate": [0.1]}, *TINY, n_jobs=1, **QUIET)
    assert (row.setting, row.accuracies, row.loss) == ({}, same.accuracies, same.loss)


def test_a_row_is_what_train_comes_to():
    options = {"epochs": 3, "batch_size": 50, "momentum": 0.5, "l2": 0.001, "learning_rate": 0.05}
    setting = {"hidden": (9, 8), "activation": "sigmoid", "init": "xavier", **options}
    row = sweep([setting], X, y, repeats=3, n_jobs=1, **QUIET).rows[2]
    network = Network([784, 9, 8, 10], activation="sigmoid", init="xavier", rng=2)
    history = train(network, X, y, rng=2, validation=(X_val, y_val), progress=False, **options)
    assert row.seed == 2
    assert row.accuracies == [epoch.validation_accuracy for epoch in history.epochs]
    assert (row.accuracy, row.best_accuracy) == (row.accuracies[-1], max(row.accuracies))
    assert row.loss == history.loss  # 72 iterations: a point each


def test_the_runs_with_most_to_compute_begin_first():
    grid = {"epochs": [1, 2], "hidden": [3, 40], "learning_rate": [0.1]}
    search = Search(grid, *TINY, n_jobs=1, validation=TINY_VALIDATION)
    began = [(row.setting["hidden"], row.setting["epochs"]) for row in search.results()]
    assert began == [(40, 2), (40, 1), (3, 2), (3, 1)]


def test_a_long_loss_curve_is_told_in_200_points():
    row = sweep({"batch_size": [1], "epochs": [1]}, X, y, n_jobs=1, **QUIET).rows[0]
    network = Network([784, 20, 10], rng=0)
    history = train(network, X, y, epochs=1, batch_size=1, rng=0, progress=False)
    assert len(row.loss) == 200
    assert row.loss == pytest.approx(np.reshape(history.loss, (200, 6)).mean(axis=1))


def test_each_run_has_a_single_core_for_its_matrix_products(monkeypatch):
    inside = []
    monkeypatch.setattr(
        sweeps, "Network", lambda *a, **k: inside.append(threadpool_info()) or 1 / 0
    )
    sweeps.train_once({}, 0, *TINY, *TINY)
    cores = [lib["num_threads"] for lib in inside[0] if lib["user_api"] == "blas"]
    assert cores
    assert set(cores) == {1}


# what is wrong is told at once


@pytest.mark.parametrize("as_list", [False, True])
@pytest.mark.parametrize(
    ("name", "hint"),
    [("learningrate", "learning_rate"), ("rng", "repeats"), ("layer_sizes", "hidden")],
)
def test_a_wrong_key_is_told_with_those_that_are_allowed(name, hint, as_list):
    grid = [{"l2": 0.1}, {name: 1}] if as_list else {"l2": [0.1], name: [1]}
    with pytest.raises(ValueError, match=f"no option '{name}'") as error:
        sweep(grid, X, y, **QUIET)
    assert all(option in str(error.value) for option in OPTIONS)
    assert hint in str(error.value)


def test_the_options_are_those_of_network_and_train():
    assert list(OPTIONS) == [
        *("hidden", "activation", "init", "dtype"),
        *("epochs", "batch_size", "learning_rate", "momentum", "l2", "shuffle"),
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"grid": {"hidden": 5}}, r"must be a list of values to try, such as \[5\]"),
        ({"grid": {"activation": "relu"}}, r"must be a list of values"),
        ({"grid": ["hidden"]}, "a dict of lists.*or a list of dicts"),
        ({"grid": {"init": [np.tanh]}}, "a number or a name"),
        ({"repeats": 0}, "repeats must be a whole number of 1 or more"),
        ({"validation": None}, r"validation must be a tuple \(X_val, y_val\)"),
        ({"validation": (X_val[:, :100], y_val)}, r"shape \(n, 784\)"),
        ({"X": X * 255}, "0–255"),
        ({"y": y[1:]}, "same length"),
    ],
)
def test_wrong_arguments_are_told_at_once(arguments, told):
    with pytest.raises(ValueError, match=told):
        sweep(**{"grid": {}, "X": X, "y": y, **QUIET, **arguments})


# the table


def test_runs_that_diverge_or_fail_are_rows_that_say_so(serial):
    assert len(serial) == serial.n_planned == 16
    *others, diverged, _, failed, _ = serial.rows
    assert {row.status for row in others} == {"done"}
    assert (diverged.status, diverged.accuracy) == ("diverged", None)
    assert "no longer a finite number" in diverged.message
    assert diverged.loss
    assert (failed.status, failed.accuracy, failed.best_accuracy) == ("failed", None, None)
    assert failed.message.startswith("ValueError: learning_rate must be")
    assert "2 diverged; 2 failed" in repr(serial)


def test_the_table_sorts(serial):
    values = serial.sort().column("accuracy")
    assert values == sorted(values[:12], reverse=True) + [None] * 4
    assert serial.sort("hidden").column("hidden") == [0] * 4 + [5] * 4 + [(12, 7)] * 4 + [None] * 4
    seconds = serial.sort("seconds").column("seconds")
    assert seconds == sorted(seconds)
    assert serial.best() == serial.sort().rows[0]
    with pytest.raises(KeyError, match="there are hidden, learning_rate, epochs, l2, seed"):
        serial.sort("accuracyy")


def test_the_table_shows_in_a_notebook(serial):
    html = serial._repr_html_()
    assert html.count("<tr>") == 1 + 16
    assert "12-7" in html
    assert f"{serial.best().accuracy:.2%}" in html
    assert "diverged" in html
    assert str(os.getpid()) not in html  # workers are numbered
    assert platform.node() not in repr(serial.best())
    row = SweepRow({"init": "<b>"}, 0, "failed", "<i>", [], [], 1.0, "w")
    many = SweepTable([row] * 25, 30)._repr_html_()
    assert "5 more rows" in many
    assert "<b>" not in many
    assert "<i>" not in many


def test_the_table_goes_to_csv(serial, tmp_path):
    serial.to_csv(tmp_path / "table.csv")
    with open(tmp_path / "table.csv", newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 16
    for line, row in zip(lines, serial, strict=True):
        assert line["status"] == row.status
        assert line["accuracy"] == ("" if row.accuracy is None else str(row.accuracy))
        assert json.loads(line["loss"]) == row.loss
        assert line["hidden"] == str(row.setting.get("hidden", ""))


def test_a_full_disk_leaves_the_old_csv_file(serial, tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "table.csv").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        serial.to_csv(tmp_path / "table.csv")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


# many workers


def test_two_workers_come_to_the_same_table_as_one(serial):
    table = sweep(GRID, X, y, repeats=2, n_jobs=2, **QUIET)
    assert what_was_found(table) == what_was_found(serial)


def test_the_seeds_of_a_sweep_are_those_of_a_longer_one(serial):
    once = sweep(GRID, X, y, repeats=1, n_jobs=1, **QUIET)
    assert what_was_found(once) == what_was_found(serial)[::2]


def test_a_thousand_tiny_runs():
    arguments, options = tiny(1000, n_jobs=2)
    table = sweep(*arguments, **options)
    assert {row.status for row in table} == {"done"}
    assert table.column("learning_rate") == arguments[0]["learning_rate"]


def test_the_bar_tells_how_many_runs_and_the_best(capsys):
    arguments, options = tiny(4, n_jobs=1)
    table = sweep(*arguments, **options | {"progress": True})
    shown = capsys.readouterr().out
    assert "4/4" in shown
    assert f"best={table.best().accuracy:.2%}" in shown


def test_processes_share_the_images_in_place_of_copying_them(monkeypatch):
    monkeypatch.setattr(sweeps, "train_once", sweep_tasks.how_x_came)
    table = sweep({"l2": [0.1, 0.2, 0.3]}, X, y, n_jobs=2, **QUIET)
    assert {row.message for row in table} == {"memmap"}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_run_that_kills_its_worker_is_a_row_and_the_others_go_on(monkeypatch, tmp_path):
    monkeypatch.setattr(sweeps, "train_once", sweep_tasks.die_with_seven_units)
    grid, path = {"hidden": list(range(3, 9))}, tmp_path / "checkpoint"
    table = sweep(grid, *TINY, n_jobs=2, checkpoint=path, **QUIET)
    assert table.column("hidden") == grid["hidden"]
    assert [row.setting["hidden"] for row in table if row.status != "done"] == [7]
    assert "its worker died" in table.rows[4].message
    monkeypatch.undo()  # on a computer with more memory, say, it may be done
    assert sweep(grid, *TINY, n_jobs=1, checkpoint=path, **QUIET).rows[4].status == "done"


# interrupt, crash, and go on

SCRIPT = """
import sys
from course_utils import load_mnist, sweep
(X, y), _ = load_mnist(source="uci-digits")
table = sweep(
    {{"learning_rate": [0.01 * k for k in range(1, 21)], "epochs": [20]}},
    X[:-237], y[:-237], validation=(X[-237:], y[-237:]), n_jobs={n_jobs}, progress=False,
    checkpoint=sys.argv[1],
)
print("in the table:", len(table), table.interrupted)
"""


def stopped_in_the_middle(path, n_jobs, kill):
    """Run `SCRIPT`, end it when some runs are done; return what it printed, and the rows' lines."""
    script = [sys.executable, "-c", SCRIPT.format(n_jobs=n_jobs), path]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # where what a kill leaves behind, the images in a file for all workers, is removed with the rest
    options["env"] = os.environ | {"TMPDIR": str(path.parent)}
    with subprocess.Popen(script, start_new_session=True, **options) as process:

        def five_are_done():
            assert process.poll() is None, process.stderr.read()
            return path.exists() and path.read_bytes().count(b"\n") >= 5

        wait_until(five_are_done)
        kill(process.pid)
        printed = process.communicate(timeout=60)
    return printed, path.read_bytes().splitlines(keepends=True)


def goes_on_from(path, lines):
    """Run the same sweep to its end; check that it keeps the rows of these lines as they are."""
    whole = [json.loads(line) for line in lines if line.endswith(b"\n")]
    assert 5 <= len(whole) < 20
    grid = {"learning_rate": [0.01 * k for k in range(1, 21)], "epochs": [20]}
    table = sweep(grid, X, y, n_jobs=2, checkpoint=path, **QUIET)
    seconds = {row.setting["learning_rate"]: row.seconds for row in table}
    assert len(table) == len(seconds) == 20
    assert not table.interrupted
    for line in whole:
        assert seconds[line["setting"]["learning_rate"]] == line["seconds"]
    assert len(path.read_bytes().splitlines()) == 20


pgroup = pytest.mark.skipif(not hasattr(os, "killpg"), reason="this system has no process groups")


@pgroup
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_interrupt_returns_what_has_finished_and_the_same_call_goes_on(tmp_path, n_jobs):
    path = tmp_path / "checkpoint"
    interrupt = lambda pid: os.killpg(pid, signal.SIGINT)  # noqa: E731 - as a terminal does it
    (out, err), lines = stopped_in_the_middle(path, n_jobs, interrupt)
    assert f"in the table: {len(lines)} True" in out
    assert f"Interrupted: {len(lines)} of 20 runs have finished" in out
    assert "Traceback" not in err
    goes_on_from(path, lines)


@pgroup
def test_not_even_sigkill_loses_a_finished_run(tmp_path):
    path = tmp_path / "checkpoint"
    kill = lambda pid: os.killpg(pid, signal.SIGKILL)  # noqa: E731
    _, lines = stopped_in_the_middle(path, 2, kill)
    path.write_bytes(b"".join(lines) + b'{"data": "as if it was cut short')
    goes_on_from(path, lines)


def test_a_checkpoint_without_a_folder_is_told_at_once(tmp_path):
    arguments, options = tiny(3, checkpoint=tmp_path / "missing" / "checkpoint")
    with pytest.raises(
        FileNotFoundError, match=r"checkpoint: there is no folder .*; make it first"
    ):
        sweep(*arguments, **options)


def test_a_full_disk_costs_a_sweep_its_checkpoint_only(tmp_path, monkeypatch, capsys):
    arguments, options = tiny(5, n_jobs=1, checkpoint=tmp_path / "checkpoint")
    fsync, calls = os.fsync, itertools.count(1)

    def full_at_the_third(file):
        fsync(file)
        if next(calls) == 3:
            os.truncate(file, os.fstat(file).st_size - 20)  # a part of the line only
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_at_the_third)
    table = sweep(*arguments, **options)
    assert [row.status for row in table] == ["done"] * 5
    assert capsys.readouterr().out == (
        "The checkpoint cannot be written (No space left on device); the sweep goes on without it.\n"
    )
    monkeypatch.undo()
    again = sweep(*arguments, **options)
    assert sum(a.seconds == b.seconds for a, b in zip(table, again, strict=True)) == 2
    assert len((tmp_path / "checkpoint").read_bytes().splitlines()) == 5


def test_a_checkpoint_is_of_its_data_and_grows_with_the_grid(tmp_path):
    path = tmp_path / "checkpoint"
    arguments, options = tiny(3, n_jobs=1, checkpoint=path)
    first = sweep(*arguments, **options)
    (more, *data), _ = tiny(5)
    assert [row.seconds for row in sweep(more, *data, **options).rows[:3]] == first.column(
        "seconds"
    )
    assert len(path.read_text().splitlines()) == 5
    other = sweep(arguments[0], X[1:41], y[1:41], **options)
    assert len(path.read_text().splitlines()) == 8
    assert other.column("seconds") != first.column("seconds")


def test_a_checkpoint_keeps_what_diverged_and_what_failed(tmp_path, serial):
    options = {"repeats": 2, "n_jobs": 1, "checkpoint": tmp_path / "checkpoint", **QUIET}
    first, again = (sweep(GRID, X, y, **options) for _ in range(2))
    assert what_was_found(again) == what_was_found(first) == what_was_found(serial)
    assert again.column("seconds") == first.column("seconds")


@pytest.mark.parametrize("text", ["my diary", "my diary\n", '{"data": "x"}\n', "[]\n", "{}\n"])
def test_a_file_of_something_else_is_never_written_to(tmp_path, text):
    path = tmp_path / "diary.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"line 1 of .*diary\.txt is no run"):
        sweep({}, *TINY, n_jobs=1, checkpoint=path, **QUIET)
    assert path.read_text() == text


# the panel


def test_the_panel_comes_to_the_same_table():
    panel = SearchPanel(GRID, X, y, repeats=2, n_jobs=2, validation=(X_val, y_val))
    table = panel.wait()
    assert what_was_found(table) == what_was_found(sweep(GRID, X, y, repeats=2, n_jobs=1, **QUIET))
    assert panel.progress.value == panel.progress.max == 16
    assert "16 of 16 runs" in panel.status.value
    assert f"{table.best().accuracy:.2%}" in panel.status.value
    assert panel.stop_button.disabled
    panel.close()


def slow_panel(**options):
    grid = {"learning_rate": [0.01 * k for k in range(1, 101)], "epochs": [20]}
    panel = SearchPanel(grid, X, y, validation=(X_val, y_val), **options)
    wait_until(lambda: len(panel.search.finished) >= 2)
    return panel


def test_stop_keeps_what_has_finished(tmp_path):
    panel = slow_panel(n_jobs=2, checkpoint=tmp_path / "checkpoint")
    assert panel.running
    assert "of 100 runs finished" in panel.status.value
    panel.stop_button.click()
    table = panel.wait()
    assert 2 <= len(table) < 100
    assert table.interrupted
    assert "Stopped" in panel.status.value
    assert len((tmp_path / "checkpoint").read_bytes().splitlines()) == len(table)
    panel.stop_button.click()
    assert "Stopped" in panel.status.value
    panel.close()


def test_an_interrupt_while_waiting_is_a_click_on_stop(monkeypatch):
    panel, join = slow_panel(n_jobs=1), threading.Thread.join

    def interrupted(thread, timeout=None):
        if timeout is not None:
            raise KeyboardInterrupt
        join(thread)

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    assert 2 <= len(panel.wait()) < 100
    panel.close()


def test_to_run_the_cell_again_ends_the_sweep_before(monkeypatch):
    monkeypatch.setattr(cells, "current", lambda: ("cell", "run 1"))
    first = slow_panel(n_jobs=2)
    monkeypatch.setattr(cells, "current", lambda: ("cell", "run 2"))
    second = SearchPanel({"epochs": [1, 2]}, *TINY, n_jobs=2, validation=(X_val, y_val))
    assert [row.status for row in second.wait()] == ["done", "done"]
    assert not first.running
    assert len(first.table) < 100
    second.close()
    assert not {first, second} & set(cells.OPEN)


def test_the_panel_tells_what_went_wrong(monkeypatch):
    def no_cluster(self):
        raise TimeoutError("no worker after 10 seconds")
        yield

    monkeypatch.setattr(Search, "results", no_cluster)
    panel = SearchPanel({}, *TINY, validation=(X_val, y_val))
    with pytest.raises(TimeoutError):
        panel.wait()
    assert "no worker after 10 seconds" in panel.status.value
    panel.close()


def test_a_heat_map_shows_each_number_and_where_there_is_none():
    values = [[90.04, None, 95], [20, 97, 96]]
    ax = plot_heat_map(values, [8, 16], [0.1, 0.2, 0.5], low=88, label="right (%)")
    assert [text.get_text() for text in ax.texts] == ["90.0", "95.0", "20.0", "97.0", "96.0"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0.1", "0.2", "0.5"]
    assert ax.images[0].norm.vmin == 88
    plt.close(ax.figure)


# planning


def test_the_images_reach_all_in_as_many_rounds_as_the_copies_double():
    rounds = [broadcast_seconds(50, n, bytes_per_second=50) for n in (1, 2, 3, 4, 7, 1000)]
    assert rounds == [1, 2, 2, 3, 3, 10]


def test_simulate_hands_out_runs_in_order_to_whoever_is_free():
    assert simulate([3.0, 1.0, 1.0, 1.0], 1) == 6
    assert simulate([3.0, 1.0, 1.0, 1.0], 2, start=10.0) == 13
    assert simulate([1.0, 1.0, 1.0, 3.0], 2) == 4
    assert simulate([], 3, start=2.0) == 2


def test_simulate_finds_where_more_workers_stop_paying():
    seconds = [simulate([1.0] * 1000, n, per_run=0.01) for n in (1, 10, 100, 1000)]
    assert seconds == pytest.approx([1010, 101.09, 11.0, 11.0], rel=0.01)


# a cluster

HOST = "127.0.0.1"


def dask_process(module, *options):
    command = [sys.executable, "-m", f"distributed.cli.{module}", "--host", HOST, "--no-dashboard"]
    return subprocess.Popen(
        [*command, *options],
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",  # a second death, and it is given up
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


class Cluster:
    """A scheduler and workers as processes of their own, joined by TCP."""

    def __init__(self, folder):
        from distributed import Client

        self.file, self.workers = Path(folder, "scheduler.json"), []
        self.scheduler = dask_process(
            "dask_scheduler", "--port", "0", "--scheduler-file", str(self.file)
        )
        wait_until(self.file.exists)
        self.client = Client(scheduler_file=str(self.file))
        assert self.client.scheduler.address.startswith(f"tcp://{HOST}:")

    def add_worker(self):
        self.workers.append(self.worker("--no-nanny"))
        return self.workers[-1]

    def worker(self, *options):
        return dask_process(
            "dask_worker", "--scheduler-file", str(self.file), "--nthreads", "1", *options
        )

    def wait(self, n):
        self.client.wait_for_workers(n, timeout=60)

    def have_two_workers(self):
        """Replace those that have died, and take those away that were added."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) > 2:
            added = self.workers.pop()
            added.kill()
            added.wait()
        while len(self.workers) < 2:
            self.add_worker()
        wait_until(lambda: len(self.client.ncores()) == 2)

    def close(self):
        self.client.close()
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait()


@pytest.fixture
def cluster(processes):
    yield processes
    processes.have_two_workers()


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    if importlib.util.find_spec("distributed") is None:
        pytest.skip('Dask is not installed: python -m pip install -e ".[cluster]"')
    processes = Cluster(tmp_path_factory.mktemp("dask"))
    try:
        processes.add_worker()
        processes.add_worker()
        processes.wait(2)
        yield processes
    finally:
        processes.close()


def pids(table):
    return {int(worker.split(":")[1]) for worker in table.column("worker")}


def test_a_cluster_comes_to_the_same_table(cluster, serial):
    with parallel_config(backend="dask"):
        table = sweep(GRID, X, y, repeats=2, **QUIET)
    assert what_was_found(table) == what_was_found(serial)
    assert pids(table) <= {worker.pid for worker in cluster.workers}
    assert len(pids(table)) == 2


def test_the_same_images_can_be_sent_again_and_again(cluster):
    with parallel_config(backend="dask"):
        tables = [sweep({}, *TINY, **QUIET) for _ in range(10)]
        assert not get_active_backend()[0].data_futures  # and none stays there
    for _ in range(10):
        with parallel_config(backend="dask"):
            tables.append(sweep({}, *TINY, **QUIET))
    assert {row.status for table in tables for row in table} == {"done"}


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system has no SIGSTOP")
@pytest.mark.parametrize("moment", ["as it is sent them", "before the others have them"])
def test_a_worker_that_dies_while_the_images_are_sent_is_done_without(cluster, moment, monkeypatch):
    monkeypatch.setattr(sweeps, "_SENDING", 2)
    dies, lives = cluster.workers
    if moment == "as it is sent them":
        dies.send_signal(signal.SIGSTOP)  # it answers no more, but is still among the workers
        threading.Timer(1, dies.kill).start()
    else:
        import distributed

        def wait(*arguments, _wait=distributed.wait, **options):
            dies.kill()
            return _wait(*arguments, **options)

        monkeypatch.setattr(distributed, "wait", wait)
    with parallel_config(backend="dask"):
        table = sweep({"hidden": [3, 4]}, *TINY, **QUIET)
    assert dies.wait() == -signal.SIGKILL
    assert {row.status for row in table} == {"done"}
    assert pids(table) == {lives.pid}


def test_on_a_cluster_the_images_travel_to_each_worker_once(cluster, monkeypatch):
    monkeypatch.setattr(sweeps, "train_once", sweep_tasks.where_x_is)
    with parallel_config(backend="dask"):
        table = sweep({"l2": [k / 100 for k in range(40)]}, X, y, **QUIET)
    assert len(set(table.column("message"))) == len(pids(table)) <= 2


def test_many_tiny_runs_on_a_cluster(cluster):
    (grid, X, y), options = tiny(200)
    with parallel_config(backend="dask"):
        table = sweep(grid, X, y, **options)
    assert table.column("learning_rate") == grid["learning_rate"]
    assert {row.status for row in table} == {"done"}


def slow_sweep():
    grid = {"learning_rate": [0.01 * k for k in range(1, 31)], "epochs": [10]}
    return Search(grid, X, y, validation=(X_val, y_val))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_worker_killed_in_the_middle_costs_no_run(cluster):
    victim = cluster.workers[0]
    with parallel_config(backend="dask"):
        search = slow_sweep()
    reported = []
    for row in search.results():
        reported.append(row.setting["learning_rate"])
        if len(reported) == 6:
            os.kill(victim.pid, signal.SIGKILL)
            victim.wait()
    assert sorted(reported) == search.table().column("learning_rate")
    assert len(reported) == 30
    assert {row.status for row in search.table()} == {"done"}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_run_that_kills_its_workers_on_a_cluster_is_a_row(cluster, monkeypatch, tmp_path):
    monkeypatch.setattr(sweeps, "train_once", sweep_tasks.die_with_seven_units)
    path = tmp_path / "checkpoint"
    with cluster.worker("--nanny") as begins_anew:  # however often its run kills it
        try:
            cluster.wait(3)
            with parallel_config(backend="dask", wait_for_workers_timeout=60):
                grid = {"hidden": list(range(3, 9))}
                table = sweep(grid, *TINY, checkpoint=path, **QUIET)
        finally:
            begins_anew.kill()  # and its worker ends with it
    assert table.column("hidden") == list(range(3, 9))
    lost = [row for row in table if row.status == "failed"]
    assert 7 in [row.setting["hidden"] for row in lost]
    # Dask may blame a run that was on the same worker as well, but not most of them
    assert len(lost) <= 3
    # cancelled: it was the last, and the images were lost with its worker
    assert all(re.search("KilledWorker|CancelledError", row.message) for row in lost)
    assert len(path.read_bytes().splitlines()) == len(table) - len(lost)


def test_a_run_that_cannot_be_sent_is_a_row(cluster, monkeypatch, tmp_path):
    (tmp_path / "at_home.py").write_text("def train_once(*arguments): pass")
    monkeypatch.syspath_prepend(tmp_path)
    import at_home

    monkeypatch.setattr(sweeps, "train_once", at_home.train_once)
    with parallel_config(backend="dask"):
        for _ in range(2):
            (row,) = sweep({}, *TINY, **QUIET)
            assert row.status == "failed"
            assert "could not be sent" in row.message


@pytest.fixture
def gate(cluster, monkeypatch):
    """Let each run take at least a second, until the gate is opened by `set`."""
    from distributed import Event

    monkeypatch.setattr(sweeps, "train_once", sweep_tasks.slowly_until_the_gate_is_open)
    gate = Event(sweep_tasks.GATE, client=cluster.client)
    yield gate
    gate.set()  # no worker may wait on
    gate.clear()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_images_that_were_lost_with_their_workers_are_sent_again(cluster, gate):
    with parallel_config(backend="dask"):
        search = slow_sweep()
    reported = []
    for row in search.results():
        reported.append(row.setting["learning_rate"])
        if len(reported) == 2:
            for worker in cluster.workers:
                worker.kill()
                worker.wait()
            cluster.have_two_workers()
            gate.set()
    assert sorted(reported) == search.table().column("learning_rate")
    assert len(reported) == 30
    assert {row.status for row in search.table()} == {"done"}


def test_where_no_worker_is_left_what_has_finished_is_kept(cluster, gate, tmp_path, capsys):
    path = tmp_path / "checkpoint"
    grid = {"learning_rate": [0.01 * k for k in range(1, 31)]}

    def kill():
        wait_until(lambda: path.exists() and path.read_bytes().count(b"\n") >= 3)
        for worker in cluster.workers:
            worker.kill()

    threading.Thread(target=kill).start()
    with parallel_config(backend="dask", wait_for_workers_timeout=1):
        first = sweep(grid, X, y, checkpoint=path, **QUIET)
    assert first.interrupted
    assert 2 <= len(first) < 30
    out = capsys.readouterr().out
    assert "no worker after 1 seconds" in out
    assert f"{len(first)} of 30 runs have finished and are in the table" in out
    for worker in cluster.workers:
        worker.wait()
    with parallel_config(backend="dask", wait_for_workers_timeout=0.1), pytest.raises(TimeoutError):
        sweep(grid, X, y, **QUIET)  # nothing has finished
    cluster.have_two_workers()
    gate.set()
    with parallel_config(backend="dask"):
        whole = sweep(grid, X, y, checkpoint=path, **QUIET)
    assert {row.status for row in whole} == {"done"}
    assert len(whole) == 30


def test_a_single_worker_does_the_runs_and_not_this_process(cluster, gate):
    gate.set()
    with cluster.workers.pop() as other:
        other.kill()
    wait_until(lambda: len(cluster.client.ncores()) == 1)
    with parallel_config(backend="dask"):
        table = sweep({"hidden": [3, 4], "learning_rate": [0.1]}, *TINY, **QUIET)
    assert pids(table) == {cluster.workers[0].pid}


def test_a_worker_added_in_the_middle_is_used(cluster, gate):
    with parallel_config(backend="dask"):
        search = slow_sweep()
    added = None
    for n, row in enumerate(search.results(), 1):
        if n == 2:
            added = cluster.add_worker()
            cluster.wait(3)
        if added and row.worker.endswith(f":{added.pid}"):
            gate.set()
    assert len(search.finished) == 30
    assert added.pid in pids(search.table())


def test_a_sweep_on_a_cluster_can_be_interrupted_and_goes_on(cluster, gate, tmp_path):
    path = tmp_path / "checkpoint"
    grid = {"learning_rate": [0.01 * k for k in range(1, 31)], "epochs": [10]}
    ended = threading.Event()

    def interrupt():
        wait_until(lambda: path.exists() and path.read_bytes().count(b"\n") >= 5)
        signal.raise_signal(signal.SIGINT)
        while not ended.wait(5):  # one was lost once; press again, as a user would
            signal.raise_signal(signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with parallel_config(backend="dask"):
        try:
            first = sweep(grid, X, y, checkpoint=path, **QUIET)
        finally:
            ended.set()
        assert first.interrupted
        assert 5 <= len(first) < 30
        gate.set()
        whole = sweep(grid, X, y, checkpoint=path, **QUIET)
    assert len(whole) == 30
    kept = {row.setting["learning_rate"]: row.seconds for row in whole}
    assert all(kept[row.setting["learning_rate"]] == row.seconds for row in first)


# the page on clusters

ROOT = Path(__file__).resolve().parents[1]


def test_the_first_example_of_the_page_runs():
    pytest.importorskip(
        "distributed", reason='not installed: python -m pip install -e ".[cluster]"'
    )
    code = (ROOT / "CLUSTER.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"MNIST_SOURCE": "uci-digits"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "6 of 6 runs; best" in done.stdout, done.stderr


def test_the_numbers_of_the_page_are_those_of_the_benchmark():
    pytest.importorskip(
        "distributed", reason='not installed: python -m pip install -e ".[cluster]"'
    )
    spec = importlib.util.spec_from_file_location("benchmark", ROOT / "benchmarks" / "sweep.py")
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    if not benchmark.RESULT.exists():
        pytest.skip("not measured yet: python benchmarks/sweep.py")
    result = json.loads(benchmark.RESULT.read_text(encoding="utf-8"))
    page = benchmark.PAGE.read_text(encoding="utf-8")
    assert benchmark.with_tables(page, result) == page
    assert result["evaluation"] == benchmark.evaluate(result["measured"])
