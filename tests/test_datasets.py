"""The IDX reader, and `load_mnist` from files on disk. The download has a file of its own."""

import gzip
import itertools
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from idx_files import (
    REAL_MNIST,
    TYPE_CODES,
    checksums,
    flipped,
    idx_bytes,
    make_official,
    needs_mnist,
    small_mnist,
    unpacked,
    write_files,
    zipped,
)
from mutated_files import mutated

from course_utils import _download, data_path, datasets, load_mnist, read_idx

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
    n_bytes = int(np.prod(shape)) * np.dtype(type_).itemsize
    array = np.frombuffer(np.random.default_rng(0).bytes(n_bytes), type_).reshape(shape)
    for name in ("x", "x.gz"):  # gzip is known by its content, not by its name
        (tmp_path / name).write_bytes(pack(idx_bytes(array)))
        result = read_idx(str(tmp_path / name))
        assert result.flags.writeable
        assert result.flags.c_contiguous
        np.testing.assert_array_equal(result, array, strict=True)


# read_idx: files that are wrong. The message names the file and what is wrong with it.

GOOD = idx_bytes(np.arange(60, dtype="u1").reshape(3, 4, 5))
FOUR_TB = struct.pack(">HBB3I", 0, 0x08, 3, 65_536, 65_536, 1024)
WRONG_IDX = {
    "empty": (b"", "it is empty"),
    "three bytes": (GOOD[:3], "begins with 00 00 08,"),
    "first byte wrong": (flipped(GOOD, 0), "begins with 10 00 08 03, .* 00 00 and a known type"),
    "unknown type": (b"\0\0\x0a" + GOOD[3:], "begins with 00 00 0a 03"),
    "a web page": (b"\n<!DOCTYPE html><title>Log in</title>", "it is a web page"),
    "header cut off": (GOOD[:15], "12 bytes"),
    "last byte missing": (GOOD[:-1], r"sizes \(3, 4, 5\) need 60 .* only 59"),
    "4 TB promised": (FOUR_TB, "promises 4,398,046,511,104 bytes, more than 1,000,000,000"),
    "one byte too many": (GOOD + b"x", "need 60 bytes, but it has more"),
    "65 sizes": (struct.pack(">HBB65I", 0, 8, 65, *[1] * 65) + b"x", "dimension"),
    "empty but vast": (struct.pack(">HBB4I", 0, 8, 4, 0, *[2**32 - 1] * 3), "too big|too large"),
}


def assert_refused(path, data, message=None):
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(path)
    assert str(caught.value).startswith(f"{path}: not a whole IDX file: ")
    assert str(caught.value).endswith("; get it again")


@pytest.mark.parametrize(("data", "message"), WRONG_IDX.values(), ids=WRONG_IDX)
@pytest.mark.parametrize("pack", [bytes, zipped], ids=["raw", "gz"])
def test_wrong_idx_is_refused(tmp_path, pack, data, message):
    assert_refused(tmp_path / "x.gz", pack(data), message)


@pytest.mark.parametrize("content", [GOOD, idx_bytes(np.zeros((0, 4), "u1"))], ids=len)
def test_gzip_that_is_cut_anywhere_or_damaged_is_refused(tmp_path, content):
    data = zipped(content)
    cut = [data[:n] for n in range(len(data))]
    checksum, length = flipped(data, -8), flipped(data, -4)
    for wrong in (*cut, checksum, length, data + b"x", data + data, b"\x1f\x8b" + content):
        assert_refused(tmp_path / "x.gz", wrong)


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


@given(data=mutated(GOOD) | mutated(zipped(GOOD)) | st.binary(max_size=300).map(zipped))
@settings(deadline=None, max_examples=300)
def test_any_bytes_give_their_array_or_a_value_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any bytes"
    path.write_bytes(data)
    is_zipped = data.startswith(b"\x1f\x8b")
    try:
        array = read_idx(path)
    except ValueError as error:
        is_right = str(error).startswith(f"{path}: not a whole IDX file: ")
    else:  # nothing was left out, nothing made up
        is_right = idx_bytes(array) == (gzip.decompress(data) if is_zipped else data)
    assert is_right


# load_mnist: what comes back


@pytest.fixture(scope="module", params=["uci-digits", pytest.param("mnist", marks=needs_mnist)])
def plain(request):
    """One of the two data sets with no flag set."""
    return load(request.param, False, False, False)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("flatten", [True, False])
@pytest.mark.parametrize("one_hot_label", [True, False])
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
    (X_train, y_train), (X, y_test) = load_mnist(source="uci-digits", flatten=False)
    counts = np.bincount(np.concatenate([y_train, y_test]))
    # as UCI states them for its test part
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert len({image.tobytes() for image in [*X_train, *X]}) == 1797  # none is there twice
    assert max(np.ptp(np.nonzero(image), axis=1).max() for image in X) == 19  # fitted into 20×20
    ones, sevens = (X[y_test == digit].mean(axis=0) for digit in (1, 7))
    assert ones[:, 12:16].sum() > ones.sum() / 2  # upright
    rows = sevens.sum(axis=1)
    assert rows[:14].max() > rows[14:].max()  # the bar of a seven is at its top


