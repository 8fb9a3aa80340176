"""The network: its start, the forward pass, gradients held against numerical ones, the errors."""

import copy
import math
import pickle
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, log_loss

from course_utils.functions import one_hot
from course_utils.gradient_check import numerical_gradient, relative_error
from course_utils.network import Network, Parameters
from course_utils.training import train

pytestmark = pytest.mark.filterwarnings("error")


def small_network(hidden=(5,), **options):
    """Make a network from 6 inputs to 4 classes, with biases that are not 0."""
    network = Network([6, *hidden, 4], **{"dtype": "float64", "rng": 1} | options)
    for bias in network.params.biases:
        bias[...] = np.random.default_rng(2).normal(size=bias.shape)
    return network


def examples(n=9):
    rng = np.random.default_rng(3)
    return rng.random((n, 6)), np.arange(n) % 4


# how a network starts


def test_parameters_have_the_shapes_of_the_layers():
    network = Network([784, 20, 10])
    shapes = {name: array.shape for name, array in network.params.items()}
    assert shapes == {"W1": (784, 20), "b1": (20,), "W2": (20, 10), "b2": (10,)}
    assert network.layer_sizes == (784, 20, 10)


@pytest.mark.parametrize("dtype", ["float32", "float64", np.float32, np.dtype("float64")])
def test_everything_is_computed_in_the_type_asked_for(dtype):
    network, (X, y) = small_network(dtype=dtype), examples()
    _, grads = network.gradients(X, y, l2=0.1)
    arrays = [*network.params.values(), *grads.values(), network.predict_proba(X)]
    assert {array.dtype for array in arrays} == {network.dtype} == {np.dtype(dtype)}


def test_float32_and_he_and_relu_and_seed_0_are_what_comes_unasked():
    network = Network([6, 5, 4])
    asked = Network([6, 5, 4], activation="relu", init="he", rng=0, dtype="float32")
    assert (network.activation, network.dtype) == ("relu", np.float32)
    np.testing.assert_array_equal(network.params.vector, asked.params.vector)


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
    for W, b, deviation in zip(
        network.params.weights, network.params.biases, deviations, strict=True
    ):
        assert W.std() == pytest.approx(deviation, rel=0.02)
        assert abs(W.mean()) < 0.03 * deviation
        assert (abs(W) < deviation).mean() == pytest.approx(0.683, abs=0.01)
        assert not b.any()


def test_the_seed_decides_the_first_weights():
    def weights(rng):
        return Network([6, 5, 4], rng=rng).params.all_weights

    np.testing.assert_array_equal(weights(7), weights(7))
    np.testing.assert_array_equal(weights(7), weights(np.random.default_rng(7)))
    assert not np.array_equal(weights(7), weights(8))


def test_repr_tells_sizes_activation_count_and_type():
    network = Network([784, 20, 10], activation="sigmoid")
    assert repr(network) == (
        "Network([784, 20, 10], activation='sigmoid'): 15,910 parameters, float32"
    )


@pytest.mark.parametrize(
    "sizes",
    [
        5,
        None,
        "784",
        [],
        [784],
        [784, 0, 10],
        [784, -5, 10],
        [784, 20.0, 10],
        ["784", 10],
        [784, None],
    ],
)
def test_layer_sizes_must_be_whole_numbers_of_one_or_more(sizes):
    message = "^layer_sizes must be two or more whole numbers of 1 or more, such as .*, but is "
    with pytest.raises(ValueError, match=message):
        Network(sizes)


def test_layer_sizes_may_be_numpy_integers():
    assert Network(np.array([6, 5, 4])).layer_sizes == (6, 5, 4)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("activation", "tanh", "activation must be 'relu' or 'sigmoid', but is 'tanh'"),
        ("activation", None, "activation must be .* None"),
        ("init", "zeros", "init must be 'he' or 'xavier' or 'normal', but is 'zeros'"),
        ("dtype", "float16", "dtype must be 'float32' or 'float64', but is 'float16'"),
        ("dtype", int, "dtype must be .*'int64'"),
        ("dtype", "float31", "dtype must be .*'float31'"),
    ],
)
def test_an_unknown_option_is_told_with_the_choices(option, value, message):
    with pytest.raises(ValueError, match=message):
        Network([6, 5, 4], **{option: value})


# the parameters


def test_each_number_of_the_vector_belongs_to_one_parameter():
    params = Parameters([3, 4, 2])
    for k, view in enumerate(params.values(), start=1):
        view += k
    assert sorted(params.vector) == [1] * 12 + [2] * 4 + [3] * 8 + [4] * 2
    assert sorted(params.all_weights) == [1] * 12 + [3] * 8


