"""Parameters on disk: exact round trips, pickles old and new, and files that mean harm."""

import io
import os
import pickle
import struct
import subprocess
import sys
import time
import tracemalloc
import types
import zipfile
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutated_files import mutated

from course_utils import weight_files
from course_utils.network import Network

NAMES = ["W1", "b1", "W2", "b2", "W3", "b3"]


def layers(dtype="float32"):
    """Make the arrays of a network 3-80-5-2: long enough for each kind of opcode."""
    rng = np.random.default_rng(0)
    shapes = [(3, 80), (80,), (80, 5), (5,), (5, 2), (2,)]
    return {name: rng.normal(size=s).astype(dtype) for name, s in zip(NAMES, shapes, strict=True)}


def one_layer(**replaced):
    return {"W1": np.ones((3, 2)), "b1": np.ones(2)} | replaced


def pickled(content, protocol, pickler=pickle.Pickler):
    buffer = io.BytesIO()
    pickler(buffer, protocol).dump(content)
    return buffer.getvalue()


def npz(arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


FORMATS = {
    "npz": npz,
    "pickle2": lambda arrays: pickled(arrays, 2),
    "pickle5": lambda arrays: pickled(arrays, 5),
}


def assert_same(network, arrays):
    assert list(network.params) == list(arrays)
    for name, array in arrays.items():
        assert network.params[name].dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(network.params[name], array)


# save and load


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [(6, 5, 4, 3), (1, 3, 1, 2), (6, 4)])
def test_a_saved_network_is_the_same_when_loaded(tmp_path, activation, dtype, sizes):
    network = Network(sizes, activation=activation, dtype=dtype)
    network.params["b1"] = np.linspace(-1, 1, sizes[1])
    network.save(tmp_path / "w.npz")
    for loaded in (
        Network.load(tmp_path / "w.npz"),
        Network.load(str(tmp_path / "w.npz"), activation=activation),
    ):
        assert loaded.activation == activation
        assert loaded.layer_sizes == sizes
        assert_same(loaded, network.params)


def test_a_saved_file_is_plain_npz(tmp_path):
    network = Network([3, 2], activation="sigmoid")
    network.save(tmp_path / "w.npz")
    with np.load(tmp_path / "w.npz") as file:
        assert sorted(file) == ["W1", "activation", "b1"]
        assert file["activation"] == "sigmoid"
        np.testing.assert_array_equal(file["W1"], network.params["W1"])


@pytest.mark.parametrize("name", ["w.npz", "w", "weights.of.today.bin"])
def test_a_file_is_saved_under_the_exact_name_and_leaves_nothing_else(tmp_path, name):
    for path in (tmp_path / name, str(tmp_path / name)):
        Network([3, 2]).save(path)
        assert os.listdir(tmp_path) == [name]
    Network.load(tmp_path / name)


