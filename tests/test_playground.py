"""The playground without a browser: set a knob, press a button, look at what it shows."""

import asyncio
import gc
import subprocess
import sys
import threading
import time
import tracemalloc

import ipywidgets as widgets
import numpy as np
import pytest
from matplotlib import pyplot as plt

from course_utils import Network, load_mnist, train
from course_utils.widgets import Playground, cells, pictures, playground, runs
from course_utils.widgets.live_image import LiveImage
from course_utils.widgets.runs import Curve, Kept, Run, Settings

DIGITS = load_mnist(source="uci-digits")
(X_train, y_train), (X_test, y_test) = DIGITS


@pytest.fixture
def panel():
    panel = Playground(X_train, y_train, X_test, y_test)
    yield panel
    panel.close()


def press_train_and_wait(panel, **knobs):
    turn(panel, **knobs)
    panel.train_button.click()
    asyncio.run(panel.run_until_done())


def turn(panel, **knobs):
    for name, value in knobs.items():
        getattr(panel, name).value = value


async def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        await asyncio.sleep(0.005)


def other_tasks():
    return asyncio.all_tasks() - {asyncio.current_task()}


# a run


def test_a_run_is_what_train_does():
    run = Run(Settings(hidden=(12, 7), momentum=0.5, l2=0.001, epochs=2, seed=3), DIGITS).finish()
    network = Network([784, 12, 7, 10], rng=3)
    options = {"momentum": 0.5, "l2": 0.001, "epochs": 2, "rng": 3, "progress": False}
    history = train(network, X_train, y_train, validation=(X_test, y_test), **options)
    assert run.state == "finished"
    assert np.array_equal(run.network.params.vector, network.params.vector)
    assert run.loss == history.loss
    assert run.epochs == history.epochs
    assert run.looks[-1].epochs == 2
    assert run.curve.counts.sum() == len(run.loss)


def test_a_slice_of_time_is_kept_to():
    run = Run(Settings(batch_size=1, epochs=30), DIGITS)
    start = time.perf_counter()
    assert run.advance(0.05)
    assert 0.05 <= time.perf_counter() - start < 0.5
    assert 0 < run.iteration < run.n_iterations
    assert run.images_per_second == pytest.approx(run.iteration / run.seconds)
    left = run.n_iterations - run.iteration
    assert run.seconds_left == pytest.approx(left * run.seconds / run.iteration)


def test_a_pause_costs_no_time():
    run = Run(Settings(batch_size=1, epochs=30), DIGITS)
    run.advance(0.01)
    run.stop()
    time.sleep(0.3)
    run.advance(0.01)
    assert run.seconds < 0.2


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"hidden": (0,)}, "layer_sizes"),
        ({"activation": "step"}, "activation"),
        ({"init": "zeros"}, "init"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"batch_size": 0}, "batch_size"),
        ({"epochs": 0}, "epochs"),
        ({"momentum": 1.0}, "momentum"),
        ({"l2": -1.0}, "l2"),
        ({"n_images": 0}, "training images"),
        ({"n_images": 1_000_000}, "training images"),
        ({"seed": -1}, "non-negative"),
    ],
)
def test_a_run_says_which_setting_is_wrong(settings, named):
    with pytest.raises(ValueError, match=named):
        Run(Settings(**settings), DIGITS)