@needs_mnist
def test_checksums_of_unpacked_files():
    files = {path.name: path.read_bytes() for path in REAL_MNIST.values()}
    if any(not data.startswith(b"\x1f\x8b") for data in files.values()):
        pytest.skip("the files on this computer are unpacked already")
    assert set(checksums(unpacked(files)).values()) == _download.UNPACKED


def test_offline_digits_come_quietly_and_have_names(capsys, monkeypatch):
    monkeypatch.setattr(_download, "download_mnist", None)  # no server must be asked
    digits = load_mnist(source="uci-digits")
    assert capsys.readouterr() == ("", "")
    named = digits.X_train, digits.y_train, digits.X_test, digits.y_test
    assert all(a is b for a, b in zip(itertools.chain(*digits), named, strict=True))
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
    "a dot and gz": lambda files: renamed(files, "-idx", ".idx"),
    "both": lambda files: files | unpacked(files),
    "and more": lambda files: files | {"README.txt": b"digits", ".DS_Store": b""},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("source", ["auto", "mnist"])
def test_official_files_in_any_form(tmp_path, capsys, official, source, form):
    folder = write_files(tmp_path / "mine", form(official))
    for name in unpacked(official):
        if not (folder / name).exists():  # some programs make a folder of the file's name
            (folder / name).mkdir()
    digits = load_mnist(False, False, source=source, data_dir=folder)
    assert digits.source == "mnist"
    assert capsys.readouterr() == ("", "")
    loaded = dict(zip(datasets.PARTS, itertools.chain(*digits), strict=True))
    for part, expected in zip(datasets.PARTS, small_mnist()[1], strict=True):
        assert digits.files[part].parent == folder
        np.testing.assert_array_equal(read_idx(digits.files[part]), expected)
        np.testing.assert_array_equal(loaded[part], expected)


def emnist(name, **options):
    files, arrays = small_mnist(**options)
    return {f"emnist-{name}-{n.replace('t10k', 'test')}": d for n, d in files.items()}, arrays


OTHERS = {
    "Fashion-MNIST, KMNIST": (small_mnist(n_train=31), 10),
    "no images to train on": (small_mnist(n_train=0), 10),
    "EMNIST letters, 1 to 26": (emnist("letters", n_train=60, n_classes=26, first=1), 27),
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
    assert one_hot.X_train.shape == (len(images), 784)
    # as many columns for the test labels, though the largest label is not among them
    assert one_hot.y_train.shape == (len(images), n_classes)
    assert one_hot.y_test.shape == (20, n_classes)
    np.testing.assert_array_equal(one_hot.y_train.argmax(axis=1), labels)
    with pytest.raises(ValueError, match=r"MNIST is asked for, .* are others, or damaged"):
        load_mnist(source="mnist", data_dir=folder)


def test_several_sets_in_one_folder_are_refused(tmp_path):
    write_files(tmp_path, emnist("letters")[0] | emnist("balanced")[0])
    several = r"several sets .*emnist-balanced-.* emnist-letters-.* own"
    with pytest.raises(ValueError, match=several):
        load_mnist(data_dir=tmp_path)


# load_mnist: an explicit wish is never replaced


@pytest.fixture(params=["data_dir", "MNIST_DIR"])
def refused(request, monkeypatch, tmp_path, official):
    """Return a function that loads from a folder, by either wish, and gives what that raises.

    Official files lie in the folder for downloads: they must not be taken in place of others.
    """
    write_files(tmp_path / "own", official)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_download, "download_mnist", None)  # nor must any server be asked

    def refused(folder, error=FileNotFoundError):
        if request.param == "MNIST_DIR":
            monkeypatch.setenv("MNIST_DIR", str(folder))
        before = sorted(tmp_path.rglob("*"))
        for source in ("mnist", "auto"):
            with pytest.raises(error) as caught:
                load_mnist(source=source, data_dir=folder if request.param == "data_dir" else None)
            message = str(caught.value)
            if error is FileNotFoundError:
                assert message.startswith(f"{request.param} is {str(folder)!r}, but ")
                assert f"mend {request.param}, or do without it" in message
        assert sorted(tmp_path.rglob("*")) == before  # nothing is created
        return message

    return refused


@pytest.mark.parametrize("folder", ["fashoin", "long" * 100, "own/further"])
def test_folder_that_is_not_there(refused, tmp_path, folder):
    wanted = f"there is no folder {tmp_path / folder}. It must hold {', '.join(NAMES)}, unpacked"
    assert wanted in refused(folder)


PRESENT = {
    "mnist.pkl.gz": "a pickle: gzip.open and pickle.load",
    "train.csv": "a table with a row an image: np.loadtxt",
    "MNIST/": "a folder: if the files are in there, name that one",
}


@pytest.mark.parametrize(("name", "hint"), PRESENT.items())
def test_other_wrappings_are_named(refused, tmp_path, name, hint):
    folder = tmp_path / "mine"
    (folder / name).mkdir(parents=True) if name[-1] == "/" else write_files(folder, {name: b""})
    assert f"in it there is {name} ({name} is {hint}" in refused(folder)
    if name[-1] != "/":
        assert f"that is a file, not a folder ({name} is {hint}" in refused(folder / name)


