"""Which panel belongs to which cell, so that a cell that runs again leaves no old panel at work."""

import weakref

OPEN = weakref.WeakKeyDictionary()  # each panel that is not closed, its cell, and the run of that


def enter(panel):
    """Remember an open panel, and close those that an earlier run of its cell left.

    The panel's `close` must take it out of `OPEN`.
    """
    cell, run = current()
    for other, (others_cell, others_run) in list(OPEN.items()):
        if cell is not None and others_cell == cell and others_run != run:
            other.close()
    OPEN[panel] = cell, run


def current():
    """Return what tells the notebook's cell that is running, and this run of it."""
    try:
        from IPython import get_ipython

        parent = get_ipython().get_parent()
        cell = parent["metadata"].get("cellId") or parent["content"]["code"]
        return cell, parent["header"]["msg_id"]
    except (ImportError, AttributeError, KeyError, TypeError):
        return None, None  # not in a notebook
