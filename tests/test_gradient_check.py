"""The numerical gradient against derivatives that are known, and the measure of disagreement."""

import math

import numpy as np
import pytest

from course_utils.gradient_check import numerical_gradient, relative_error


def test_gradient_agrees_with_known_derivatives():
    x = np.linspace(-2, 2, 6).reshape(2, 3)
    gradient = numerical_gradient(lambda x: float((np.sin(x) + x[0, 1] * x**2).sum()), x)
    expected = np.cos(x) + 2 * x[0, 1] * x
    expected[0, 1] += (x**2).sum()
    np.testing.assert_allclose(gradient, expected, atol=1e-8)


def test_gradient_is_the_central_difference_with_the_step_asked_for():
    # ((x + h)³ - (x - h)³) / 2h = 3x² + h², exactly
    assert numerical_gradient(lambda x: float(x[0] ** 3), [2.0], h=0.5) == pytest.approx(12.25)


def test_gradient_moves_one_entry_at_a_time_of_a_float64_copy():
    x, seen = np.array([[1, 2], [3, 4]], np.float32), []

    def f(values):
        assert values.dtype == np.float64
        seen.append((values - x).tolist())
        return 0.0

    gradient = numerical_gradient(f, x, h=0.25)
    steps = [((0.25 * sign) * np.eye(4)[k]).reshape(2, 2) for k in range(4) for sign in (1, -1)]
    np.testing.assert_array_equal(seen, steps)
    np.testing.assert_array_equal(x, [[1, 2], [3, 4]])
    assert gradient.dtype == np.float64
    np.testing.assert_array_equal(gradient, np.zeros((2, 2)))


@pytest.mark.parametrize("x", [[3], 3, np.array([[3]], np.float32)])
def test_gradient_has_the_shape_of_what_it_is_taken_of(x):
    gradient = numerical_gradient(lambda x: float((x**2).sum()), x)
    assert gradient.shape == np.shape(x)
    assert gradient.item() == pytest.approx(6)


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
    ],
)
def test_relative_error_is_the_largest_difference_as_a_share_of_the_largest_entry(a, b, expected):
    for error in (relative_error(a, b), relative_error(b, a)):
        assert type(error) is float
        assert error == pytest.approx(expected)


@pytest.mark.parametrize("other", [0.0, 1.0, math.nan])
def test_relative_error_with_nan_is_nan(other):
    assert math.isnan(relative_error([math.nan, 1.0], [other, 1.0]))
    assert math.isnan(relative_error([other, 0.0], [math.nan, 0.0]))


@pytest.mark.parametrize("b", [[1.0], 1.0, [[1.0, 2.0]]])
def test_relative_error_does_not_broadcast(b):
    with pytest.raises(ValueError, match=r"same shape.*\(2,\)"):
        relative_error([1.0, 2.0], b)


def test_a_bar_shows_past_two_seconds_only(capsys, monkeypatch):
    def seconds_later():
        clock[0] += 0.5
        return clock[0]

    clock = [0.0]
    numerical_gradient(lambda x: 0.0, np.zeros(20))
    assert capsys.readouterr().out == ""
    monkeypatch.setattr("tqdm.std.time", seconds_later)
    numerical_gradient(lambda x: 0.0, np.zeros(20), progress=False)
    assert capsys.readouterr().out == ""
    numerical_gradient(lambda x: 0.0, np.zeros(20))
    assert "/20" in capsys.readouterr().out
