"""The network: its start, the forward pass, gradients held against numerical ones, the errors."""

import copy
import math
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, log_loss
from small_networks import assert_equal, examples, small_network

from course_utils import Network, numerical_gradient, relative_error

pytestmark = pytest.mark.filterwarnings("error")


# how a network starts


def test_parameters_have_the_shapes_of_the_layers_and_the_names_of_the_course():
    network = Network([784, 20, 10])
    shapes = [(name, array.shape) for name, array in network.params.items()]
    assert shapes == [("W1", (784, 20)), ("b1", (20,)), ("W2", (20, 10)), ("b2", (10,))]
    text = "Network([784, 20, 10], activation='relu'): 15,910 parameters, float32"
    assert repr(network) == text
    options = {"activation": "relu", "init": "he", "rng": 0, "dtype": "float32"}  # the defaults
    same = Network(np.array([784, 20, 10]), **options)
    assert (repr(same), same.layer_sizes) == (text, [784, 20, 10])
    assert_equal(network.params, same.params)


@pytest.mark.parametrize("dtype", ["float32", "float64", np.float32, np.dtype("float64")])
def test_everything_is_computed_in_the_type_asked_for(dtype):
    network, (X, y) = small_network(dtype=dtype), examples()
    _, grads = network.gradients(X, y, l2=0.1)
    arrays = [*network.params.values(), *grads.values(), network.predict_proba(X)]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}


@pytest.mark.parametrize(
    ("init", "deviations"),
    [
        ("he", [math.sqrt(2 / 300), math.sqrt(2 / 100)]),
        ("xavier", [math.sqrt(2 / 400), math.sqrt(2 / 500)]),
        ("normal", [1, 1]),
    ],
)
def test_first_weights_are_normal_with_the_deviation_of_their_recipe(init, deviations):
    network = Network([300, 100, 400], init=init)
    for k, deviation in enumerate(deviations, start=1):
        W = network.params[f"W{k}"]
        assert W.std() == pytest.approx(deviation, rel=0.02)
        assert abs(W.mean()) < 0.03 * deviation
        assert (abs(W) < deviation).mean() == pytest.approx(0.683, abs=0.01)
        assert not network.params[f"b{k}"].any()


def test_the_seed_decides_the_first_weights():
    weights = Network([6, 5, 4], rng=7).params
    assert_equal(weights, Network([6, 5, 4], rng=7).params)
    assert_equal(weights, Network([6, 5, 4], rng=np.random.default_rng(7)).params)
    assert not np.array_equal(weights["W1"], Network([6, 5, 4], rng=8).params["W1"])


SIZES = "^layer_sizes must be two or more whole numbers of 1 or more, such as .*, but is "
BAD_SIZES = [5, None, "784", [], [784], [784, 0, 10], [784, -5, 10], [784, 20.0, 10], [784, None]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *[({"layer_sizes": sizes}, SIZES + re.escape(str(sizes))) for sizes in BAD_SIZES],
        ({"activation": "tanh"}, "activation must be 'relu' or 'sigmoid', but is 'tanh'"),
        ({"activation": None}, "activation must be .* None"),
        ({"init": "zeros"}, "init must be 'he' or 'xavier' or 'normal', but is 'zeros'"),
        ({"dtype": "float16"}, "dtype must be 'float32' or 'float64', but is 'float16'"),
        ({"dtype": int}, "dtype must be .*'int'"),
    ],
)
def test_an_option_that_does_not_fit_is_told_with_what_does(arguments, message):
    with pytest.raises(ValueError, match=message):
        Network(**{"layer_sizes": [6, 5, 4]} | arguments)


# the forward pass


@pytest.mark.parametrize(
    ("activation", "by_hand"),
    [("relu", lambda z: z * (z > 0)), ("sigmoid", lambda z: 1 / (1 + np.exp(-z)))],
)
def test_probabilities_are_those_of_the_formulas(activation, by_hand):
    network, (X, _) = small_network((5, 3), activation=activation), examples()
    p = network.params
    A1 = by_hand(X @ p["W1"] + p["b1"])
    A2 = by_hand(A1 @ p["W2"] + p["b2"])
    exps = np.exp(A2 @ p["W3"] + p["b3"])
    expected = exps / exps.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(network.predict_proba(X), expected, rtol=1e-12)
    for layer, by_formula in zip(network.forward(X), [X, A1, A2, expected], strict=True):
        np.testing.assert_allclose(layer, by_formula, rtol=1e-12)


def test_a_single_image_is_answered_like_a_row_of_a_batch():
    network, (X, _) = small_network(), examples()
    assert network.predict_proba(X[2]).shape == (4,)
    np.testing.assert_allclose(network.predict_proba(X[2]), network.predict_proba(X)[2])
    assert network.predict(X[2]) == network.predict(X)[2]


def test_no_images_have_no_answers():
    for dtype in (float, bool, np.uint8):
        assert small_network().predict_proba(np.zeros((0, 6), dtype)).shape == (0, 4)
    assert small_network().predict(np.zeros((0, 6))).shape == (0,)


def test_a_pixel_that_is_nan_makes_only_its_own_answer_nan_and_nan_is_no_label():
    network, (X, y) = small_network(), examples(23)
    for row in (1, 15, 22):
        broken = X.copy()
        broken[row, 3] = np.nan
        assert np.isnan(network.predict_proba(broken)).any(axis=1).nonzero()[0].tolist() == [row]
        for ask in (network.predict, lambda X: network.accuracy(X, y)):
            with pytest.raises(ValueError, match=r"X must be finite, but holds nan.*np\.isfinite"):
                ask(broken)
    network.params["b2"][1] = np.nan
    with pytest.raises(ValueError, match=r"the network's answers are nan.*blown up"):
        network.predict(X)


