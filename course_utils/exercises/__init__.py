"""The exercises of notebooks 01 to 10: each check tries an attempt and says what is wrong with it.

A check takes the function that a learner has written, and returns a `Result`: its text is a tick, or
which input went wrong, what was expected, what came and, where it is a known mistake, why. Teachers who
mark with it look at `passed`. No check raises anything, or changes anything.

In the module of a notebook, a check is the right function, with its inputs and known mistakes. `marking`
tries an attempt, `faults` finds out what is wrong with what it returned, `slips` knows what may happen
anywhere, and `reading` what an error means.
"""

from .notebook_01 import check_idx_array, check_idx_sizes, check_one_hot
from .notebook_02 import check_cross_entropy, check_log_softmax, check_softmax
from .notebook_03 import check_count_misclassified, check_deep_forward, check_forward
from .notebook_04 import check_gradients, check_numerical_gradient, check_sigmoid_gradients
from .notebook_05 import check_minibatches, check_sgd_step, check_train_epoch
from .notebook_06 import check_early_stop, check_momentum_epoch, check_momentum_step
from .notebook_07 import (
    check_input_gradient,
    check_interval,
    check_reliability,
    check_shift_each,
)
from .notebook_08 import check_dead_units, check_running_mean, check_speaker
from .notebook_09 import check_expected_best, check_overrated, check_seed_interval
from .notebook_10 import check_box, check_centre, check_otsu, check_reading_order

__all__ = [name for name in dir() if name.startswith("check_")]
