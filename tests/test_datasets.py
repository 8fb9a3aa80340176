"""The IDX reader, and `load_mnist` from files on disk. The download has a file of its own."""

import gzip
import itertools
import os
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from idx_files import (
    TYPE_CODES,
    checksums,
    flipped,
    idx_bytes,
    make_official,
    small_mnist,
    unpacked,
    write_files,
    zipped,
)
from mutated_files import mutated

from course_utils import Digits, _download, data_path, datasets, load_mnist, read_idx

REAL_MNIST = datasets.find_mnist()  # before `isolated` hides it
IS_OFFICIAL = REAL_MNIST is not None and all(map(_download.is_official, REAL_MNIST.values()))
needs_mnist = pytest.mark.skipif(not IS_OFFICIAL, reason="MNIST is not on this computer")
FLAGS = list(itertools.product([True, False], repeat=3))
SETS = ["uci-digits", pytest.param("mnist", marks=needs_mnist)]
NAMES = list(small_mnist()[0])


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path):
    """No settings, no files and no network but those that a test asks for."""
    monkeypatch.delenv("MNIST_DIR", raising=False)
    monkeypatch.delenv("MNIST_SOURCE", raising=False)
    monkeypatch.setattr(_download, "folders", lambda: [tmp_path / "own"])
    monkeypatch.setattr(_download, "MIRRORS", ())


@pytest.fixture
def official(monkeypatch):
    """Return the files of a small MNIST that counts as the official one."""
    files, _ = small_mnist()
    make_official(monkeypatch, files)
    return files


def load(source, *flags):
    data_dir = REAL_MNIST["train-images"].parent if source == "mnist" else None
    return load_mnist(*flags, source=source, data_dir=data_dir)


# read_idx: files that are right


@pytest.mark.parametrize("pack", [bytes, zipped], ids=["raw", "gz"])
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3), (4, 3, 2), (2, 0, 3), (2, 1, 3, 2)])
@pytest.mark.parametrize("type_", TYPE_CODES)
def test_reads_every_type_and_shape(tmp_path, type_, shape, pack):
    rng = np.random.default_rng(0)
    if type_[0] == "f":
        array = np.asarray(rng.normal(size=shape)).astype(type_)
    else:
        info = np.iinfo(type_)
        array = np.asarray(rng.integers(info.min, info.max, shape, dtype=type_, endpoint=True))
    path = tmp_path / "x"
    path.write_bytes(pack(idx_bytes(array)))
    result = read_idx(str(path))
    assert result.dtype.isnative
    assert result.flags.writeable
    assert result.flags.c_contiguous
    np.testing.assert_array_equal(result, array, strict=True)


@pytest.mark.parametrize(("name", "pack"), [("x.gz", bytes), ("x.idx", zipped)])
def test_gzip_is_known_by_its_content_not_its_name(tmp_path, name, pack):
    (tmp_path / name).write_bytes(pack(idx_bytes(np.arange(3, dtype="u1"))))
    assert read_idx(tmp_path / name).tolist() == [0, 1, 2]


# read_idx: files that are wrong. The message names the file and what is wrong with it.

