"""Parameters on disk: exact round trips, files of strangers, and files that mean harm."""

import io
import os
import pickle
import re
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutated_files import mutated

from course_utils import Network

pytestmark = pytest.mark.filterwarnings("error")


def layers():
    """Make the arrays of a network 3-80-5-2: long enough for each kind of opcode."""
    rng = np.random.default_rng(0)
    shapes = {"W1": (3, 80), "b1": 80, "W2": (80, 5), "b2": 5, "W3": (5, 2), "b3": 2}
    return {name: rng.normal(size=size).astype("f4") for name, size in shapes.items()}


def one_layer(**replaced):
    return {"W1": np.ones((3, 2)), "b1": np.ones(2)} | replaced


def npz(arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays) if isinstance(arrays, dict) else np.savez(buffer, *arrays)
    return buffer.getvalue()


def zip_of(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name.replace("_", "."), data)
    return buffer.getvalue()


def load_bytes(tmp_path, data, activation="sigmoid"):
    (tmp_path / "w.pkl").write_bytes(data)
    return Network.load(tmp_path / "w.pkl", activation)


def assert_same(network, arrays):
    assert list(network.params) == list(arrays)
    for name, array in arrays.items():
        assert network.params[name].dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(network.params[name], array)


both = pytest.mark.parametrize("write", [npz, pickle.dumps], ids=["npz", "pickle"])

# save and load


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [[6, 5, 4, 3], [1, 3, 1, 2], [6, 4]])
@pytest.mark.parametrize("name", ["w.npz", "w", "weights.of.today.bin"])
def test_what_was_saved_is_loaded(tmp_path, monkeypatch, activation, dtype, sizes, name):
    monkeypatch.chdir(tmp_path)
    network = Network(sizes, activation=activation, dtype=dtype)
    network.params["b1"][:] = np.linspace(-1, 1, sizes[1])
    for path in (tmp_path / name, str(tmp_path / name), name):
        network.save(path)
        assert os.listdir() == [name]  # under the exact name, and nothing else
        for loaded in (Network.load(path), Network.load(path, activation=activation)):
            assert (loaded.activation, loaded.layer_sizes) == (activation, sizes)
            assert_same(loaded, network.params)
    with np.load(name) as file:  # a plain npz file, for other programs
        assert sorted(file) == sorted([*network.params, "activation"])
        assert file["activation"] == activation


