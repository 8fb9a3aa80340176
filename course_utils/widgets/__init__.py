"""Interactive parts of the course, made of ipywidgets and anywidget.

The widgets are thin. What they decide lies in plain modules, which need neither a browser nor
ipywidgets:

``playground``    the panel that trains a network live
``drawing_pad``   a pad to draw a digit on
``explorers``     sliders beside one formula each
``bars``          bars of probability, as HTML
``keyboard``      lets the arrow keys reach the controls in JupyterLab
``live_image``    a picture that changes many times a second
``runs``          the settings and the state of a training under way
``pictures``      what a run looks like: curves, digits and weights as PNG

A name is loaded from its module when it is first used.
"""

from importlib import import_module

_MODULE_OF = {
    "Playground": "playground",
    "DrawingPad": "drawing_pad",
    "learning_rate_explorer": "explorers",
    "softmax_explorer": "explorers",
}

__all__ = sorted(_MODULE_OF)


def __getattr__(name):
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__():
    return sorted([*globals(), *__all__])
