"""A sweep under way: how far it is, what is best so far, and a button to stop it."""

import threading
import time
from html import escape

import ipywidgets as widgets

from ..sweep_table import describe
from ..sweeps import Search
from . import cells

FRAME = 0.1  # seconds between two changes of what is shown


class SearchPanel(widgets.VBox):
    """Run a sweep beside the notebook, and see how far it is and what is best so far.

    It starts at once, in a thread, so the kernel stays usable. `wait` gives the table.

    Parameters
    ----------
    grid, X, y, **options
        As in `sweep`, without `progress`.

    Attributes
    ----------
    search : Search
    table : SweepTable
        What has finished until now.

    Raises
    ------
    ValueError
        As in `sweep`.

    Notes
    -----
    Stop takes effect when the next run is finished; the others that are under way are dropped. To
    close the panel, or to run its cell again, stops it too.
    """

    def __init__(self, grid, X, y, **options):
        self.search = Search(grid, X, y, **options)
        self._stop, self._error = threading.Event(), None
        self._thread = threading.Thread(target=self._work, daemon=True)  # no kernel waits for it
        self.progress = widgets.IntProgress(
            max=max(self.search.n_planned, 1), description="Runs", layout={"width": "420px"}
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
        """The runs that have finished until now, as a `SweepTable`."""
        return self.search.table()

    @property
    def running(self):
        """Whether there are runs under way."""
        return self._thread.is_alive()

    def stop(self, *_):
        """Stop: end the sweep as soon as one more run is finished."""
        if self.running:
            self._stop.set()
            self._show()

    def wait(self):
        """Wait for the end of the sweep, and return its table; an interrupt is a click on Stop.

        Returns
        -------
        SweepTable
        """
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
        cells.leave(self)
        for widget in (self.progress, self.stop_button, self.status, *self.children):
            widget.close()
        super().close()

    def _work(self):
        shown = 0.0
        results = self.search.results()
        try:
            for _ in results:
                if self._stop.is_set():
                    self.search.interrupted = len(self.search.finished) < self.search.n_planned
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
        n, n_planned = len(self.search.finished), self.search.n_planned
        self.progress.value = n
        self.stop_button.disabled = over or self._stop.is_set()
        self.status.value = f'<div role="status">{self._text(n, n_planned, over)}</div>'

    def _text(self, n, n_planned, over):
        if self._error:
            return f"<b>It failed.</b> {escape(f'{type(self._error).__name__}: {self._error}')}"
        seconds = time.perf_counter() - self._start
        if over:
            state = "Stopped" if self.search.interrupted else "Finished"
            first = f"{state} after {seconds:.1f} s: {n} of {n_planned} runs."
        elif self._stop.is_set():
            first = "Stopping, as soon as one more run is finished."
        else:
            left = f" About {seconds / n * (n_planned - n):.0f} s left." if n else ""
            first = f"{n} of {n_planned} runs finished.{left}"
        best = self.search.best
        second = (
            f"<br>Best so far: <b>{best.accuracy:.2%}</b> of the validation images with "
            f"{describe(best.setting)} (seed {best.seed})"
            if best
            else ""
        )
        return first + second