@pytest.mark.parametrize("old", [b"the old file", None])
@pytest.mark.parametrize("broken", ["numpy.savez", "os.fsync", "os.replace"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt("Ctrl-C")])
def test_a_save_that_fails_changes_nothing(tmp_path, monkeypatch, old, broken, error):
    def fail(*_, **__):
        raise error

    path = tmp_path / "w.npz"
    if old:
        path.write_bytes(old)
    monkeypatch.setattr(broken, fail)
    with pytest.raises(type(error), match=str(error)):
        Network([3, 2]).save(path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == ({"w.npz": old} if old else {})


def test_two_saves_at_once_do_not_disturb_each_other(tmp_path, monkeypatch):
    first, second, path = Network([3, 2], rng=1), Network([3, 2], rng=2), tmp_path / "w.npz"
    fsync, synced = os.fsync, []

    def save_the_other_first(file):
        synced.append(os.fstat(file).st_size)
        if len(synced) == 1:
            assert not path.exists()  # only what is on the disk gets the name
            second.save(path)
            assert_same(Network.load(path), second.params)
        fsync(file)

    monkeypatch.setattr(os, "fsync", save_the_other_first)
    first.save(path)
    assert_same(Network.load(path), first.params)
    assert os.listdir(tmp_path) == ["w.npz"]
    assert synced == 2 * [path.stat().st_size]


def test_a_file_or_folder_that_is_missing_is_told(tmp_path):
    for fail in (Network([3, 2]).save, Network.load):
        with pytest.raises(FileNotFoundError, match=r"w\.npz"):
            fail(tmp_path / "missing" / "w.npz")
        with pytest.raises(OSError, match=re.escape(str(tmp_path))):
            fail(tmp_path)  # it is a folder


# files of strangers

LONG = {"W": "weight", "b": "bias"}


def every(letter, arrays):
    return [array for name, array in arrays.items() if name[0] == letter]


FORMS = {
    "by name": dict,
    "backwards": lambda a: dict(reversed(a.items())),
    "list": lambda a: list(a.values()),
    "tuple": lambda a: tuple(a.values()),
    "OrderedDict": OrderedDict,
    "names from 0": lambda a: {f"{n[0]}{int(n[1]) - 1}": v for n, v in a.items()},
    "long names": lambda a: {LONG[n[0]] + n[1:]: v for n, v in a.items()},
    "PyTorch's names": lambda a: {f"fc{n[1]}.{LONG[n[0]]}": v.T for n, v in a.items()},
    "dict of lists": lambda a: {"weights": every("W", a), "biases": every("b", a)},
    "Nielsen's": lambda a: [[b[:, None] for b in every("b", a)], [W.T for W in every("W", a)]],
    "biases (1, n)": lambda a: {n: v[None] if n[0] == "b" else v for n, v in a.items()},
    "biases (n, 1)": lambda a: {n: v[:, None] if n[0] == "b" else v for n, v in a.items()},
    "list of rows": lambda a: [v[None] if v.ndim == 1 else v for v in a.values()],
    "transposed": lambda a: {n: v.T for n, v in a.items()},
    "an accuracy": lambda a: a | {"accuracy": 0.97, "seed": np.int64(1), "note": "mine"},
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("form", FORMS)
def test_a_pickle_in_any_usual_form_is_read(tmp_path, capsys, form, protocol):
    arrays = layers()
    network = load_bytes(tmp_path, pickle.dumps(FORMS[form](arrays), protocol))
    assert (network.activation, network.layer_sizes) == ("sigmoid", [3, 80, 5, 2])
    assert_same(network, arrays)
    line = "The weights in this file are (n_out, n_in); they were transposed to (n_in, n_out).\n"
    turned = form in ("transposed", "Nielsen's", "PyTorch's names")
    assert capsys.readouterr().out == (line if turned else "")


@pytest.mark.parametrize("form", [f for f in FORMS if f not in ("dict of lists", "Nielsen's")])
def test_an_npz_file_in_any_usual_form_is_read(tmp_path, form):
    assert_same(load_bytes(tmp_path, npz(FORMS[form](layers()))), layers())


def test_more_than_ten_arrays_keep_their_order(tmp_path):
    arrays = {}
    for k in range(1, 13):
        arrays |= {f"W{k}": np.full((2, 2), k, "f4"), f"b{k}": np.full(2, -k, "f4")}
    by_name = dict(sorted(arrays.items()))  # W1, W10, W11, W12, W2, …
    for data in (npz(by_name), npz(arrays.values()), pickle.dumps(by_name)):
        assert_same(load_bytes(tmp_path, data), arrays)


@both
@pytest.mark.parametrize(
    ("of_W", "of_b", "read"),
    [(">f2", "u1", "f4"), ("i1", "f8", "f4"), ("i8", ">f4", "f8"), ("g", ">f8", "f8")],
)
def test_numbers_of_any_type_and_layout_are_read(tmp_path, write, of_W, of_b, read):
    W, b = np.arange(24).reshape(6, 4).astype(of_W), np.ones(2, of_b)
    for array in (W[::2, ::2], np.asfortranarray(W[::2, ::2])):
        network = load_bytes(tmp_path, write({"W1": array, "b1": b}))
        assert_same(network, {"W1": array.astype(read), "b1": b.astype(read)})


# what Python 2 and NumPy 1 wrote: str is bytes, modules have other names
PYTHON_2_ARRAY = (
    b"U%c%bcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\1b\x87R(K\1(%bt"
    b"cnumpy\ndtype\nU\2f4K\0K\1\x87R(K\3U\1<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
    b"\x89U%c%btb"
)


def python2_pickle(arrays):
    data = b""
    for name, a in arrays.items():
        shape = b"".join(b"K%c" % n for n in a.shape)
        data += PYTHON_2_ARRAY % (len(name), name.encode(), shape, a.nbytes, a.tobytes())
    return b"\x80\2}(" + data + b"u."


def test_a_pickle_of_python_2_and_old_numpy_is_read(tmp_path):
    arrays = {"W1": np.float32([[1.5, -200], [3e-8, 4], [5, 6]]), "b1": np.float32([7, -8])}
    assert_same(load_bytes(tmp_path, python2_pickle(arrays)), arrays)
    for protocol in (2, 5):  # Python 3 with NumPy 1
        data = pickle.dumps(layers(), protocol).replace(b"numpy._core.", b"numpy.core.")
        if protocol == 5:  # without the frame, which has a length; that of the name is mended
            data = data[:2] + data[11:].replace(b"\x13numpy.core.num", b"\x12numpy.core.num")
        assert_same(load_bytes(tmp_path, data), layers())


# which activation


@both
def test_the_activation_is_the_files_or_the_one_that_is_named(tmp_path, write):
    with pytest.raises(ValueError, match=r"w\.pkl does not say which activation .*'sigmoid' or"):
        load_bytes(tmp_path, write(one_layer()), None)
    for activation in ("relu", "sigmoid"):
        assert load_bytes(tmp_path, write(one_layer()), activation).activation == activation
    for stored in ("relu", "ReLU", "RELU"):
        data = write(one_layer(activation=np.array(stored)))
        for named in (None, "relu"):
            assert load_bytes(tmp_path, data, named).activation == "relu"
        with pytest.raises(ValueError, match=r"w\.pkl holds a network with 'relu', not 'sigmoid'"):
            load_bytes(tmp_path, data, "sigmoid")
    for named in (None, "relu"):
        for stored in ("tanh", ["relu", "relu"], 1, b"relu"):
            with pytest.raises(ValueError, match=r"w\.pkl: activation must be 'relu' or 'sigmoid'"):
                load_bytes(tmp_path, write(one_layer(activation=np.array(stored))), named)


# what is refused

ITSELF = []
ITSELF.append(ITSELF)
NO_ARRAYS = ["W1", None, 5, [1.0, 2.0], {"W1": [[1.0]]}, {1, 2}]
FOREIGN = {
    "PyTorch": (zip_of(archive_data_pkl=b"\x80\x02}q\x00."), "a file of PyTorch"),
    "PyTorch, before 1.6": (pickle.dumps(0x1950A86A20F9469CFC6C, 2), "a file of PyTorch"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file"),
    "Keras": (zip_of(config_json=b"{}", model_weights_h5=b"\x89HDF"), "a file of Keras"),
    "safetensors": ((60).to_bytes(8, "little") + b'{"W1":{"dtype":"F32"', "a safetensors file"),
    "JSON": (b' {"sizes": [784, 30, 10]}', "JSON"),
    "MATLAB": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64", "a MATLAB file"),
    "web page": (b"\n<!DOCTYPE html><html>", "a web page"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS.*git lfs pull"),
    "npy": (b"\x93NUMPY\x01\x00v\x00{'descr'", r"a single array \(\.npy\)"),
    "gzip": (b"\x1f\x8b\x08\x00", "packed by gzip: unpack it first"),
    "nothing": (b"", "empty"),
    "text": (b"0.1 0.2 0.3\n", "not a readable file of plain NumPy arrays"),
    **{repr(content): (pickle.dumps(content), "no array of numbers") for content in NO_ARRAYS},
    "objects in an npz file": (npz([np.array([None])]), "Object arrays cannot be loaded"),
    "itself": (pickle.dumps(ITSELF), "recursion"),
    "another zip": (zip_of(word_document_xml=b"<w/>"), "no array of numbers"),
    "scikit-learn": (b"csklearn.svm\nSVC\n.", r"names sklearn\.svm\.SVC, which was not run"),
}


@pytest.mark.parametrize(("data", "form"), FOREIGN.values(), ids=FOREIGN)
def test_a_file_of_another_form_is_named(tmp_path, data, form):
    with pytest.raises(ValueError, match=rf"w\.pkl.*{form}") as told:
        load_bytes(tmp_path, data)
    if "no array" not in form:
        assert 'network.params["W1"], network.params["b1"] = W1, b1' in str(told.value)


@both
@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({}, "a network's file holds W1, b1, .* but this one holds no array of numbers$"),
        (one_layer(W2=np.ones((2, 4))), r"one holds W1 \(3, 2\), b1 \(2,\), W2 \(2, 4\)$"),
        (one_layer(mask=np.ones(2)), r"one holds .*mask \(2,\)"),
        (one_layer(W1=np.ones((3, 2, 1))), r"one holds W1 \(3, 2, 1\)"),
        (one_layer(W1=np.ones(())), r"one holds b1 \(2,\)$"),
        (one_layer(b1=np.ones(3), W2=np.ones((2, 2)), b2=np.ones(2)), r"one holds .*b1 \(3,\)"),
        (one_layer(W1=np.ones((3, 4)), b1=np.ones((2, 2))), r"one holds .*b1 \(2, 2\)"),
        (one_layer(W2=np.ones((3, 4)), b2=np.ones(4)), r"one holds .*W2 \(3, 4\), b2 \(4,\)"),
        (one_layer(W1=np.ones((0, 2))), r"one holds W1 \(0, 2\)"),
        (one_layer(W1=np.ones((3, 0)), b1=np.ones(0)), r"one holds W1 \(3, 0\)"),
        (one_layer(W1=np.ones((3, 2), complex)), r"one holds b1 \(2,\)$"),
        (one_layer(b1=np.ones(2, [("x", "f4")])), r"one holds W1 \(3, 2\)$"),
        (one_layer(W1=np.array([[1, 1], [np.nan, 1], [1, 1]])), "W1 holds nan or infinity"),
        *[(one_layer(b1=np.array([1, v])), "b1 holds nan") for v in (np.nan, np.inf, -np.inf)],
    ],
)
def test_arrays_that_are_not_whole_layers_of_numbers_are_told(tmp_path, write, arrays, told):
    with pytest.raises(ValueError, match=rf"w\.pkl: .*{told}"):
        load_bytes(tmp_path, write(arrays))


# files that mean harm, and damaged ones


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"cos\nsystem\n(S'echo > mark'\ntR.", r"os\.system"),
        (b"\x80\4\x8c\2os\x8c\6system\x93\x8c\x0becho > mark\x85R.", r"os\.system"),
        (b"(S'echo > mark'\nios\nsystem\n.", r"os\.system"),
        (b"(cos\nsystem\nS'echo > mark'\no.", r"os\.system"),
        (b'c__builtin__\neval\n(S\'open("mark", "w").close()\'\ntR.', r"__builtin__\.eval"),
        (b"cnumpy\nsave\n(S'mark'\nI1\ntR.", r"numpy\.save"),
        (b"\x80\4\x8c\5numpy\x8c\x0endarray.tofile\x93.", r"numpy\.ndarray\.tofile"),
        (b"c_codecs\ndecode\n.", r"_codecs\.decode"),
    ],
)
def test_a_call_in_a_pickle_is_named_and_not_run(tmp_path, monkeypatch, data, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=rf"w\.pkl: .* names {name}, which was not run"):
        load_bytes(tmp_path, data)
    assert os.listdir() == ["w.pkl"]
    if b"mark" in data:
        pickle.loads(data)  # noqa: S301 - to see that it would have done harm
        assert len(os.listdir()) == 2


