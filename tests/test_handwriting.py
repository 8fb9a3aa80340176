"""From strokes to a digit that a network can read."""

import numpy as np
import pytest
from scripted_digits import WAYS, write

from course_utils import Network, data_path
from course_utils.lab.handwriting import rasterise, to_mnist_form


@pytest.fixture(scope="module")
def network():
    return Network.load(data_path("sample_weights.npz"))


def centre_of_mass(image):
    rows, columns = np.indices(image.shape) + 0.5
    return (rows * image).sum() / image.sum(), (columns * image).sum() / image.sum()


# to_mnist_form


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (280, 280), (50, 200), (1, 1), (300, 3)])
def test_any_image_is_fitted_and_centred(shape):
    ink = np.random.default_rng(0).random(shape)
    form = to_mnist_form(ink)
    assert form.shape == (28, 28)
    assert form.dtype == np.float32
    assert 0 <= form.min() < form.max() <= 1
    rows, columns = np.nonzero(form)
    sides = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert max(sides) == 20
    assert abs(sides[0] / sides[1] - shape[0] / shape[1]) < 0.06 * shape[0] / shape[1] or 1 in sides
    np.testing.assert_allclose(centre_of_mass(form), 14.5, atol=0.51)  # edges at 0 and 28


def test_place_and_size_on_the_paper_do_not_matter():
    digit = np.kron(np.random.default_rng(1).integers(0, 2, (10, 7)), np.ones((10, 10)))
    paper = np.zeros((300, 400))
    paper[150:250, 20:90] = digit
    before = paper.copy()
    np.testing.assert_array_equal(to_mnist_form(paper), to_mnist_form(digit))
    np.testing.assert_array_equal(paper, before)


def test_integers_are_0_to_255_and_floats_0_to_1():
    ink = np.random.default_rng(2).integers(0, 256, (40, 30))
    expected = to_mnist_form(ink.astype(np.uint8))
    np.testing.assert_array_equal(to_mnist_form(ink), expected)
    np.testing.assert_array_equal(to_mnist_form(ink / 255), expected)
    np.testing.assert_array_equal(to_mnist_form(ink > 128), to_mnist_form((ink > 128) * 1.0))


def test_an_empty_image_gives_zeros():
    specks = np.zeros((280, 280), np.uint8)
    specks[0, 0] = specks[-1, -1] = 1  # too faint to be left
    for image in (np.zeros((28, 28)), np.zeros((1, 1)), np.zeros((0, 0)), np.zeros((5, 0)), specks):
        np.testing.assert_array_equal(to_mnist_form(image), np.zeros((28, 28)))


def test_a_digit_heavy_at_one_end_stays_inside():
    ink = np.full((200, 100), 0.004)
    ink[:20] = 1
    assert np.ptp(np.flatnonzero(to_mnist_form(ink).any(axis=1))) == 19


@pytest.mark.parametrize(
    ("image", "named"),
    [
        (np.zeros(784), r"shape \(height, width\)"),
        *((np.full((5, 5), x), "from 0 to 1 ") for x in (-0.1, 1.5, np.nan)),
        (np.full((5, 5), 256), "from 0 to 255"),
        (np.full((5, 5), "a"), "array of numbers"),
    ],
)
def test_what_is_no_grey_image_is_refused(image, named):
    with pytest.raises(ValueError, match=named):
        to_mnist_form(image)


# rasterise


def test_a_straight_line_has_its_width_and_round_ends():
    image = rasterise([[(0.25, 0.5), (0.75, 0.5)]], 0.1, side=100)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image[:, 50].sum(), 10, atol=0.1)
    np.testing.assert_allclose(image.sum(), 50 * 10 + np.pi * 5**2, rtol=0.01)
    np.testing.assert_allclose(image, image[::-1, ::-1], atol=1e-6)
    thin = rasterise([[(0.2, 0.525), (0.8, 0.525)]], 1e-9, side=20)
    np.testing.assert_allclose(thin[:, 10].sum(), 1)  # still one pixel wide


@pytest.mark.parametrize("almost", [[], [(0.7, 0.3), (0.7 + 1e-9, 0.3)]])
def test_a_point_is_a_dot_x_to_the_right_and_y_down(almost):
    image = rasterise([[(0.7, 0.3), *almost]], 0.2, side=100)
    np.testing.assert_allclose(image.sum(), np.pi * 10**2, rtol=0.01)
    np.testing.assert_allclose(centre_of_mass(image), (30, 70), atol=0.01)


def test_crossing_lines_do_not_add_up_and_have_soft_edges():
    image = rasterise([[(0, 0), (1, 1)], [(0, 1), (1, 0)], [(0, 0), (1, 1)]], 0.1)
    assert image.max() == 1
    assert ((image > 0.1) & (image < 0.9)).sum() > 50


def test_what_is_outside_is_cut_off():
    assert not rasterise([], 0.1).any()
    assert not rasterise([[(2, 2), (3, 3)], [(-1e6, 5), (-2, 5)]], 0.1).any()
    assert rasterise([[(-1, 0.5), (2, 0.5)]], 0.1, side=20)[10].min() == 1


@pytest.mark.parametrize("stroke", [[], [1, 2], [(1, 2, 3)], [(0.1, np.nan)]])
def test_strokes_and_widths_of_something_else_are_refused(stroke):
    with pytest.raises(ValueError, match=r"points \(x, y\)"):
        rasterise([stroke], 0.1)
    with pytest.raises(ValueError, match="width must be"):
        rasterise([], 0)


# someone else's digits


def test_at_least_26_of_30_scripted_digits_are_recognised_but_not_mirrored(network):
    y, images = np.tile(np.arange(10), 3), []
    for way in WAYS:
        images += [to_mnist_form(rasterise(*write(digit, way))) for digit in range(10)]
    assert network.accuracy(np.reshape(images, (30, 784)), y) >= 26 / 30
    mirrored = np.array(images)[:, :, ::-1]  # so it is not that whatever is drawn passes
    assert network.accuracy(mirrored.reshape(30, 784), y) < 0.8
