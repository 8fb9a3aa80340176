"""Interactive parts of the course, made of ipywidgets and anywidget.

The widgets are thin. What they decide lies in plain modules, which need neither a browser nor
ipywidgets:

``playground``    the panel that trains a network live
``drawing_pad``   a pad to draw a digit on
``search_panel``  a sweep under way: progress, the best so far, a Stop button
``explorers``     sliders beside one formula each
``bars``          bars of probability, as HTML
``keyboard``      lets the arrow keys reach the controls in JupyterLab
``cells``         which panel belongs to which cell
``live_image``    a picture that changes many times a second
``runs``          the settings and the state of a training under way
``pictures``      what a run looks like: curves, digits and weights as PNG
"""

from .drawing_pad import DrawingPad
from .explorers import learning_rate_explorer, softmax_explorer
from .playground import Playground
from .search_panel import SearchPanel

__all__ = ["DrawingPad", "Playground", "SearchPanel", "learning_rate_explorer", "softmax_explorer"]