def test_a_file_that_is_or_unpacks_to_more_than_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("course_utils._files.LARGEST", 10_000)
    for data in (pickle.dumps(bytes(20_000)), npz({"W1": np.ones((50, 50))})):
        with pytest.raises(ValueError, match=rf"{len(data):,} bytes, and 10,000 are the most"):
            load_bytes(tmp_path, data)
    data = zip_of(W1_npy=npz(one_layer())[:1] * 9_000, b1_npy=bytes(2_000))
    assert len(data) < 1_000
    with pytest.raises(ValueError, match=r"w\.pkl: .*11,000 bytes, and 10,000 are the most"):
        load_bytes(tmp_path, data)
    load_bytes(tmp_path, npz(one_layer()))


def npy_header(shape):
    header = io.BytesIO()
    fields = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, fields)
    return header.getvalue()


WHOLE = [npz(layers()), pickle.dumps(layers(), 2), pickle.dumps(layers(), 5)]
DAMAGED = [
    *[data[: int(share * len(data))] for data in WHOLE for share in (0.02, 0.3, 0.9, 0.999)],
    zip_of(W1_npy=npy_header((10**15,))),
    zip_of(W1_npy=npy_header((4,)) + bytes(15)),  # the last number lacks a byte
    zip_of(W1_npy=npy_header((-1, -1))),
    zip_of(W1_npy=b"\x93NUMPY"),
    npz(one_layer()).replace(np.ones((3, 2)).tobytes(), bytes(48)),  # the checksum is of others
]


