"""Sweeps: the same table everywhere, nothing lost and nothing twice, whatever dies in between."""

import errno
import importlib.util
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

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
from course_utils.lab.sweep import OPTIONS, RESULTS, Search, sweep

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
RATES = [0.01 * k for k in range(1, 13)]
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
    """Let each run wait until `gate.touch()`; `gate.begun` are the processes that do."""

    class Gate:
        touch = (tmp_path / "gate").touch

        def begun(self):
            return {int(path.stem) for path in tmp_path.glob("*.begun")}

    stand_in(partial(sweep_tasks.at_gate, folder=str(tmp_path)))
    yield Gate()
    Gate.touch()  # no worker may wait on


@pytest.fixture
def background():
    """Call a function in a thread; `.result(300)` has what it returned."""
    with ThreadPoolExecutor() as threads:
        yield threads.submit


@pytest.fixture(scope="module")
def serial():
    return sweep(GRID, *DATA, repeats=2, n_jobs=1, **QUIET)


# what is run


def planned(grid, **options):
    return list(Search(grid, *TINY, VALIDATION, **options).planned.values())


def test_a_dict_of_lists_stands_for_every_combination():
    pairs = [(s["hidden"], s["l2"]) for s, _ in planned({"hidden": [2, 3], "l2": [0, 0.1, 0.2]})]
    assert pairs == [(2, 0), (2, 0.1), (2, 0.2), (3, 0), (3, 0.1), (3, 0.2)]
    assert planned({"l2": np.array([0, 0.5])}) == [({"l2": 0.0}, 0), ({"l2": 0.5}, 0)]


def test_a_list_of_dicts_stands_for_itself_and_nothing_runs_twice():
    grid = [
        *({"hidden": 3}, {"l2": 0.1, "hidden": (3, np.int64(4))}, {"hidden": [3]}),
        *({"hidden": np.int64(3)}, {"hidden": 3, "epochs": 5}, {"l2": 0.1, "hidden": [3, 4]}),
    ]
    assert planned(grid, repeats=2) == [
        ({"hidden": 3, "epochs": 5}, 0),  # 5 is what it is if left out
        ({"hidden": 3, "epochs": 5}, 1),
        ({"l2": 0.1, "hidden": (3, 4)}, 0),
        ({"l2": 0.1, "hidden": (3, 4)}, 1),
    ]
    assert planned({}) == [({}, 0)]


@pytest.mark.parametrize("grid", [[], {"hidden": []}, {"hidden": [], "l2": [0]}])
def test_an_empty_grid_gives_an_empty_table(grid):
    table = sweep(grid, *TINY, **QUIET)
    assert len(table) == 0
    assert list(table) == ["seed", *RESULTS]


def test_the_options_are_those_of_network_and_train():
    assert list(OPTIONS) == [
        *("hidden", "activation", "init", "dtype"),
        *("epochs", "batch_size", "learning_rate", "momentum", "l2", "shuffle"),
    ]


def test_a_row_is_what_train_comes_to():
    options = {"epochs": 2, "batch_size": 1, "momentum": 0.5, "l2": 0.001, "learning_rate": 0.001}
    settings = [
        {"hidden": (9, 8), "activation": "sigmoid", "init": "xavier"} | options,
        {"hidden": 5, "dtype": "float64"} | options,
    ]
    data, validation = (X[:200].astype(float), y[:200]), (X_val.astype(float), y_val)
    table = sweep(settings, *data, validation=validation, repeats=2, n_jobs=2, progress=False)
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


def test_the_runs_with_most_to_compute_begin_first(stand_in):
    stand_in(sweep_tasks.quickly)
    grid = {"epochs": [1, 2], "hidden": [3, 40, "none"], "batch_size": [32]}
    began = [
        (r["hidden"], r["epochs"]) for r in Search(grid, *TINY, VALIDATION, n_jobs=1).results()
    ]
    assert began == [(40, 2), (40, 1), (3, 2), (3, 1), ("none", 1), ("none", 2)]


def test_each_run_has_a_single_core_for_its_matrix_products(monkeypatch):
    inside = []
    look = lambda *a, **k: inside.extend(threadpool_info()) or 1 / 0  # noqa: E731
    monkeypatch.setattr(sweep_module, "Network", look)
    sweep_module.train_once({}, 0, *TINY, *TINY)
    cores = {lib["num_threads"] for lib in inside if lib["user_api"] == "blas"}
    assert cores == {1}


# what is wrong is told at once