ARRAY = np.random.default_rng(0).integers(0, 256, (6, 28, 28), dtype=np.uint8)
GOOD = idx_bytes(ARRAY)
GOOD_GZ = zipped(GOOD)
FOUR_TB = struct.pack(">HBB3I", 0, 0x08, 3, 65_536, 65_536, 1024)
WRONG_IDX = {
    "empty": (b"", "it is empty"),
    "three bytes": (GOOD[:3], "begins with 00 00 08,"),
    "wrong magic": (b"\x89PNG" + GOOD, "begins with 89 50 4e 47, .* 00 00 and a known type"),
    "second byte wrong": (flipped(GOOD, 1), "begins with 00 10"),
    "unknown type": (b"\0\0\x0a" + GOOD[3:], "begins with 00 00 0a 03"),
    "a web page": (b"\n<!DOCTYPE html><title>Log in</title>", "it is a web page"),
    "no sizes": (GOOD[:4], "12 bytes"),
    "header cut off": (GOOD[:15], "12 bytes"),
    "last byte missing": (GOOD[:-1], r"sizes \(6, 28, 28\) need 4,704 .* only 4,703"),
    "header only": (GOOD[:16], "need 4,704 bytes, but it has only 0"),
    "one image more promised": (GOOD[:7] + b"\7" + GOOD[8:], r"sizes \(7, 28, 28\) need .* only"),
    "4 TB promised": (FOUR_TB, "promises 4,398,046,511,104 bytes, more than 1,000,000,000"),
    "one byte too many": (GOOD + b"x", "need 4,704 bytes, but it has more"),
    "two files in one": (GOOD + GOOD, "but it has more"),
    "65 sizes": (struct.pack(">HBB65I", 0, 8, 65, *[1] * 65) + b"x", "dimension"),
    "empty but vast": (struct.pack(">HBB4I", 0, 8, 4, 0, *[2**32 - 1] * 3), "too big|too large"),
}
WRONG_GZIP = {
    "nothing packed inside": b"\x1f\x8b" + GOOD,
    "a byte flipped in the data": flipped(GOOD_GZ, len(GOOD_GZ) // 2),
    "a byte flipped in the checksum": flipped(GOOD_GZ, -8),
    "a byte flipped in the length": flipped(GOOD_GZ, -4),
    "garbage after it": GOOD_GZ + b"x",
    "a second gzip after it": GOOD_GZ + GOOD_GZ,
    **{f"cut to {n}": GOOD_GZ[:n] for n in (2, 3, 9, 10, 11, 30, 1000, 2000)},
    **{f"{n} bytes of the trailer missing": GOOD_GZ[:-n] for n in (1, 4, 8, 9)},
    "small, without its trailer": zipped(GOOD[:4] + b"\0" * 12)[:-8],
}


def assert_refused(path, data, message):
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(path)
    assert str(caught.value).startswith(f"{path}: not a whole IDX file: ")
    assert str(caught.value).endswith("; get it again")


@pytest.mark.parametrize(("data", "message"), WRONG_IDX.values(), ids=WRONG_IDX)
@pytest.mark.parametrize("pack", [bytes, zipped], ids=["raw", "gz"])
def test_wrong_idx_is_refused(tmp_path, pack, data, message):
    assert_refused(tmp_path / "x.gz", pack(data), message)


@pytest.mark.parametrize("data", WRONG_GZIP.values(), ids=WRONG_GZIP)
def test_wrong_gzip_is_refused(tmp_path, data):
    assert_refused(tmp_path / "x.gz", data, "not a whole IDX file: .+; get it again")


BOMBS = {
    "as promised": (idx_bytes(np.zeros(2000, "u1")), "promises 2,000 bytes, more than 1,000"),
    "more than promised": (idx_bytes(np.zeros(5, "u1")) + bytes(50_000_000), "has more"),
}


@pytest.mark.parametrize(("data", "message"), BOMBS.values(), ids=BOMBS)
def test_gzip_that_unpacks_to_far_too_much_is_refused(tmp_path, monkeypatch, data, message):
    monkeypatch.setattr(datasets, "LARGEST", 1000)
    n_read, read = [], gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda file, n=-1: n_read.append(n) or read(file, n))
    assert_refused(tmp_path / "x.gz", zipped(data), message)
    assert 0 < sum(n_read) < 1100  # and none without a limit, which is -1
    assert min(n_read) > 0


# read_idx: any bytes at all


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("any-bytes")


def array_or_value_error(path, data):
    """Read `data`; return the array, or None after an error that names the file."""
    path.write_bytes(data)
    try:
        return read_idx(path)
    except ValueError as error:
        message = str(error)
    assert message.startswith(f"{path}: not a whole IDX file: ")
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
    array = array_or_value_error(scratch / "any", zipped(data) if is_zipped else data)
    if array is not None and not data.startswith(b"\x1f\x8b"):
        assert idx_bytes(array) == data  # nothing was left out, nothing made up


SMALL = idx_bytes(np.arange(60, dtype="u1").reshape(3, 4, 5))


