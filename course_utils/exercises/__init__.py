"""The exercises of notebooks 01 to 06: each check tries an attempt and says what is wrong with it.

A check takes the function that a learner has written, and returns a `Result`: its text is a tick, or
which input went wrong, what was expected, what came and, where it is a known mistake, why. Teachers who
mark with it look at `passed`. No check raises anything, or changes anything.

Each is made of inputs, the right function, and a table of known mistakes: a hint, and a function that
makes the mistake. There is a module for each notebook.
"""

from .notebook_01 import check_idx_array, check_idx_sizes, check_one_hot
from .notebook_02 import check_cross_entropy, check_log_softmax, check_softmax
from .notebook_03 import check_count_misclassified, check_deep_forward, check_forward
from .notebook_04 import check_gradients, check_numerical_gradient, check_sigmoid_gradients
from .notebook_05 import check_minibatches, check_momentum_step, check_sgd_step, check_train_epoch
from .notebook_06 import check_accept, check_centred, check_confusion_matrix

__all__ = [
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
]
