"""The playground without a browser: set a knob, press a button, look at what it tells the view."""

import asyncio
import gc
import json
import re
import signal
import threading
import weakref

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from course_utils import Network, load_mnist
from course_utils._cores import one_core_if_small
from course_utils.lab import cells
from course_utils.lab.playground import Playground
from course_utils.lab.settings import Settings

(X_train, y_train), (X_test, y_test) = load_mnist(source="uci-digits")
FOR_HOURS = 10_000_000  # epochs: so many that a test is what ends them


def new_panel():
    return Playground(X_train, y_train, X_test, y_test)


@pytest.fixture
def panel():
    panel = new_panel()
    yield panel
    panel.close()


def turn(panel, **knobs):
    for name, value in knobs.items():
        knob = panel.knobs[name]
        if value == FOR_HOURS:
            knob.options = [*knob.options, ("hours", FOR_HOURS)]
        knob.value = value


def train_to_the_end(panel, **knobs):
    turn(panel, **knobs)
    panel.buttons["Train"].click()
    panel.wait()


def from_browser(panel, kind, **more):
    """Let the view's browser send a message."""
    content = {"method": "custom", "content": {"type": kind, **more}}
    panel.view.comm.handle_msg({"content": {"data": content}, "buffers": []})


def told(panel, kind):
    """Return the last messages of a kind, by run."""
    return {m["run"]: m for m, _ in panel.view.messages() if m["type"] == kind}


def said(panel):
    return re.sub("<.*?>", "", panel.status.value)


def code(panel):
    return told(panel, "code")[panel.run.number]["code"]


def live(test):
    """Let a test run in an event loop, as in a notebook, with a panel that trains for hours."""

    def call():
        async def in_loop():
            panel = new_panel()
            turn(panel, epochs=FOR_HOURS)
            panel.buttons["Train"].click()
            await goes_on(panel)
            try:
                await asyncio.wait_for(test(panel), 300)  # only to end a hang
            finally:
                panel.close()
            await ended()

        asyncio.run(in_loop())

    call.__name__ = test.__name__
    return call


async def goes_on(panel):
    reached = panel.run.iteration
    while panel.run.iteration <= reached:
        await asyncio.sleep(0)


def tasks():
    """Return the tasks that train."""
    return [task for task in asyncio.all_tasks() if task.get_name() == "playground"]


async def ended():
    while tasks():
        await asyncio.sleep(0)


def same_weights(network, other):
    return all(np.array_equal(network.params[k], other.params[k]) for k in network.params)


# a run from its beginning to its end


def test_train_reads_most_digits_and_tells_the_view(panel):
    assert panel.view.state == "ready"
    assert not panel.buttons["Train"].disabled
    train_to_the_end(panel, epochs=10)
    assert (panel.run.state, panel.view.state, said(panel)) == ("finished", "finished", "")
    right = panel.run.network.accuracy(X_test, y_test)
    assert right > 0.9
    last = told(panel, "snapshot")[panel.run.number]
    assert last["iteration"] == panel.run.iteration == 10 * 45
    assert last["error"][1] == pytest.approx(1 - right)  # of all test images
    assert [panel.buttons[name].disabled for name in ("Train", "Stop")] == [False, True]


@pytest.mark.parametrize(
    "knobs",
    [
        {"hidden_layers": 0, "epochs": 2, "n_images": 500},
        {"hidden_layers": 2, "units": 5, "activation": "sigmoid", "init": "xavier", "seed": 7},
        {"learning_rate": 50.0, "l2": 0.1},  # blows up
        {"momentum": 0.9, "epochs": 1, "stop": True},
    ],
)
def test_the_text_repeats_a_run_to_the_last_bit(panel, knobs):
    stop = knobs.pop("stop", False)
    turn(panel, **knobs)
    panel.train()
    if stop:
        panel.knobs["epochs"].unobserve_all()
        panel.run.advance(0, threading.Event())  # a single step
        panel.buttons["Stop"].click()
        assert ", rng=0), 1)" in code(panel)
    panel.wait()
    names = {"X_train": X_train, "y_train": y_train, "X_test": X_test, "y_test": y_test}
    exec(code(panel), names)  # noqa: S102 - what the panel offers to copy
    assert same_weights(names["network"], panel.run.network)