@given(data=mutated(SMALL) | mutated(zipped(SMALL)))
@settings(deadline=None, max_examples=200)
def test_any_change_gives_an_array_or_a_value_error(scratch, data):
    array = array_or_value_error(scratch / "changed", data)
    if array is not None:
        # what gzip's checksum does not cover: its header (a time, a name), zeros after its end
        assert idx_bytes(array) == (SMALL if data.startswith(b"\x1f\x8b") else data)


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
        assert (X.min(), X.max()) == (0, 1 if normalize else 255)
        some = slice(None, None, 7)  # to be quick
        expected = images[some].astype(np.float32) / np.float32(255) if normalize else images[some]
        np.testing.assert_array_equal(X[some].reshape(-1, 28, 28), expected)

        assert y.shape == ((n, 10) if one_hot_label else (n,))
        assert y.dtype == (np.float32 if one_hot_label else np.int64)
        np.testing.assert_array_equal(y, labels[:, None] == range(10) if one_hot_label else labels)
        assert set(labels) == set(range(10))
        assert X.flags.writeable
        assert y.flags.writeable


def test_offline_digits_are_whole_and_the_right_way_round():
    (_, y_train), (X, y_test) = load_mnist(source="uci-digits", flatten=False)
    counts = np.bincount(np.concatenate([y_train, y_test]))
    # as UCI states them for its test part
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    ones, sevens, zeros = (X[y_test == digit].mean(axis=0) for digit in (1, 7, 0))
    assert ones[:, 12:16].sum() > ones.sum() / 2  # upright
    assert sevens[:14].sum() > sevens[14:].sum()  # the bar of a seven is at its top
    assert zeros[12:16, 12:16].mean() < zeros.mean()  # a hole in the middle


@pytest.mark.parametrize("plain", SETS[1:], indirect=True, scope="module")
def test_mnist_is_the_one_that_everybody_knows(plain):
    assert plain.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert plain.y_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert round(plain.X_train.mean() / 255, 4) == 0.1307  # known from many a tutorial


@needs_mnist
def test_checksums_of_unpacked_files():
    files = {path.name: path.read_bytes() for path in REAL_MNIST.values()}
    if any(not data.startswith(b"\x1f\x8b") for data in files.values()):
        pytest.skip("the files on this computer are unpacked already")
    assert set(checksums(unpacked(files)).values()) == _download.UNPACKED


def test_result_unpacks_and_has_names(capsys):
    digits = load_mnist(source="uci-digits")
    assert capsys.readouterr() == ("", "")
    (X_train, y_train), (X_test, y_test) = digits
    assert isinstance(digits, Digits)
    unpacked_to = (X_train, y_train, X_test, y_test)
    named = (digits.X_train, digits.y_train, digits.X_test, digits.y_test)
    assert all(one is two for one, two in zip(unpacked_to, named, strict=True))
    assert repr(digits) == "Digits: 1,437 to train on, 360 to test on, from uci-digits"


def test_familiar_digits_are_what_they_are_called(plain):
    assert list(plain.familiar) == ["sure", "unsure", "four", "five", "unreadable"]
    assert plain.y_test[plain.familiar["four"]] == 4
    assert plain.y_test[plain.familiar["five"]] == 5
    assert len({plain.X_test[place].tobytes() for place in plain.familiar.values()}) == 5


# load_mnist: a folder that the reader names


def renamed(files, old, new):
    return {name.replace(old, new): data for name, data in files.items()}


