"""The live picture's half in Python: what is told to a browser, remembered, recorded and saved."""

import base64
import json
import re
from html import unescape

import ipywidgets as widgets
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from course_utils import Network, data_path, load_mnist, train
from course_utils.lab.network_view import (
    NetworkView,
    display_with_recording,
    joined_modules,
    one_of_each,
)
from course_utils.lab.network_view.recorder import record

digits = load_mnist(source="uci-digits")
TRAIN, TEST = digits


@pytest.fixture
def view():
    """Return a view with a recorded run, and what it sends from now on."""
    view = NetworkView(TEST[0][:3], TEST[1][:3])
    view.network = Network([784, 5, 4, 10])
    record(view, view.network, TRAIN, TEST, name="small", epochs=2, rng=0)
    view.heard = []
    view.send = lambda message, buffers=(): view.heard.append((message, *map(bytes, buffers)))
    return view


def say(view, **message):
    content = {"method": "custom", "content": message}
    view.comm.handle_msg({"content": {"data": content}, "buffers": []})


def weights(network):
    return np.concatenate(
        [network.params[f"{kind}{k}"].ravel() for kind in "Wb" for k in (1, 2, 3)]
    )


def test_a_recording_is_a_training_by_sgd_in_snapshots_denser_at_the_start(view):
    network = Network([784, 5, 4, 10])
    train(network, *TRAIN, epochs=2, progress=False)
    (run, _), *snapshots = view.messages()
    assert run["layers"] == [784, 5, 4, 10]
    assert (run["name"], run["activation"], run["epochs"], run["per_epoch"]) == (
        "small",
        "relu",
        2,
        45,
    )
    assert [m["iteration"] for m, _ in snapshots] == run["marks"]
    assert run["marks"][0] == 0
    assert run["marks"][-1] == 90
    assert len(run["marks"]) <= 60
    assert np.diff(run["marks"])[0] == 1 < np.diff(run["marks"])[-1]
    about, (last,) = snapshots[-1]
    assert about["dtype"] == "f4"
    np.testing.assert_array_equal(np.frombuffer(last, "<f4"), weights(network))
    errors = [1 - network.accuracy(*data) for data in (TRAIN, TEST)]
    np.testing.assert_allclose(about["error"], errors)
    start, (first,) = snapshots[0]
    np.testing.assert_array_equal(
        np.frombuffer(first, "<f2"), weights(Network([784, 5, 4, 10])).astype("<f2")
    )
    low, mean, high = start["loss"]
    assert low <= mean <= high


def test_a_large_network_has_fewer_snapshots():
    view = NetworkView(TEST[0][:1], TEST[1][:1])
    record(view, Network([784, 500, 10]), TRAIN, TEST, epochs=2)
    assert sum(len(b) for _, buffers in view.messages() for b in buffers) < 8_000_000
    assert len(view.messages()) < 12


def test_a_browser_that_says_hello_gets_all_runs_that_are_there(view):
    record(view, view.network, TRAIN, TEST, run=2, epochs=1)
    assert view.heard == []  # nobody is there
    say(view, type="hello")
    assert [m for m, *_ in view.heard] == [m for m, _ in view.messages()]
    assert view.heard[1][1] == view.messages()[1][1][0]
    view.keep(2)
    view.heard.clear()
    view.drop(1)
    view.drop(1)
    assert view.heard == [({"type": "drop", "run": 1},)]
    say(view, type="hello")
    assert {m["run"] for m, *_ in view.heard[1:]} == {2}
    assert view.heard[1][0]["kept"]


def test_weights_that_are_no_numbers_are_not_sent(view):
    network = Network([784, 10])
    network.params["W1"][:] = 1e9  # too large for float16
    say(view, type="hello")
    view.heard.clear()
    record(view, network, TRAIN, TEST, run=2, epochs=1, learning_rate=1e-30)
    assert view.heard[1][0]["dtype"] == "f4"
    assert all(np.isfinite(np.frombuffer(h[1], f"<{h[0]['dtype']}")).all() for h in view.heard[1:])


def test_what_is_saved_is_what_is_loaded(view, tmp_path):
    view.save(tmp_path / "run.npz")
    loaded = NetworkView.load(tmp_path / "run.npz")
    assert (loaded.digits, loaded.labels, loaded.live) == (view.digits, view.labels, False)
    for (new, new_buffers), (old, old_buffers) in zip(
        loaded.messages(), view.messages(), strict=True
    ):
        assert new == old | ({"dtype": "f2"} if old_buffers else {})
        for half, whole in zip(new_buffers, old_buffers, strict=True):
            expected = np.frombuffer(whole, f"<{old['dtype']}").astype("<f2")
            np.testing.assert_array_equal(np.frombuffer(half, "<f2"), expected)


def test_the_recorded_run_of_the_course_is_small_and_reads_most_of_its_digits():
    assert data_path("recorded_run.npz").stat().st_size < 1_500_000
    view = NetworkView.load()
    about, (last,) = view.messages()[-1]
    assert about["error"][1] < 0.06
    network, params = Network([784, 20, 10]), np.frombuffer(last, "<f2").astype(np.float32)
    W1, W2, b1, b2 = np.split(params, np.cumsum([784 * 20, 20 * 10, 20]))
    shapes = {"W1": W1.reshape(784, 20), "b1": b1, "W2": W2.reshape(20, 10), "b2": b2}
    network.params.update(shapes)
    images = np.frombuffer(view.digits, np.uint8).reshape(-1, 784) / 255
    assert sum(network.predict(images) == view.labels) >= 8


def test_the_modules_are_one_with_one_export():
    module = joined_modules()
    assert not re.search(r"^import ", module, re.MULTILINE)
    assert len(re.findall(r"^export ", module, re.MULTILINE)) == 1
    assert "export default" in module


def test_a_page_holds_all_that_it_needs(view):
    page = view.page()
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    assert len(data["messages"]) == len(view.messages())
    (message, _), (sent, (weights,)) = data["messages"][0], data["messages"][-1]
    assert message == view.messages()[0][0]
    assert base64.b64decode(weights["base64"]) == view.messages()[-1][1][0]
    assert sent["error"][1] < 1
    assert data["traits"]["labels"] == view.labels
    addresses = re.findall(r"https?:[^\"' ]*|\bimport\b|\bfetch\b|\bsrc=|\bhref=", page)
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}


def test_a_cell_shows_a_panel_and_below_it_a_recording_for_readers_without_a_kernel():
    InteractiveShell.instance()
    panel = widgets.VBox()
    with capture_output() as seen:
        display_with_recording(panel)
    live, recorded = (output.data for output in seen.outputs)
    model = live["application/vnd.jupyter.widget-view+json"]
    assert model["model_id"] == panel.model_id
    frame = re.search(r'<iframe[^>]*srcdoc="([^"]*)"', recorded["text/html"])
    assert unescape(frame[1]) == NetworkView.load().page()


def test_there_is_one_of_each_digit_and_the_familiar_ones_are_among_them():
    familiar = list(digits.familiar.values())
    some = one_of_each(*TEST, familiar)
    assert {*familiar} <= {*some}
    assert list(TEST[1][some]) == list(range(10))