def test_lists_of_weights_and_biases_are_the_parameters_by_layer():
    params = Parameters([3, 4, 2])
    assert list(params) == ["W1", "b1", "W2", "b2"]
    assert len(params) == 4
    for k in (1, 2):
        assert params.weights[k - 1] is params[f"W{k}"]
        assert params.biases[k - 1] is params[f"b{k}"]


def test_parameters_are_views_of_the_vector():
    params = Parameters([3, 4, 2])
    params.vector[:] = np.arange(26)
    assert params["W1"][1, 2] == 6
    params["b2"][1] = -1
    assert params.vector[-1] == -1


def test_a_given_vector_is_kept_and_not_copied():
    vector = np.zeros(26)
    assert Parameters([3, 4, 2], vector).vector is vector


def test_assigning_copies_numbers_into_place():
    network = small_network(dtype="float32")
    W, view = np.ones((6, 5)), network.params["W1"]
    network.params["W1"] = W
    W[...] = 2
    assert network.params["W1"] is view
    assert view.dtype == np.float32
    assert (network.params.vector[:30] == 1).all()
    network.params["b1"] = [1, 2, 3, 4, 5]
    assert network.params["b1"].tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("name", ["W3", "w1", 1])
def test_assigning_to_an_unknown_name_lists_the_known_ones(name):
    params = Parameters([3, 4, 2])
    with pytest.raises(KeyError, match=f"{name!r}; this network has W1, b1, W2, b2"):
        params[name] = 0


@pytest.mark.parametrize("value", [0.0, np.zeros(4), np.zeros((1, 4)), np.zeros((4, 3))])
def test_assigning_does_not_broadcast(value):
    params = Parameters([3, 4, 2])
    message = f"W1 has the shape (3, 4), not {np.shape(value)}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        params["W1"] = value


def test_parameters_cannot_be_removed_or_replaced():
    network = small_network()
    for remove in (lambda: network.params.pop("W1"), network.params.clear):
        with pytest.raises(TypeError, match=r"^a network's parameters cannot be removed$"):
            remove()
    with pytest.raises(AttributeError):
        network.params = {}
    assert list(network.params) == ["W1", "b1", "W2", "b2"]


def test_parameters_repr_shows_shapes_not_numbers():
    assert repr(Parameters([3, 2])) == "{'W1': (3, 2), 'b1': (2,)}"


def through_a_pickle(network):
    return pickle.loads(pickle.dumps(network))  # noqa: S301 - our own


@pytest.mark.parametrize("duplicate", [copy.deepcopy, through_a_pickle])
def test_a_copy_trains_on_its_own(duplicate):
    network, (X, y) = small_network(), examples()
    other = duplicate(network)
    before = network.params.vector.copy()
    assert other.dtype == network.dtype
    np.testing.assert_array_equal(other.params.vector, before)

    train(other, X, y, epochs=1, progress=False)
    np.testing.assert_array_equal(network.params.vector, before)
    for name in other.params:
        assert np.shares_memory(other.params[name], other.params.vector)
        assert not np.array_equal(other.params[name], network.params[name])
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


def test_a_single_image_is_answered_like_a_row_of_a_batch():
    network, (X, _) = small_network(), examples()
    assert network.predict_proba(X[2]).shape == (4,)
    np.testing.assert_allclose(network.predict_proba(X[2]), network.predict_proba(X)[2])
    assert network.predict(X[2]) == network.predict(X)[2]


def test_lists_and_whole_numbers_are_images_too():
    network, X = small_network(), [[0, 1, 0, 1, 1, 0]]
    np.testing.assert_array_equal(
        network.predict_proba(X), network.predict_proba(np.array(X, dtype=float))
    )


def test_no_images_have_no_answers():
    network = small_network()
    assert network.predict_proba(np.zeros((0, 6))).shape == (0, 4)
    assert network.predict(np.zeros((0, 6))).shape == (0,)


def test_a_pixel_that_is_nan_makes_only_its_own_answer_nan():
    network, (X, _) = small_network(), examples(2)
    X[0, 3] = np.nan
    assert np.isnan(network.predict_proba(X)).tolist() == [[True] * 4, [False] * 4]


def test_a_pixel_that_is_nan_has_no_label():
    network, (X, y) = small_network(), examples(23)
    X[15, 2] = math.nan
    for ask in (lambda: network.predict(X), lambda: network.accuracy(X, y)):
        with pytest.raises(ValueError, match="X must be finite, but holds nan"):
            ask()


