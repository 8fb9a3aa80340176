"""What the playground's picture costs in JupyterLab in Chromium: pictures a second, delays, memory.

    python benchmarks/in_browser.py [MINUTES of training, for its memory; 0 leaves that out]

It needs the packages of the tests, and Chromium.
"""

import statistics
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from browser import conftest as drive
from scripted_digits import write

MINUTES = float(sys.argv[1]) if len(sys.argv) > 1 else 0
CELLS = [
    "import os, time\n"
    "from statistics import median\n"
    "from course_utils import Network, load_mnist, train\n"
    "from course_utils.lab.playground import Playground\n"
    "(X_train, y_train), test = load_mnist()\n"
    "def memory():\n"
    "    pages = int(open('/proc/self/statm').read().split()[1])\n"
    "    return pages * os.sysconf('SC_PAGE_SIZE') / 1e6",
    "playground = Playground(X_train, y_train, *test)\n"
    "times = {}\n"
    "playground.view.observe(lambda c: times.setdefault(c.new, time.perf_counter()), 'state')\n"
    "playground",
]
ALONE = """
seconds = []
for _ in range(5):
    start = time.perf_counter()
    train(Network([784, 20, 10]), X_train, y_train, validation=test, progress=False)
    seconds.append(time.perf_counter() - start)
print(median(seconds))
"""
AGAIN = """
import asyncio
def again(change):
    if change.new == "finished":
        asyncio.get_running_loop().call_later(0.2, playground.train)
playground.view.observe(again, "state")
"""
# each picture gives the canvas of the lines a new size, which empties it
COUNT = """() => {
  window.drawn = [];
  const canvas = document.querySelector(".nv-links");
  new MutationObserver(() => drawn.push(performance.now())).observe(canvas, { attributes: true });
}"""
# the slider is moved once for each picture that the browser can show
SCRUBBED = """() => new Promise((resolve) => {
  const slider = document.querySelector(".nv-slider");
  const start = performance.now();
  drawn.length = 0;
  const move = (now) => {
    if (now - start > 3000) return resolve((1000 * drawn.length) / (now - start));
    slider.value = Math.abs(((now - start) % 2000) / 1000 - 1) * slider.max;
    slider.dispatchEvent(new Event("input"));
    requestAnimationFrame(move);
  };
  requestAnimationFrame(move);
})"""
DELAYS = """() => {
  window.delays = [];
  document.querySelector(".nv-pad").addEventListener("pointermove", () => {
    const [start, n] = [performance.now(), drawn.length];
    const look = () => {
      if (drawn.length > n) delays.push(drawn[n] - start);
      else requestAnimationFrame(look);
    };
    look();
  });
}"""
STOPPED = """() => new Promise((resolve) => {
  const named = (name) => [...document.querySelectorAll("button")].find(
    (each) => each.textContent === name);
  const start = performance.now();
  const look = () => named("Stop").disabled ? resolve(performance.now() - start) : setTimeout(look, 1);
  named("Stop").click();
  look();
})"""


def pictures_a_second(page, seconds=4):
    page.evaluate("drawn.length = 0")
    page.wait_for_timeout(1000 * seconds)
    return page.evaluate("drawn.length") / seconds


def until_state(page, *states):
    """Wait until the panel is in one of these states."""
    words = " or ".join(f"playground.view.state == {state!r}" for state in states)
    code = f"import asyncio\nwhile not ({words}):\n    await asyncio.sleep(0.05)"
    drive.run_code(page, code)


def press(page, name):
    drive.button(page, name).first.click()


def heap(page):
    """Return the megabytes that the page's JavaScript holds."""
    client = page.context.new_cdp_session(page)
    client.send("HeapProfiler.collectGarbage")
    client.send("Performance.enable")
    metrics = {m["name"]: m["value"] for m in client.send("Performance.getMetrics")["metrics"]}
    return metrics["JSHeapUsedSize"] / 1e6


def tell_memory(page, when):
    print(f"{when:24s} kernel {float(drive.run_code(page, 'print(memory())')):6.0f} MB", end="")
    print(f"   page {heap(page):6.1f} MB", flush=True)