FORMS = {
    "gz": lambda files: files,
    "unpacked": unpacked,
    "unpacked, with the name kept": lambda files: renamed(unpacked(files), "ubyte", "ubyte.gz"),
    "gz without .gz": lambda files: renamed(files, ".gz", ""),
    "a dot": lambda files: renamed(unpacked(files), "-idx", ".idx"),
    "a dot and gz": lambda files: renamed(files, "-idx", ".idx"),
    "both": lambda files: files | unpacked(files),
    "mixed": lambda files: dict([*files.items()][:2]) | dict([*unpacked(files).items()][2:]),
    "and more": lambda files: files | {"README.txt": b"digits", ".DS_Store": b""},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("source", ["auto", "mnist"])
def test_official_files_in_any_form(tmp_path, capsys, official, source, form):
    folder = write_files(tmp_path / "mine", form(official))
    digits = load_mnist(False, False, source=source, data_dir=folder)
    assert digits.source == "mnist"
    assert capsys.readouterr() == ("", "")
    loaded = dict(zip(datasets.PARTS, itertools.chain(*digits), strict=True))
    for part, expected in zip(datasets.PARTS, small_mnist()[1], strict=True):
        assert digits.files[part].parent == folder
        np.testing.assert_array_equal(read_idx(digits.files[part]), expected)
        np.testing.assert_array_equal(loaded[part], expected)


def test_folders_with_the_names_of_the_files_are_passed_over(tmp_path, official):
    folder = write_files(tmp_path, FORMS["a dot"](official))
    for name in official:  # as Kaggle's archive has them
        (folder / name.removesuffix(".gz")).mkdir()
    assert load_mnist(data_dir=folder).source == "mnist"


def emnist(name, **options):
    files, arrays = small_mnist(**options)
    return {f"emnist-{name}-{n.replace('t10k', 'test')}": d for n, d in files.items()}, arrays


OTHERS = {
    "Fashion-MNIST, KMNIST": (small_mnist(n_train=31), 10),
    "EMNIST letters, 1 to 26": (emnist("letters", n_train=60, n_classes=26, first=1), 27),
    "EMNIST balanced": (emnist("balanced", n_train=60, n_classes=47), 47),
    "255 as a label": (small_mnist(n_classes=1, first=255), 256),  # 255 + 1 is 0 in a byte
}


@pytest.mark.parametrize(("made", "n_classes"), OTHERS.values(), ids=OTHERS)
def test_other_sets_of_the_same_form(tmp_path, capsys, official, made, n_classes):
    files, (images, labels, *_) = made
    folder = write_files(tmp_path, files)
    digits = load_mnist(False, False, data_dir=str(folder))
    assert digits.source == "other"
    assert max(digits.familiar.values()) < len(digits.X_test)
    np.testing.assert_array_equal(digits.X_train, images)
    np.testing.assert_array_equal(digits.y_train, labels)
    told = "The files found are not the official MNIST; they are used as they are.\n"
    assert capsys.readouterr() == (told, "")
    one_hot = load_mnist(one_hot_label=True, data_dir=folder)
    # as many columns for the test labels, though the largest label is not among them
    assert one_hot.y_train.shape == (len(images), n_classes)
    assert one_hot.y_test.shape == (20, n_classes)
    np.testing.assert_array_equal(one_hot.y_train.argmax(axis=1), labels)
    with pytest.raises(ValueError, match=r"MNIST is asked for, .* are others, or damaged"):
        load_mnist(source="mnist", data_dir=folder)


def test_several_sets_in_one_folder_are_refused(tmp_path):
    for name in ("letters", "balanced"):
        write_files(tmp_path, emnist(name)[0])
    with pytest.raises(
        ValueError, match=r"several sets .*emnist-balanced-.* emnist-letters-.* own"
    ):
        load_mnist(data_dir=tmp_path)


def test_no_images_at_all_are_still_digits(tmp_path):
    folder = write_files(tmp_path, small_mnist(n_train=0)[0])
    for flags in FLAGS:
        digits = load_mnist(*flags, data_dir=folder)
        assert digits.X_train.shape == ((0, 784) if flags[1] else (0, 28, 28))
        assert digits.y_train.shape == ((0, 10) if flags[2] else (0,))


# load_mnist: an explicit wish is never replaced

PRESENT = {
    "mnist.pkl.gz": "a pickle: .*pickle.load",
    "mnist.npz": "an archive of NumPy arrays: np.load",
    "train.csv": "a table .*np.loadtxt",
    "gzip.zip": "packed: unpack it",
    "img_1.png": "a single picture: PIL",
    "train.parquet": "pandas.read_parquet",
    "emnist-letters.mat": "MATLAB",
    "MNIST/": "a folder: .* name that one",
    "notes.txt": "",
}


@pytest.fixture(params=["data_dir", "MNIST_DIR"])
def refused(request, monkeypatch, tmp_path, official):
    """Return a function that loads from a folder, by either wish, and gives what that raises.

    Official files lie in the folder for downloads: they must not be taken in place of others.
    """
    write_files(tmp_path / "own", official)

    def refused(folder, error=FileNotFoundError):
        if request.param == "MNIST_DIR":
            monkeypatch.setenv("MNIST_DIR", str(folder))
        before = sorted(tmp_path.rglob("*"))
        for source in ("auto", "mnist"):
            with pytest.raises(error) as caught:
                load_mnist(source=source, data_dir=folder if request.param == "data_dir" else None)
            message = str(caught.value)
            if error is FileNotFoundError:
                assert message.startswith(f"{request.param} is {str(folder)!r}, but ")
                assert f"mend {request.param}, or do without it" in message
        assert sorted(tmp_path.rglob("*")) == before  # nothing is created
        return message

    return refused


def test_folder_that_is_not_there(refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = refused("fashoin")
    assert f"there is no folder {tmp_path / 'fashoin'}." in message
    for name in NAMES:
        assert name in message


@pytest.mark.parametrize("folder", ["long" * 100, "own/further", "own/deeper/still"])
def test_folder_that_cannot_be(refused, folder):
    assert "there is no folder" in refused(folder)


def test_empty_folder(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "but it is empty. It must hold train-images-idx3" in refused(tmp_path / "empty")


@pytest.mark.parametrize("missing", NAMES)
def test_incomplete_folder(refused, tmp_path, official, missing):
    others = {name: data for name, data in official.items() if name != missing}
    message = refused(write_files(tmp_path / "mine", others))
    assert f"in it there is {', '.join(sorted(others))}. It must hold {missing}, unp" in message


@pytest.mark.parametrize(("name", "hint"), PRESENT.items())
def test_other_wrappings_are_named(refused, tmp_path, name, hint):
    (tmp_path / "mine").mkdir()
    path = tmp_path / "mine" / name
    path.mkdir() if name.endswith("/") else path.write_bytes(b"")
    message = refused(tmp_path / "mine")
    assert f"in it there is {name}" in message
    assert re.search(hint, message)
    assert message.count(f"({name} is ") == bool(hint)
    if path.is_file():
        assert "that is a file, not a folder" in refused(path)


def test_of_many_files_some_are_listed(refused, tmp_path):
    message = refused(write_files(tmp_path / "mine", {f"{i}.jpg": b"" for i in range(100)}))
    assert "15.jpg …. It must" in message
    assert "16.jpg" not in message


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("damage", [lambda d: d[:-100], lambda d: flipped(d, -6), lambda d: b""])
def test_damaged_file_of_ones_own_is_an_error_and_no_fallback(
    refused, tmp_path, official, name, damage
):
    folder = write_files(tmp_path / "mine", official | {name: damage(official[name])})
    refused(folder, ValueError)
    with pytest.raises(ValueError, match=f"{name}: not a whole IDX file"):
        load_mnist(data_dir=folder)


NOT_ROOT = """
import os, sys
from course_utils import load_mnist
if os.geteuid() == 0:  # root may read everything; be somebody else
    os.seteuid(65534)
load_mnist(data_dir=sys.argv[1])
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions")
@pytest.mark.parametrize("flaw", ["file", "folder"])
def test_what_may_not_be_read_is_named(official, flaw):
    with tempfile.TemporaryDirectory() as folder:
        path = write_files(Path(folder), official) / NAMES[0]
        path.chmod(0)
        path.parent.chmod(0o700 if flaw == "folder" else 0o755)
        code = [sys.executable, "-c", NOT_ROOT, folder]
        done = subprocess.run(code, capture_output=True, text=True, timeout=60)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("PermissionError: ")
    assert str(path if flaw == "file" else path.parent) in last


IMAGES, LABELS = np.zeros((30, 28, 28), "u1"), np.zeros(30, "u1")


@pytest.mark.parametrize(
    ("kind", "array", "message"),
    [
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
    ],
)
@pytest.mark.parametrize("part", ["train", "t10k"])
def test_files_that_do_not_fit_are_refused(tmp_path, part, kind, array, message):
    files, _ = small_mnist(30, 30)
    files[f"{part}-{kind}-ubyte.gz"] = zipped(idx_bytes(np.asarray(array)))
    with pytest.raises(ValueError, match=message) as caught:
        load_mnist(data_dir=write_files(tmp_path, files))
    assert str(tmp_path / part) in str(caught.value)


# load_mnist: which wish counts


@pytest.mark.parametrize("source", ["MNIST", "uci", "", None, 1])
def test_unknown_source_is_refused(source):
    message = f"source must be 'auto' or 'mnist' or 'uci-digits', but is {source!r}"
    with pytest.raises(ValueError, match=message):
        load_mnist(source=source)


def test_two_wishes_that_contradict_each_other(tmp_path):
    with pytest.raises(ValueError, match=r"two different things; leave one of them out"):
        load_mnist(source="uci-digits", data_dir=tmp_path)


# the folders hold 11 (mine), 12 (there) and 30 (own, official) images to train on; the offline
# digits are 1437
WISHES = [
    # source, data_dir, MNIST_DIR, MNIST_SOURCE: what comes
    ("auto", None, "", "", 30),
    ("auto", None, "", "mnist", 30),
    ("auto", None, "", "uci-digits", 1437),
    ("auto", None, "", "cifar", "MNIST_SOURCE must be 'auto' or .*, but is 'cifar'"),
    ("auto", None, "there", "", 12),
    ("auto", None, "there", "mnist", "MNIST is asked for, by source or MNIST_SOURCE, .*there"),
    ("auto", None, "there", "uci-digits", 1437),
    ("auto", "mine", "there", "", 11),
    ("auto", "mine", "wrong", "uci-digits", 11),
    ("auto", "mine", "", "cifar", 11),
    ("auto", "", "there", "", FileNotFoundError),
    ("mnist", None, "", "uci-digits", 30),
    ("mnist", None, "there", "", "files in there are others"),
    ("mnist", "own", "there", "uci-digits", 30),
    ("uci-digits", None, "wrong", "mnist", 1437),
]


@pytest.mark.parametrize(("source", "data_dir", "mnist_dir", "mnist_source", "comes"), WISHES)
def test_which_wish_counts(
    tmp_path, monkeypatch, official, source, data_dir, mnist_dir, mnist_source, comes
):
    write_files(tmp_path / "own", official)
    write_files(tmp_path / "mine", small_mnist(n_train=11)[0])
    write_files(tmp_path / "there", small_mnist(n_train=12)[0])
    monkeypatch.chdir(tmp_path)  # the folders are named as seen from here
    monkeypatch.setenv("MNIST_DIR", mnist_dir)
    monkeypatch.setenv("MNIST_SOURCE", mnist_source)
    if comes is FileNotFoundError:
        with pytest.raises(comes, match="data_dir is ''"):
            load_mnist(source=source, data_dir=data_dir)
    elif isinstance(comes, int):
        assert len(load_mnist(source=source, data_dir=data_dir).X_train) == comes
    else:
        with pytest.raises(ValueError, match=comes):
            load_mnist(source=source, data_dir=data_dir)


def test_a_folder_in_the_home_folder(tmp_path, monkeypatch, official):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write_files(tmp_path / "mine", official)
    assert load_mnist(data_dir="~/mine").source == "mnist"


# the folders for downloads, and what the course ships


def test_own_folder_is_trusted_only_with_the_right_checksums(tmp_path, official):
    folder = write_files(tmp_path / "own", official)
    assert {path.name for path in datasets.find_mnist().values()} == set(NAMES)
    (folder / NAMES[0]).write_bytes(flipped(official[NAMES[0]], 500))
    assert datasets.find_mnist() is None
    assert load_mnist().source == "uci-digits"


def test_the_next_folder_is_taken_where_the_first_must_not_be_read(tmp_path, monkeypatch, official):
    first, second = write_files(tmp_path / "a", official), write_files(tmp_path / "b", official)
    monkeypatch.setattr(_download, "folders", lambda: [first, second])
    look = Path.iterdir

    def refuse(folder):
        if folder == first:
            raise PermissionError(13, "Permission denied", str(folder))
        return look(folder)

    monkeypatch.setattr(Path, "iterdir", refuse)  # root, as in a container, may read everything
    assert {path.parent for path in datasets.find_mnist().values()} == {second}


def test_data_path_refuses_what_the_course_does_not_ship():
    with pytest.raises(FileNotFoundError, match="ships no 'cats'"):
        data_path("cats")