@pytest.mark.parametrize("old", [b"the old file", None])
@pytest.mark.parametrize(
    "broken", ["course_utils.weight_files.open", "numpy.savez", "os.fsync", "os.replace"]
)
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt("Ctrl-C")])
def test_a_save_that_fails_keeps_the_old_file_and_no_other(
    tmp_path, monkeypatch, old, broken, error
):
    def fail(file, *_, **__):
        if broken == "numpy.savez":
            file.write(b"PK half of a file")
            file.flush()
        raise error

    path = tmp_path / "w.npz"
    if old:
        path.write_bytes(old)
    monkeypatch.setattr(broken, fail, raising=False)
    with pytest.raises(type(error), match=str(error)):
        Network([3, 2]).save(path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == ({"w.npz": old} if old else {})


KILLED_AT_EACH_CALL = """
import itertools, os, signal, sys
import numpy as np
from course_utils import Network

old, new = Network([30, 20, 10], rng=1), Network([30, 20, 10], rng=2)
new.save("new.npz")

def count(frame, event, function):
    global n_calls
    n_calls += event == "c_call"
    if n_calls == stop_at:
        os.kill(os.getpid(), signal.SIGKILL)

seen = []
for stop_at in itertools.count(1, 7):
    old.save("weights.npz")
    child = os.fork()
    if not child:
        n_calls = 0
        sys.setprofile(count)
        new.save("weights.npz")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), status
    vector = Network.load("weights.npz").params.vector
    is_old, is_new = (np.array_equal(vector, n.params.vector) for n in (old, new))
    assert is_old != is_new, stop_at
    seen.append(is_new)
    if status == 0:
        break
assert seen == sorted(seen)
print(seen.count(False), seen.count(True))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_save_that_is_killed_at_any_point_leaves_the_old_file_or_the_new(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT_EACH_CALL],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    n_old, n_new = map(int, done.stdout.split())
    assert n_old > 20
    assert n_new >= 1


def test_a_file_is_moved_into_place_only_when_it_is_on_the_disk(tmp_path, monkeypatch):
    path, synced = tmp_path / "w.npz", []

    def fsync(file):
        synced.append(os.fstat(file).st_size)
        assert not path.exists()

    monkeypatch.setattr(os, "fsync", fsync)
    Network([3, 2]).save(path)
    assert synced == [path.stat().st_size]


def test_two_saves_at_once_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "w.npz"
    with weight_files.whole_file(path, "wb") as first:
        first.write(b"first ")
        with weight_files.whole_file(path, "wb") as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
        first.write(b"and whole")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"first and whole"]


def test_a_folder_that_is_missing_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        Network([3, 2]).save(tmp_path / "missing" / "w.npz")
    with pytest.raises(FileNotFoundError):
        Network.load(tmp_path / "missing.npz")


def test_any_npz_of_such_arrays_is_read(tmp_path):
    arrays = layers()
    as_rows = {name: a[None] if name[0] == "b" else a for name, a in reversed(arrays.items())}
    np.savez_compressed(tmp_path / "w", **as_rows)
    assert_same(Network.load(tmp_path / "w.npz", activation="relu"), arrays)


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        (["float16", "float16"], "float32"),
        (["int8", "uint8"], "float32"),
        (["int64", "int64"], "float64"),
        (["float32", "float64"], "float64"),
    ],
)
def test_numbers_of_any_type_are_read(tmp_path, stored, read):
    arrays = one_layer(W1=np.ones((3, 2), stored[0]), b1=np.ones(2, stored[1]))
    np.savez(tmp_path / "w.npz", **arrays)
    network = Network.load(tmp_path / "w.npz", activation="relu")
    assert network.dtype == read
    assert (network.params.vector == 1).all()


# which activation


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_an_activation_that_nobody_says_is_asked_for(tmp_path, write):
    path = tmp_path / "w.pkl"
    path.write_bytes(write(one_layer()))
    with pytest.raises(ValueError, match=r"w\.pkl does not say which activation"):
        Network.load(path)
    for activation in ("relu", "sigmoid"):
        assert Network.load(path, activation=activation).activation == activation


def test_an_activation_that_contradicts_the_file_is_told(tmp_path):
    Network([3, 2], activation="sigmoid").save(tmp_path / "w.npz")
    with pytest.raises(ValueError, match=r"w\.npz holds a network with sigmoid, not relu"):
        Network.load(tmp_path / "w.npz", activation="relu")


@pytest.mark.parametrize(
    ("activation", "message"),
    [
        ("tanh", "activation must be 'relu' or 'sigmoid', but is 'tanh'"),
        (["relu", "relu"], r"w\.npz: activation must be one word"),
        (1, r"w\.npz: activation must be one word, but is int"),
        (b"relu", r"w\.npz: activation must be one word"),
    ],
)
def test_an_activation_that_is_not_one_of_ours_is_told(tmp_path, activation, message):
    np.savez(tmp_path / "w.npz", **one_layer(), activation=np.array(activation))
    with pytest.raises(ValueError, match=message):
        Network.load(tmp_path / "w.npz")


def test_an_activation_that_is_not_an_array_is_told(tmp_path):
    np.savez(tmp_path / "w.npz", **one_layer())
    with zipfile.ZipFile(tmp_path / "w.npz", "a") as file:
        file.writestr("activation", b"relu")
    with pytest.raises(ValueError, match=r"w\.npz: activation must be one word"):
        Network.load(tmp_path / "w.npz")


# pickles


class OldNumPyPickler(pickle._Pickler):
    """Writes what NumPy before 2.0 wrote: its modules had other names."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_global(self, obj, name=None):
        module = obj.__module__.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{name or obj.__name__}\n".encode())
        self.memoize(obj)

    dispatch[types.FunctionType] = save_global


class Python2Pickler(OldNumPyPickler):
    """Writes what Python 2 wrote: its str held text and bytes alike."""

    dispatch = OldNumPyPickler.dispatch.copy()

    def save_str(self, obj):
        data = obj.encode("latin1") if isinstance(obj, str) else obj
        if not self.bin:
            self.write(pickle.STRING + repr(data).removeprefix("b").encode() + b"\n")
        elif len(data) < 256:
            self.write(pickle.SHORT_BINSTRING + bytes([len(data)]) + data)
        else:
            self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)
        self.memoize(obj)

    dispatch[str] = dispatch[bytes] = save_str