@pytest.mark.parametrize("as_list", [False, True])
@pytest.mark.parametrize(
    ("name", "hint"),
    [("learningrate", "learning_rate"), ("rng", "repeats"), ("layer_sizes", "'hidden'")],
)
def test_a_wrong_key_is_told_with_those_that_are_allowed(name, hint, as_list):
    grid = [{"l2": 0.1}, {name: 1}] if as_list else {"l2": [], name: [1]}
    with pytest.raises(ValueError, match=f"no option '{name}'") as error:
        sweep(grid, *DATA, **QUIET)
    assert all(option in str(error.value) for option in OPTIONS)
    assert hint in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"grid": {"hidden": 5}}, r"must be a list of values to try, such as \[5\]"),
        ({"grid": {"activation": "relu"}}, r"must be a list of values"),
        ({"grid": ["hidden"]}, "a dict of lists.*or a list of dicts"),
        ({"grid": {"init": [np.tanh]}}, "a number or a name"),
        ({"grid": {"hidden": [(5, [6])]}}, "a number or a name"),
        ({"repeats": 0}, "repeats must be a whole number of 1 or more"),
        ({"n_jobs": -1}, "n_jobs must be a whole number of 1 or more"),
        ({"validation": None}, r"validation must be a pair of images and labels"),
        ({"validation": (X_val[:, :100], y_val)}, r"in validation.*shape \(n, 784\)"),
        ({"X": X * 255}, "0–255"),
        ({"y": y[1:]}, "same length"),
    ],
)
def test_wrong_arguments_are_told_at_once(arguments, told):
    with pytest.raises(ValueError, match=told):
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
    assert values.shape == (3, 2)
    ax = plot_heat_map(100 * values, values.index, values.columns, low=80, label="right (%)")
    assert len(ax.texts) == 6
    assert ax.images[0].norm.vmin == 80
    plt.close(ax.figure)


def test_the_bar_tells_how_many_runs_and_the_best(capsys, serial):
    table = sweep(GRID[:4], *DATA, n_jobs=1, validation=VALIDATION)
    shown = capsys.readouterr().out
    assert "4/4" in shown
    assert f"best={table.accuracy.max():.2%}" in shown


# processes


def test_more_workers_come_to_the_same_table_and_fewer_seeds_to_a_part_of_it(serial):
    assert same(sweep(GRID, *DATA, n_jobs=2, **QUIET), serial[::2])


def test_many_tiny_runs_by_as_many_processes_as_there_are_cores():
    rates = [0.01 + k / 1000 for k in range(300)]
    grid = {"learning_rate": rates, "hidden": [3], "epochs": [1]}
    table = sweep(grid, *TINY, **QUIET)
    assert table.learning_rate.tolist() == rates
    assert set(table.status) == {"done"}
    assert table.worker.nunique() <= pools.n_cores()


