"""From strokes, or a photograph of them, to digits that a network can read."""

import io
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from PIL import Image
from scipy.ndimage import gaussian_filter
from scripted_digits import WAYS, write

from course_utils import Network, data_path
from course_utils.lab.handwriting import (
    PEN,
    digit_like,
    find_digits,
    find_strokes,
    label_pieces,
    open_grey,
    otsu,
    pen_width,
    plot_answers,
    plot_sheets,
    read_photo,
    read_sheet,
    reading_order,
    remove_background,
    to_mnist_form,
)
from course_utils.lab.strokes import rasterise, side_by_side


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


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


# a pen of a given width


def test_pen_width_is_that_of_a_line():
    for width in (2, 6, 20):
        mask = np.zeros((100, 300), bool)
        mask[40 : 40 + width, 10:290] = True
        np.testing.assert_allclose(pen_width(mask), width, rtol=0.2)
    assert pen_width(np.zeros((5, 5), bool)) == 0


@pytest.mark.parametrize("width", [0.02, 0.06, 0.15])
def test_strokes_get_the_pen_that_is_asked_for(width):
    strokes, _ = write(2, "large")
    drawn = rasterise(strokes, width)
    form = to_mnist_form(drawn, pen=2.6)
    fine = np.kron(form, np.ones((10, 10))) > 0.5
    np.testing.assert_allclose(pen_width(fine) / 10, 2.6, atol=0.5)
    ink = to_mnist_form(drawn).sum()
    assert np.sign(form.sum() - ink) == np.sign(0.08 - width)
    rows, columns = np.nonzero(form)
    assert max(np.ptp(rows), np.ptp(columns)) == 19
    np.testing.assert_allclose(centre_of_mass(form), 14.5, atol=0.51)


def test_a_pen_of_no_width_is_refused_and_no_ink_stays_none():
    assert not to_mnist_form(np.zeros((9, 9)), pen=2.6).any()
    for pen in (0, -1, 20, np.nan):
        with pytest.raises(ValueError, match="pen must be"):
            to_mnist_form(np.ones((9, 9)), pen=pen)


# step by step


def test_background_is_divided_out():
    light = np.linspace(80, 250, 400)[None, :] * np.ones((300, 1))
    grey = light.copy()
    grey[100:200, 40:50] *= 0.3
    grey[100:200, 350:360] *= 0.3
    ink = remove_background(grey.astype(np.uint8))
    assert ink.shape == grey.shape
    assert ink.dtype == np.float32
    np.testing.assert_allclose(ink[150, [45, 355]], 0.7, atol=0.06)
    assert ink[:, 60:340].max() < 0.1


def test_a_dark_table_around_the_sheet_is_no_ink():
    grey = np.full((600, 800), 50, np.uint8)
    grey[40:560, 90:700] = 220
    grey[250:350, 395:405] = 120
    pieces, boxes = find_digits(remove_background(grey))
    assert [piece.shape[0] for piece in pieces] == pytest.approx([100], abs=4)
    assert abs(boxes[0][1].start - 395) < 4


def test_otsu_is_between_two_groups_and_no_threshold_is_better():
    rng = np.random.default_rng(0)
    values = np.clip(np.r_[rng.normal(0.2, 0.05, 900), rng.normal(0.7, 0.05, 100)], 0, 1)
    found = otsu(values)

    def spread(threshold):
        groups = values[values <= threshold], values[values > threshold]
        return sum(len(group) * group.var() for group in groups)

    assert 0.3 < found < 0.6
    assert spread(found) <= min(map(spread, np.linspace(0.1, 0.8, 50))) * 1.01
    assert otsu(np.array([0.0, 1.0])) <= 1
    for same in (0.0, 0.5, 1.0):
        assert 0 <= otsu(np.full(9, same)) <= 1