@pytest.mark.parametrize("n", [1, 7, 150, 151, 1000])
def test_a_curve_keeps_every_loss_in_few_points(n):
    losses = np.random.default_rng(0).random(n)
    curve = Curve(n, per_epoch=max(1, n // 2))
    for start in range(0, n, 13):
        curve.add(losses[start : start + 13], start)
    x, y = curve.raw()
    assert len(x) == len(y) <= 300
    assert (y.min(), y.max()) == (losses.min(), losses.max())
    assert np.all(np.diff(x) >= 0)
    assert 0 < x[0] <= x[-1] <= n / curve.per_epoch
    _, smooth = curve.smooth()
    assert smooth[0] == pytest.approx(losses[: -(-n // curve.n_points)].mean(), abs=0.5)
    assert np.all((smooth >= losses.min()) & (smooth <= losses.max()))


def test_a_long_run_takes_bounded_space():
    run = Run(Settings(), DIGITS)
    for _ in range(700):
        run.look()
    assert len(run.looks) <= 301
    assert run.looks[0].epochs == 0


def test_a_run_that_blows_up_says_what_happened_and_what_to_try():
    run = Run(Settings(learning_rate=50.0, l2=0.1, momentum=0.5), DIGITS).finish()
    assert run.state == "diverged"
    for words in ("blew up", "a learning rate of 5 in place of 50", "momentum (now 0.5)", "Train"):
        assert words in run.message


def test_a_run_that_ends_without_having_learned_says_so():
    broken = Run(Settings(learning_rate=5.0), DIGITS).finish()
    assert broken.state == "finished"
    assert "the same answer to every image" in broken.message
    slow = Run(Settings(learning_rate=0.0001, epochs=1), DIGITS).finish()
    assert "try a higher one" in slow.message
    assert not Run(Settings(), DIGITS).finish().message


# the code that repeats a run


def run_code(code):
    names = {"X_train": X_train, "y_train": y_train, "X_test": X_test, "y_test": y_test}
    exec(code, names)  # noqa: S102 - what the panel offers to copy
    return names


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(hidden=(), epochs=2, n_images=500),
        Settings(hidden=(5, 5), activation="sigmoid", init="xavier", momentum=0.9, seed=7),
        Settings(learning_rate=0.05, batch_size=10, l2=0.0001, epochs=1),
    ],
)
def test_the_code_of_a_finished_run_gives_the_same_weights(settings):
    run = Run(settings, DIGITS).finish()
    names = run_code(run.code().replace("validation", "progress=False, validation"))
    assert np.array_equal(names["network"].params.vector, run.network.params.vector)
    assert names["history"].epochs == run.epochs


@pytest.mark.parametrize("settings", [{"epochs": 30}, {"learning_rate": 50.0, "l2": 0.1}])
def test_the_code_of_a_run_that_did_not_end_gives_the_same_weights(settings):
    run = Run(Settings(**settings), DIGITS)
    run.advance(0.05)
    run.stop()
    names = run_code(run.code())
    assert np.array_equal(names["network"].params.vector, run.network.params.vector)
    assert names["losses"] == run.loss


# the buttons


def test_train_at_once_reads_most_digits(panel):
    assert panel.run.state == "ready"
    press_train_and_wait(panel, epochs=10)
    assert panel.run.state == "finished"
    assert panel.run.epochs[-1].validation_accuracy > 0.9
    assert panel.progress.value == 1
    assert "Finished" in panel.status.value
    assert (panel.train_button.disabled, panel.stop_button.disabled) == (False, True)


def test_each_knob_reaches_the_run(panel):
    knobs = {
        "hidden_layers": 2,
        "units": 50,
        "activation": "sigmoid",
        "init": "xavier",
        "learning_rate": 0.5,
        "batch_size": 10,
        "epochs": 3,
        "momentum": 0.35,
        "l2": 0.001,
        "n_images": 200,
        "seed": 4,
    }
    turn(panel, **knobs)
    expected = Settings((50, 50), "sigmoid", "xavier", 0.5, 10, 3, 0.35, 0.001, 200, 4)
    assert panel.run.settings == panel.settings == expected


def test_stop_pauses_and_train_goes_on(panel):
    async def use():
        turn(panel, epochs=30, batch_size=5)
        panel.train_button.click()
        assert panel.training
        await until(lambda: panel.run.iteration > 20)
        start = time.perf_counter()
        panel.stop_button.click()
        assert time.perf_counter() - start < 0.2
        await asyncio.sleep(0.05)
        reached, run = panel.run.iteration, panel.run
        assert not other_tasks()
        assert run.state == "stopped"
        assert "Stopped" in panel.status.value
        await asyncio.sleep(0.05)
        assert run.iteration == reached
        panel.train_button.click()
        await until(lambda: panel.run.iteration > reached)
        assert panel.run is run
        panel.stop_button.click()

    asyncio.run(use())


def test_reset_ends_the_run_and_takes_new_weights(panel):
    async def use():
        panel.train_button.click()
        await until(lambda: panel.run.iteration > 0)
        panel.reset_button.click()
        await asyncio.sleep(0)
        assert not other_tasks()

    asyncio.run(use())
    assert (panel.run.state, panel.run.iteration, panel.progress.value) == ("ready", 0, 0)
    assert np.array_equal(panel.network.params.vector, Network([784, 20, 10]).params.vector)


def test_a_knob_moved_during_training_starts_again_with_it(panel):
    async def use():
        turn(panel, epochs=30, batch_size=5)
        panel.train_button.click()
        await until(lambda: panel.run.iteration > 0)
        panel.learning_rate.value = 0.2
        assert panel.training
        await until(lambda: panel.run.iteration > 0)
        assert panel.run.settings.learning_rate == 0.2
        assert len(other_tasks()) == 1
        panel.stop_button.click()

    asyncio.run(use())


def test_clicks_that_come_in_another_thread_do_their_work_where_training_runs():
    # JupyterLab hands the messages of widgets to a second thread of the kernel
    threads = set()

    async def use():
        panel = Playground(X_train, y_train, X_test, y_test)
        panel.message.observe(lambda _: threads.add(threading.get_ident()), "value")

        def turn_and_click():
            for epochs in (30, 29, 28, 30):
                panel.epochs.value = epochs
            panel.learning_rate.value = 0.2
            panel.train_button.click()

        await asyncio.to_thread(turn_and_click)
        await until(lambda: panel.run.iteration > 0)
        assert panel.run.settings == panel.settings == Settings(epochs=30, learning_rate=0.2)
        assert len(other_tasks()) == 1
        await asyncio.to_thread(panel.stop_button.click)
        await until(lambda: not panel.training)
        await asyncio.to_thread(setattr, panel.learning_rate, "value", 0.5)
        await until(lambda: "Press Train" in panel.message.value)
        panel.close()

    asyncio.run(use())
    assert threads == {threading.get_ident()}


def test_the_time_between_stop_and_train_is_not_counted(panel):
    async def use():
        turn(panel, epochs=30, batch_size=1)
        panel.train_button.click()
        await until(lambda: panel.run.iteration > 0)
        panel.stop_button.click()
        before, reached = panel.run.seconds, panel.run.iteration
        await asyncio.sleep(0.5)
        start = time.perf_counter()
        panel.train_button.click()
        await until(lambda: panel.run.iteration > reached)
        panel.stop_button.click()
        assert panel.run.seconds - before <= time.perf_counter() - start

    asyncio.run(use())


def test_a_knob_moved_after_training_leaves_the_pictures_and_says_what_to_do(panel):
    press_train_and_wait(panel, epochs=1)
    run = panel.run
    panel.learning_rate.value = 0.2
    assert panel.run is run
    assert "Press Train" in panel.message.value


def test_kept_runs_are_in_the_table_with_what_changed(panel):
    panel.keep_button.click()
    assert not panel.kept
    assert "Press Train first" in panel.message.value
    for rate in (0.1, 0.2):
        press_train_and_wait(panel, epochs=2, learning_rate=rate)
        panel.keep_button.click()
    first, second = (kept.row() for kept in panel.kept)
    assert (first["run"], first["learning rate"], second["learning rate"]) == ("1", "0.1", "0.2")
    assert first["right, test"] == f"{panel.kept[0].record.validation_accuracy:.1%}"
    assert panel.table.value.count("<tr>") == 3
    assert "<b>0.2</b>" in panel.table.value
    assert '<th scope="col">learning rate</th>' in panel.table.value
    panel.code_of.value = panel.kept[0]
    assert "learning_rate=0.1" in panel.code.value


def test_a_run_that_blows_up_leaves_a_message_and_a_panel_that_works(panel):
    press_train_and_wait(panel, learning_rate=50.0, l2=0.1)
    assert panel.run.state == "diverged"
    assert "blew up" in panel.message.value
    press_train_and_wait(panel, learning_rate=0.1, l2=0.0, epochs=1)
    assert panel.run.state == "finished"
    assert "blew up" not in panel.message.value


def test_settings_that_do_not_work_are_told_in_the_panel(panel, monkeypatch):
    monkeypatch.setattr(panel.seed, "min", -5)
    panel.seed.value = -3
    panel.train_button.click()
    assert "These settings do not work" in panel.message.value
    assert not panel.training


def test_an_unexpected_error_is_shown_and_raised(panel, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("as a test")

    monkeypatch.setattr(runs.Run, "look", fail)
    with pytest.raises(ZeroDivisionError):
        panel.reset()
    assert "ZeroDivisionError: as a test" in panel.message.value


def test_an_unexpected_error_in_training_is_shown_and_raised(panel, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("as a test")

    monkeypatch.setattr(runs.Run, "advance", fail)
    reported = []

    async def use():
        asyncio.get_running_loop().set_exception_handler(lambda _, what: reported.append(what))
        panel.train_button.click()
        with pytest.raises(ZeroDivisionError):
            await panel.run_until_done()

    asyncio.run(use())
    assert "ZeroDivisionError: as a test" in panel.message.value
    assert [what["exception"].args for what in reported] == [("as a test",)]
    assert not panel.training


def test_a_run_that_an_error_ended_is_not_taken_for_finished(panel):
    def no_memory(*_):
        raise MemoryError

    async def use():
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        panel.train_button.click()
        await until(lambda: panel.run.iteration > 10)
        panel.run.network.backpropagate = no_memory
        with pytest.raises(MemoryError):
            await panel.run_until_done()

    turn(panel, epochs=30, batch_size=5)
    asyncio.run(use())
    assert panel.run.state == "failed"
    assert f"islice(steps, {panel.run.iteration})" in panel.code.value
    assert "Ended by an error" in panel.status.value
    press_train_and_wait(panel, epochs=1)
    assert panel.run.state == "finished"
    assert panel.run.iteration == panel.run.n_iterations


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ((X_train.reshape(-1, 28, 28), y_train, X_test, y_test), "X_train"),
        ((X_train, y_train[:-1], X_test, y_test), "y_train"),
        ((X_train, y_train, X_test[:0], y_test[:0]), "y_test"),
        ((X_train * 255, y_train, X_test, y_test), "0–255"),
    ],
)
def test_data_of_a_wrong_form_is_refused(data, named):
    with pytest.raises(ValueError, match=named):
        Playground(*data)


# side by side, and again and again


def test_two_playgrounds_train_at_once(panel):
    other = Playground(X_train, y_train, X_test, y_test)

    async def use():
        for each in (panel, other):
            turn(each, epochs=30, batch_size=5)
            each.train_button.click()
        await until(lambda: panel.run.iteration > 50 and other.run.iteration > 50)
        assert panel.training
        assert other.training
        other.close()
        await asyncio.sleep(0)
        reached = panel.run.iteration
        await until(lambda: panel.run.iteration > reached)
        panel.stop_button.click()

    asyncio.run(use())


def test_to_run_the_cell_again_ends_the_training_and_frees_the_memory(monkeypatch):
    open_before, models_before = len(cells.OPEN), len(widgets.widget._instances)
    sizes = []

    async def use():
        for n in range(10):
            monkeypatch.setattr(cells, "current", lambda n=n: ("cell", f"run {n}"))
            panel = Playground(X_train, y_train, X_test, y_test)
            panel.train_button.click()
            await until(lambda panel=panel: panel.run.iteration > 10)
            assert len(other_tasks()) == 1
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
        panel.close()
        await asyncio.sleep(0)
        assert not other_tasks()

    tracemalloc.start()
    try:
        asyncio.run(use())
    finally:
        tracemalloc.stop()
    assert len(cells.OPEN) == open_before
    assert len(widgets.widget._instances) == models_before
    assert sizes[-1] - sizes[2] < 2_000_000


def test_two_panels_made_by_one_run_of_a_cell_both_stay(monkeypatch):
    monkeypatch.setattr(cells, "current", lambda: ("cell", "run"))
    panels = [Playground(X_train, y_train, X_test, y_test) for _ in range(2)]
    assert set(panels) <= set(cells.OPEN)
    for panel in panels:
        panel.close()


# what is seen


def test_every_control_has_a_description_and_every_picture_a_text(panel):
    for widget in playground._tree(panel):
        if isinstance(widget, LiveImage):
            assert len(widget.alt) >= 20
        elif not isinstance(widget, widgets.Box | widgets.HTML):
            assert len(widget.description) >= 2
            assert widget.tabbable is not False


def test_the_pictures_are_pngs_of_one_size(panel):
    before = [panel.curves.value, panel.test_digits.value, panel.weights.value]
    press_train_and_wait(panel, epochs=3)
    after = [panel.curves.value, panel.test_digits.value, panel.weights.value]
    for old, new in zip(before, after, strict=True):
        assert old[:8] == new[:8] == b"\x89PNG\r\n\x1a\n"
        assert old[16:24] == new[16:24]  # width and height
        assert old != new


def test_right_and_wrong_differ_without_color():
    right, wrong = (pictures._caption(7, right, 56) for right in (True, False))
    brightness = pictures.PALETTE.mean(axis=1)
    assert np.mean((brightness[right] < 200) != (brightness[wrong] < 200)) > 0.02


def test_the_palette_has_the_colors_that_are_drawn():
    for color in ("#FFFFFF", "#000000", pictures.RIGHT, pictures.WRONG, pictures.MUTED):
        rgb = np.array(pictures._rgb(color), np.uint8)
        found = pictures.PALETTE[pictures.to_places(rgb)].astype(int)
        assert np.abs(found - rgb).max() <= 17


def test_a_snapshot_is_a_figure_of_its_own(panel):
    state = panel.run
    figure = panel.snapshot(epochs=1, hidden=())
    assert panel.run is state
    assert state.state == "ready"
    assert [ax.get_title("left") for ax in figure.axes[:2]] == ["Loss", "Digits read right"]
    plt.close(figure)


def test_kept_runs_are_drawn_behind():
    run = Run(Settings(epochs=1), DIGITS).finish()
    kept = [Kept.of(run, 1), Kept.of(Run(Settings(), DIGITS), 2)]
    assert pictures.LiveCurves(run, kept).png(run) != pictures.LiveCurves(run).png(run)


def test_training_in_the_panel_is_not_much_slower_than_train(panel):
    def by_train():
        network = Network([784, 20, 10])
        start = time.process_time()
        options = {"epochs": 10, "batch_size": 5, "progress": False}
        train(network, X_train, y_train, validation=(X_test, y_test), **options)
        return time.process_time() - start

    def in_the_panel():
        start = time.process_time()
        panel.train_button.click()
        asyncio.run(panel.run_until_done())
        return time.process_time() - start

    turn(panel, epochs=10, batch_size=5)
    in_the_panel()
    shares = [by_train() / in_the_panel() for _ in range(3)]
    assert max(shares) > 0.3  # the note has the figure on a quiet computer: more than 0.8


def test_the_package_is_loaded_without_ipywidgets():
    heavy = ["ipywidgets", "PIL", "joblib", "matplotlib"]
    code = f"import sys, course_utils; sys.exit(any(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    code = "import sys; from course_utils import Playground; from course_utils.widgets import runs"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
