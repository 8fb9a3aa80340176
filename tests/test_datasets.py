"""The IDX reader, and `load_mnist` from files on disk. The download has a file of its own."""

import gzip
import itertools
import os
import re
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from idx_files import (
    TYPE_CODES,
    flipped,
    idx_bytes,
    make_official,
    sha256,
    small_mnist,
    write_files,
    zipped,
)
from mutated_files import mutated

from course_utils import Digits, data_path, datasets, load_mnist, read_idx

REAL_MNIST = datasets.find_mnist()  # before `isolated` hides it
needs_mnist = pytest.mark.skipif(
    REAL_MNIST is None or REAL_MNIST[1] != "mnist", reason="MNIST is not on this computer"
)
FLAGS = list(itertools.product([True, False], repeat=3))
SETS = ["uci-digits", pytest.param("mnist", marks=needs_mnist)]


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path):
    """No settings, no files and no network but those that a test asks for."""
    monkeypatch.delenv("MNIST_DIR", raising=False)
    monkeypatch.delenv("MNIST_SOURCE", raising=False)
    monkeypatch.setattr(datasets, "_own_folders", lambda: iter([tmp_path / "own"]))
    monkeypatch.setattr(datasets, "MIRRORS", ())


@pytest.fixture
def official(monkeypatch):
    """Return the files of a small MNIST that counts as the official one."""
    files, _ = small_mnist()
    make_official(monkeypatch, files)
    return files


def load(source, *flags, **options):
    data_dir = REAL_MNIST[0] if source == "mnist" else None
    return load_mnist(*flags, source=source, data_dir=data_dir, **options)


# ---------------------------------------------------------------------------------------------------
# read_idx: files that are right


@pytest.mark.parametrize("pack", [bytes, zipped], ids=["raw", "gz"])
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3), (4, 3, 2), (2, 0, 3), (2, 1, 3, 2)])
@pytest.mark.parametrize("type_", TYPE_CODES)
def test_reads_every_type_and_shape(tmp_path, type_, shape, pack):
    rng = np.random.default_rng(0)
    if type_[0] == "f":
        array = rng.normal(size=shape).astype(type_)
    else:
        info = np.iinfo(type_)
        array = rng.integers(info.min, info.max, shape, dtype=type_, endpoint=True)
    array = np.asarray(array)
    path = tmp_path / ("x.gz" if pack is zipped else "x")
    path.write_bytes(pack(idx_bytes(array)))
    result = read_idx(path)
    assert isinstance(result, np.ndarray)
    assert result.dtype == np.dtype(type_)
    assert result.dtype.isnative
    assert result.flags.writeable
    assert result.flags.c_contiguous
    np.testing.assert_array_equal(result, array, strict=True)


