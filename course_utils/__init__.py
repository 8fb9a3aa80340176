"""Helpers for the course: how a computer recognises a handwritten digit.

This file and five more are there to be read, in this order. Of these, each imports only from those
above it:

``functions``  the mathematics, one function for each formula
``network``    forward pass and backpropagation
``training``   minibatch stochastic gradient descent
``datasets``   MNIST's file format, and where the files are
``plotting``   figures of data and results

The files whose names begin with ``_`` hold what would be in the way there: checks of the input, files
on disk, the download. ``lab`` has the interactive parts and the search, ``exercises`` the checks of
the exercises, with the right answers in them: solve those first.
"""

from .datasets import Digits, data_path, load_mnist, read_idx
from .functions import (
    accuracy,
    confusion_matrix,
    cross_entropy,
    numerical_gradient,
    one_hot,
    relative_error,
    relu,
    sigmoid,
    softmax,
)
from .network import Network
from .plotting import (
    plot_confusion_matrix,
    plot_heat_map,
    plot_loss,
    plot_misclassified,
    plot_probabilities,
    show,
    show_digits,
)
from .training import DivergenceError, History, sgd, train

__version__ = "0.1.0"