def test_what_lies_in_the_folder_is_listed(refused, tmp_path, official):
    assert "but it is empty. It must hold train-images" in refused(write_files(tmp_path / "a", {}))
    for missing in NAMES:
        others = {name: data for name, data in official.items() if name != missing}
        message = refused(write_files(tmp_path / missing, others))
        assert f"in it there is {', '.join(sorted(others))}. It must hold {missing}, unp" in message
    message = refused(write_files(tmp_path / "b", {f"{i}.jpg": b"" for i in range(100)}))
    assert "15.jpg …. It must" in message
    assert "16.jpg" not in message


def idx_gz(array):
    return zipped(idx_bytes(np.asarray(array)))


IMAGES, LABELS = np.zeros((30, 28, 28), "u1"), np.zeros(30, "u1")


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        ("labels-idx1", idx_gz(LABELS[1:]), "29 labels for 30 images"),
        ("labels-idx1", idx_gz(LABELS.astype("i4")), "one byte a label, but holds int32"),
        ("labels-idx1", idx_gz(LABELS[:, None]), "one byte a label, .* uint8 of shape (30, 1)"),
        ("images-idx3", idx_gz(IMAGES[:, 1:]), "28×28 bytes, .* uint8 of shape (30, 27, 28)"),
        ("images-idx3", idx_gz(IMAGES.astype("f4")), "28×28 bytes, but holds float32"),
        ("labels-idx1", b"", "not a whole IDX file: it is empty"),
    ],
)
@pytest.mark.parametrize("part", ["train", "t10k"])
def test_damaged_files_and_those_that_do_not_fit(refused, tmp_path, part, kind, data, message):
    files, _ = small_mnist(30, 30)
    name = f"{part}-{kind}-ubyte.gz"
    told = refused(write_files(tmp_path / "mine", files | {name: data}), ValueError)
    assert told.startswith(str(tmp_path / "mine" / part))
    for words in message.split(" .* "):
        assert words in told


# load_mnist: which wish counts. The folders hold 11 (mine), 12 (there) and 30 (own, official)
# images to train on; the offline digits are 1437

NONE_OF_THREE = "must be 'auto' or 'mnist' or 'uci-digits', but is"
WISHES = [
    # source, data_dir, MNIST_DIR, MNIST_SOURCE: what comes
    ("auto", None, "", "mnist", 30),
    ("auto", None, "", "cifar", f"^MNIST_SOURCE {NONE_OF_THREE} 'cifar'"),
    ("auto", None, "there", "", 12),
    ("auto", None, "there", "mnist", "MNIST is asked for, by source or MNIST_SOURCE, .*there"),
    ("auto", None, "there", "uci-digits", 1437),
    ("auto", "~/mine", "there", "cifar", 11),
    ("auto", "", "there", "", "data_dir is ''"),
    ("mnist", None, "", "uci-digits", 30),
    ("uci-digits", None, "wrong", "mnist", 1437),
    ("uci-digits", "mine", "", "", "source='uci-digits' contradicts data_dir"),
    *((wrong, None, "", "", f"^source {NONE_OF_THREE} {wrong!r}") for wrong in ("uci", "", None)),
]


@pytest.mark.parametrize(("source", "data_dir", "mnist_dir", "mnist_source", "comes"), WISHES)
def test_which_wish_counts(
    tmp_path, monkeypatch, official, source, data_dir, mnist_dir, mnist_source, comes
):
    write_files(tmp_path / "own", official)
    write_files(tmp_path / "mine", small_mnist(n_train=11)[0])
    write_files(tmp_path / "there", small_mnist(n_train=12)[0])
    monkeypatch.chdir(tmp_path)  # the folders are named as seen from here
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("MNIST_DIR", mnist_dir)
    monkeypatch.setenv("MNIST_SOURCE", mnist_source)
    if isinstance(comes, int):
        assert len(load_mnist(source=source, data_dir=data_dir).X_train) == comes
    else:
        with pytest.raises((ValueError, FileNotFoundError), match=comes):
            load_mnist(source=source, data_dir=data_dir)


def test_a_folder_that_must_not_be_read(tmp_path, monkeypatch, official):
    first, second = write_files(tmp_path / "a", official), write_files(tmp_path / "b", official)
    monkeypatch.setattr(_download, "folders", lambda: [first, second])
    look = Path.iterdir

    def refuse(folder):
        if folder == first:
            raise PermissionError(13, "Permission denied", str(folder))
        return look(folder)

    monkeypatch.setattr(Path, "iterdir", refuse)  # root, as in a container, may read everything
    assert {path.parent for path in datasets.find_mnist().values()} == {second}
    with pytest.raises(PermissionError):  # it was named, so no other is taken in its place
        load_mnist(data_dir=first)


def test_data_path_refuses_what_the_course_does_not_ship():
    with pytest.raises(FileNotFoundError, match="ships no 'cats'"):
        data_path("cats")
