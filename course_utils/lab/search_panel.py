"""A sweep beside the notebook: how far it is, what is best so far, and a button to stop it."""

import threading
import time
from html import escape

import ipywidgets as widgets

from . import cells
from .sweep import Search

FRAME = 0.1  # seconds between two changes of what is shown


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
        super().__init__([widgets.HBox([self.progress, self.stop_button]), self.status])
        self._start = time.perf_counter()
        self._show()
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
        for widget in (self.progress, self.stop_button, self.status, *self.children):
            widget.close()
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
        except Exception as error:  # told by `wait`, and seen here
            self._error = error
        finally:
            results.close()
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