def test_the_most_probable_label_is_predicted_and_counted():
    network, (X, y) = small_network(), examples(50)
    labels = network.predict(X)
    assert labels.tolist() == [
        max(range(4), key=row.__getitem__) for row in network.predict_proba(X)
    ]
    assert len(set(labels)) > 1
    assert network.accuracy(X, y) == pytest.approx(accuracy_score(y, labels))
    assert network.accuracy(X, labels) == 1


def test_many_images_are_read_in_parts_and_each_gets_its_own_answer(monkeypatch):
    network, (X, _) = small_network(), examples(23)
    together = network.predict_proba(X)
    monkeypatch.setattr("course_utils.network._AT_ONCE", 7)
    # in another order, since NumPy gives memory again in which the first answers still stand
    np.testing.assert_allclose(network.predict_proba(X[::-1]), together[::-1], rtol=1e-12)
    np.testing.assert_allclose(network.predict_proba(X[10]), together[10], rtol=1e-12)


def test_all_of_a_single_image_is_looked_at():
    image = np.zeros(784)
    image[700] = 200
    with pytest.raises(ValueError, match="X goes up to 200"):
        Network([784, 10]).check_images(image)


def test_standardised_pixels_are_accepted():
    small_network().predict_proba([[-3.0, 3.0, 0, 0, 0, 0]])
    small_network().predict_proba([[2.0] * 6])


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 40), seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from(["f4", "f8"]))
def test_a_batch_in_another_order_has_the_same_answers_in_that_order(n, seed, dtype):
    rng = np.random.default_rng(seed)
    network, X, order = small_network(dtype=dtype), rng.random((n, 6)), rng.permutation(n)
    probs, shuffled = network.predict_proba(X), network.predict_proba(X[order])
    exactness = 1e-5 if dtype == "f4" else 1e-12  # a product's rounding may hang on the row
    np.testing.assert_allclose(shuffled, probs[order], rtol=exactness)
    highest, second = np.sort(probs[order])[:, :-3:-1].T
    clear = highest - second > 1e-4
    np.testing.assert_array_equal(
        network.predict(X[order])[clear], network.predict(X)[order][clear]
    )


# the gradient


@pytest.mark.parametrize("hidden", [(), (5,), (5, 3), (5, 4, 3)])
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
@pytest.mark.parametrize("l2", [0, 0.01])
def test_gradients_agree_with_the_numerical_gradient(hidden, activation, l2):
    network, (X, y) = small_network(hidden, activation=activation), examples()
    _, grads = network.gradients(X, y, l2)

    def loss_at(vector):
        network.params.vector[:] = vector
        return network.gradients(X, y, l2)[0]

    vector = numerical_gradient(loss_at, network.params.vector)
    numerical = Parameters(network.layer_sizes, vector)
    assert list(grads) == list(network.params)
    for name in grads:
        assert relative_error(grads[name], numerical[name]) < 1e-6, name


@pytest.mark.parametrize("l2", [0, 0.5])
def test_the_loss_is_the_mean_cross_entropy_and_the_squared_weights(l2):
    network, (X, y) = small_network((5, 3)), examples()
    weights = [network.params[name] for name in ("W1", "W2", "W3")]
    expected = log_loss(y, network.predict_proba(X)) + l2 / 2 * sum((W**2).sum() for W in weights)
    loss, _ = network.gradients(X, y, l2)
    assert type(loss) is float
    assert loss == pytest.approx(expected, rel=1e-12)


def test_l2_pulls_at_the_weights_and_not_at_the_biases():
    network, (X, y) = small_network(), examples()
    _, plain = network.gradients(X, y)
    _, pulled = network.gradients(X, y, l2=0.5)
    for k in ("1", "2"):
        np.testing.assert_allclose(pulled["W" + k] - plain["W" + k], 0.5 * network.params["W" + k])
        np.testing.assert_array_equal(pulled["b" + k], plain["b" + k])


def test_float32_gradients_are_close_to_those_in_float64():
    X, y = examples()
    exact, coarse = small_network(), small_network(dtype="float32")
    coarse.params.update(exact.params)
    loss, grads = coarse.gradients(X, y, l2=0.1)
    exact_loss, exact_grads = exact.gradients(X, y, l2=0.1)
    assert loss == pytest.approx(exact_loss, rel=1e-5)
    assert relative_error(grads.vector, exact_grads.vector) < 1e-5


def test_a_gradient_is_not_overwritten_by_the_next():
    network, (X, y) = small_network(), examples()
    _, first = network.gradients(X, y)
    kept = first.vector.copy()
    _, second = network.gradients(X[:3], y[:3])
    np.testing.assert_array_equal(first.vector, kept)
    assert not np.array_equal(first.vector, second.vector)


