"""Which panel belongs to which cell, so that a cell that runs again leaves no old panel at work."""

import weakref

OPEN = weakref.WeakSet()  # the panels that are not closed


def enter(panel):
    """Remember an open panel, and close those that an earlier run of the same cell left.

    Parameters
    ----------
    panel : ipywidgets.Widget
        Its `close` must call `leave`.
    """
    panel._cell, panel._run_of_cell = current()
    for other in list(OPEN):
        same = panel._cell is not None and other._cell == panel._cell
        if same and other._run_of_cell != panel._run_of_cell:
            other.close()
    OPEN.add(panel)


def leave(panel):
    """Forget a panel that is being closed."""
    OPEN.discard(panel)


def current():
    """Return what tells the notebook's cell that is running, and this run of it."""
    try:
        from IPython import get_ipython

        parent = get_ipython().get_parent()
        cell = parent["metadata"].get("cellId") or parent["content"]["code"]
        return cell, parent["header"]["msg_id"]
    except (ImportError, AttributeError, KeyError, TypeError):
        return None, None  # not in a notebook
