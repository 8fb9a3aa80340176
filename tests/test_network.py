"""The network: its start, the forward pass, gradients held against numerical ones, the errors."""

import copy
import math
import pickle
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, log_loss

from course_utils import Network, numerical_gradient, relative_error, train

pytestmark = pytest.mark.filterwarnings("error")


def small_network(hidden=(5,), **options):
    """Make a network from 6 inputs to 4 classes, with biases that are not 0."""
    network = Network([6, *hidden, 4], **{"dtype": "float64", "rng": 1} | options)
    for name, array in network.params.items():
        if name[0] == "b":
            array[...] = np.random.default_rng(2).normal(size=array.shape)
    return network


def examples(n=9):
    rng = np.random.default_rng(3)
    return rng.random((n, 6)), np.arange(n) % 4


def assert_equal(params, others):
    assert params.keys() == others.keys()
    for name in params:
        np.testing.assert_array_equal(params[name], others[name], err_msg=name)


# how a network starts


def test_parameters_have_the_shapes_of_the_layers_and_the_names_of_the_course():
    for sizes in ([784, 20, 10], np.array([784, 20, 10])):
        network = Network(sizes)
        shapes = [(name, array.shape) for name, array in network.params.items()]
        assert shapes == [("W1", (784, 20)), ("b1", (20,)), ("W2", (20, 10)), ("b2", (10,))]
        assert network.layer_sizes == [784, 20, 10]
        assert repr(network) == (
            "Network([784, 20, 10], activation='relu'): 15,910 parameters, float32"
        )


@pytest.mark.parametrize("dtype", ["float32", "float64", np.float32, np.dtype("float64")])
def test_everything_is_computed_in_the_type_asked_for(dtype):
    network, (X, y) = small_network(dtype=dtype), examples()
    _, grads = network.gradients(X, y, l2=0.1)
    arrays = [*network.params.values(), *grads.values(), network.predict_proba(X)]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}


def test_float32_and_he_and_relu_and_seed_0_are_what_comes_unasked():
    network = Network([6, 5, 4])
    asked = Network([6, 5, 4], activation="relu", init="he", rng=0, dtype="float32")
    assert (network.activation, network.params["W2"].dtype) == ("relu", np.float32)
    assert_equal(network.params, asked.params)


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


@pytest.mark.parametrize(
    "sizes",
    [5, None, "784", [], [784], [784, 0, 10], [784, -5, 10], [784, 20.0, 10], [784, None]],
)
def test_layer_sizes_must_be_whole_numbers_of_one_or_more(sizes):
    message = "^layer_sizes must be two or more whole numbers of 1 or more, such as .*, but is "
    with pytest.raises(ValueError, match=message + re.escape(str(sizes))):
        Network(sizes)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("activation", "tanh", "activation must be 'relu' or 'sigmoid', but is 'tanh'"),
        ("activation", None, "activation must be .* None"),
        ("init", "zeros", "init must be 'he' or 'xavier' or 'normal', but is 'zeros'"),
        ("dtype", "float16", "dtype must be 'float32' or 'float64', but is 'float16'"),
        ("dtype", int, "dtype must be .*'int'"),
    ],
)
def test_an_unknown_option_is_told_with_the_choices(option, value, message):
    with pytest.raises(ValueError, match=message):
        Network([6, 5, 4], **{option: value})


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])  # noqa: S301 - our own
def test_a_copy_trains_on_its_own(duplicate):
    network, (X, y) = small_network(), examples()
    before, other = copy.deepcopy(network.params), duplicate(network)
    assert_equal(other.params, before)
    train(other, X, y, epochs=1, progress=False)
    assert_equal(network.params, before)
    assert not np.array_equal(other.predict_proba(X), network.predict_proba(X))


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


@pytest.mark.parametrize(
    "kind",
    [
        np.ndarray.tolist,
        pd.DataFrame,
        *[lambda X, t=t: X.astype(t) for t in ("uint8", "int64", "bool", "float16", "longdouble")],
        np.asfortranarray,
        lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    ],
)
def test_images_of_any_kind_are_answered_alike(kind):
    network, X = small_network(), (examples(12)[0] > 0.5).astype(float)  # exact in each type
    expected = network.predict_proba(X)
    np.testing.assert_array_equal(network.predict_proba(kind(X)), expected)
    np.testing.assert_array_equal(network.predict(kind(X)), expected.argmax(axis=1))


def test_no_images_have_no_answers():
    for dtype in (float, bool, np.uint8):
        assert small_network().predict_proba(np.zeros((0, 6), dtype)).shape == (0, 4)
    assert small_network().predict(np.zeros((0, 6))).shape == (0,)


def test_a_pixel_that_is_nan_makes_only_its_own_answer_nan_and_has_no_label():
    network, (X, y) = small_network(), examples(23)
    for row in (1, 15, 22):
        broken = X.copy()
        broken[row, 3] = np.nan
        assert np.isnan(network.predict_proba(broken)).any(axis=1).nonzero()[0].tolist() == [row]
        for ask in (network.predict, lambda X: network.accuracy(X, y)):
            with pytest.raises(ValueError, match=r"X must be finite, but holds nan.*np\.isfinite"):
                ask(broken)