def test_processes_share_the_images_in_files_that_go_with_them(stand_in, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    stand_in(sweep_tasks.how_x_came)
    table = sweep({"l2": [0.1, 0.2, 0.3]}, *DATA, n_jobs=2, **QUIET)
    assert set(table.message) == {"ndarray in a file"}
    assert not list(tmp_path.iterdir())


@posix
@pytest.mark.parametrize("n_killed", [1, 2])
def test_the_runs_of_killed_workers_are_tried_again(gate, background, n_killed, serial):
    sweeping = background(sweep, GRID, *DATA, n_jobs=2, **QUIET)
    wait_until(lambda: len(gate.begun()) == 2)
    for pid in list(gate.begun())[:n_killed]:
        os.kill(pid, signal.SIGKILL)
    gate.touch()
    assert same(sweeping.result(300), serial[::2])


@posix
def test_a_run_that_kills_its_worker_is_a_row_and_the_others_go_on(stand_in, tmp_path):
    stand_in(sweep_tasks.die_with_seven_units)
    grid, path = {"hidden": list(range(3, 9))}, tmp_path / "checkpoint"
    table = sweep(grid, *TINY, n_jobs=2, checkpoint=path, **QUIET)
    assert table.hidden.tolist() == grid["hidden"]
    assert table.hidden[table.status != "done"].tolist() == [7]
    assert "its worker died" in table.message[4]
    stand_in(sweep_tasks.quickly)  # on a computer with more memory, say
    again = sweep(grid, *TINY, n_jobs=1, checkpoint=path, **QUIET)
    assert set(again.status) == {"done"}
    assert again.worker.drop(4).tolist() == table.worker.drop(4).tolist()


def test_a_run_that_cannot_be_sent_is_a_row(stand_in):
    stand_in(lambda *arguments: None)
    table = sweep({}, *TINY, n_jobs=1, **QUIET)
    assert table.status.tolist() == ["failed"]
    assert "could not be sent" in table.message[0]


def test_two_sweeps_at_once_in_threads(background, serial):
    first, second = (background(sweep, GRID, *DATA, n_jobs=1, **QUIET) for _ in range(2))
    assert same(first.result(300), serial[::2])
    assert same(second.result(300), serial[::2])


# interrupt, crash, and go on

LONG_GRID = {"learning_rate": RATES, "epochs": [2]}
SCRIPT = """
import sys, test_sweep as t
from functools import partial
t.sweep_module.train_once = partial(t.sweep_tasks.first_at_once, folder=sys.argv[1])
table = t.sweep(t.LONG_GRID, *t.DATA, n_jobs=2, checkpoint=sys.argv[1] + "/checkpoint", **t.QUIET)
print("in the table:", len(table))
"""


def stopped_in_the_middle(folder, end):
    """Run `SCRIPT`, end it when three runs are done and two under way; return what it printed."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    path = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
    options["env"] = os.environ | {"TMPDIR": str(folder), "PYTHONPATH": path}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, folder], start_new_session=True, **options
    ) as process:

        def in_the_middle():
            assert process.poll() is None, process.stderr.read()
            begun = len(list(folder.glob("*.begun")))
            return n_lines(folder / "checkpoint") == 3 and begun == 2

        wait_until(in_the_middle)
        end(process.pid)
        return process.communicate(timeout=300)


def goes_on(path):
    """Run the same sweep to its end; check that it keeps the rows of the file as they are."""
    lines = [line for line in path.read_bytes().splitlines(keepends=True) if line[-1:] == b"\n"]
    assert 3 <= len(lines) <= 4
    kept = {json.loads(line)["result"]["seconds"] for line in lines}
    table = sweep(LONG_GRID, *DATA, n_jobs=2, checkpoint=path, **QUIET)
    assert kept <= set(table.seconds)
    assert table.status.tolist() == ["done"] * 12
    assert n_lines(path) == 12


@posix
def test_an_interrupt_returns_what_has_finished_and_the_same_call_goes_on(tmp_path):
    interrupt = lambda pid: os.killpg(pid, signal.SIGINT)  # noqa: E731 - as a terminal does it
    out, err = stopped_in_the_middle(tmp_path, interrupt)
    assert "Interrupted: 3 of 12 runs have finished and are in the table; the same call" in out
    assert "in the table: 3" in out
    assert not err
    goes_on(tmp_path / "checkpoint")


def exists(pid):
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"  # nobody may reap it here
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system has no /proc")
def test_not_even_sigkill_loses_a_finished_run_or_leaves_anything_behind(tmp_path):
    stopped_in_the_middle(tmp_path, lambda pid: os.kill(pid, signal.SIGKILL))
    wait_until(lambda: not any(exists(int(p.stem)) for p in tmp_path.glob("*.begun")))
    assert not list(tmp_path.glob("sweep-*"))
    with open(tmp_path / "checkpoint", "ab") as file:
        file.write(b'{"data": "as if it was cut short')
    goes_on(tmp_path / "checkpoint")


def test_a_checkpoint_without_a_folder_is_told_at_once(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"checkpoint: there is no folder .*; make it"):
        sweep({}, *TINY, checkpoint=tmp_path / "missing" / "checkpoint", **QUIET)


def test_a_full_disk_costs_a_sweep_its_checkpoint_only(tmp_path, monkeypatch, capsys, stand_in):
    stand_in(sweep_tasks.quickly)
    grid, path = {"hidden": [1, 2, 3, 4, 5]}, tmp_path / "checkpoint"
    fsync, calls = os.fsync, itertools.count(1)

    def full_at_the_third(file):
        fsync(file)
        if next(calls) == 3:
            os.truncate(file, os.fstat(file).st_size - 20)  # a part of the line only
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_at_the_third)
    table = sweep(grid, *TINY, n_jobs=1, checkpoint=path, **QUIET)
    assert set(table.status) == {"done"}
    assert capsys.readouterr().out == (
        "The checkpoint cannot be written (No space left on device); the sweep goes on without it.\n"
    )
    again = sweep(grid, *TINY, n_jobs=1, checkpoint=path, **QUIET)
    assert (again.worker == table.worker).sum() == 2
    assert n_lines(path) == 5


def test_a_checkpoint_gives_back_the_same_table_and_grows_with_the_grid(tmp_path):
    path, options = tmp_path / "checkpoint", {"repeats": 2, "n_jobs": 2, **QUIET}
    first = sweep(GRID[1:], *DATA, checkpoint=path, **options)
    more = sweep(GRID, *DATA, checkpoint=path, **options)
    assert same(more[2:], first, but=())  # what diverged, what failed and the tuples as well
    assert n_lines(path) == 16
    other = sweep(GRID[1:], X[1:], y[1:], checkpoint=path, **options)
    assert n_lines(path) == 16 + 14  # another set of images
    assert not set(other.seconds) & set(first.seconds)


@pytest.mark.parametrize(
    "text", ["my diary", "my diary\n", '{"data": "x"}\n', "[]\n", "{}\n", "1\n"]
)
def test_a_file_of_something_else_is_never_written_to(tmp_path, text):
    path = tmp_path / "diary.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"line 1 of .*diary\.txt is no run"):
        sweep({}, *TINY, checkpoint=path, **QUIET)
    assert path.read_text() == text


# the panel


def test_the_panel_comes_to_the_same_table(serial):
    panel = SearchPanel(GRID, *DATA, repeats=2, n_jobs=2, validation=VALIDATION)
    table = panel.wait()
    assert same(table, serial)
    assert panel.progress.value == panel.progress.max == 16
    assert "16 of 16 runs" in panel.status.value
    assert f"{table.accuracy.max():.2%}" in panel.status.value
    assert panel.stop_button.disabled
    panel.close()


def panel_in_the_middle(path, stand_in, **options):
    """Return a panel with two runs at the gate, and three that are done."""
    stand_in(partial(sweep_tasks.first_at_once, folder=str(path)))
    panel = SearchPanel(LONG_GRID, *DATA, n_jobs=2, validation=VALIDATION, **options)
    wait_until(lambda: len(panel.table) == 3)
    return panel


def test_stop_keeps_what_has_finished(tmp_path, stand_in):
    panel = panel_in_the_middle(tmp_path, stand_in, checkpoint=tmp_path / "checkpoint")
    wait_until(lambda: "of 12 runs finished" in panel.status.value)
    assert panel.running
    panel.stop_button.click()
    assert "Stopping" in panel.status.value
    (tmp_path / "gate").touch()
    table = panel.wait()
    assert 3 < len(table) < 12
    assert f"Stopped after {panel.status.value.split('after ')[1]}" in panel.status.value
    assert n_lines(tmp_path / "checkpoint") == len(table)
    panel.stop_button.click()
    assert "Stopped" in panel.status.value
    panel.close()


def test_an_interrupt_while_waiting_is_a_click_on_stop(tmp_path, stand_in, monkeypatch):
    panel, join = panel_in_the_middle(tmp_path, stand_in), threading.Thread.join

    def interrupted(thread, timeout=None):
        monkeypatch.setattr(threading.Thread, "join", join)
        (tmp_path / "gate").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    assert 3 < len(panel.wait()) < 12
    panel.close()


def test_to_run_the_cell_again_ends_the_sweep_before(tmp_path, stand_in, monkeypatch):
    monkeypatch.setattr(cells, "current", lambda: ("cell", "run 1"))
    first = panel_in_the_middle(tmp_path, stand_in)
    monkeypatch.setattr(cells, "current", lambda: ("cell", "run 2"))
    second = SearchPanel({"learning_rate": [0.01]}, *TINY, n_jobs=1, validation=VALIDATION)
    (tmp_path / "gate").touch()
    assert second.wait().status.tolist() == ["done"]
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


# a cluster

HOST = "127.0.0.1"


def dask_process(module, *options):
    command = [sys.executable, "-m", f"distributed.cli.{module}", "--host", HOST, "--no-dashboard"]
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",  # a second death, and it is given up
    }
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([*command, *options], env=env, **quiet)


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
        self.have_two_workers()

    def add_worker(self, *options):
        options = ["--scheduler-file", str(self.file), "--nthreads", "1", *options]
        self.workers.append(dask_process("dask_worker", *options))
        return self.workers[-1]

    def kill(self, workers):
        for worker in list(workers):
            worker.kill()
            worker.wait()

    def have_two_workers(self):
        """Replace those that have died, and take those away that were added."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        self.kill(self.workers[2:])
        del self.workers[2:]
        while len(self.workers) < 2:
            self.add_worker("--no-nanny")
        wait_until(lambda: len(self.client.ncores()) == 2)

    def pids(self):
        return {worker.pid for worker in self.workers}

    def n_tasks(self):
        return self.client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))

    def close(self):
        self.client.close()
        self.kill([*self.workers, self.scheduler])


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    pytest.importorskip("distributed", reason='python -m pip install -e ".[cluster]"')
    processes = Cluster(tmp_path_factory.mktemp("dask"))
    yield processes
    processes.close()