def test_each_knob_reaches_the_run(panel):
    values = (2, 50, "sigmoid", "xavier", 0.5, 10, 3, 0.35, 0.001, 200, 4)
    turn(panel, **dict(zip(panel.knobs, values, strict=True)))
    expected = Settings((50, 50), "sigmoid", "xavier", 0.5, 10, 3, 0.35, 0.001, 200, 4)
    assert panel.run.settings == expected
    assert told(panel, "run")[panel.run.number]["layers"] == [784, 50, 50, 10]
    turn(panel, hidden_layers=0, n_images=len(X_train))
    assert panel.knobs["units"].disabled
    assert (panel.run.settings.hidden, panel.run.settings.n_images) == ((), None)


def test_a_run_that_blows_up_is_told_in_words_and_the_panel_goes_on(panel):
    train_to_the_end(panel, learning_rate=50.0, l2=0.1, momentum=0.5)
    assert panel.view.state == "diverged"
    text = said(panel)
    assert "a learning rate of 5 in place of 50, or less momentum or L2" in text
    assert max(map(len, text.split())) < 15  # no number of 36 digits
    json.dumps([m for m, _ in panel.view.messages()], allow_nan=False)
    train_to_the_end(panel, learning_rate=0.1, l2=0.0, epochs=1)
    assert (panel.view.state, said(panel)) == ("finished", "")


@pytest.mark.parametrize("rate", [5.0, 1e-4])
def test_a_run_that_ends_without_having_learned_says_so(panel, rate):
    train_to_the_end(panel, learning_rate=rate)
    assert panel.view.state == "finished"
    assert "Try another learning rate" in said(panel)


def test_a_run_that_an_error_ended_is_not_taken_for_finished(panel):
    def no_memory(*_):
        raise MemoryError("as a test")

    panel.run.network.backpropagate = no_memory
    train_to_the_end(panel)
    assert panel.view.state == "diverged"
    assert said(panel) == "MemoryError ended the run: as a test"
    train_to_the_end(panel, epochs=1)
    assert panel.run.state == "finished"


def test_data_of_a_wrong_form_is_refused():
    with pytest.raises(ValueError, match=r"X\.reshape"):
        Playground(X_train.reshape(-1, 28, 28), y_train, X_test, y_test)
    with pytest.raises(ValueError, match=r"in validation: .*at least 1"):
        Playground(X_train, y_train, X_test[:0], y_test[:0])


# side by side


def test_a_kept_run_stays_until_it_is_removed_or_all_are_cleared(panel):
    numbers = []
    for rate in (0.05, 0.1, 0.2):
        train_to_the_end(panel, epochs=1, learning_rate=rate)
        numbers.append(panel.run.number)
        from_browser(panel, "keep", run=panel.run.number)
    assert list(panel.kept) == list(panel.view.sent) == numbers
    assert [m["kept"] for m in told(panel, "run").values()] == [True] * 3  # for a page's next load
    assert "learning_rate=0.05" in panel.kept[numbers[0]].code()
    from_browser(panel, "drop", run=numbers[0])
    assert list(panel.view.sent) == numbers[1:]
    from_browser(panel, "clear")
    assert list(panel.kept) == list(panel.view.sent) == numbers[2:]
    from_browser(panel, "drop", run=numbers[2])
    assert panel.view.state == "ready"
    assert list(panel.view.sent) == [panel.run.number]


def test_a_run_that_is_not_kept_makes_room_for_the_next_and_is_forgotten(panel):
    train_to_the_end(panel, epochs=1)
    first, number = weakref.ref(panel.run), panel.run.number
    for _ in range(2):
        train_to_the_end(panel, epochs=1)
    assert list(panel.view.sent) == [panel.run.number]
    from_browser(panel, "keep", run=number)  # a click that comes too late
    assert panel.kept == {}
    gc.collect()
    assert first() is None


def test_a_knob_moved_after_training_leaves_the_run_and_says_what_to_do(panel):
    train_to_the_end(panel, epochs=1)
    run = panel.run
    turn(panel, learning_rate=0.2)
    assert panel.run is run
    assert "Press Train" in said(panel)
    train_to_the_end(panel)
    assert panel.run.settings.learning_rate == 0.2


