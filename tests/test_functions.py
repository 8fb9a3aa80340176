"""The mathematics: values against SciPy and scikit-learn, the edges, the errors."""

import functools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special
from sklearn import metrics

from course_utils import (
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

pytestmark = pytest.mark.filterwarnings("error")
inf, nan = math.inf, math.nan
# a busy machine is no error
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
both_types = pytest.mark.parametrize("dtype", ["float32", "float64"])


# rows of numbers, or a single row, small or large, in either precision
scores = hnp.arrays(
    st.sampled_from(["float32", "float64"]),
    hnp.array_shapes(max_dims=2, max_side=6),
    elements=st.floats(-20, 20, width=32) | st.floats(-1e6, 1e6, width=32),
)


# sigmoid, relu, softmax

FUNCTIONS = {
    sigmoid: special.expit,
    relu: lambda z: z.clip(0),
    softmax: functools.partial(special.softmax, axis=-1),
}


@pytest.mark.parametrize(("function", "reference"), FUNCTIONS.items())
@patient
@given(scores)
def test_results_are_those_of_scipy_in_the_same_shape_and_type(function, reference, z):
    before = z.copy()
    result = function(z)
    assert (result.shape, result.dtype) == (z.shape, z.dtype)
    limits = np.finfo(z.dtype)
    np.testing.assert_allclose(result, reference(z), rtol=100 * limits.eps, atol=limits.tiny)
    np.testing.assert_array_equal(z, before)


@pytest.mark.parametrize(
    ("function", "z", "expected"),
    [
        (sigmoid, [-inf, -1000, 0, 1000, inf, nan], [0, 0, 0.5, 1, 1, nan]),
        (relu, [-inf, -2, -1e-30, 0, 3, inf, nan], [0, 0, 0, 0, 3, inf, nan]),
        (softmax, [[1000, -1000, 1000], [-1000] * 3], [[0.5, 0, 0.5], [1 / 3] * 3]),
        (softmax, [-inf, 1.0, -inf, 1.0], [0, 0.5, 0, 0.5]),
        (softmax, [[0, nan, 0], [1, 1, -inf]], [[nan] * 3, [0.5, 0.5, 0]]),
        (softmax, np.zeros((0, 10)), np.zeros((0, 10))),
    ],
)
@both_types
def test_the_edges_have_their_limits_without_a_warning(function, z, expected, dtype):
    result = function(np.array(z, dtype))
    np.testing.assert_allclose(result, np.array(expected, dtype), rtol=1e-6)


@pytest.mark.parametrize("row", [[0.0, inf], [inf, -inf], [-inf, -inf]])
def test_softmax_of_a_row_without_an_answer_is_nan_and_warns(row):
    with pytest.warns(RuntimeWarning, match="invalid value"):
        probs = softmax([row, [0.0, 0.0]])
    np.testing.assert_array_equal(probs, [[nan, nan], [0.5, 0.5]])


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int64", "bool"])
def test_whole_numbers_count_as_the_floats_of_the_same_value(function, dtype):
    z = np.array([0, 127, 1, -128], "int64").astype(dtype)
    np.testing.assert_allclose(function(z), function(z.astype(float)), rtol=1e-12)
    np.testing.assert_allclose(function(z.tolist()), function(z.astype(float)), rtol=1e-12)


# cross-entropy


@both_types
def test_cross_entropy_agrees_with_scikit_learn(dtype):
    rng = np.random.default_rng(0)
    probs, y = rng.dirichlet(np.ones(4), size=50).astype(dtype), rng.integers(4, size=50)
    before = probs.copy(), y.copy()
    loss = cross_entropy(probs, y)
    assert type(loss) is float
    assert loss == pytest.approx(metrics.log_loss(y, probs, labels=range(4)), rel=1e-5)
    assert cross_entropy(pd.DataFrame(probs), pd.Series(y)) == loss
    np.testing.assert_array_equal(probs, before[0])
    np.testing.assert_array_equal(y, before[1])


@pytest.mark.parametrize(
    ("dtype", "price"),
    [("float16", 9.704), ("float32", 87.3365), ("float64", 708.3964), ("uint8", 708.3964)],
)
def test_cross_entropy_limits_the_price_of_probability_zero(dtype, price):
    probs = np.array([[0, 1], [1, 0]], dtype)
    assert cross_entropy(probs[:1], [0]) == pytest.approx(price, abs=0.01)
    assert cross_entropy(probs, [0, 0]) == pytest.approx(price / 2, abs=0.01)
    assert cross_entropy(probs, [1, 0]) == 0
    if dtype != "uint8":
        tiniest = np.nextafter(np.zeros(1, dtype), np.ones(1, dtype))  # not a normal number
        assert cross_entropy([tiniest], [0]) == cross_entropy(probs[:1], [0])


def test_cross_entropy_is_nan_only_when_a_probability_that_counts_is():
    assert math.isnan(cross_entropy([[0.5, 0.5], [nan, 1.0]], [0, 0]))
    assert cross_entropy([[0.5, 0.5], [nan, 1.0]], [0, 1]) == pytest.approx(math.log(2) / 2)


# labels


def test_one_hot_has_a_single_one_at_the_place_of_each_label():
    Y = one_hot([2, 0, 9])
    assert (Y.dtype, Y.shape, Y.sum()) == (np.float32, (3, 10), 3)
    assert np.argwhere(Y == 1).tolist() == [[0, 2], [1, 0], [2, 9]]
    for y in (np.array([1], np.uint8), pd.Series([1], index=[7])):
        np.testing.assert_array_equal(one_hot(y, n_classes=3), [[0, 1, 0]])
    assert one_hot([], n_classes=3).shape == (0, 3)


@patient
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_accuracy_and_confusion_matrix_agree_with_scikit_learn(pairs):
    y, y_pred = map(list, zip(*pairs, strict=True))
    share = accuracy(y_pred, y)
    assert type(share) is float
    assert share == pytest.approx(metrics.accuracy_score(y, y_pred))
    assert accuracy(pd.Series(y_pred), pd.Series(y, index=range(len(y), 0, -1))) == share
    matrix = confusion_matrix(y, y_pred, n_classes=5)
    assert matrix.dtype.kind == "i"
    np.testing.assert_array_equal(matrix, metrics.confusion_matrix(y, y_pred, labels=range(5)))


def test_confusion_matrix_is_for_ten_digits_unless_told():
    assert np.argwhere(confusion_matrix([9, 0], [3, 0])).tolist() == [[0, 0], [9, 3]]
    assert confusion_matrix([9], [3]).shape == (10, 10)


# the numerical gradient


def test_numerical_gradient_is_the_central_difference_of_one_entry_at_a_time():
    x, seen = np.array([[1, 2], [3, 4]], np.float32), []

    def sum_of_cubes(values):
        assert values.dtype == np.float64
        seen.append((values - x).tolist())
        return float((values**3).sum())

    gradient = numerical_gradient(sum_of_cubes, x, h=0.25)
    steps = [((0.25 * sign) * np.eye(4)[k]).reshape(2, 2) for k in range(4) for sign in (1, -1)]
    np.testing.assert_array_equal(seen, steps)
    # ((x + h)³ - (x - h)³) / 2h = 3x² + h², exactly
    np.testing.assert_array_equal(gradient, [[3.0625, 12.0625], [27.0625, 48.0625]])
    assert gradient.dtype == np.float64
    np.testing.assert_array_equal(x, [[1, 2], [3, 4]])


def test_numerical_gradient_takes_small_steps_unless_told():
    steps = []
    gradient = numerical_gradient(lambda x: steps.append(x - 3) or float(x**2), 3)
    np.testing.assert_allclose(steps, [1e-5, -1e-5])
    assert gradient == pytest.approx(6)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1.0, -2.0], [1.0, -2.0], 0),
        ([0.0, 0.0], [0.0, 0.0], 0),
        ([], [], 0),
        (0.0, 2.0, 1),
        ([[1.0, -8.0]], [[3.0, -8.0]], 0.25),
        ([1.0, 4.0], [3.0, -8.0], 1.5),
        ([1e-12], [2e-12], 0.5),
        (np.uint8([1, 4]), np.uint8([3, 4]), 0.5),
        ([nan, 1.0], [1.0, 1.0], nan),
        ([nan, 0.0], [0.0, 0.0], nan),
    ],
)
def test_relative_error_is_the_largest_difference_as_a_share_of_the_largest_entry(a, b, expected):
    for error in (relative_error(a, b), relative_error(b, a)):
        assert type(error) is float
        assert error == pytest.approx(expected, nan_ok=True)