@pytest.fixture
def cluster(processes):
    yield processes
    processes.have_two_workers()


def pids(table):
    return {int(worker.split(":")[1]) for worker in table.worker if worker}


def test_a_cluster_comes_to_the_same_table(cluster, serial):
    table = sweep(GRID, *DATA, repeats=2, client=cluster.client, **QUIET)
    assert same(table, serial)
    assert pids(table) == cluster.pids()


def test_the_same_images_can_be_sent_again_and_again_even_at_once(cluster, background):
    sweeping = [background(sweep, {}, *TINY, client=cluster.client, **QUIET) for _ in range(10)]
    assert {s.result(300).status.item() for s in sweeping} == {"done"}
    wait_until(lambda: cluster.n_tasks() == 0)  # and none stays there


def test_on_a_cluster_the_images_travel_to_each_worker_once(cluster, stand_in):
    stand_in(sweep_tasks.where_x_is)
    table = sweep({"l2": [k / 100 for k in range(40)]}, *DATA, client=cluster.client, **QUIET)
    assert table.message.nunique() == len(pids(table)) == 2


def test_many_tiny_runs_on_a_cluster(cluster, stand_in):
    stand_in(sweep_tasks.quickly)
    grid = {"learning_rate": [k / 1000 for k in range(1, 201)]}
    table = sweep(grid, *TINY, client=cluster.client, **QUIET)
    assert table.learning_rate.tolist() == grid["learning_rate"]
    assert set(table.status) == {"done"}