def load_bytes(tmp_path, data):
    path = tmp_path / "w.pkl"
    path.write_bytes(data)
    return Network.load(path, activation="sigmoid")


WRITERS = [
    *[(Python2Pickler, protocol) for protocol in (0, 1, 2)],
    *[(OldNumPyPickler, protocol) for protocol in (0, 1, 2, 3, 4, 5)],
    *[(pickle.Pickler, protocol) for protocol in (0, 1, 2, 3, 4, 5)],
]


@pytest.mark.parametrize(("pickler", "protocol"), WRITERS)
@pytest.mark.parametrize(
    "form",
    [
        dict,
        lambda arrays: dict(reversed(arrays.items())),
        lambda arrays: [a[None] if a.ndim == 1 else a for a in arrays.values()],
        lambda arrays: tuple(arrays.values()),
    ],
    ids=["the book's dict", "dict backwards", "the article's list", "tuple"],
)
def test_a_pickle_of_a_dict_or_list_is_read(tmp_path, pickler, protocol, form):
    arrays = layers()
    network = load_bytes(tmp_path, pickled(form(arrays), protocol, pickler))
    assert network.activation == "sigmoid"
    assert network.layer_sizes == (3, 80, 5, 2)
    assert_same(network, arrays)


@pytest.mark.parametrize(
    ("pickler", "protocol"),
    [(Python2Pickler, 2), (OldNumPyPickler, 2), (pickle.Pickler, 4), (pickle.Pickler, 5)],
)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8"])
def test_arrays_of_any_layout_are_read(tmp_path, pickler, protocol, order, dtype):
    arrays = {name: np.asarray(a, order=order) for name, a in layers(dtype).items()}
    assert_same(load_bytes(tmp_path, pickled(arrays, protocol, pickler)), arrays)


@pytest.mark.parametrize(
    ("pickler", "protocol", "says"),
    [
        (Python2Pickler, 2, [b"cnumpy.core.multiarray\n_reconstruct\n", b"U\x02W1", b"T\xc0\x03"]),
        (OldNumPyPickler, 2, [b"cnumpy.core.multiarray\n_reconstruct\n", b"c_codecs\nencode\n"]),
        (OldNumPyPickler, 5, [b"cnumpy.core.numeric\n_frombuffer\n"]),
    ],
)
def test_the_picklers_above_write_what_old_versions_wrote(pickler, protocol, says):
    data = pickled(layers(), protocol, pickler)
    assert [part for part in says if part not in data] == []


def test_a_strided_array_is_read_from_a_pickle(tmp_path):
    arrays = one_layer(W1=np.arange(24.0).reshape(6, 4)[::2, ::2])
    assert_same(load_bytes(tmp_path, pickled(arrays, 5)), arrays)


# files that mean harm


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def evil_npy(path):
    """Write an array whose objects call `os.mkdir`, and return where."""
    np.save(path.with_name("evil.npy"), np.array([Call(os.mkdir, str(path))], dtype=object))
    return str(path.with_name("evil.npy"))


HARM = {
    "system": lambda path: Call(os.system, f"touch '{path}'"),
    "eval": lambda path: Call(eval, f"open({str(path)!r}, 'w')"),
    "exec": lambda path: Call(exec, f"open({str(path)!r}, 'w')"),
    "open": lambda path: Call(open, str(path), "w"),
    "save": lambda path: Call(np.save, str(path), 1),
    "load": lambda path: Call(np.load, evil_npy(path), None, True),
}