def test_lines_fainter_than_ink_are_no_strokes_even_where_they_touch():
    ink = np.zeros((200, 300), np.float32)
    ink[::40] = ink[:, ::40] = 0.15  # squared paper
    ink[60:140, 147:153] = 0.7
    mask, full = find_strokes(ink)
    np.testing.assert_array_equal(mask, ink == np.float32(0.7))
    assert full == pytest.approx(0.7)


def test_a_stroke_that_is_faint_in_places_stays_whole():
    ink = np.zeros((200, 200), np.float32)
    ink[50:150, 100:106] = np.linspace(0.3, 0.6, 100)[:, None]
    assert find_strokes(ink)[0].sum() == 600


def test_a_five_and_its_bar_are_one_piece_and_neighbours_are_two():
    mask = np.zeros((100, 120), bool)
    mask[20:80, 20:26] = mask[20:26, 30:50] = mask[74:80, 20:50] = True  # with a gap at the top
    mask[20:80, 70:76] = True
    labels = label_pieces(mask)
    assert len(set(labels[mask])) == 2
    assert not labels[~mask].any()
    assert labels[22, 40] == labels[50, 22] != labels[50, 72]


def box(top, left, height=50, width=30):
    return slice(top, top + height), slice(left, left + width)


def test_reading_order_is_by_rows_even_if_they_climb():
    rows = [[box(300 * row + 100 - 8 * k, 60 * k) for k in range(10)] for row in range(3)]
    right = [place for row in rows for place in row]
    shuffled = np.random.default_rng(0).permutation(30)
    order = reading_order([right[k] for k in shuffled])
    np.testing.assert_array_equal(shuffled[order], np.arange(30))
    assert reading_order([]) == []


def test_specks_lines_and_what_touches_the_border_are_no_digits():
    shape = 400, 600
    digits = [box(100, 100), box(110, 200), box(100, 300, width=4)]
    others = [box(50, 50, 5, 5), box(200, 50, 20, 400), box(0, 300), box(350, 20), box(200, 570)]
    assert digit_like([*digits, *others], shape) == [0, 1, 2]
    assert digit_like([], shape) == []


# photographs

TABLE = (data_path("photos") / "labels.tsv").read_text(encoding="utf-8").splitlines()[1:]
PHOTOS = {line.split("\t")[0]: line.split("\t")[-1] for line in TABLE}


@pytest.mark.parametrize("name", PHOTOS)
def test_digits_on_the_photographs_of_the_course_are_read(name):
    own = Network.load(data_path("handwriting_weights.npz"))
    ink, boxes, probs = read_sheet(data_path("photos") / name, own)
    y = [int(digit) for digit in PHOTOS[name]]
    assert len(boxes) == len(y)
    assert np.mean(probs.argmax(axis=1) == y) > 0.95
    ax = plot_answers(ink, boxes, probs)
    assert [text.get_text().strip("?") for text in ax.texts] == list(PHOTOS[name])
    assert len(ax.patches) == len(y)