# what does not fit

NO_SCORES = [5.0, [], np.zeros((3, 0)), np.zeros((0, 0))]
BAD_LABELS = [
    ([0, 10], "labels must be 0 to 9.*0 to 10"),
    ([-1, 3], "labels must be 0 to 9.*-1 to 3"),
    ([0.0, 1.0], "whole numbers.*float64"),
    (["7"], "whole numbers"),
    ([True, False], "whole numbers.*bool"),
    (7, r"a row of labels, shape \(n,\), but has \(\)"),
    (pd.DataFrame({"label": [1, 2]}), r"a row of labels, .* has \(2, 1\)"),
    (np.eye(10, dtype=int), "looks one-hot.*argmax"),
    (pd.Series([1, None], dtype="Int64"), "whole numbers.*float64"),
]


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        *[(softmax, [z], r"at least one score.*k of 1 or more") for z in NO_SCORES],
        (cross_entropy, [[0.5, 0.5], [0]], r"probs must have the shape \(n, k\).*\(2,\)"),
        (cross_entropy, [np.full((1, 2, 2), 0.5), [0]], r"probs .*\(1, 2, 2\)"),
        (cross_entropy, [np.zeros((0, 2)), []], r"n at least 1, but has \(0, 2\)"),
        (cross_entropy, [np.eye(2), [0]], "2 rows of probabilities, but 1 labels"),
        (cross_entropy, [np.eye(2), [0, 2]], "labels must be 0 to 1.*0 to 2"),
        *[(one_hot, [y], message) for y, message in BAD_LABELS],
        *[(confusion_matrix, [y, [0]], message) for y, message in BAD_LABELS],
        *[(confusion_matrix, [[0], y], message) for y, message in BAD_LABELS],
        (confusion_matrix, [[1, 2], [1]], r"two rows of labels .*\(2,\) and \(1,\)"),
        (accuracy, [[1, 2], [1]], r"two rows of labels of the same length.*\(2,\) and \(1,\)"),
        (accuracy, [[], []], r"\(0,\) and \(0,\)"),
        (accuracy, [1, 1], r"\(\) and \(\)"),
        (accuracy, [[[1, 2]], [[1, 2]]], r"\(1, 2\) and \(1, 2\)"),
        (accuracy, [np.eye(2), [1, 2]], r"\(2, 2\) and \(2,\); .*argmax"),
        *[(relative_error, [[1, 2], b], r"same shape.*\(2,\)") for b in ([1], 1, [[1, 2]])],
    ],
)
def test_what_does_not_fit_is_told(function, arguments, message):
    with pytest.raises(ValueError, match=message):
        function(*arguments)