@pytest.mark.skipif(os.name != "posix", reason="the payloads are for Unix")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # some payloads open a file and leave it so
@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("name", HARM)
def test_a_call_in_a_pickle_is_named_and_not_run(tmp_path, protocol, name):
    mark = tmp_path / "mark.npy"
    data = pickled(one_layer(W1=HARM[name](mark)), protocol)
    with pytest.raises(ValueError, match=rf"w\.pkl: .* names \w+\.{name}, which is not allowed"):
        load_bytes(tmp_path, data)
    assert not mark.exists()
    pickle.loads(data)  # noqa: S301 - to see that it would have done harm
    assert mark.exists()


@pytest.mark.skipif(os.name != "posix", reason="the payloads are for Unix")
@pytest.mark.parametrize(
    ("opcodes", "name"),
    [
        (b"(S'touch mark'\nios\nsystem\n.", "os.system"),
        (b"(cos\nsystem\nS'touch mark'\no.", "os.system"),
        (b"\x80\x02cos\nsystem\nU\x0atouch mark\x85\x81.", "os.system"),
        (b"\x80\x04\x8c\x05numpy\x8c\x0fdtype.__class__\x93.", "numpy.dtype.__class__"),
        (b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.", "numpy.ndarray.tofile"),
        (b"cnumpy.core.multiarray\nscalar\n.", "numpy.core.multiarray.scalar"),
        (b"ccopyreg\n_reconstructor\n.", "copyreg._reconstructor"),
        (b"c_codecs\ndecode\n.", "_codecs.decode"),
        (b"c__builtin__\neval\n.", "__builtin__.eval"),
    ],
)
def test_no_other_opcode_reaches_a_name_that_is_not_known(tmp_path, monkeypatch, opcodes, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=rf"w\.pkl: .* names {name}, which is not allowed"):
        load_bytes(tmp_path, opcodes)
    assert os.listdir() == ["w.pkl"]


def test_a_pickle_cannot_reach_into_the_reader(tmp_path):
    # BUILD would set attributes of the stand-ins for numpy.dtype and _frombuffer, for good
    for name in (b"numpy\ndtype", b"numpy\nndarray", b"numpy._core.numeric\n_frombuffer"):
        data = b"\x80\x02c" + name + b"\nN}U\x08to_numpyNs\x86b."
        with pytest.raises(ValueError, match=r"w\.pkl: not a pickle"):
            load_bytes(tmp_path, data)
        assert_same(load_bytes(tmp_path, pickled(layers(), 5)), layers())


# files that are broken


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "missing: W1, b1; not a parameter: nothing"),
        ({"W1": np.ones((3, 2))}, "missing: b1; not a parameter: nothing"),
        (one_layer(W2=np.ones((2, 4))), "missing: b2; not a parameter: nothing"),
        (one_layer(b2=np.ones(2)), "missing: W2; not a parameter: nothing"),
        (one_layer(mask=np.ones(2)), "missing: nothing; not a parameter: 'mask'"),
        (one_layer(W3=np.ones((2, 2)), b3=np.ones(2)), "missing: W2, b2; .*: 'W3', 'b3'"),
        (one_layer(W1=np.ones(3)), r"W1 must have the shape \(n_in, n_out\), but has \(3,\)"),
        (one_layer(W1=np.ones((3, 2, 1))), r"W1 must have .* has \(3, 2, 1\)"),
        (one_layer(W1=np.ones(())), r"W1 must have .* has \(\)"),
        (one_layer(b1=np.ones(3)), r"b1 must have the shape \(2,\), but has \(3,\)"),
        (one_layer(b1=np.ones((2, 1))), r"b1 must have the shape \(2,\), but has \(2, 1\)"),
        (one_layer(b1=np.ones(())), r"b1 must have the shape \(2,\), but has \(\)"),
        (one_layer(W2=np.ones((3, 4)), b2=np.ones(4)), r"W2 .*\(2, n_out\), but has \(3, 4\)"),
        (one_layer(W2=np.ones((2, 4)), b2=np.ones(2)), r"b2 .*\(4,\), but has \(2,\)"),
        (one_layer(W1=np.array([[1, np.nan]] * 3)), "W1 holds nan or infinity"),
        (one_layer(b1=np.array([1, -np.inf])), "b1 holds nan or infinity"),
        (one_layer(W1=np.ones((3, 2), complex)), "W1 .*complex128"),
        (one_layer(b1=np.ones(2, bool)), "b1 .*bool"),
        (one_layer(b1=np.array(["a", "b"])), "b1 .*<U1"),
        (one_layer(b1=np.array(["2000", "2001"], "M8[Y]")), "b1 .*datetime64"),
        (one_layer(b1=np.ones(2, [("x", "f4")])), "b1 .*(x.*f4|V4)"),
    ],
)
def test_arrays_that_are_not_whole_layers_are_named(tmp_path, write, arrays, message):
    with pytest.raises(ValueError, match=rf"w\.pkl: .*{message}"):
        load_bytes(tmp_path, write(arrays))