def saved(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def sheet():
    """Two digits on paper, as a grey image of Pillow."""
    ink = np.zeros((200, 300))
    for left, digit in ((20, 3), (160, 7)):
        strokes, width = write(digit, "large")
        ink[40:160, left : left + 120] = rasterise(strokes, width, side=120)
    return Image.fromarray(np.rint(230 - 180 * ink).astype(np.uint8))


def read(source, network):
    return [*read_sheet(source, network)[2].argmax(axis=1)]


def test_a_photograph_may_come_in_any_form(sheet, network, tmp_path):
    (tmp_path / "sheet.png").write_bytes(saved(sheet))
    grey, rgb = np.asarray(sheet), np.asarray(sheet.convert("RGB"))
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by 90 degrees clockwise
    clear = sheet.convert("RGBA")
    clear.putalpha(Image.fromarray(255 - grey))
    black = Image.new("RGBA", sheet.size, "black")  # black ink on nothing
    black.putalpha(Image.fromarray(np.where(grey < 150, 255, 0).astype(np.uint8)))
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    sources = {
        "path": tmp_path / "sheet.png",
        "name": str(tmp_path / "sheet.png"),
        "bytes": saved(sheet),
        "memory": memoryview(saved(sheet)),
        "file": io.BytesIO(saved(sheet)),
        "jpeg": saved(sheet, "JPEG"),
        "two in one": saved(sheet, "MPO", save_all=True, append_images=[sheet]),
        "turned": saved(sheet.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=turned),
        "cmyk": saved(sheet.convert("CMYK"), "JPEG"),
        "palette": saved(sheet.convert("P")),
        "two colours": saved(sheet.convert("1", dither=Image.Dither.NONE)),
        "transparent": saved(clear),
        "black on nothing": saved(black),
        "16 bits": saved(deep),
        "gif": saved(sheet, "GIF"),
        "tiff": saved(Image.fromarray(grey / np.float32(255)), "TIFF"),
        "grey": grey,
        "light on black": 255 - grey + (255 - grey < 30) * -20,
        "one channel": grey[:, :, None],
        "rgb": rgb,
        "rgba": np.asarray(sheet.convert("RGBA")),
        "floats": grey / 255,
        "float16": (grey / 255).astype(np.float16),
        "whole numbers": grey.astype(np.int64),
        "deep": grey.astype(np.uint16) * 257,
        "read-only": np.broadcast_to(grey, grey.shape),
    }
    answers = {name: read(source, network) for name, source in sources.items()}
    assert {name: answer for name, answer in answers.items() if answer != [3, 7]} == {}


def test_large_photographs_are_made_smaller_before_anything_else(sheet, network):
    large = sheet.resize((6000, 4000))
    tracemalloc.start()
    assert read(saved(large, "JPEG"), network) == [3, 7]
    assert tracemalloc.get_traced_memory()[1] < 200e6
    tracemalloc.stop()
    for source in (saved(large), np.asarray(large)):
        assert max(open_grey(source).shape) <= 2000
        assert read(source, network) == [3, 7]


HEIC = b"\0\0\0\x18ftypheic" + bytes(50)
JPEG = saved(Image.fromarray(np.random.default_rng(0).integers(0, 255, (99, 99), np.uint8)), "JPEG")


@pytest.mark.parametrize(
    ("source", "named"),
    [
        (HEIC, "HEIC .* save it as JPEG"),
        (b"", "no photograph"),
        (b"12345", "no photograph"),
        (b"%PDF-1.7" + bytes(999), "no photograph"),
        (JPEG[:800], "broken one"),
        (io.StringIO("text"), "no photograph"),
        (saved(Image.new("1", (9000, 9000))), "81 megapixels, but may have at most 50"),
        (saved(Image.new("1", (19_000, 19_000))), "more than 170 megapixels"),
        (np.zeros((8000, 8000), bool), "64 megapixels"),
        (None, "must be a path"),
        ([1, 2], "must be a path"),
        (np.zeros(784), r"shape \(height, width\)"),
        (np.zeros((0, 5)), r"shape \(height, width\)"),
        (np.zeros((5, 5, 2)), r"shape \(height, width\)"),
        (np.full((5, 5), np.nan), "floats from 0 to 1"),
        (np.full((5, 5), -1), "integers from 0 to 255"),
        (np.full((5, 5), "a"), "array of numbers"),
        (np.full((5, 5), 1j), "array of numbers"),
    ],
)
def test_what_is_no_photograph_is_refused(source, named):
    with pytest.raises(ValueError, match=named):
        read_photo(source)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_photo("nowhere.jpg")


rng = np.random.default_rng(0)
NO_DIGITS = {
    "1x1": np.zeros((1, 1)),
    "a line": np.full((1, 5000), 0.7),
    "a tall line": np.full((5000, 2), 0.7),
    "white": np.ones((300, 400)),
    "black": np.zeros((300, 400)),
    "grain": np.clip(rng.normal(0.8, 0.02, (300, 400)), 0, 1),
    "an edge": np.tile(np.repeat([0.2, 0.8], 200), (300, 1)),
    "a lamp": np.exp(-np.hypot(*np.mgrid[-150:150, -200:200]) / 300),
    "a frame": np.pad(np.full((300, 400), 0.9), 30),
    "specks": np.where(rng.random((300, 400)) < 0.001, 0.1, 0.9),
}


@pytest.mark.parametrize("shape", [(2000, 1), (1, 2000), (300, 400)])
def test_a_sheet_of_any_shape_is_a_figure_of_a_usual_size(shape):
    figure = plot_answers(np.zeros(shape), [], np.zeros((0, 10))).figure
    assert 1 < figure.get_size_inches().min() < figure.get_size_inches().max() < 13


@pytest.mark.parametrize("name", NO_DIGITS)
def test_where_nothing_is_written_no_digits_are_found(name, network):
    ink, boxes, probs = read_sheet(NO_DIGITS[name], network)
    assert boxes == []
    assert probs.shape == (0, 10)
    plot_answers(ink, boxes, probs)


def test_noise_with_thousands_of_pieces_ends_soon():
    find_digits((rng.random((1500, 2000)) < 0.02).astype(np.float32))
    find_digits(rng.random((1500, 2000)))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), height=st.integers(1, 90), width=st.integers(1, 90))