def test_reads_the_bytes_of_the_specification(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(bytes.fromhex("00 00 0b 02  00000002 00000003  0001 0002 0003 fffe 0100 7fff"))
    assert read_idx(str(path)).tolist() == [[1, 2, 3], [-2, 256, 32767]]


def test_result_can_be_changed_without_changing_the_file(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(idx_bytes(np.arange(3, dtype="u1")))
    read_idx(path)[:] = 9
    assert read_idx(path).tolist() == [0, 1, 2]


def test_gzip_is_known_by_its_content_not_its_name(tmp_path):
    path = tmp_path / "x.idx"
    path.write_bytes(zipped(idx_bytes(np.arange(3, dtype="u1"))))
    assert read_idx(path).tolist() == [0, 1, 2]


def test_gzip_at_its_highest_ratio_is_not_taken_for_cut_off(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(idx_bytes(np.zeros(20_000_000, "u1")), 9))
    assert 20_000_000 / path.stat().st_size > 1000  # the format ends at 1032
    assert read_idx(path).shape == (20_000_000,)


def test_missing_file_is_an_oserror(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "nothing")


# ---------------------------------------------------------------------------------------------------
# read_idx: files that are wrong. The message names the file and what is wrong with it.

ARRAY = np.random.default_rng(0).integers(0, 256, (6, 28, 28), dtype=np.uint8)  # over 1,024 bytes
GOOD = idx_bytes(ARRAY)
GOOD_GZ = zipped(GOOD)
FOUR_TB = struct.pack(">HBB3I", 0, 0x08, 3, 65_536, 65_536, 1024)
NO_ARRAYS_OF_NUMPY = {
    "65 dimensions": struct.pack(">HBB65I", 0, 0x08, 65, *[1] * 65) + b"x",
    "empty but vast": struct.pack(">HBB4I", 0, 0x08, 4, 0, *[2**32 - 1] * 3),
}


WRONG_IDX = {
    "empty": (b"", "too short for an IDX header: 0 bytes"),
    "three bytes": (GOOD[:3], "too short for an IDX header: 3 bytes"),
    "wrong magic": (b"\x89PNG" + GOOD, "wrong magic number.* begins .* with 89 50"),
    "second byte wrong": (flipped(GOOD, 1), "wrong magic number.* with 00 10"),
    "unknown type": (b"\0\0\x0a" + GOOD[3:], "unknown type 0x0a; .*0x08.*0x0e"),
    "no sizes": (GOOD[:4], "too short for the 3 sizes"),
    "header cut off": (GOOD[:15], "too short for the 3 sizes"),
    "last byte missing": (GOOD[:-1], r"sizes \(6, 28, 28\) .* need 4,720 bytes.* cut off"),
    "header only": (GOOD[:16], r"sizes \(6, 28, 28\) .* need 4,720 bytes.* cut off"),
    "one image more promised": (GOOD[:7] + b"\7" + GOOD[8:], r"sizes \(7, 28, 28\) .* cut off"),
    "4 TB promised": (FOUR_TB, "need 4,398,046,511,120 bytes.* cut off"),
    "one byte too many": (GOOD + b"x", "trailing bytes after the 4,720"),
    "two files in one": (GOOD + GOOD, "trailing bytes"),
    **{
        name: (data, "NumPy has no array of the shape") for name, data in NO_ARRAYS_OF_NUMPY.items()
    },
}
WRONG_GZIP = {
    "not gzip": (GOOD, "not a gzip file, though its name ends in .gz"),
    "empty .gz": (b"", "not a gzip file, though its name ends in .gz"),
    "a web page": (b"<!DOCTYPE html><title>Log in</title>", "not a gzip file"),
    "not deflate inside": (b"\x1f\x8b" + GOOD, "damaged gzip file"),
    "a byte flipped in the data": (flipped(GOOD_GZ, len(GOOD_GZ) // 2), "damaged gzip file"),
    "a byte flipped in the checksum": (flipped(GOOD_GZ, -8), "damaged gzip file"),
    "a byte flipped in the length": (flipped(GOOD_GZ, -4), "damaged gzip file"),
    "garbage after it": (GOOD_GZ + b"\0", "trailing bytes after the end of the gzip"),
    "a second gzip after it": (GOOD_GZ + GOOD_GZ, "trailing bytes after the end of the gzip"),
    "garbage after a small one": (zipped(GOOD[:4]) + b"xyz", "trailing bytes after the end"),
}
CUTS = [2, 3, 9, 10, 11, 30, 1000, 2000, len(GOOD_GZ) - 9, len(GOOD_GZ) - 8, len(GOOD_GZ) - 1]


def assert_refused(path, data, message):
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(("data", "message"), WRONG_IDX.values(), ids=WRONG_IDX)
@pytest.mark.parametrize("pack", [bytes, zipped], ids=["raw", "gz"])
def test_wrong_idx_is_refused(tmp_path, pack, data, message):
    assert_refused(tmp_path / ("x.gz" if pack is zipped else "x"), pack(data), message)


@pytest.mark.parametrize(("data", "message"), WRONG_GZIP.values(), ids=WRONG_GZIP)
def test_wrong_gzip_is_refused(tmp_path, data, message):
    assert_refused(tmp_path / "x.gz", data, message)


@pytest.mark.parametrize("length", CUTS)
def test_gzip_that_is_cut_off_is_refused(tmp_path, length):
    assert_refused(tmp_path / "x.gz", GOOD_GZ[:length], "a gzip file that is cut off")


@pytest.mark.parametrize(
    "data", [GOOD, idx_bytes(np.arange(5, dtype="u1"))], ids=["large", "small"]
)
@pytest.mark.parametrize("missing", [1, 4, 8])
def test_gzip_without_its_trailer_is_refused(tmp_path, data, missing):
    assert_refused(tmp_path / "x.gz", zipped(data)[:-missing], "a gzip file that is cut off")


@pytest.mark.parametrize(
    "data",
    [
        FOUR_TB + b"x" * 1000,
        zipped(FOUR_TB + b"x" * 1000),
        # small files that would unpack to 50 MB: one promises more, one only five bytes
        gzip.compress(FOUR_TB + bytes(50_000_000)),
        gzip.compress(idx_bytes(np.arange(5, dtype="u1")) + bytes(50_000_000)),
    ],
    ids=["raw", "gz", "bomb that promises more", "bomb that promises less"],
)
def test_wrong_sizes_cost_no_memory(tmp_path, data):
    path = tmp_path / "x"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=re.escape(str(path))):
            read_idx(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def bomb(n, ratio_of_numbers=0):
    """Return a gzip file of `n` bytes of an array, as its header says."""
    numbers = np.zeros(n, "u1")
    rng = np.random.default_rng(0)
    n_random = int(ratio_of_numbers * n)
    numbers[:n_random] = rng.integers(256, size=n_random, dtype="u1")
    return gzip.compress(idx_bytes(numbers), 1)


def test_gzip_that_unpacks_as_its_header_says_to_far_too_much_is_refused(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(bomb(100_000_000))
    size = path.stat().st_size
    assert size < 1_000_000
    tracemalloc.start()
    try:
        with pytest.raises(
            ValueError, match=f"{size:,} bytes that unpack to 100,000,008; .*gunzip"
        ):
            read_idx(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * size


def test_gzip_of_a_large_array_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "_UNPACK_LIMIT", 1000)
    path = tmp_path / "x.gz"
    path.write_bytes(bomb(10_000, ratio_of_numbers=0.2))
    assert read_idx(path).shape == (10_000,)


# ---------------------------------------------------------------------------------------------------
# read_idx: any bytes at all


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("any-bytes")


def assert_array_or_value_error(path, data):
    """Read `data`; return the array, or None after an error that names the file."""
    path.write_bytes(data)
    try:
        return read_idx(path)
    except ValueError as error:
        message = str(error)
    assert message.startswith(f"{path}: ")
    return None


almost_idx = st.builds(
    lambda code, sizes, n_dims, rest: (
        bytes([0, 0, code, n_dims if n_dims is not None else len(sizes)])
        + struct.pack(f">{len(sizes)}I", *sizes)
        + rest
    ),
    code=st.sampled_from([*TYPE_CODES.values(), 0x0A]),
    sizes=st.lists(st.integers(0, 4) | st.integers(0, 2**32 - 1), max_size=4),
    n_dims=st.none() | st.integers(0, 255),
    rest=st.binary(max_size=64),
)


@given(data=st.binary(max_size=300) | almost_idx, is_zipped=st.booleans())
@settings(deadline=None, max_examples=100)
def test_any_bytes_give_an_array_or_a_value_error(scratch, data, is_zipped):
    array = assert_array_or_value_error(scratch / "any", zipped(data) if is_zipped else data)
    if array is not None and not data.startswith(b"\x1f\x8b"):
        assert idx_bytes(array) == data  # nothing was left out, nothing made up


SMALL = idx_bytes(np.arange(60, dtype="u1").reshape(3, 4, 5))


@given(data=mutated(SMALL))
@settings(deadline=None, max_examples=100)
def test_any_change_gives_an_array_or_a_value_error(scratch, data):
    array = assert_array_or_value_error(scratch / "mutated", data)
    if array is not None:
        assert idx_bytes(array) == data


@given(data=mutated(zipped(SMALL)))
@settings(deadline=None, max_examples=100)
def test_no_change_of_a_gzip_file_gives_wrong_numbers(scratch, data):
    array = assert_array_or_value_error(scratch / "mutated.gz", data)
    if array is not None:
        # what gzip's checksum does not cover: its header (a time, a name)
        assert idx_bytes(array) == SMALL


# ---------------------------------------------------------------------------------------------------
# load_mnist: what comes back


@pytest.fixture(scope="module", params=SETS)
def plain(request):
    """One of the two data sets with no flag set."""
    return load(request.param, False, False, False)


@pytest.mark.parametrize(("normalize", "flatten", "one_hot_label"), FLAGS)
def test_flags_change_the_form_and_not_the_content(plain, normalize, flatten, one_hot_label):
    digits = load(plain.source, normalize, flatten, one_hot_label)
    sizes = (60_000, 10_000) if plain.source == "mnist" else (1437, 360)
    assert digits.source == plain.source
    for (X, y), (images, labels), n in zip(digits, plain, sizes, strict=True):
        assert X.shape == ((n, 784) if flatten else (n, 28, 28))
        assert X.dtype == (np.float32 if normalize else np.uint8)
        assert X.min() == 0
        assert X.max() == (1 if normalize else 255)
        some = slice(None, None, 7)  # to be quick
        expected = images[some].astype(np.float32) / np.float32(255) if normalize else images[some]
        np.testing.assert_array_equal(X[some].reshape(-1, 28, 28), expected)

        assert y.shape == ((n, 10) if one_hot_label else (n,))
        assert y.dtype == (np.float32 if one_hot_label else np.int64)
        np.testing.assert_array_equal(y, labels[:, None] == range(10) if one_hot_label else labels)
        assert set(labels) == set(range(10))


def test_flattened_rows_follow_each_other():
    images, rows = (load_mnist(flatten=f, source="uci-digits").X_test for f in (False, True))
    for row, column in [(0, 0), (13, 5), (5, 13), (27, 27)]:
        np.testing.assert_array_equal(rows[:, 28 * row + column], images[:, row, column])
    assert (images[:, 13, 5] != images[:, 5, 13]).any()


def test_offline_digits_are_whole_and_the_right_way_round():
    (_, y_train), (_, y_test) = load_mnist(source="uci-digits")
    counts = np.bincount(np.concatenate([y_train, y_test]))
    # as UCI states them for its test part
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    X = load_mnist(source="uci-digits", flatten=False).X_test
    ones, sevens, zeros = (X[y_test == digit].mean(axis=0) for digit in (1, 7, 0))
    assert ones[:, 12:16].sum() > ones.sum() / 2  # upright
    assert sevens[:14].sum() > sevens[14:].sum()  # the bar of a seven is at its top
    assert zeros[12:16, 12:16].mean() < zeros.mean()  # a hole in the middle


def test_images_are_dark_at_the_edges_and_centred(plain):
    X = plain.X_test
    edges = np.concatenate([X[:, :2].ravel(), X[:, -2:].ravel()])
    assert edges.mean() < 0.02 * X.mean()
    mass = X.sum(axis=(1, 2))
    rows = (X.sum(axis=2) @ np.arange(28)) / mass
    columns = (X.sum(axis=1) @ np.arange(28)) / mass
    assert abs(rows.mean() - 13.5) < 0.6
    assert abs(columns.mean() - 13.5) < 0.6


@pytest.mark.parametrize("plain", SETS[1:], indirect=True, scope="module")
def test_mnist_is_the_one_that_everybody_knows(plain):
    assert plain.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert plain.y_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert round(plain.X_train.mean() / 255, 4) == 0.1307  # known from many a tutorial


@needs_mnist
@pytest.mark.parametrize("name", datasets.FILE_NAMES)
def test_checksums_of_unpacked_files(name):
    if not (REAL_MNIST[0] / name).exists():
        pytest.skip("the files on this computer are unpacked already")
    data = (REAL_MNIST[0] / name).read_bytes()
    assert sha256(gzip.decompress(data)) == datasets.CHECKSUMS[name.removesuffix(".gz")]


def test_result_unpacks_and_has_names():
    digits = load_mnist(source="uci-digits")
    (X_train, y_train), (X_test, y_test) = digits
    assert isinstance(digits, Digits)
    assert X_train is digits.X_train
    assert y_train is digits.y_train
    assert X_test is digits.X_test
    assert y_test is digits.y_test


@pytest.mark.parametrize("unpack", [False, True], ids=["gz", "unpacked"])
def test_result_knows_its_files(tmp_path, official, unpack):
    folder = write_files(tmp_path / "mine", official, unpack)
    digits = load_mnist(False, False, data_dir=folder)
    assert {path.parent for path in digits.files.values()} == {folder}
    np.testing.assert_array_equal(read_idx(digits.files["train-images"]), digits.X_train)
    np.testing.assert_array_equal(read_idx(digits.files["train-labels"]), digits.y_train)
    np.testing.assert_array_equal(read_idx(digits.files["t10k-images"]), digits.X_test)
    np.testing.assert_array_equal(read_idx(digits.files["t10k-labels"]), digits.y_test)


def test_familiar_digits_are_what_they_are_called(plain):
    assert list(plain.familiar) == ["sure", "unsure", "four", "five", "unreadable"]
    assert plain.y_test[plain.familiar["four"]] == 4
    assert plain.y_test[plain.familiar["five"]] == 5
    assert len({plain.X_test[place].tobytes() for place in plain.familiar.values()}) == 5


@pytest.mark.parametrize("flags", FLAGS)
def test_arrays_are_ones_own_to_change(flags):
    for X, y in load_mnist(*flags, source="uci-digits"):
        assert X.flags.writeable
        assert y.flags.writeable


def test_repr_is_one_short_line():
    expected = "Digits: 1,437 to train on, 360 to test on, from uci-digits"
    assert repr(load_mnist(source="uci-digits")) == expected


def test_offline_digits_come_without_a_word(capsys):
    load_mnist(source="uci-digits")
    assert capsys.readouterr() == ("", "")


# ---------------------------------------------------------------------------------------------------
# load_mnist: where it looks


@pytest.mark.parametrize("source", ["MNIST", "uci", "", None, 1])
def test_unknown_source_is_refused(source):
    with pytest.raises(ValueError, match="'auto', 'mnist' or 'uci-digits', but is " + repr(source)):
        load_mnist(source=source)


@pytest.mark.parametrize("unpack", [False, True], ids=["gz", "unpacked"])
@pytest.mark.parametrize("source", ["auto", "mnist"])
def test_official_files_in_data_dir(tmp_path, capsys, official, source, unpack):
    folder = write_files(tmp_path / "mine", official, unpack)
    digits = load_mnist(source=source, data_dir=folder)
    assert digits.source == "mnist"
    assert len(digits.X_train) == 30
    assert capsys.readouterr() == ("", "")


def test_zipped_and_unpacked_files_may_be_mixed(tmp_path, official):
    first, *others = official
    write_files(tmp_path / "mine", {first: official[first]}, unpack=True)
    write_files(tmp_path / "mine", {name: official[name] for name in others})
    assert load_mnist(data_dir=tmp_path / "mine").source == "mnist"


def test_files_of_ones_own_are_used_as_they_are(tmp_path, capsys):
    files, (images, labels, *_) = small_mnist()
    digits = load_mnist(False, False, data_dir=str(write_files(tmp_path, files)))
    assert digits.source == "other"
    assert max(digits.familiar.values()) < len(digits.X_test)
    np.testing.assert_array_equal(digits.X_train, images)
    np.testing.assert_array_equal(digits.y_train, labels)
    out, err = capsys.readouterr()
    assert out == "The files found are not the official MNIST; they are used as they are.\n"
    assert err == ""


def test_no_images_at_all_are_still_digits(tmp_path):
    files, _ = small_mnist(n_train=0)
    for flags in FLAGS:
        digits = load_mnist(*flags, data_dir=write_files(tmp_path, files))
        assert digits.X_train.shape == ((0, 784) if flags[1] else (0, 28, 28))
        assert digits.y_train.shape == ((0, 10) if flags[2] else (0,))


def test_mnist_dir_is_used(tmp_path, monkeypatch, official):
    monkeypatch.setenv("MNIST_DIR", str(write_files(tmp_path / "there", official)))
    assert load_mnist().source == "mnist"


def test_data_dir_wins_over_mnist_dir(tmp_path, monkeypatch, official):
    monkeypatch.setenv("MNIST_DIR", str(write_files(tmp_path / "there", official)))
    mine, _ = small_mnist(n_train=11)
    digits = load_mnist(data_dir=write_files(tmp_path / "mine", mine))
    assert len(digits.X_train) == 11
    assert digits.source == "other"


def test_mnist_dir_wins_over_the_own_folder(tmp_path, monkeypatch, official):
    write_files(tmp_path / "own", official)
    mine, _ = small_mnist(n_train=11)
    monkeypatch.setenv("MNIST_DIR", str(write_files(tmp_path / "there", mine)))
    assert len(load_mnist().X_train) == 11


@pytest.mark.parametrize("missing", datasets.FILE_NAMES)
@pytest.mark.parametrize("where", ["data_dir", "MNIST_DIR"])
def test_incomplete_folder_is_passed_over_in_a_plain_line(
    tmp_path, monkeypatch, capsys, official, missing, where
):
    write_files(tmp_path / "own", official)
    mine, _ = small_mnist(n_train=11)
    del mine[missing]
    folder = str(write_files(tmp_path / "there", mine))
    if where == "MNIST_DIR":
        monkeypatch.setenv("MNIST_DIR", folder)
    digits = load_mnist(data_dir=folder if where == "data_dir" else None)
    assert len(digits.X_train) == 30
    line = f"{where} has no {missing}, so MNIST is looked for elsewhere.\n"
    assert capsys.readouterr() == (line, "")


def test_own_folder_is_trusted_only_with_the_right_checksums(tmp_path, official):
    folder = write_files(tmp_path / "own", official)
    assert datasets.find_mnist() == (folder, "mnist")
    name = datasets.FILE_NAMES[0]
    (folder / name).write_bytes(flipped(official[name], 500))
    assert datasets.find_mnist() is None


def test_own_file_that_must_not_be_read_is_not_there(tmp_path, monkeypatch, official):
    write_files(tmp_path / "own", official)

    def refuse(path, mode):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(datasets, "open", refuse, raising=False)
    assert datasets.find_mnist() is None


def test_own_folder_that_must_not_be_looked_into_is_not_there(tmp_path, monkeypatch, official):
    folder = write_files(tmp_path / "own", official)
    look = os.stat

    def refuse(path, *args, **options):
        if not isinstance(path, int) and Path(path).parent == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return look(path, *args, **options)

    monkeypatch.setattr(os, "stat", refuse)
    assert datasets.find_mnist() is None


@pytest.mark.parametrize("parent_is_a_file", [False, True])
def test_folder_that_is_not_there_is_passed_over(tmp_path, official, parent_is_a_file):
    write_files(tmp_path / "own", official)
    if parent_is_a_file:
        (tmp_path / "gone").write_text("")
    assert load_mnist(data_dir=tmp_path / "gone" / "further").source == "mnist"


def test_mnist_source_takes_the_place_of_auto_only(tmp_path, monkeypatch, official):
    folder = write_files(tmp_path / "own", official)
    monkeypatch.setenv("MNIST_SOURCE", "uci-digits")
    assert load_mnist().source == "uci-digits"
    assert load_mnist(source="mnist").source == "mnist"
    monkeypatch.setenv("MNIST_SOURCE", "mnist")
    assert load_mnist(source="uci-digits").source == "uci-digits"
    (folder / datasets.FILE_NAMES[0]).unlink()
    with pytest.raises(OSError, match="MNIST_DIR"):
        load_mnist()
    monkeypatch.setenv("MNIST_SOURCE", "")
    assert load_mnist().source == "uci-digits"
    monkeypatch.setenv("MNIST_SOURCE", "cifar")
    with pytest.raises(ValueError, match="but is 'cifar'"):
        load_mnist()


def test_works_from_another_working_directory(tmp_path, monkeypatch, official):
    write_files(tmp_path / "mine", official)
    monkeypatch.chdir(tmp_path)
    assert load_mnist(source="uci-digits").source == "uci-digits"
    assert load_mnist(data_dir="mine").source == "mnist"
    monkeypatch.setenv("MNIST_DIR", "mine")
    assert load_mnist().source == "mnist"


@pytest.mark.parametrize("name", ["uci-digits", "sample_weights.npz"])
def test_data_path_is_there_from_anywhere(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert data_path(name).is_absolute()
    assert data_path(name).exists()


def test_data_path_refuses_what_the_course_does_not_ship():
    with pytest.raises(FileNotFoundError, match="ships no 'cats'"):
        data_path("cats")


# ---------------------------------------------------------------------------------------------------
# load_mnist: files of one's own that do not fit


IMAGES, LABELS = np.zeros((30, 28, 28), "u1"), np.zeros(30, "u1")


@pytest.mark.parametrize(
    ("kind", "array", "message"),
    [
        ("labels-idx1", LABELS + np.uint8(10), "labels must be 0 to 9, but one is 10"),
        ("labels-idx1", LABELS[1:], "29 labels for 30 images"),
        ("labels-idx1", LABELS.astype("i4"), "one byte a label, but holds int32"),
        ("labels-idx1", LABELS[:, None], r"one byte a label, but holds uint8 of shape \(30, 1\)"),
        ("labels-idx1", LABELS[0], r"one byte a label, but holds uint8 of shape \(\)"),
        ("images-idx3", IMAGES[1:], "30 labels for 29 images"),
        ("images-idx3", IMAGES[:, 1:], r"28×28 bytes, but holds uint8 of shape \(30, 27, 28\)"),
        ("images-idx3", IMAGES.reshape(30, 784), r"28×28 bytes, .* of shape \(30, 784\)"),
        ("images-idx3", IMAGES[..., None], r"28×28 bytes, .* of shape \(30, 28, 28, 1\)"),
        ("images-idx3", IMAGES[0], r"28×28 bytes, but holds uint8 of shape \(28, 28\)"),
        ("images-idx3", IMAGES.astype("f4"), "28×28 bytes, but holds float32"),
        ("images-idx3", IMAGES.astype("i1"), "28×28 bytes, but holds int8"),
    ],
)
@pytest.mark.parametrize("part", ["train", "t10k"])
def test_files_that_do_not_fit_are_refused(tmp_path, part, kind, array, message):
    files, _ = small_mnist(30, 30)
    name = f"{part}-{kind}-ubyte.gz"
    files[name] = zipped(idx_bytes(np.asarray(array)))
    with pytest.raises(ValueError, match=message) as caught:
        load_mnist(data_dir=write_files(tmp_path, files))
    assert str(tmp_path / part) in str(caught.value)


@pytest.mark.parametrize("where", ["data_dir", "MNIST_DIR"])
def test_damaged_file_of_ones_own_is_an_error_and_no_fallback(tmp_path, monkeypatch, where):
    files, _ = small_mnist()
    name = "t10k-images-idx3-ubyte.gz"
    files[name] = files[name][:-100]
    folder = write_files(tmp_path, files)
    if where == "MNIST_DIR":
        monkeypatch.setenv("MNIST_DIR", str(folder))
    with pytest.raises(ValueError, match=f"{name}: a gzip file that is cut off"):
        load_mnist(data_dir=folder if where == "data_dir" else None)