def set_knob(page, name, value):
    drive.run_code(page, f"playground.knobs[{name!r}].value = {value}")


def measure(page, lab):
    drive.open_cells(page, lab, "panel", CELLS)
    for code in CELLS:
        drive.show_cell(page, code.split("\n")[0])
        page.evaluate("void jupyterapp.commands.execute('notebook:run-cell')")
        page.wait_for_timeout(3000)
    drive.button(page, "Train").first.wait_for()
    page.wait_for_selector(".nv-head:not(:empty)", state="attached")
    page.evaluate(COUNT)

    alone = float(drive.run_code(page, ALONE))
    shown = []
    for _ in range(5):
        drive.run_code(page, "playground.reset()\ntimes.clear()")
        press(page, "Train")
        until_state(page, "finished")
        code = "print(times['finished'] - times['training'])"
        shown.append(float(drive.run_code(page, code)))
    median = statistics.median(shown)
    print(f"a default run: {median:.2f} s in the panel, {alone:.2f} s by train alone: ", end="")
    print(f"{alone / median:.0%} of its speed", flush=True)

    set_knob(page, "epochs", 30)
    press(page, "Train")
    page.wait_for_timeout(1000)
    print(f"pictures a second while training: {pictures_a_second(page):.0f}", flush=True)
    waits = []
    for _ in range(9):
        waits.append(page.evaluate(STOPPED))
        press(page, "Train")
        page.wait_for_timeout(500)
    print(f"Stop to stopped: {statistics.median(waits):.0f} ms, at most {max(waits):.0f} ms")
    press(page, "Stop")

    set_knob(page, "epochs", 5)
    press(page, "Reset")
    press(page, "Train")
    until_state(page, "finished")
    rate = page.evaluate(SCRUBBED)
    print(f"pictures a second while scrubbing: {rate:.0f}", flush=True)
    drive.button(page, "To the start").first.click()
    drive.button(page, "Play").first.click()
    print(f"pictures a second while playing: {pictures_a_second(page, 2):.0f}", flush=True)

    page.evaluate(DELAYS)
    pad = page.locator(".nv-pad").first
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    for digit in (3, 5, 8):
        for stroke in write(digit, "large")[0]:
            for k, (x, y) in enumerate(stroke):
                page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
                if not k:
                    page.mouse.down()
            page.mouse.up()
    delays = page.evaluate("delays")
    print(f"a stroke to its bars: {statistics.median(delays):.0f} ms", end="")
    print(f", at most {max(delays):.0f} ms of {len(delays)}", flush=True)

    tell_memory(page, "before")
    for k in range(1, 51):
        drive.show_cell(page, CELLS[1].split("\n")[0])
        page.evaluate("void jupyterapp.commands.execute('notebook:run-cell')")
        drive.run_code(page, "playground.knobs['epochs'].value = 1\nplayground.train()")
        until_state(page, "finished")
        if k in (1, 10, 25, 50):
            tell_memory(page, f"after {k} runs of the cell")
    if MINUTES:
        set_knob(page, "epochs", 30)
        drive.run_code(page, AGAIN)
        press(page, "Train")
        for k in range(7):
            tell_memory(page, f"after {k * MINUTES / 6:.0f} minutes")
            page.wait_for_timeout(MINUTES * 10_000)


with sync_playwright() as p, tempfile.TemporaryDirectory() as folder:
    browser = p.chromium.launch(executable_path=drive.CHROMIUM, args=drive.QUIET)
    lab = SimpleNamespace(folder=Path(folder) / "notebooks")
    lab.folder.mkdir()
    options = ["--no-browser", "--allow-root", "--expose-app-in-browser", "--ServerApp.token="]
    root = "--ServerApp.root_dir={folder}"
    with (
        drive.serve(lab.folder, "jupyterlab", *options, root) as url,
        drive.new_page(browser, url) as page,
    ):
        page.emulate_media(reduced_motion="no-preference")
        page.goto("/lab?reset")
        page.wait_for_function("window.jupyterapp?.restored.then(() => true)")
        measure(page, lab)
