"""A sweep beside the notebook: how far it is, what it has found, and a button to stop it."""

import threading
import time
from html import escape
from pathlib import Path

import anywidget
import ipywidgets as widgets
import numpy as np
import traitlets

from . import cells
from .parts import close_parts
from .sweep import OPTIONS, Search

FRAME = 0.1  # seconds between two changes of what is shown
_MOST = 12  # values of an option that the map has room for
_HERE = Path(__file__).parent


class SearchMap(anywidget.AnyWidget):
    """A heat map of the first two options of which several values are tried; see search_map.js.

    A box fills in when its runs are finished, and shows their loss curves when it is chosen.
    """

    # text, since anywidget keeps a widget for ever that has a path here
    _esm, _css = ((_HERE / f"search_map.{kind}").read_text("utf-8") for kind in ("js", "css"))
    grid = traitlets.Dict().tag(sync=True)  # names, and the values of rows and columns, as text
    runs = traitlets.List().tag(sync=True)  # all that was sent, in the end: for a saved notebook

    def __init__(self, search):
        self.search, self._sent = search, []
        values = {name: list(map(str, self._values(name))) for name in search.options}
        self.tried = [name for name in search.options if 1 < len(values[name]) <= _MOST][:2]
        names = [*[""] * (2 - len(self.tried)), *self.tried]
        rows, columns = (values.get(name, [""]) for name in names)
        super().__init__(grid={"names": names, "rows": rows, "columns": columns})
        self.on_msg(lambda *_: [self.send(message) for message in list(self._sent)])  # a new page

    def _values(self, name):
        settings = [setting for setting, _ in self.search.planned.values()]
        return dict.fromkeys(setting.get(name, OPTIONS[name]) for setting in settings)

    def update(self, over=False):
        """Send the runs that have finished since the last time."""
        lines = self.grid["rows"], self.grid["columns"]
        for number, row in list(enumerate(self.search.rows.values()))[len(self._sent) :]:
            names = (str(row.get(name, "")) for name in self.grid["names"])
            place = [line.index(name) for line, name in zip(lines, names, strict=True)]
            loss = [value for value in row["loss"] if np.isfinite(value)]
            told = {"place": place, "status": row["status"], "accuracy": row["accuracy"]}
            self._sent.append({"type": "run", "id": number, "loss": loss, **told})
            self.send(self._sent[-1])
        if over:
            self.runs = self._sent


class SearchPanel(widgets.VBox):
    """Run a sweep in a thread, so that the kernel stays usable; parameters as in `sweep`.

    `table` is what has finished until now, and `wait` gives the whole of it. Stop takes effect when
    the next run is finished. To close the panel, or to run its cell again, stops it too.
    """

    def __init__(self, grid, X, y, **options):
        self.search = Search(grid, X, y, **options)
        self._stop, self._error = threading.Event(), None
        self._thread = threading.Thread(target=self._work, daemon=True)  # no kernel waits for it
        self.progress = widgets.IntProgress(
            max=max(len(self.search.planned), 1), description="Runs", layout={"width": "420px"}
        )
        self.stop_button = widgets.Button(description="Stop", tooltip="Keep what has finished")
        self.stop_button.on_click(self.stop)
        self.status = widgets.HTML()
        self.map = SearchMap(self.search)
        maps = [self.map] if self.map.tried else []
        super().__init__([widgets.HBox([self.progress, self.stop_button]), self.status, *maps])
        self._start = time.perf_counter()
        self._show()
        self.map.update()  # from a checkpoint
        cells.enter(self)
        self._thread.start()

    def __repr__(self):
        return "SearchPanel: a sweep under way; run this cell in a notebook to watch it"

    @property
    def table(self):
        return self.search.table()

    @property
    def running(self):
        return self._thread.is_alive()

    def stop(self, *_):
        if self.running:
            self._stop.set()
            self._show()

    def wait(self):
        """Wait for the end, and return the table; an interrupt is a click on Stop."""
        try:
            while self.running:
                self._thread.join(FRAME)  # in small portions, so that an interrupt gets through
        except KeyboardInterrupt:
            self.stop()
            self._thread.join()
        if self._error:
            raise self._error
        return self.table

    def close(self):
        """Stop, and take the panel away."""
        self._stop.set()
        cells.OPEN.pop(self, None)
        close_parts(self)
        self.map.close()  # which is no part where it has nothing to show
        super().close()

    def _work(self):
        shown, results = 0.0, self.search.results()
        try:
            for _ in results:
                if self._stop.is_set():
                    break
                if time.perf_counter() - shown > FRAME:
                    shown = time.perf_counter()
                    self._show()
                    self.map.update()
        except Exception as error:  # told by `wait`, and seen here
            self._error = error
        finally:
            results.close()
            self.map.update(over=True)
            self._show(over=True)

    def _show(self, over=False):
        self.progress.value = len(self.search.rows)
        self.stop_button.disabled = over or self._stop.is_set()
        self.status.value = f'<div role="status">{self._text(over)}</div>'

    def _text(self, over):
        n, n_planned = len(self.search.rows), len(self.search.planned)
        seconds = time.perf_counter() - self._start
        if self._error:
            told = f"<b>It failed.</b> {escape(f'{type(self._error).__name__}: {self._error}')}"
        elif over:
            state = "Finished" if n == n_planned else "Stopped"
            told = f"{state} after {seconds:.1f} s: {n} of {n_planned} runs."
        elif self._stop.is_set():
            told = "Stopping, as soon as one more run is finished."
        else:
            left = f" About {seconds / n * (n_planned - n):.0f} s left." if n else ""
            told = f"{n} of {n_planned} runs finished.{left}"
        if best := self.search.best:
            tried = ", ".join(f"{name} {_shown(best[name])}" for name in self.search.options)
            told += (
                f"<br>Best so far: <b>{best['accuracy']:.2%}</b> of the validation images with "
                f"{escape(tried or 'all defaults')} (seed {best['seed']})"
            )
        return told


def _shown(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)