def test_backpropagation_overwrites_what_the_gradients_held():
    network, (X, y) = small_network(), examples()
    reused = Parameters(network.layer_sizes, np.full(network.params.vector.size, np.nan))
    loss = network.backpropagate(X, y, 0.1, reused)
    expected_loss, expected = network.gradients(X, y, 0.1)
    assert loss == expected_loss
    np.testing.assert_array_equal(reused.vector, expected.vector)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_questions_change_neither_arguments_nor_network(dtype):
    network, (X, y) = small_network(dtype=dtype), examples()
    X = X.astype(dtype)
    state = X, y, network.params.vector
    before = copy.deepcopy(state)
    network.predict_proba(X)
    network.predict(X)
    network.accuracy(X, y)
    network.gradients(X, y, l2=0.1)
    for array, old in zip(state, before, strict=True):
        np.testing.assert_array_equal(array, old)


# what is told

ASK = {
    "predict_proba": lambda network, X: network.predict_proba(X),
    "predict": lambda network, X: network.predict(X),
    "accuracy": lambda network, X: network.accuracy(X, np.zeros(len(X), int)),
    "gradients": lambda network, X: network.gradients(X, np.zeros(len(X), int)),
}


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((2, 785)), r"X must have the shape \(n, 784\).*\(2, 785\)$"),
        (np.zeros(785), r"X must have the shape \(n, 784\).*\(785,\)$"),
        (
            np.zeros((2, 28, 28)),
            r"\(2, 28, 28\); flatten .* with X.reshape\(len\(X\), -1\)",
        ),
        (np.zeros((2, 14, 14)), r"X must have the shape \(n, 784\).*\(2, 14, 14\)$"),
        (np.zeros((2, 1, 784)), r"\(2, 1, 784\); flatten"),
        (np.zeros((28, 28)), r"X must have the shape \(n, 784\).*\(28, 28\)$"),
        (np.zeros((2, 784), complex), "X must hold real numbers.*complex"),
        (np.full((2, 784), "a"), "X must hold real numbers.*<U1"),
        (np.full((2, 784), None), "X must hold real numbers.*object"),
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


def test_a_single_image_with_pixels_up_to_255_is_told():
    image = np.zeros(784)
    image[700] = 255
    with pytest.raises(ValueError, match="divide by 255"):
        Network([784, 10]).predict(image)


def test_a_number_is_not_an_image():
    with pytest.raises(ValueError, match=r"X must have the shape .*\(\)"):
        small_network().predict(0.5)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((2, 6)), [0, 4], "labels must be 0 to 3.*0 to 4"),
        (np.zeros((2, 6)), [-1, 0], "labels must be 0 to 3.*-1 to 0"),
        (np.zeros((2, 6)), [0.0, 1.0], "labels must be whole numbers"),
        (np.zeros((2, 6)), one_hot([0, 1], 4), "y .*looks one-hot.*argmax"),
        (np.zeros((2, 6)), [0, 1, 2], r"X and y must have the same length.* 2 images .*\(3,\)"),
        (np.zeros((2, 6)), 0, r"X and y must have the same length.*\(\)"),
        (np.zeros((2, 6)), [[0], [1]], r"y must hold one label .*\(2, 1\)"),
        (np.zeros(6), [0], r"X must have the shape \(n, 6\).*X\[None\]"),
        (np.zeros((0, 6)), [], "no example: y is empty"),
    ],
)
def test_what_is_wrong_with_the_examples_is_told(X, y, message):
    with pytest.raises(ValueError, match=message):
        small_network().gradients(X, y)


@pytest.mark.parametrize("y", [[0], [[0, 1]], 0])
def test_accuracy_tells_labels_that_do_not_fit(y):
    with pytest.raises(ValueError, match=r"accuracy compares two rows .*\(2,\) and"):
        small_network().accuracy(np.zeros((2, 6)), y)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_only_a_look_at_all_rows_finds_a_pixel_that_is_not_finite(value):
    X = np.zeros((20, 6))
    X[15, 3] = value
    network = small_network()
    assert network.check_images(X) is X
    with pytest.raises(ValueError, match=r"X must be finite.*np.isfinite"):
        network.check_images(X, rows=None)
    with pytest.raises(ValueError, match="X must be finite"):
        network.check_examples(X, np.zeros(20, int), rows=None)


def test_ten_images_are_looked_into_unless_all_are_asked_for():
    X = np.zeros((20, 6))
    X[10] = 255
    network = small_network()
    network.predict(X)
    network.gradients(X, np.zeros(20, int))
    for rows in (11, None):
        with pytest.raises(ValueError, match="pixels must be 0–1"):
            network.check_images(X, rows=rows)
    with pytest.raises(ValueError, match="pixels must be 0–1"):
        network.predict(X[1:])
