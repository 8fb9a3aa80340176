"""Helpers for the course: how a computer recognises a handwritten digit.

Each module imports only from the ones below it in this list:

``widgets``         the interactive parts: a playground, explorers, a pad to draw digits on
``exercises``       answers a learner's attempt with a tick or a hint
``marking``         tries out a learner's function, whatever it does
``drawing``         a drawing brought to MNIST's form
``sweeps``          many trainings at once, on all cores or on a cluster
``sweep_table``     what a sweep found, as a table and as a file that survives a crash
``plotting``        figures: digits, loss curves, confusion matrices, weights, diagrams
``training``        minibatch stochastic gradient descent
``gradient_check``  the numerical gradient that backpropagation is held against
``network``         the network: parameters, forward pass, backpropagation, load and save
``weight_files``    reading and writing parameters on disk, safely
``datasets``        MNIST's file format, the verified download, the offline digits
``functions``       the mathematics, without any state

A name is loaded from its module when it is first used, so ``import course_utils`` is quick and a
machine without a display never has to load matplotlib, ipywidgets or joblib.
"""

from importlib import import_module

_MODULE_OF = {
    name: module
    for module, names in {
        "datasets": ("Digits", "data_path", "load_mnist", "read_idx"),
        "functions": (
            "accuracy",
            "confusion_matrix",
            "cross_entropy",
            "one_hot",
            "relu",
            "sigmoid",
            "softmax",
        ),
        "network": ("Network",),
        "gradient_check": ("numerical_gradient", "relative_error"),
        "training": ("DivergenceError", "History", "sgd", "train"),
        "exercises": (
            "check_accept",
            "check_centred",
            "check_confusion_matrix",
            "check_count_misclassified",
            "check_cross_entropy",
            "check_deep_forward",
            "check_forward",
            "check_gradients",
            "check_idx_array",
            "check_idx_sizes",
            "check_log_softmax",
            "check_minibatches",
            "check_momentum_step",
            "check_numerical_gradient",
            "check_one_hot",
            "check_sgd_step",
            "check_sigmoid_gradients",
            "check_softmax",
            "check_train_epoch",
        ),
        "drawing": ("rasterise", "to_mnist_form"),
        "widgets": (
            "DrawingPad",
            "Playground",
            "SearchPanel",
            "learning_rate_explorer",
            "softmax_explorer",
        ),
        "sweeps": ("broadcast_seconds", "simulate", "sweep"),
        "plotting": (
            "plot_backpropagation",
            "plot_confusion_matrix",
            "plot_heat_map",
            "plot_idx_header",
            "plot_loss",
            "plot_minibatches",
            "plot_misclassified",
            "plot_network",
            "plot_probabilities",
            "plot_product",
            "plot_weights",
            "show",
            "show_digits",
        ),
    }.items()
    for name in names
}

__all__ = sorted(_MODULE_OF)
__version__ = "0.1.0"


def __getattr__(name):
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__():
    return sorted([*globals(), *__all__])
