"""The mathematics: values against the definitions and scikit-learn, the edges, the errors."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics

from course_utils.functions import (
    accuracy,
    check_labels,
    confusion_matrix,
    cross_entropy,
    negative_log_likelihood,
    one_hot,
    relu,
    sigmoid,
    softmax,
)

pytestmark = pytest.mark.filterwarnings("error")
inf, nan = math.inf, math.nan
DTYPES = ("float32", "float64")
# a busy machine is no error
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def score_arrays(largest):
    """Draw rows of scores, or a single row, in either precision."""
    return st.sampled_from(DTYPES).flatmap(
        lambda dtype: hnp.arrays(
            dtype,
            hnp.array_shapes(min_dims=1, max_dims=2, max_side=6),
            elements=st.floats(-largest, largest, width=32),
        )
    )


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
    assert probs.shape == logits.shape
    assert probs.dtype == logits.dtype
    assert (probs >= 0).all()
    np.testing.assert_allclose(probs.sum(axis=-1), 1, rtol=1e-5)
    np.testing.assert_array_equal(logits, before)


@patient
@given(score_arrays(largest=20), st.floats(-1000, 1000))
def test_softmax_does_not_change_when_all_scores_are_shifted(logits, shift):
    logits = logits.astype(np.float64)
    np.testing.assert_allclose(softmax(logits + shift), softmax(logits), rtol=1e-10)


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_does_not_overflow(dtype):
    logits = np.array([[1000, -1000, 1000], [-1000, -1000, -1000]], dtype)
    np.testing.assert_allclose(softmax(logits), [[0.5, 0, 0.5], [1 / 3] * 3], rtol=1e-6)


def test_softmax_gives_minus_infinity_the_probability_zero():
    np.testing.assert_array_equal(softmax([-inf, 1.0, -inf, 1.0]), [0, 0.5, 0, 0.5])


def test_softmax_of_a_row_with_nan_is_nan_and_other_rows_are_not_touched():
    np.testing.assert_array_equal(softmax([[0, nan, 0], [1, 1, -inf]]), [[nan] * 3, [0.5, 0.5, 0]])


@pytest.mark.parametrize("row", [[0.0, inf], [inf, -inf], [-inf, -inf]])
def test_softmax_of_a_row_without_an_answer_is_nan_and_warns(row):
    with pytest.warns(RuntimeWarning, match="invalid value"):
        probs = softmax([row, [0.0, 0.0]])
    np.testing.assert_array_equal(probs, [[nan, nan], [0.5, 0.5]])


def test_softmax_of_no_rows_is_no_rows():
    assert softmax(np.zeros((0, 10), np.float32)).shape == (0, 10)


@pytest.mark.parametrize("logits", [5.0, [], np.zeros((3, 0)), np.zeros((0, 0))])
def test_softmax_without_a_score_is_an_error(logits):
    with pytest.raises(ValueError, match="at least one score"):
        softmax(logits)


# sigmoid and relu


@pytest.mark.parametrize("dtype", DTYPES)
def test_sigmoid_is_its_definition(dtype):
    z = np.linspace(-40, 40, 162, dtype=dtype).reshape(2, 81)
    before = z.copy()
    expected = [[1 / (1 + math.exp(-v)) for v in row] for row in z.tolist()]
    assert sigmoid(z).dtype == dtype
    np.testing.assert_allclose(sigmoid(z), expected, rtol=100 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(z, before)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sigmoid_at_and_near_infinity(dtype):
    z = np.array([-inf, -1000, 0, 1000, inf, nan], dtype)
    np.testing.assert_array_equal(sigmoid(z), [0, 0, 0.5, 1, 1, nan])


@pytest.mark.parametrize("dtype", DTYPES)
def test_relu_keeps_what_is_positive(dtype):
    z = np.array([[-inf, -2, -1e-30, 0], [1e-30, 3, inf, nan]], dtype)
    before = z.copy()
    result = relu(z)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, [[0, 0, 0, 0], [z[1, 0], 3, inf, nan]])
    np.testing.assert_array_equal(z, before)


@pytest.mark.parametrize("function", [sigmoid, relu, softmax])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int64", "bool"])
def test_whole_numbers_count_as_the_floats_of_the_same_value(function, dtype):
    z = np.array([0, 127, 1, -128], "int64").astype(dtype)
    np.testing.assert_allclose(function(z), function(z.astype(float)), rtol=1e-12)


# cross-entropy


@pytest.mark.parametrize("dtype", DTYPES)
def test_cross_entropy_agrees_with_scikit_learn(dtype):
    rng = np.random.default_rng(0)
    probs, y = rng.dirichlet(np.ones(4), size=50).astype(dtype), rng.integers(4, size=50)
    before = probs.copy(), y.copy()
    loss = cross_entropy(probs, y)
    assert type(loss) is float
    assert loss == pytest.approx(metrics.log_loss(y, probs, labels=range(4)), rel=1e-5)
    np.testing.assert_array_equal(probs, before[0])
    np.testing.assert_array_equal(y, before[1])


@pytest.mark.parametrize(
    ("dtype", "cap"), [("float16", 9.704), ("float32", 87.3365), ("float64", 708.3964)]
)
def test_cross_entropy_caps_the_price_of_probability_zero(dtype, cap):
    probs = np.array([[0, 1], [1, 0]], dtype)
    assert cross_entropy(probs[:1], [0]) == pytest.approx(cap, abs=0.01)
    assert cross_entropy(probs, [0, 0]) == pytest.approx(cap / 2, abs=0.01)
    assert negative_log_likelihood(probs[0]) == pytest.approx(cap / 2, abs=0.01)


def test_cross_entropy_of_a_subnormal_probability_is_the_cap():
    assert cross_entropy([[5e-324, 1.0]], [0]) == cross_entropy([[0.0, 1.0]], [0])


def test_cross_entropy_is_nan_only_when_a_probability_that_counts_is():
    assert math.isnan(cross_entropy([[0.5, 0.5], [nan, 1.0]], [0, 0]))
    assert cross_entropy([[0.5, 0.5], [nan, 1.0]], [0, 1]) == pytest.approx(math.log(2) / 2)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64"])
def test_cross_entropy_of_certain_answers(dtype):
    probs = np.eye(2, dtype=dtype)
    assert cross_entropy(probs, [0, 1]) == 0
    assert cross_entropy(probs, [1, 0]) == pytest.approx(708.3964, abs=1e-3)


@pytest.mark.parametrize(
    ("probs", "y", "message"),
    [
        ([0.5, 0.5], [0], r"probs must have the shape \(n, k\).*\(2,\)"),
        (np.full((1, 2, 2), 0.5), [0], r"probs .*\(1, 2, 2\)"),
        (0.5, 0, "probs"),
        (np.zeros((0, 2)), [], "y is empty"),
        (np.full((2, 2), 0.5), [0], "each of the 2 examples"),
        (np.full((3, 2), 0.5), [0, 2, 1], "labels must be 0 to 1.*0 to 2"),
    ],
)
def test_cross_entropy_says_what_does_not_fit(probs, y, message):
    with pytest.raises(ValueError, match=message):
        cross_entropy(probs, y)


def test_negative_log_likelihood_is_the_mean_of_minus_the_logarithm():
    p = np.exp(-np.array([1.0, 2.0, 6.0]))
    assert negative_log_likelihood(p) == pytest.approx(3)


# labels


def test_one_hot_has_a_single_one_at_the_place_of_each_label():
    Y = one_hot([2, 0, 9])
    assert Y.dtype == np.float32
    assert Y.shape == (3, 10)
    assert np.argwhere(Y == 1).tolist() == [[0, 2], [1, 0], [2, 9]]
    assert Y.sum() == 3


def test_one_hot_takes_the_number_of_classes():
    np.testing.assert_array_equal(one_hot(np.array([1], np.uint8), n_classes=3), [[0, 1, 0]])
    assert one_hot([], n_classes=3).shape == (0, 3)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 10], "labels must be 0 to 9.*0 to 10"),
        ([-1, 3], "labels must be 0 to 9.*-1 to 3"),
        ([0.0, 1.0], "whole numbers.*float64"),
        (["7"], "whole numbers"),
        ([True, False], "whole numbers.*bool"),
        (7, "one label for each"),
        ([[1, 2]], r"one label for each .*\(1, 2\)"),
        (np.eye(10, dtype=int), "looks one-hot.*argmax"),
    ],
)
def test_one_hot_says_what_is_wrong_with_the_labels(y, message):
    with pytest.raises(ValueError, match=message):
        one_hot(y)


@patient
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_accuracy_agrees_with_scikit_learn(pairs):
    y_pred, y = map(list, zip(*pairs, strict=True))
    share = accuracy(y_pred, y)
    assert type(share) is float
    assert share == pytest.approx(metrics.accuracy_score(y, y_pred))


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
def test_accuracy_compares_only_rows_of_the_same_length(y_pred, y, shapes):
    with pytest.raises(ValueError, match=shapes):
        accuracy(y_pred, y)


@patient
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_confusion_matrix_agrees_with_scikit_learn(pairs):
    y, y_pred = map(list, zip(*pairs, strict=True))
    matrix = confusion_matrix(y, y_pred, n_classes=5)
    assert matrix.dtype.kind == "i"
    expected = metrics.confusion_matrix(y, y_pred, labels=range(5))
    np.testing.assert_array_equal(matrix, expected)


def test_confusion_matrix_is_for_ten_digits_unless_told():
    assert np.argwhere(confusion_matrix([9, 0], [3, 0])).tolist() == [[0, 0], [9, 3]]
    assert confusion_matrix([9], [3]).shape == (10, 10)


@pytest.mark.parametrize(
    ("y", "y_pred", "message"),
    [
        ([], [], "y is empty"),
        ([0, 1], [0], "each of the 2 examples"),
        ([0, 10], [0, 1], "labels must be 0 to 9"),
        ([0, 1], [0, -1], "labels must be 0 to 9"),
        ([0, 1], np.eye(2, 10), "looks one-hot"),
        (0, 0, "one label for each"),
    ],
)
def test_confusion_matrix_says_what_does_not_fit(y, y_pred, message):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(y, y_pred)


def test_check_labels_returns_them_as_an_array_of_whole_numbers():
    y = check_labels([0, 2, 1], 3, 3)
    assert isinstance(y, np.ndarray)
    assert y.tolist() == [0, 2, 1]
    assert check_labels([], 0, 3, allow_empty=True).dtype.kind == "i"


@pytest.mark.parametrize(
    ("y", "n", "message"),
    [
        ([], 0, "y is empty"),
        ([], 1, "each of the 1 examples"),
        ([0, 1], 3, r"each of the 3 examples, but has \(2,\)"),
        ([[0, 1]], 2, r"each of the 2 examples, but has \(1, 2\)"),
        ([[0, 0, 1]], 1, r"shape \(1,\), but has shape \(1, 3\), which looks one-hot"),
        ([0.0, 1.0], 2, "int type.*float64"),
        ([0, 3], 2, "labels must be 0 to 2, .* from 0 to 3"),
        ([-1, 0], 2, "labels must be 0 to 2, .* from -1 to 0"),
    ],
)
def test_check_labels_says_what_is_wrong(y, n, message):
    with pytest.raises(ValueError, match=message):
        check_labels(y, n, 3)