def test_the_most_probable_label_is_predicted_and_counted():
    network, (X, y) = small_network(), examples(50)
    labels = network.predict(X)
    rows = network.predict_proba(X).tolist()
    assert labels.tolist() == [row.index(max(row)) for row in rows]
    assert len(set(labels)) > 1
    assert network.accuracy(X, pd.Series(y)) == pytest.approx(accuracy_score(y, labels))
    with pytest.raises(ValueError, match=r"two rows of labels .*\(50,\) and \(50, 1\)"):
        network.accuracy(X, y[:, None])


# the gradient


@pytest.mark.parametrize("hidden", [(), (5,), (5, 3), (5, 4, 3)])
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
@pytest.mark.parametrize("l2", [0, 0.01])
def test_gradients_agree_with_the_numerical_gradient(hidden, activation, l2):
    network, (X, y) = small_network(hidden, activation=activation), examples()
    _, grads = network.gradients(X, y, l2)
    assert grads.keys() == network.params.keys()
    for name, start in list(network.params.items()):

        def loss_at(array, name=name):
            network.params[name] = array
            return network.gradients(X, y, l2)[0]

        numerical = numerical_gradient(loss_at, start)
        network.params[name] = start
        assert relative_error(grads[name], numerical) < 1e-6, name


@pytest.mark.parametrize("l2", [0, 0.5])
def test_the_loss_is_the_mean_cross_entropy_and_the_squared_weights(l2):
    network, (X, y) = small_network((5, 3)), examples()
    weights = [network.params[name] for name in ("W1", "W2", "W3")]
    expected = log_loss(y, network.predict_proba(X)) + l2 / 2 * sum((W**2).sum() for W in weights)
    before = copy.deepcopy(network.params)
    X.flags.writeable = y.flags.writeable = False
    loss, grads = network.gradients(X, y, l2)
    assert type(loss) is float
    assert loss == pytest.approx(expected, rel=1e-12)
    for ask in (network.gradients, network.backpropagate):
        same_loss, same = ask(X, y, l2) if l2 else ask(X, y)  # 0 unless asked for
        assert same_loss == loss
        assert_equal(grads, same)
    assert_equal(network.params, before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_probability_of_zero_has_a_finite_price(dtype):
    network = Network([1, 2], dtype=dtype)
    network.params["W1"][:] = [[1000, -1000]]
    loss, _ = network.gradients([[1.0]], [1])
    assert loss == pytest.approx(-math.log(np.finfo(dtype).tiny))


# what is told

TO_ONE_ROW = r"; make it a row with X\.reshape\(1, 784\)$"
TO_SMALL_NUMBERS = r"^pixels must be 0–1, but X goes up to {}: .* load_mnist\(normalize=True\)$"


@pytest.mark.parametrize("method", ["predict_proba", "predict", "accuracy", "gradients"])
@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((2, 785)), r"X must have the shape \(n, 784\).*\(2, 785\)$"),
        (np.zeros(785), r"X must have the shape \(n, 784\).*\(785,\)$"),
        (np.zeros((28, 28)), r"X must have the shape \(n, 784\).* has \(28, 28\)" + TO_ONE_ROW),
        (np.zeros((1, 28, 28, 1)), r" has \(1, 28, 28, 1\)" + TO_ONE_ROW),
        (np.zeros((784, 1)), r" has \(784, 1\)" + TO_ONE_ROW),
        (np.zeros((2, 28, 28)), r"\(2, 28, 28\); flatten .* with X.reshape\(len\(X\), 784\)$"),
        (np.zeros((2, 28, 28, 1)), r"\(2, 28, 28, 1\); flatten"),
        (np.zeros((2, 14, 14)), r"X must have the shape \(n, 784\).*\(2, 14, 14\)$"),
        (np.zeros((2, 784), complex), "X must hold real numbers.*complex"),
        (np.full((2, 784), "a"), "X must hold real numbers.*<U1"),
        (pd.DataFrame(np.full((2, 784), None)), "X must hold real numbers.*object"),
        (np.full((2, 784), np.inf), r"X must be finite.*np\.isfinite"),
        (np.full((2, 784), -np.inf), r"X must be finite.*np\.isfinite"),
        (np.full((2, 784), 3, np.uint8), TO_SMALL_NUMBERS.format(3)),
        (pd.Series(255.0 * np.eye(784)[700]), TO_SMALL_NUMBERS.format(255)),  # a single image
        (0.5, r"X must have the shape .*\(\)"),
    ],
)
def test_what_is_wrong_with_the_images_is_told(method, X, message):
    y = [[0]] if method in ("accuracy", "gradients") else []
    with pytest.raises(ValueError, match=message):
        getattr(Network([784, 3, 10]), method)(X, *y)


def test_pixels_are_looked_at_in_ten_images_and_may_be_standardised():
    network, X = small_network(), np.zeros((20, 6))
    network.predict([[-3.0, 3.0, 0, 0, 0, 0], [2.0] * 6])
    X[10] = 255
    network.predict(X)
    with pytest.raises(ValueError, match="pixels must be 0–1"):
        network.predict(X[1:])