@pytest.mark.parametrize("write", [npz, FORMATS["pickle5"]])
@pytest.mark.parametrize("shape", [(0, 2), (3, 0)])
def test_a_layer_without_units_is_named(tmp_path, write, shape):
    arrays = {"W1": np.ones(shape), "b1": np.ones(shape[1])}
    with pytest.raises(
        ValueError, match=rf"w\.pkl: W1 must have .* has \({shape[0]}, {shape[1]}\)"
    ):
        load_bytes(tmp_path, write(arrays))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (one_layer(W1=[[1.0, 2.0]]), "W1 must be an array of real numbers, but is list"),
        (one_layer(b1=None), "b1 must be an array of real numbers, but is NoneType"),
        (one_layer(W1=np.array([[None, {}]])), "W1 is an array of type object"),
        ([np.ones((3, 2))], "missing: b1"),
        ([np.ones((3, 2)), np.ones(2), np.ones((2, 4))], "missing: b2"),
        ({1: np.ones(2), None: np.ones(2)}, "missing: W1, b1; not a parameter: 1, None"),
        ("W1", "it holds a str, not a dict or list of arrays"),
        (np.ones((3, 2)), "not a dict or list of arrays"),
        (None, "it holds a NoneType"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_a_pickle_of_something_else_is_told(tmp_path, content, message, protocol):
    with pytest.raises(ValueError, match=rf"w\.pkl: .*{message}"):
        load_bytes(tmp_path, pickled(content, protocol))


def test_an_npz_file_with_a_pickled_array_is_told_and_nothing_is_run(tmp_path):
    mark = tmp_path / "mark"
    harm = np.array([Call(os.mkdir, str(mark))], dtype=object)
    with pytest.raises(ValueError, match=r"w\.pkl: .* plain arrays \('W1': an array of Python obj"):
        load_bytes(tmp_path, npz(one_layer(W1=harm)))
    assert not mark.exists()


def test_an_npz_file_with_a_member_that_is_no_array_is_told(tmp_path):
    np.savez(tmp_path / "w.npz", b1=np.ones(2))
    with zipfile.ZipFile(tmp_path / "w.npz", "a") as file:
        file.writestr("W1", b"1 1 1")
    with pytest.raises(ValueError, match=r"w\.npz: W1 must be an array of real numbers"):
        Network.load(tmp_path / "w.npz")


def npy_header(shape, dtype="<f4"):
    header = io.BytesIO()
    fields = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, fields)
    return header.getvalue()


@contextmanager
def refused_at_little_cost(message, peak_allowed=3_000_000):
    """Expect a ValueError, soon, and with little memory taken on the way."""
    start = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message):
            yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < peak_allowed
    assert time.monotonic() - start < 20