def test_the_most_probable_label_is_predicted_and_counted():
    network, (X, y) = small_network(), examples(50)
    labels = network.predict(X)
    rows = network.predict_proba(X).tolist()
    assert labels.tolist() == [row.index(max(row)) for row in rows]
    assert len(set(labels)) > 1
    assert network.accuracy(X, pd.Series(y)) == pytest.approx(accuracy_score(y, labels))


def test_a_network_whose_answers_are_nan_predicts_nothing():
    network = small_network()
    network.params["b2"][1] = np.nan
    with pytest.raises(ValueError, match=r"the network's answers are nan.*blown up"):
        network.predict(np.zeros((3, 6)))


def test_standardised_pixels_are_accepted():
    small_network().predict_proba([[-3.0, 3.0, 0, 0, 0, 0]])
    small_network().predict_proba([[2.0] * 6])


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 40), seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from(["f4", "f8"]))
def test_a_batch_in_another_order_has_the_same_answers_in_that_order(n, seed, dtype):
    rng = np.random.default_rng(seed)
    network, X, order = small_network(dtype=np.dtype(dtype)), rng.random((n, 6)), rng.permutation(n)
    probs, shuffled = network.predict_proba(X), network.predict_proba(X[order])
    exactness = 1e-5 if dtype == "f4" else 1e-12  # a product's rounding may hang on the row
    np.testing.assert_allclose(shuffled, probs[order], rtol=exactness)


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
    loss, grads = network.gradients(X, y, l2)
    assert type(loss) is float
    assert loss == pytest.approx(expected, rel=1e-12)
    for ask in (network.gradients, network.backpropagate):
        same_loss, same = ask(X, y, l2) if l2 else ask(X, y)  # 0 unless asked for
        assert same_loss == loss
        assert_equal(grads, same)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_probability_of_zero_has_a_finite_price(dtype):
    network = Network([1, 2], dtype=dtype)
    network.params["W1"][:] = [[1000, -1000]]
    loss, _ = network.gradients([[1.0]], [1])
    assert loss == pytest.approx(-math.log(np.finfo(dtype).tiny))


def test_float32_gradients_are_close_to_those_in_float64():
    network, (X, y) = small_network(), examples()
    loss, grads = network.gradients(X, y, l2=0.1)
    network.params = {name: array.astype("float32") for name, array in network.params.items()}
    coarse_loss, coarse = network.gradients(X, y, l2=0.1)
    assert coarse_loss == pytest.approx(loss, rel=1e-5)
    assert all(relative_error(coarse[name], grads[name]) < 1e-5 for name in grads)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("hidden", [(), (5,)])
def test_questions_change_neither_arguments_nor_network_nor_earlier_answers(dtype, hidden):
    network, (X, y) = small_network(hidden, dtype=dtype), examples()
    X = X.astype(dtype)
    _, grads = network.gradients(X, y, l2=0.1)
    probs = network.predict_proba(X)
    of_grads = {"d" + name: gradient for name, gradient in grads.items()}
    state = {"X": X, "y": y, "probs": probs} | network.params | of_grads
    before = copy.deepcopy(state)
    network.predict(X)
    network.accuracy(X, y)
    network.gradients(X[::-1], y, l2=0.1)
    assert_equal(state, before)


# what is told

ASK = {
    "predict_proba": lambda network, X: network.predict_proba(X),
    "predict": lambda network, X: network.predict(X),
    "accuracy": lambda network, X: network.accuracy(X, np.zeros(len(X), int)),
    "gradients": lambda network, X: network.gradients(X, np.zeros(len(X), int)),
}
TO_ONE_ROW = r"; make it a row with X\.reshape\(1, 784\)$"


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
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
        (
            np.full((2, 784), 255.0),
            "^pixels must be 0–1, but X goes up to 255.*divide by 255 or load them with "
            r"load_mnist\(normalize=True\)$",
        ),
        (np.full((2, 784), 3, np.uint8), "pixels must be 0–1, but X goes up to 3"),
    ],
)
def test_what_is_wrong_with_the_images_is_told(ask, X, message):
    with pytest.raises(ValueError, match=message):
        ask(Network([784, 3, 10]), X)


def test_what_is_wrong_with_a_single_image_is_told():
    image = np.zeros(784, np.uint8)
    image[700] = 255
    for kind in (np.asarray, pd.Series):
        with pytest.raises(ValueError, match=r"X goes up to 255.*divide by 255"):
            Network([784, 10]).predict(kind(image))
    with pytest.raises(ValueError, match=r"X must have the shape .*\(\)"):
        small_network().predict(0.5)


@pytest.mark.parametrize("y", [[0], [[0, 1]], 0])
def test_accuracy_tells_labels_that_do_not_fit(y):
    with pytest.raises(ValueError, match=r"two rows of labels .*\(2,\) and"):
        small_network().accuracy(np.zeros((2, 6)), y)


def test_prediction_looks_into_the_pixels_of_ten_images():
    X = np.zeros((20, 6))
    X[10] = 255
    small_network().predict(X)
    with pytest.raises(ValueError, match=r"pixels must be 0–1"):
        small_network().predict(X[1:])