# in a notebook: a task trains


@live
async def test_after_stop_all_is_there_and_train_goes_on(panel):
    run = panel.run
    panel.buttons["Stop"].click()
    await ended()
    assert panel.view.state == "stopped"
    panel.wait()  # returns at once
    assert (
        told(panel, "snapshot")[run.number]["iteration"] == run.iteration
    )  # what is there is shown
    assert f", {run.iteration})" in run.code()
    assert len(run.network.predict(X_test)) == len(X_test)
    for _ in range(2):  # to click once more changes nothing
        panel.buttons["Train"].click()
        await goes_on(panel)
        assert panel.run is run
        assert len(tasks()) == 1


@live
async def test_reset_ends_the_run_and_takes_new_weights(panel):
    panel.buttons["Reset"].click()
    await ended()
    assert (panel.view.state, panel.run.iteration) == ("ready", 0)
    assert same_weights(panel.run.network, Network([784, 20, 10]))


@live
async def test_a_knob_moved_during_training_begins_again_with_it(panel):
    before = panel.run
    turn(panel, learning_rate=0.2)
    while panel.run is before:
        await asyncio.sleep(0)
    await goes_on(panel)
    assert panel.run.settings.learning_rate == 0.2
    assert len(tasks()) == 1


@live
async def test_clicks_in_another_thread_are_done_in_that_of_the_panel(panel):
    # JupyterLab hands the messages of widgets to a second thread of the kernel
    def click():
        for rate in (0.1, 0.2, 0.5):
            turn(panel, learning_rate=rate)
            for name in ("Train", "Stop", "Reset", "Train"):
                panel.buttons[name].click()

    await asyncio.to_thread(click)
    await goes_on(panel)
    assert panel.run.settings.learning_rate == 0.5
    assert len(tasks()) == 1


@live
async def test_wait_trains_in_the_cell_and_an_interrupt_is_a_click_on_stop(panel):
    await asyncio.sleep(0)
    for _ in range(2):  # it goes on from there
        see, reached = panel.run.recorder.see, panel.run.iteration
        panel.run.recorder.see = lambda step, see=see: (
            see(step),
            signal.raise_signal(signal.SIGINT),
        )
        panel.wait()
        assert (panel.view.state, panel.run.iteration) == ("stopped", reached + 1)
        panel.run.recorder.see = see
        panel.train()
    panel.knobs["epochs"].value = 1
    panel.train()  # begins again
    panel.wait()
    assert panel.view.state == "finished"
    await ended()
    assert said(panel) == ""  # the knob's own message came only now


def test_panels_of_one_cell_train_until_it_runs_again_and_leave_nothing(monkeypatch):
    async def in_loop():
        other = new_panel()  # of another cell
        for run in (1, 2):
            monkeypatch.setattr(cells, "current", lambda run=run: ("cell", run))
            panels = [new_panel(), new_panel()]
            for each in (other, *panels):
                turn(each, epochs=FOR_HOURS)
                each.train()
                await goes_on(each)
            while len(tasks()) != 3:
                await asyncio.sleep(0)
            old = [weakref.ref(part) for panel in panels for part in (panel, panel.view)]
            kept = old if run == 1 else kept  # noqa: F821 - the first time round
            del panels, each
        gc.collect()
        assert [ref() for ref in kept] == [None] * 4
        for panel in list(cells.OPEN):
            turn(panel, learning_rate=0.2)  # comes when the panel is closed
            panel.close()
        await ended()

    asyncio.run(in_loop())


def test_threads_that_cross_leave_the_number_of_cores_as_it_was():
    def cores():
        return [library["num_threads"] for library in threadpool_info()]

    before = cores()
    first, second = (one_core_if_small(Network([784, 10]), 1) for _ in range(2))
    first.__enter__()
    second.__enter__()
    assert 1 in cores()  # another library may have been loaded meanwhile, and keeps its own
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert cores() == before


def test_every_control_has_a_description(panel):
    for widget in (*panel.knobs.values(), *panel.buttons.values()):
        assert len(widget.description) >= 2