def test_an_npz_file_that_claims_more_than_the_memory_is_told(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as file:
        file.writestr("W1.npy", npy_header((10**12,)))
    message = r"w\.npz: .*\('W1': float32 of shape \(1000000000000,\) does not take 0 bytes\)"
    with refused_at_little_cost(message):
        Network.load(tmp_path / "w.npz")


def zip_bomb(n, says=None):
    """Return a zip file whose W1 unpacks to `n` zeros, though it says something else."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("W1.npy", npy_header((n // 4,)) + bytes(n))
    data = buffer.getvalue()
    # where an entry of the list at the end, and that before the data, hold the size
    for start, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)) if says else ():
        place = data.index(start) + offset
        data = data[:place] + struct.pack("<I", says) + data[place + 4 :]
    return data


def zip_of(members, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, data in members:
            file.writestr(name, data)
    return buffer.getvalue()


ONE = npy_header((1,)) + bytes(4)
BAD_ZIPS = {
    "unpacks to 100 MB": (zip_bomb(100_000_000), r"need 100,000,128 bytes, but it has only"),
    "unpacks to more than it says": (zip_bomb(100_000_000, says=4000), r"'W1': Bad CRC"),
    "many arrays": (zip_of((f"W{k}.npy", b"") for k in range(1001)), "more than 1,000 arrays"),
    "another compression": (zip_of([("W1.npy", ONE)], zipfile.ZIP_LZMA), "'W1': compressed in a"),
    "two of one name": (zip_of([("W1.npy", ONE), ("W1", ONE)]), "'W1': there are two"),
    "cut off inside": (zip_of([("b1.npy", ONE[:-1])]), r"'b1': float32 .*\(1,\) does not take 3 b"),
    "too long inside": (zip_of([("b1.npy", ONE + b"x")]), r"'b1': float32 .* does not take 5 b"),
    "negative shape": (zip_of([("W1.npy", npy_header((-1, -1)) + bytes(4))]), "'W1': .*dimension"),
    "vast header": (zip_of([("W1.npy", npy_header((1,) * 2000))]), "'W1': Header info length"),
}


@pytest.mark.parametrize(("data", "message"), BAD_ZIPS.values(), ids=BAD_ZIPS)
def test_a_bad_npz_file_is_refused_at_little_cost_and_its_array_named(tmp_path, data, message):
    path = tmp_path / "w.npz"
    path.write_bytes(data)
    with refused_at_little_cost(rf"w\.npz: not a readable \.npz file .*\(.*{message}"):
        Network.load(path)


@pytest.mark.parametrize(
    "text", [np.array("s" * 1_000_000), np.array(b"\xff\xff\xff\x7f").view("U1")]
)
def test_an_activation_that_is_no_word_is_told(tmp_path, text):
    np.savez(tmp_path / "w.npz", **one_layer(), activation=text.reshape(()))
    with pytest.raises(ValueError, match=r"w\.npz: activation must be one word"):
        Network.load(tmp_path / "w.npz")


DOUBLED = b"N" + 100 * b"q\x00h\x00\x86"  # a pair of a pair of … to look up takes 2**100 steps
FOUR_TB = struct.pack("<Q", 2**42) + b"x."
ENCODED = b"c_codecs\nencode\nq\x01X" + struct.pack("<I", 1_000_000) + 1_000_000 * b"x" + b"q\x02"


class Buffer:
    """Pickles as an array whose type is called something else."""

    def __init__(self, dtype):
        self.dtype = dtype

    def __reduce__(self):
        return np.ones(1).__reduce_ex__(5)[0], (bytes(8), Call(np.dtype, self.dtype), (1,), "C")


PICKLE_BOMBS = {
    "vast memo": (b"\x80\x02Nr\xff\xff\xff\x7f.", "it holds a NoneType"),
    "bytes of 4 TB": (b"\x80\x04\x8e" + FOUR_TB, "EOFError"),
    "bytearray of 4 TB": (b"\x80\x05\x96" + FOUR_TB, "EOFError"),
    "doubled key": (b"\x80\x02}" + DOUBLED + b"Ns.", "a tuple where a name must be"),
    "doubled keys": (b"\x80\x02}(" + DOUBLED + b"Nu.", "a tuple where a name must be"),
    "doubled key, old": (b"(" + DOUBLED + b"N" + b"d.", "a tuple where a name must be"),
    "doubled set": (
        b"\x80\x04\x8f(" + DOUBLED + b"\x90.",
        "an instruction that arrays do not need",
    ),
    "doubled type": (pickled(one_layer(W1=Buffer(("f4", "f4"))), 5), "without a plain name"),
    "long type": (pickled(one_layer(W1=Buffer("f4," * 1000)), 5), "without a plain name"),
    "many lists": (b"\x80\x02" + 3_000_000 * b"]", "far more instructions"),
    "text again and again": (
        b"\x80\x02" + ENCODED + b"]" + 900 * b"h\x01h\x02N\x86Ra" + b".",
        "W1 must be an array of real numbers, but is str",
    ),
    "many values": (pickled(1001 * [None], 2), "more than 1,000 arrays"),
    "array again and again": (pickled(100 * [np.zeros((500, 500))], 2), "need 200,000,000 bytes"),
}


@pytest.mark.parametrize(("data", "message"), PICKLE_BOMBS.values(), ids=PICKLE_BOMBS)
def test_a_pickle_bomb_is_refused_at_little_cost(tmp_path, data, message):
    with refused_at_little_cost(rf"w\.pkl: .*({message})", 20_000_000 + 3 * len(data)):
        load_bytes(tmp_path, data)


@pytest.mark.parametrize("data", [b"", b"hello", b"\x80", b"\x80\x04.", b"<html>", b"N", b"."])
def test_what_is_not_a_pickle_is_told(tmp_path, data):
    with pytest.raises(ValueError, match=r"w\.pkl: not a pickle of plain NumPy arrays"):
        load_bytes(tmp_path, data)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_a_file_that_was_cut_off_is_told(tmp_path, write, share):
    data = write(layers())
    with pytest.raises(ValueError, match=r"w\.pkl: not a (readable .npz file|pickle) of plain"):
        load_bytes(tmp_path, data[: int(share * len(data))])


def test_numbers_that_were_damaged_are_told(tmp_path):
    arrays = one_layer()
    data = npz(arrays)
    damaged = data.replace(arrays["W1"].tobytes(), bytes(48))
    assert damaged != data
    with pytest.raises(ValueError, match=r"w\.pkl: not a readable .npz file .*CRC"):
        load_bytes(tmp_path, damaged)


@pytest.fixture(scope="module")
def compressed_npz(tmp_path_factory):
    path = tmp_path_factory.mktemp("damaged") / "w.npz"
    np.savez_compressed(path, **layers(), activation=np.array("relu"))
    return path


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_file_with_a_damaged_byte_is_read_or_told(compressed_npz, data):
    whole = compressed_npz.read_bytes()
    damaged = bytearray(whole)
    damaged[data.draw(st.integers(2, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    path = compressed_npz.with_name("damaged.npz")
    path.write_bytes(damaged)
    try:
        weight_files.read(path)
    except ValueError as error:
        assert "damaged.npz" in str(error)  # noqa: PT017 - reading it is right, too


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    start=st.sampled_from([b"", b"PK", b"PK\x03\x04", b"\x80\x02}", b"\x80\x04"]), data=st.binary()
)
def test_bytes_of_any_kind_are_told(tmp_path_factory, start, data):
    path = tmp_path_factory.getbasetemp() / "any.pkl"
    path.write_bytes(start + data)
    with pytest.raises(ValueError, match=r"any\.pkl"):
        weight_files.read(path)


@pytest.mark.skipif(np.longdouble(0).itemsize == 8, reason="this system has no longer numbers")
def test_a_long_number_that_no_shorter_one_holds_is_told(tmp_path):
    arrays = {"W1": np.full((2, 2), np.longdouble("1e300")), "b1": np.zeros(2)}
    np.savez(tmp_path / "w.npz", **arrays)
    read, _ = weight_files.read(tmp_path / "w.npz")
    assert (read["W1"] == 1e300).all()
    arrays["W1"] *= np.longdouble("1e300")
    np.savez(tmp_path / "w.npz", **arrays)
    with pytest.raises(ValueError, match=r"w\.npz: W1 holds nan or infinity"):
        weight_files.read(tmp_path / "w.npz")


SMALL = {name: FORMATS[name](one_layer()) for name in FORMATS} | {
    "pickle of Python 2": pickled(one_layer(), 0, Python2Pickler)
}


@pytest.mark.filterwarnings("ignore:invalid escape sequence")  # in what was a text of Python 2
@pytest.mark.parametrize("original", SMALL.values(), ids=SMALL)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_change_of_a_file_is_read_or_told(tmp_path_factory, original, data):
    path = tmp_path_factory.getbasetemp() / "mutated.pkl"
    path.write_bytes(data.draw(mutated(original)))
    try:
        arrays, _ = weight_files.read(path)
    except ValueError as error:
        assert "mutated.pkl" in str(error)  # noqa: PT017 - reading it is right, too
    else:
        Network.load(path, activation="relu")
        assert all(np.isfinite(array).all() for array in arrays.values())