@posix
@pytest.mark.parametrize("n_killed", [1, 2])
def test_workers_killed_in_the_middle_cost_no_run_and_no_image(
    cluster, gate, background, n_killed, serial
):
    sweeping = background(sweep, GRID, *DATA, client=cluster.client, **QUIET)
    wait_until(lambda: gate.begun() == cluster.pids())
    cluster.kill(cluster.workers[:n_killed])
    cluster.have_two_workers()
    gate.touch()
    assert same(sweeping.result(300), serial[::2])


@posix
def test_a_worker_that_dies_while_the_images_are_sent_is_done_without(cluster, background):
    dies, lives = cluster.workers
    dies.send_signal(signal.SIGSTOP)  # it answers no more, but is still among the workers
    sweeping = background(sweep, GRID[:4], *DATA, client=cluster.client, **QUIET)
    wait_until(lambda: cluster.n_tasks() == 4 + 4)
    cluster.kill([dies])
    table = sweeping.result(300)
    assert set(table.status) == {"done"}
    assert pids(table) == {lives.pid}


@posix
def test_a_run_that_kills_its_workers_on_a_cluster_is_a_row(cluster, stand_in, tmp_path):
    stand_in(sweep_tasks.die_with_seven_units)
    path = tmp_path / "checkpoint"
    begins_anew = cluster.add_worker("--nanny")  # however often its run kills it
    wait_until(lambda: len(cluster.client.ncores()) == 3)
    grid = {"hidden": list(range(3, 9))}
    table = sweep(grid, *TINY, checkpoint=path, client=cluster.client, **QUIET)
    begins_anew.terminate()  # and its worker ends with it
    begins_anew.wait()
    assert table.hidden.tolist() == grid["hidden"]
    lost = table[table.status == "failed"]
    assert 7 in set(lost.hidden)
    # Dask may blame a run that was on the same worker as well, but not most of them
    assert len(lost) <= 3
    assert lost.message.str.contains("its worker died.*KilledWorker").all()
    assert n_lines(path) == len(table) - len(lost)


def test_a_run_that_cannot_be_sent_to_the_cluster_is_a_row(
    cluster, stand_in, tmp_path, monkeypatch
):
    (tmp_path / "at_home.py").write_text("def train_once(*arguments): pass")
    monkeypatch.syspath_prepend(tmp_path)
    import at_home

    stand_in(at_home.train_once)
    table = sweep({}, *TINY, client=cluster.client, **QUIET)
    assert table.status.tolist() == ["failed"]
    assert "could not be sent" in table.message[0]


