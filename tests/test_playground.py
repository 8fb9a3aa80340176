"""The playground without a browser: set a knob, press a button, look at what it tells the view."""

import asyncio
import gc
import json
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
            assert tasks() == []

        asyncio.run(in_loop())

    call.__name__ = test.__name__
    return call


async def goes_on(panel):
    reached = panel.run.iteration
    while panel.run.iteration <= reached:
        await asyncio.sleep(0)


def tasks():
    """Return the tasks that train."""
    every = asyncio.all_tasks()
    return [t for t in every if t.get_name() == "playground" and not t.cancelling()]


def same_weights(network, other):
    return all(np.array_equal(network.params[k], other.params[k]) for k in network.params)


# a run from its beginning to its end


def test_train_reads_most_digits_and_tells_the_view(panel):
    assert panel.view.state == "ready"
    assert not panel.buttons["Train"].disabled
    train_to_the_end(panel, epochs=10)
    assert (panel.run.state, panel.view.state, panel.view.message) == ("finished", "finished", "")
    right = panel.network.accuracy(X_test, y_test)
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
        assert "islice(steps, 1)" in panel.view.text_code
    panel.wait()
    names = {"X_train": X_train, "y_train": y_train, "X_test": X_test, "y_test": y_test}
    exec(panel.view.text_code, names)  # noqa: S102 - what the panel offers to copy
    assert same_weights(names["network"], panel.network)


def test_each_knob_reaches_the_run(panel):
    values = (2, 50, "sigmoid", "xavier", 0.5, 10, 3, 0.35, 0.001, 200, 4)
    turn(panel, **dict(zip(panel.knobs, values, strict=True)))
    expected = Settings((50, 50), "sigmoid", "xavier", 0.5, 10, 3, 0.35, 0.001, 200, 4)
    assert panel.run.settings == panel.settings == expected
    assert told(panel, "run")[panel.run.number]["layers"] == [784, 50, 50, 10]
    turn(panel, hidden_layers=0, n_images=len(X_train))
    assert panel.knobs["units"].disabled
    assert (panel.settings.hidden, panel.settings.n_images) == ((), None)


def test_a_run_that_blows_up_is_told_in_words_and_the_panel_goes_on(panel):
    train_to_the_end(panel, learning_rate=50.0, l2=0.1, momentum=0.5)
    assert panel.view.state == "diverged"
    text = panel.view.message
    assert "a learning rate of 5 in place of 50, or less momentum (now 0.5), or less L2" in text
    assert max(map(len, text.split())) < 15  # no number of 36 digits
    json.dumps([m for m, _ in panel.view.messages()], allow_nan=False)
    train_to_the_end(panel, learning_rate=0.1, l2=0.0, epochs=1)
    assert (panel.view.state, panel.view.message) == ("finished", "")


@pytest.mark.parametrize(
    ("rate", "words"), [(5.0, "the same answer to every image"), (1e-4, "another learning rate")]
)
def test_a_run_that_ends_without_having_learned_says_so(panel, rate, words):
    train_to_the_end(panel, learning_rate=rate)
    assert words in panel.view.message


def test_a_run_that_an_error_ended_is_not_taken_for_finished(panel):
    def no_memory(*_):
        raise MemoryError("as a test")

    panel.network.backpropagate = no_memory
    train_to_the_end(panel)
    assert panel.run.state == "failed"
    assert "MemoryError: as a test" in panel.view.message
    train_to_the_end(panel, epochs=1)
    assert panel.run.state == "finished"


def test_data_of_a_wrong_form_is_refused():
    with pytest.raises(ValueError, match=r"X\.reshape"):
        Playground(X_train.reshape(-1, 28, 28), y_train, X_test, y_test)
    with pytest.raises(ValueError, match=r"in validation: .*at least 1"):
        Playground(X_train, y_train, X_test[:0], y_test[:0])


# side by side


def test_a_kept_run_stays_until_it_is_removed_or_all_are_cleared(panel):
    from_browser(panel, "keep", run=panel.run.number)
    assert "Press Train first" in panel.view.message
    numbers = []
    for rate in (0.05, 0.1, 0.2):
        train_to_the_end(panel, epochs=1, learning_rate=rate)
        numbers.append(panel.run.number)
        from_browser(panel, "keep", run=panel.run.number)
    assert list(panel.kept) == list(panel.view.sent) == numbers
    assert "learning_rate=0.05" in panel.kept[numbers[0]].code()
    from_browser(panel, "drop", run=numbers[0])
    assert list(panel.view.sent) == numbers[1:]
    from_browser(panel, "clear")
    assert list(panel.kept) == list(panel.view.sent) == numbers[2:]
    from_browser(panel, "drop", run=numbers[2])
    assert panel.view.state == "ready"
    assert list(panel.view.sent) == [panel.run.number]


def test_a_run_that_is_not_kept_makes_room_for_the_next(panel):
    for _ in range(3):
        train_to_the_end(panel, epochs=1)
    assert list(panel.view.sent) == [panel.run.number]


def test_a_knob_moved_after_training_leaves_the_run_and_says_what_to_do(panel):
    train_to_the_end(panel, epochs=1)
    run = panel.run
    turn(panel, learning_rate=0.2)
    assert panel.run is run
    assert "Press Train" in panel.view.message
    train_to_the_end(panel)
    assert panel.run.settings.learning_rate == 0.2


# in a notebook: a task trains


@live
async def test_stop_is_at_once_and_train_goes_on(panel):
    run = panel.run
    from_browser(panel, "stop")
    reached = run.iteration
    assert (panel.view.state, tasks()) == ("stopped", [])
    assert told(panel, "snapshot")[run.number]["iteration"] == reached  # what is there is shown
    for _ in range(2):  # to click once more changes nothing
        from_browser(panel, "train")
        await goes_on(panel)
        assert panel.run is run
        assert len(tasks()) == 1


@live
async def test_reset_ends_the_run_and_takes_new_weights(panel):
    panel.buttons["Reset"].click()
    assert (panel.view.state, panel.run.iteration, tasks()) == ("ready", 0, [])
    assert same_weights(panel.network, Network([784, 20, 10]))


@live
async def test_a_knob_moved_during_training_begins_again_with_it(panel):
    before = panel.run
    turn(panel, learning_rate=0.2)
    await goes_on(panel)
    assert panel.run is not before
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
    assert panel.run.settings == panel.settings
    assert len(tasks()) == 1


@live
async def test_wait_trains_in_the_cell_and_an_interrupt_is_a_click_on_stop(panel):
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
    turn(panel, epochs=1)  # begins again
    panel.wait()
    assert panel.view.state == "finished"


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
            assert len(tasks()) == 3
            old = [weakref.ref(part) for panel in panels for part in (panel, panel.view)]
            kept = old if run == 1 else kept  # noqa: F821 - the first time round
            del panels, each
        await asyncio.sleep(0)
        gc.collect()
        assert [ref() for ref in kept] == [None] * 4
        for panel in list(cells.OPEN):
            panel.close()

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
