"""The mathematics: values against the definitions and scikit-learn, the edges, the errors."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
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


def score_arrays(largest):
    """Draw rows of scores, or a single row, in either precision."""
    shapes = hnp.array_shapes(min_dims=1, max_dims=2, max_side=6)
    elements = st.floats(-largest, largest, width=32)
    return hnp.arrays(st.sampled_from(["float32", "float64"]), shapes, elements=elements)


# softmax


@patient
@given(score_arrays(largest=20))
def test_softmax_is_its_definition_along_the_last_axis(logits):
    rows = np.atleast_2d(logits).astype(float).tolist()
    expected = [[math.exp(z) / sum(math.exp(s) for s in row) for z in row] for row in rows]
    np.testing.assert_allclose(np.atleast_2d(softmax(logits)), expected, rtol=1e-5)


@patient
@given(score_arrays(largest=1e6))
def test_softmax_gives_probabilities_of_the_same_shape_and_type(logits):
    before = logits.copy()
    probs = softmax(logits)
    assert (probs.shape, probs.dtype) == (logits.shape, logits.dtype)
    assert (probs >= 0).all()
    np.testing.assert_allclose(probs.sum(axis=-1), 1, rtol=1e-5)
    np.testing.assert_array_equal(logits, before)


@patient
@given(score_arrays(largest=20), st.floats(-1000, 1000))
def test_softmax_does_not_change_when_all_scores_are_shifted(logits, shift):
    logits = logits.astype(np.float64)
    np.testing.assert_allclose(softmax(logits + shift), softmax(logits), rtol=1e-10)


@pytest.mark.parametrize(
    ("logits", "probs"),
    [
        ([[1000, -1000, 1000], [-1000, -1000, -1000]], [[0.5, 0, 0.5], [1 / 3] * 3]),
        ([-inf, 1.0, -inf, 1.0], [0, 0.5, 0, 0.5]),
        ([[0, nan, 0], [1, 1, -inf]], [[nan] * 3, [0.5, 0.5, 0]]),
        (np.zeros((0, 10)), np.zeros((0, 10))),
    ],
    ids=["large", "minus infinity", "nan", "no rows"],
)
@both_types
def test_softmax_at_the_edges(logits, probs, dtype):
    result = softmax(np.array(logits, dtype))
    np.testing.assert_allclose(result, np.array(probs, dtype), rtol=1e-6)


@pytest.mark.parametrize("row", [[0.0, inf], [inf, -inf], [-inf, -inf]])
def test_softmax_of_a_row_without_an_answer_is_nan_and_warns(row):
    with pytest.warns(RuntimeWarning, match="invalid value"):
        probs = softmax([row, [0.0, 0.0]])
    np.testing.assert_array_equal(probs, [[nan, nan], [0.5, 0.5]])


@pytest.mark.parametrize("logits", [5.0, [], np.zeros((3, 0)), np.zeros((0, 0))])
def test_softmax_without_a_score_is_an_error(logits):
    with pytest.raises(ValueError, match=r"at least one score.*k of 1 or more"):
        softmax(logits)


# sigmoid and relu


@both_types
def test_sigmoid_is_its_definition(dtype):
    z = np.linspace(-40, 40, 162, dtype=dtype).reshape(2, 81)
    before = z.copy()
    expected = [[1 / (1 + math.exp(-v)) for v in row] for row in z.tolist()]
    assert sigmoid(z).dtype == dtype
    np.testing.assert_allclose(sigmoid(z), expected, rtol=100 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(z, before)
    edges = np.array([-inf, -1000, 0, 1000, inf, nan], dtype)
    np.testing.assert_array_equal(sigmoid(edges), [0, 0, 0.5, 1, 1, nan])


@both_types
def test_relu_keeps_what_is_positive(dtype):
    z = np.array([[-inf, -2, -1e-30, 0], [1e-30, 3, inf, nan]], dtype)
    before = z.copy()
    assert relu(z).dtype == dtype
    np.testing.assert_array_equal(relu(z), [[0, 0, 0, 0], [z[1, 0], 3, inf, nan]])
    np.testing.assert_array_equal(z, before)


@pytest.mark.parametrize("function", [sigmoid, relu, softmax])
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


@pytest.mark.parametrize(
    ("probs", "y", "message"),
    [
        ([0.5, 0.5], [0], r"probs must have the shape \(n, k\).*\(2,\)"),
        (np.full((1, 2, 2), 0.5), [0], r"probs .*\(1, 2, 2\)"),
        (np.zeros((0, 2)), [], r"n at least 1, but has \(0, 2\)"),
        (np.full((2, 2), 0.5), [0], "2 rows of probabilities, but 1 labels"),
        (np.full((3, 2), 0.5), [0, 2, 1], "labels must be 0 to 1.*0 to 2"),
    ],
)
def test_cross_entropy_says_what_does_not_fit(probs, y, message):
    with pytest.raises(ValueError, match=message):
        cross_entropy(probs, y)


# labels


def test_one_hot_has_a_single_one_at_the_place_of_each_label():
    Y = one_hot([2, 0, 9])
    assert (Y.dtype, Y.shape, Y.sum()) == (np.float32, (3, 10), 3)
    assert np.argwhere(Y == 1).tolist() == [[0, 2], [1, 0], [2, 9]]
    for y in (np.array([1], np.uint8), pd.Series([1], index=[7])):
        np.testing.assert_array_equal(one_hot(y, n_classes=3), [[0, 1, 0]])
    assert one_hot([], n_classes=3).shape == (0, 3)


BAD_LABELS = [
    ([0, 10], "labels must be 0 to 9.*0 to 10"),
    ([-1, 3], "labels must be 0 to 9.*-1 to 3"),
    ([0.0, 1.0], "whole numbers.*float64"),
    (["7"], "whole numbers"),
    ([True, False], "whole numbers.*bool"),
    (7, r"a row of labels, shape \(n,\), but has \(\)"),
    ([[1, 2]], r"a row of labels, shape \(n,\), but has \(1, 2\)"),
    (np.eye(10, dtype=int), "looks one-hot.*argmax"),
    (pd.DataFrame({"label": [1, 2]}), r"a row of labels, .* has \(2, 1\)"),
    (pd.Series([1, None], dtype="Int64"), "whole numbers.*float64"),
]


@pytest.mark.parametrize(("y", "message"), BAD_LABELS)
def test_what_is_wrong_with_labels_is_told(y, message):
    with pytest.raises(ValueError, match=message):
        one_hot(y)
    for pair in ((y, [0]), ([0], y)):
        with pytest.raises(ValueError, match=message):
            confusion_matrix(*pair)


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


@pytest.mark.parametrize(
    ("y_pred", "y", "shapes"),
    [
        ([1, 2], [1], r"\(2,\) and \(1,\)"),
        ([], [], r"\(0,\) and \(0,\)"),
        (1, 1, r"\(\) and \(\)"),
        ([[1, 2]], [[1, 2]], r"\(1, 2\) and \(1, 2\)"),
        (np.zeros((2, 10)), [1, 2], r"\(2, 10\) and \(2,\); .*argmax"),
    ],
)
def test_only_rows_of_the_same_length_are_compared(y_pred, y, shapes):
    with pytest.raises(ValueError, match=shapes):
        accuracy(y_pred, y)
    if np.ndim(y) == np.ndim(y_pred) == 1:
        with pytest.raises(ValueError, match="two rows of labels of the same length"):
            confusion_matrix(y, y_pred)


# the numerical gradient


def test_numerical_gradient_agrees_with_known_derivatives():
    x = np.linspace(-2, 2, 6).reshape(2, 3)
    gradient = numerical_gradient(lambda x: float((np.sin(x) + x[0, 1] * x**2).sum()), x)
    expected = np.cos(x) + 2 * x[0, 1] * x
    expected[0, 1] += (x**2).sum()
    np.testing.assert_allclose(gradient, expected, atol=1e-8)


def test_numerical_gradient_is_the_central_difference_with_the_step_asked_for():
    # ((x + h)³ - (x - h)³) / 2h = 3x² + h², exactly
    assert numerical_gradient(lambda x: float(x[0] ** 3), [2.0], h=0.5) == pytest.approx(12.25)
    steps = []
    numerical_gradient(lambda x: steps.append(x - 2) or 0.0, 2.0)
    np.testing.assert_allclose(steps, [1e-5, -1e-5])


def test_numerical_gradient_moves_one_entry_at_a_time_of_a_float64_copy():
    x, seen = np.array([[1, 2], [3, 4]], np.float32), []

    def f(values):
        assert values.dtype == np.float64
        seen.append((values - x).tolist())
        return 0.0

    gradient = numerical_gradient(f, x, h=0.25)
    steps = [((0.25 * sign) * np.eye(4)[k]).reshape(2, 2) for k in range(4) for sign in (1, -1)]
    np.testing.assert_array_equal(seen, steps)
    np.testing.assert_array_equal(x, [[1, 2], [3, 4]])
    assert (gradient.dtype, gradient.tolist()) == (np.float64, [[0, 0], [0, 0]])
    assert numerical_gradient(lambda x: float(x**2), 3) == pytest.approx(6)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1.0, -2.0], [1.0, -2.0], 0),
        ([0.0, 0.0], [0.0, 0.0], 0),
        ([], [], 0),
        (0.0, 2.0, 1),
        ([1.0], [-1.0], 2),
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


@pytest.mark.parametrize("b", [[1.0], 1.0, [[1.0, 2.0]]])
def test_relative_error_does_not_broadcast(b):
    with pytest.raises(ValueError, match=r"same shape.*\(2,\)"):
        relative_error([1.0, 2.0], b)