@posix
@pytest.mark.parametrize("some", [False, True])
def test_where_no_worker_is_left_what_has_finished_is_kept(
    cluster, stand_in, background, tmp_path, monkeypatch, capsys, some
):
    monkeypatch.setattr(pools, "PATIENCE", 1)
    task = sweep_tasks.first_at_once if some else sweep_tasks.at_gate
    stand_in(partial(task, folder=str(tmp_path)))
    path = tmp_path / "checkpoint"
    sweeping = background(sweep, LONG_GRID, *DATA, checkpoint=path, client=cluster.client, **QUIET)
    wait_until(lambda: n_lines(path) == 3 if some else list(tmp_path.glob("*.begun")))
    cluster.kill(cluster.workers)
    if some:
        table = sweeping.result(300)
        assert len(table) == 3
        told = f"{len(table)} of 12 runs have finished and are in the table; the same call goes on"
        assert told in capsys.readouterr().out
    else:
        with pytest.raises(TimeoutError):
            sweeping.result(300)


def test_a_single_worker_does_the_runs_and_not_this_process(cluster):
    cluster.kill(cluster.workers[1:])
    wait_until(lambda: len(cluster.client.ncores()) == 1)
    table = sweep({"hidden": [3, 4]}, *TINY, client=cluster.client, **QUIET)
    assert pids(table) == {cluster.workers[0].pid}


def test_a_worker_added_in_the_middle_is_used(cluster, gate, background, serial):
    sweeping = background(sweep, GRID, *DATA, client=cluster.client, **QUIET)
    wait_until(lambda: gate.begun() == cluster.pids())
    cluster.add_worker("--no-nanny")
    wait_until(lambda: gate.begun() == cluster.pids())
    gate.touch()
    table = sweeping.result(300)
    assert same(table, serial[::2])
    assert pids(table) == cluster.pids()


def test_a_sweep_on_a_cluster_can_be_interrupted_and_goes_on(
    cluster, stand_in, background, tmp_path
):
    stand_in(partial(sweep_tasks.first_at_once, folder=str(tmp_path)))
    path, ended = tmp_path / "checkpoint", threading.Event()

    def interrupt():
        wait_until(lambda: n_lines(path) == 3)
        signal.raise_signal(signal.SIGINT)
        while not ended.wait(5):  # one can be lost; press again, as a user would
            signal.raise_signal(signal.SIGINT)

    background(interrupt)
    first = sweep(LONG_GRID, *DATA, checkpoint=path, client=cluster.client, **QUIET)
    ended.set()
    assert 2 <= len(first) <= 3  # one may be on the disk, but not yet in the table
    (tmp_path / "gate").touch()
    goes_on(path)


def test_where_the_scheduler_dies_what_has_finished_is_kept(stand_in, background, tmp_path, capsys):
    pytest.importorskip("distributed", reason='python -m pip install -e ".[cluster]"')
    cluster = Cluster(tmp_path)
    stand_in(partial(sweep_tasks.first_at_once, folder=str(tmp_path)))
    path = tmp_path / "checkpoint"
    sweeping = background(sweep, LONG_GRID, *DATA, client=cluster.client, checkpoint=path, **QUIET)
    wait_until(lambda: n_lines(path) == 3)
    cluster.kill([cluster.scheduler])
    assert len(sweeping.result(300)) == 3
    assert "the scheduler is gone" in capsys.readouterr().out
    cluster.close()


# the page on clusters


def test_the_first_example_of_the_page_runs():
    pytest.importorskip("distributed", reason='python -m pip install -e ".[cluster]"')
    code = (ROOT / "CLUSTER.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"MNIST_SOURCE": "uci-digits"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "accuracy" in done.stdout, done.stderr
    assert "done" in done.stdout


def test_the_numbers_of_the_page_are_those_of_the_benchmark():
    pytest.importorskip("distributed", reason='python -m pip install -e ".[cluster]"')
    spec = importlib.util.spec_from_file_location("benchmark", ROOT / "benchmarks" / "sweep.py")
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    result = json.loads(benchmark.RESULT.read_text(encoding="utf-8"))
    page = benchmark.PAGE.read_text(encoding="utf-8")
    assert benchmark.with_tables(page, result) == page
    assert result["evaluation"] == benchmark.evaluate(result["measured"])