def test_any_image_gives_pieces_inside_it_or_none(data, height, width):
    dtype = data.draw(st.sampled_from(["uint8", "float32", "float64", "bool", "uint16"]))
    shape = (height, width, *data.draw(st.sampled_from([(), (3,), (4,)])))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    image = rng.random(shape) ** data.draw(st.sampled_from([0.01, 1, 30]))
    image = gaussian_filter(image, data.draw(st.sampled_from([0, 1, 5])))
    full = 1 if dtype.startswith("f") else np.iinfo(dtype).max if dtype != "bool" else 1
    image = np.round(image * full).astype(dtype) if full > 1 else (image > 0.5).astype(dtype)
    ink = read_photo(image)
    assert ink.shape == shape[:2]
    assert np.isfinite(ink).all()
    assert 0 <= ink.min() <= ink.max() <= 1
    pieces, boxes = find_digits(ink)
    for piece, place in zip(pieces, boxes, strict=True):
        assert piece.shape == ink[place].shape
        for pen in (None, PEN):
            form = to_mnist_form(piece, pen)
            assert form.shape == (28, 28)
            assert 0 <= form.min() < form.max() <= 1


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_changed_file_is_read_or_refused(data):
    file = bytearray(data.draw(st.sampled_from([JPEG, saved(Image.new("P", (50, 40)))])))
    for _ in range(data.draw(st.integers(1, 8))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ValueError):
        find_digits(read_photo(bytes(file)))


def test_signs_lie_side_by_side():
    bar = [[(0.5, 0.0), (0.5, 1.0)]]
    image = side_by_side([bar, bar, bar], gap=0.05)
    assert image.shape == (200, 500)
    columns = np.flatnonzero(image[100] > 0.5)
    np.testing.assert_allclose(columns.mean(), 500 * (0.1 + 0.25 + 0.1) - 0.5, atol=0.01)
    assert len(find_digits(image)[0]) == 3


def test_sheets_are_drawn_side_by_side_photographs_in_grey_and_ink_on_white():
    photograph = np.full((20, 30), 100, np.uint8)
    figure = plot_sheets([photograph, photograph / 255, photograph > 0], ["a", "b", "c"])
    images = [ax.images[0] for ax in figure.axes]
    assert [ax.get_title(loc="left") or ax.get_title() for ax in figure.axes] == ["a", "b", "c"]
    assert [image.get_cmap().name for image in images] == ["gray", "gray_r", "gray_r"]
    assert images[0].get_clim() == (0, 255), "pale ink stays pale"