@pytest.mark.parametrize("k", range(len(DAMAGED)))
def test_a_file_that_is_damaged_is_told(tmp_path, k):
    with pytest.raises(ValueError, match=r"w\.pkl: not a readable file of plain NumPy arrays"):
        load_bytes(tmp_path, DAMAGED[k])


SMALL = {
    "npz": npz(one_layer()),
    "python 2": python2_pickle({"W1": np.ones((3, 2), "f4"), "b1": np.ones(2, "f4")}),
    **{f"pickle{p}": pickle.dumps(one_layer(), p) for p in (0, 2, 5)},
    **{f"{start!r} …": start for start in (b"", b"PK\x03\x04", b"\x80\x02}", b"\x80\x04")},
}


@pytest.mark.filterwarnings("ignore")  # of NumPy or Python, about what a damaged file holds
@pytest.mark.parametrize("original", SMALL.values(), ids=SMALL)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_change_of_a_file_is_read_or_told(tmp_path_factory, original, data):
    path = tmp_path_factory.getbasetemp() / "mutated.pkl"
    path.write_bytes(data.draw(mutated(original)))
    try:
        network = Network.load(path, activation="relu")
    except ValueError as error:
        assert "mutated.pkl" in str(error)  # noqa: PT017 - reading it is right, too
    else:
        assert all(np.isfinite(array).all() for array in network.params.values())
        network.predict_proba(np.zeros((1, network.layer_sizes[0])))
