"""The playground without a browser: set a knob, press a button, look at what it shows."""

import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image
from threadpoolctl import threadpool_info

from course_utils import Network, load_mnist
from course_utils._cores import one_core_if_small
from course_utils.lab import cells
from course_utils.lab.pictures import LiveCurves, digits_picture, weights_picture
from course_utils.lab.playground import Playground
from course_utils.lab.runs import Run, Settings

DIGITS = load_mnist(source="uci-digits")
(X_train, y_train), (X_test, y_test) = DIGITS
FOR_HOURS = {"epochs": 10_000_000, "batch_size": 5}  # so many that a test is what ends them


def new_panel():
    panel = Playground(X_train, y_train, X_test, y_test)
    panel.knobs["epochs"].max = FOR_HOURS["epochs"]
    return panel


@pytest.fixture
def panel():
    panel = new_panel()
    yield panel
    panel.close()
    assert not threads()


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "playground"]


def turn(panel, **knobs):
    for name, value in knobs.items():
        panel.knobs[name].value = value


def click(panel, name):
    panel.buttons[name].click()


def train_to_the_end(panel, **knobs):
    turn(panel, **knobs)
    click(panel, "Train")
    panel.wait()


def until(condition, seconds=120):
    """Wait for an event; the time only ends a hang."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)


def begin(panel, **knobs):
    """Begin a run that lasts, and wait until it is under way."""
    turn(panel, **FOR_HOURS | knobs)
    click(panel, "Train")
    goes_on(panel)


def goes_on(panel):
    reached = len(panel.run.loss)
    until(lambda: len(panel.run.loss) > reached)


def same_weights(network, other):
    return all(np.array_equal(network.params[k], other.params[k]) for k in network.params)


# a run


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"n_images": 0}, {"activation": "step"}])
def test_a_run_says_which_setting_is_wrong(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Run(Settings(**wrong), DIGITS)


@pytest.mark.parametrize("n_images", [1, 7, 150, 300])
def test_a_curve_keeps_every_loss_in_few_points(n_images):
    run = Run(Settings(n_images=n_images, batch_size=1, epochs=1), DIGITS)
    while run.advance(0):  # an iteration at a time
        pass
    x, low, high, smooth = run.curve()
    assert len(run.loss) == n_images
    assert len(x) == len(low) == len(high) == len(smooth) == min(n_images, 150)
    assert (low.min(), high.max()) == (min(run.loss), max(run.loss))
    assert np.all(np.diff(x) > 0)
    assert 0 < x[0] <= x[-1] < 1
    last = run.loss[-5 * max(1, n_images // 150) :]  # those of five points
    np.testing.assert_allclose(smooth[-1], np.mean(last))


def test_a_run_that_ends_without_having_learned_says_so():
    for rate, words in ((5.0, "the same answer to every image"), (0.0001, "try a higher one")):
        run = Run(Settings(learning_rate=rate), DIGITS).finish()
        assert run.state == "finished"
        assert words in run.message
    assert not Run(Settings(), DIGITS).finish().message


def run_code(code):
    names = {"X_train": X_train, "y_train": y_train, "X_test": X_test, "y_test": y_test}
    exec(code, names)  # noqa: S102 - what the panel offers to copy
    return names


@pytest.mark.parametrize(
    "settings",
    [
        {"hidden": (), "epochs": 2, "n_images": 500},
        {"hidden": (5, 5), "activation": "sigmoid", "init": "xavier", "momentum": 0.9, "seed": 7},
        {"epochs": 100_000, "batch_size": 10},
        {"learning_rate": 50.0, "l2": 0.1},  # blows up
    ],
)
def test_the_code_of_a_run_gives_the_same_weights(settings):
    run = Run(Settings(**settings), DIGITS)
    while run.advance(0.05) and "batch_size" not in settings:  # that one stays in the middle
        pass
    names = run_code(run.code())
    assert same_weights(names["network"], run.network)
    if run.state == "finished":
        assert (names["history"].loss, names["history"].epochs) == (list(run.loss), run.epochs)
        right = np.mean(names["network"].predict(X_test[:300]) == y_test[:300])
        assert run.looks[-1] == (run.settings.epochs, right)
    else:
        assert names["losses"] == list(run.loss)


def test_a_run_kept_in_the_middle_stays_as_it_was():
    run = Run(Settings(), DIGITS)
    run.advance(0)  # one iteration
    kept = run.copy()
    _, results = row = kept.row()
    assert (results["loss"], results["right, train"]) == ("–", "–")  # not known yet
    assert results["right, test"] == f"≈ {run.looks[-1][1]:.0%}"
    run.finish()
    assert kept.row() == row
    assert "islice(steps, 1)" in kept.code()


# the buttons


def test_train_at_once_reads_most_digits(panel):
    assert panel.run.state == "ready"
    before = [picture.value for picture in panel.pictures]
    train_to_the_end(panel, epochs=10)
    assert (panel.run.state, panel.progress.value) == ("finished", 1)
    right = panel.network.accuracy(X_test, y_test)
    assert right > 0.9
    assert "Finished" in panel.status.value
    assert f"<b>{right:.1%}</b> of all test" in panel.status.value
    for old, picture in zip(before, panel.pictures, strict=True):
        old, new = (Image.open(io.BytesIO(value)) for value in (old, picture.value))
        assert (old.format, old.size) == ("PNG", new.size)
        assert old.tobytes() != new.tobytes()
    assert [panel.buttons[name].disabled for name in ("Train", "Stop")] == [False, True]


def test_each_knob_reaches_the_run(panel):
    values = (2, 50, "sigmoid", "xavier", 0.5, 10, 3, 0.35, 0.001, 200, 4)
    turn(panel, **dict(zip(panel.knobs, values, strict=True)))
    expected = Settings((50, 50), "sigmoid", "xavier", 0.5, 10, 3, 0.35, 0.001, 200, 4)
    assert panel.run.settings == panel.settings == expected
    turn(panel, hidden_layers=0, n_images=len(X_train))
    assert panel.knobs["units"].disabled
    assert (panel.settings.hidden, panel.settings.n_images) == ((), None)


def test_stop_pauses_and_train_goes_on(panel):
    begin(panel)
    assert [panel.buttons[name].disabled for name in ("Train", "Stop")] == [True, False]
    run, curves = panel.run, panel.pictures[0]
    picture = curves.value
    until(lambda: curves.value != picture)
    click(panel, "Stop")
    assert not threads()  # so it can go no further
    assert run.state == "stopped"
    for _ in range(2):  # to click once more changes nothing
        click(panel, "Train")
        goes_on(panel)
        assert panel.run is run
        assert len(threads()) == 1


def test_reset_ends_the_run_and_takes_new_weights(panel):
    begin(panel)
    click(panel, "Reset")
    assert not threads()
    assert (panel.run.state, panel.run.done, panel.progress.value) == ("ready", 0, 0)
    assert same_weights(panel.network, Network([784, 20, 10]))


def test_a_knob_moved_during_training_starts_again_with_it(panel):
    begin(panel)
    before = panel.run
    turn(panel, learning_rate=0.2)
    goes_on(panel)
    assert panel.run is not before
    assert panel.run.settings.learning_rate == 0.2
    assert len(threads()) == 1


def test_a_knob_moved_after_training_leaves_the_pictures_and_says_what_to_do(panel):
    train_to_the_end(panel, epochs=1)
    run = panel.run
    turn(panel, learning_rate=0.2)
    assert panel.run is run
    assert "Press Train" in panel.message.value
    train_to_the_end(panel)
    assert panel.run.settings.learning_rate == 0.2


def test_clicks_that_come_in_several_threads_wait_for_each_other(panel):
    # JupyterLab hands the messages of widgets to a second thread of the kernel
    begin(panel)

    def use(rates):
        for rate in rates:
            turn(panel, learning_rate=rate)
            for name in ("Train", "Keep this run", "Stop", "Reset", "Train"):
                click(panel, name)
                assert len(threads()) <= 1

    with ThreadPoolExecutor() as users:
        assert list(users.map(use, ([0.1, 0.5], [0.2]))) == [None, None]  # raises what they raised
    goes_on(panel)
    assert panel.run.settings == panel.settings
    click(panel, "Stop")
    names = run_code(panel.code.value)
    assert names["losses"] == list(panel.run.loss)  # no step was taken twice, and none lost


def test_kept_runs_are_in_the_table_with_what_changed(panel):
    click(panel, "Keep this run")
    assert not panel.kept
    assert "Press Train first" in panel.message.value
    for rate in (0.1, 0.2):
        train_to_the_end(panel, epochs=2, learning_rate=rate)
        click(panel, "Keep this run")
    assert f"<td>{panel.network.accuracy(X_test, y_test):.1%}</td>" in panel.table.value
    assert panel.table.value.count("<tr>") == 3
    assert panel.table.value.count("<b>") == 1
    assert "<b>0.2</b>" in panel.table.value
    for number, rate in ((1, 0.1), (0, 0.2)):
        panel.code_of.value = number
        assert f"learning_rate={rate}" in panel.code.value


def test_a_run_that_blows_up_leaves_a_message_and_a_panel_that_works(panel):
    train_to_the_end(panel, learning_rate=50.0, l2=0.1, momentum=0.5)
    assert panel.run.state == "diverged"
    advice = "a learning rate of 5 in place of 50, or a lower momentum (now 0.5) or L2 (now 0.1)"
    assert advice in panel.message.value
    train_to_the_end(panel, learning_rate=0.1, l2=0.0, epochs=1)
    assert panel.run.state == "finished"
    assert advice not in panel.message.value


def test_a_run_that_an_error_ended_is_not_taken_for_finished(panel):
    def no_memory(*_):
        raise MemoryError("as a test")

    begin(panel)
    panel.network.backpropagate = no_memory
    panel.wait()
    assert panel.run.state == "failed"
    assert "MemoryError: as a test" in panel.message.value
    assert not panel.buttons["Train"].disabled
    train_to_the_end(panel, epochs=1)
    assert panel.run.state == "finished"


def test_data_of_a_wrong_form_is_refused():
    with pytest.raises(ValueError, match=r"X\.reshape"):
        Playground(X_train.reshape(-1, 28, 28), y_train, X_test, y_test)
    with pytest.raises(ValueError, match=r"in validation: .*at least 1"):
        Playground(X_train, y_train, X_test[:0], y_test[:0])


# side by side, and again and again


def test_playgrounds_of_one_cell_train_at_once_until_it_runs_again(monkeypatch, panel):
    for run in (1, 2):
        monkeypatch.setattr(cells, "current", lambda run=run: ("cell", run))
        panels = [new_panel(), new_panel()]
        for each in (panel, *panels):
            begin(each)
        goes_on(panels[0])
        assert len(threads()) == 3  # `panel` is of another cell
        assert len(cells.OPEN) == 3
    panels[0].close()
    goes_on(panels[1])
    assert len(threads()) == 2
    panels[1].close()


def test_threads_that_cross_leave_the_number_of_cores_as_it_was():
    def cores():
        return [library["num_threads"] for library in threadpool_info()]

    before, first, second = cores(), ExitStack(), ExitStack()
    for thread in (first, second):
        thread.enter_context(one_core_if_small(Network([784, 10]), 1))
        assert 1 in cores()  # another library may have been loaded meanwhile, and keeps its own
    first.close()
    second.close()
    assert cores() == before


# what is seen


def test_every_control_has_a_description_and_every_picture_a_text(panel):
    for widget in (*panel.knobs.values(), *panel.buttons.values(), panel.code_of, panel.code):
        assert len(widget.description) >= 2
    assert [len(picture.alt) >= 20 for picture in panel.pictures] == [True] * 3
    assert 'role="status"' in panel.message.value  # read aloud when it changes


def test_right_and_wrong_differ_without_color():
    run = Run(Settings(epochs=1), DIGITS)
    run.probs = np.eye(10)[y_test[:300]]
    right = digits_picture(run).mean(axis=2) < 200
    run.probs = run.probs[:, ::-1]  # 0 for 9, 1 for 8, …
    wrong = digits_picture(run).mean(axis=2) < 200
    assert (right != wrong)[56:].mean() > 0.02  # the words below
    assert wrong[:2, :56].all()  # the frame
    assert not right[:2, :56].any()


def test_weights_add_in_blue_and_take_away_in_red():
    run = Run(Settings(hidden=(3,)), DIGITS)
    W = run.network.params["W1"]
    W[:] = 0
    W[0, 0], W[0, 1] = 1, -1
    picture = weights_picture(run).astype(int)
    blue, red, white = picture[0, [0, 58, 116]]
    assert blue[2] > blue[0] + 50
    assert red[0] > red[2] + 50
    assert white.min() > 240
    W[0, 0] = np.nan
    assert weights_picture(run).min() > 240


def test_kept_runs_are_drawn_behind():
    run = Run(Settings(epochs=1), DIGITS).finish()
    alone = LiveCurves(run).png(run)
    assert LiveCurves(run).png(run) == alone
    assert LiveCurves(run, [Run(Settings(), DIGITS).finish()]).png(run) != alone


def test_the_axis_grows_with_the_loss():
    run = Run(Settings(init="normal", learning_rate=0.0001), DIGITS)
    live = LiveCurves(run)
    run.advance(0.05)
    assert max(run.loss) > 10  # beyond the axis of a new panel
    live.png(run)
    assert live.curves.axes[0].get_ylim()[1] >= run.curve()[-1].max()
    live.png(Run(Settings(), DIGITS))
    assert live.curves.axes[0].get_ylim() == (0.01, 10)


def test_a_snapshot_is_a_figure_of_its_own(panel):
    run = panel.run
    figure = panel.snapshot(epochs=1, hidden=())
    assert panel.run is run
    assert run.state == "ready"
    lines = {line.get_label(): line for line in figure.axes[1].lines}
    alike = Run(Settings(epochs=1, hidden=()), DIGITS).finish()
    assert lines["test images"].get_ydata() == [alike.epochs[0].validation_accuracy]
    plt.close(figure)
