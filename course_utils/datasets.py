"""Handwritten digits: MNIST's file format, its verified download, and the offline digits."""

import hashlib
import math
import os
import queue
import struct
import sys
import threading
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .functions import one_hot

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
# seconds: for a mirror to answer at all, until the next one is asked too, and for a pause in a
# download that is under way
ANSWER_TIMEOUT, HEAD_START, PAUSE_TIMEOUT = 8, 0.5, 30
LARGEST_DOWNLOAD = 20_000_000  # bytes; twice MNIST's largest file, since a server may never end
_ADVICE = (
    "(To have it: go online, or put its four files into a folder and set MNIST_DIR to that folder.)"
)

# SHA-256 of the official files, as they are downloaded and as some computers unpack them unasked
CHECKSUMS = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
FILE_NAMES = tuple(name for name in CHECKSUMS if name.endswith(".gz"))

# five test images, chosen by eye, that the notebooks come back to
FAMILIAR = {
    "mnist": {"sure": 0, "unsure": 448, "four": 1242, "five": 5937, "unreadable": 659},
    "uci-digits": {"sure": 92, "unsure": 174, "four": 264, "five": 112, "unreadable": 86},
    "other": {"sure": 0, "unsure": 1, "four": 2, "five": 3, "unreadable": 4},
}

# the third byte of an IDX file: the type of its numbers, which are big-endian
IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"
_DEFLATE_MAX_RATIO = 1032  # no deflated byte stands for more (zlib's technical notes)
# a gzip file may unpack to so many bytes, or to so many times its size
_UNPACK_LIMIT, _UNPACK_RATIO = 64_000_000, 10


@dataclass(frozen=True, eq=False)
class Digits:
    """Images and labels, to train on and to test on.

    It unpacks as ``(X_train, y_train), (X_test, y_test) = digits``.

    Attributes
    ----------
    X_train, X_test : ndarray, shape (n, 784) or (n, 28, 28)
    y_train, y_test : ndarray, shape (n,) or (n, 10)
    source : str
        ``"mnist"``, ``"uci-digits"`` (the offline digits), or ``"other"`` for files of your own.
    files : dict of str to Path
        Where the four files are: "train-images", "train-labels", "t10k-images", "t10k-labels".
    """

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    source: str
    files: dict

    def __iter__(self):
        yield self.X_train, self.y_train
        yield self.X_test, self.y_test

    @property
    def familiar(self):
        """Where the five digits are that the notebooks come back to: name to test image."""
        return FAMILIAR[self.source]

    def __repr__(self):
        return (
            f"Digits: {len(self.X_train):,} to train on, {len(self.X_test):,} to test on, from "
            f"{self.source}"
        )


def load_mnist(normalize=True, flatten=True, one_hot_label=False, *, source="auto", data_dir=None):
    """Load handwritten digits: MNIST, or the offline digits where MNIST cannot be had.

    Parameters
    ----------
    normalize : bool
        Pixels as float32, 0–1; otherwise as uint8, 0–255.
    flatten : bool
        Images as rows, (n, 784); otherwise (n, 28, 28).
    one_hot_label : bool
        Labels as float32 rows of ten, (n, 10); otherwise as int64, (n,).
    source : {"auto", "mnist", "uci-digits"}
        "auto" looks for the four files in `data_dir`, in the folder that the environment variable
        MNIST_DIR names, in data/mnist, and in the user's cache folder; then downloads them; and
        falls back to the offline digits. "mnist" raises instead of falling back. "uci-digits" takes
        the offline digits at once. A line says where a folder was passed over, or the digits are
        not MNIST. The environment variable MNIST_SOURCE, where it is set, takes the place of "auto"
        if there is no `data_dir`.
    data_dir : path-like, optional
        A folder of yours with the four files, as ``.gz`` or unpacked.

    Returns
    -------
    Digits
        Unpacks as ``(X_train, y_train), (X_test, y_test)``.

    Raises
    ------
    ValueError
        If `source` is unknown, a file found in `data_dir` or MNIST_DIR is malformed, or `data_dir`
        lacks some of the four files and a download would overwrite the others.
    OSError
        If `source` is "mnist" and the files are neither on disk nor to be downloaded.
    """
    if source == "auto" and data_dir is None:
        source = os.environ.get("MNIST_SOURCE") or "auto"
    if source not in ("auto", "mnist", "uci-digits"):
        raise ValueError(f"source must be 'auto', 'mnist' or 'uci-digits', but is {source!r}")
    if source == "uci-digits":
        found = data_path("uci-digits"), source
    else:
        found = find_mnist(data_dir)
        try:
            found = found or (_download(data_dir), "mnist")
        except OSError as error:
            if source == "mnist":
                raise
            print(f"{error.args[0]} So these are the offline digits, not MNIST.")
            found = data_path("uci-digits"), "uci-digits"
    folder, source = found
    files = {name.rsplit("-", 2)[0]: _file(folder, name) for name in FILE_NAMES}
    arrays = []
    for part in ("train", "t10k"):
        images, labels = _read_part(files[f"{part}-images"], files[f"{part}-labels"])
        if normalize:
            images = np.divide(images, np.float32(255), dtype=np.float32)
        arrays.append(images.reshape(len(images), 28 * 28) if flatten else images)
        arrays.append(one_hot(labels) if one_hot_label else labels.astype(np.int64))
    return Digits(*arrays, source, files)


def find_mnist(data_dir=None):
    """Look for MNIST on this computer, without the network.

    Parameters
    ----------
    data_dir : path-like, optional
        Where to look first.

    Returns
    -------
    (Path, str) or None
        The folder that holds the four files, and "mnist" or "other".
    """
    for name, folder in (("data_dir", data_dir), ("MNIST_DIR", os.environ.get("MNIST_DIR"))):
        if not folder:
            continue
        missing = [file for file in FILE_NAMES if not _file(folder, file)]
        if missing:
            print(f"{name} has no {missing[0]}, so MNIST is looked for elsewhere.")
        else:
            official = _is_official(folder)
            if not official:
                print("The files found are not the official MNIST; they are used as they are.")
            return Path(folder), "mnist" if official else "other"
    for folder in _own_folders():
        if all(_file(folder, name) for name in FILE_NAMES) and _is_official(folder):
            return folder, "mnist"
    return None


def data_path(name):
    """Return the path of a file or folder that ships with the course.

    Parameters
    ----------
    name : str
        ``"sample_weights.npz"`` or ``"uci-digits"``.

    Returns
    -------
    Path

    Raises
    ------
    FileNotFoundError
        If the course does not ship it.
    """
    # beside the package in a checkout, inside it once installed
    path = next((p for p in (_project_data() / name, _package_data() / name) if p.exists()), None)
    if path is None:
        raise FileNotFoundError(f"the course ships no {name!r}, or was installed without its data")
    return path


def read_idx(path):
    """Read an array from a file in the IDX format, gzipped or not.

    The format, as MNIST's first home described it: two zero bytes; a byte for the type of the
    numbers; a byte for the number of dimensions; the size of each dimension as a big-endian 32-bit
    integer; then the numbers, big-endian, the last dimension changing fastest.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    ndarray
        uint8, int8, int16, int32, float32 or float64, with the shape that the file states.

    Raises
    ------
    ValueError
        If the file is not whole and right; the message names the file and what is wrong.
    OSError
        If the file cannot be read.
    """
    path = Path(path)
    data = path.read_bytes()
    zipped = data[:2] == _GZIP_MAGIC
    if path.suffix == ".gz" and not zipped:
        raise ValueError(f"{path}: not a gzip file, though its name ends in .gz; get it again")
    head = _unpack(path, data, 4 + 4 * 255) if zipped else data
    if len(head) < 4:
        raise ValueError(f"{path}: too short for an IDX header: {len(head)} bytes")
    zeros, type_code, n_dims = struct.unpack(">HBB", head[:4])
    if zeros != 0:
        raise ValueError(
            f"{path}: wrong magic number: an IDX file begins with two zero bytes, this one with "
            f"{head[:2].hex(' ')}"
        )
    if type_code not in IDX_TYPES:
        known = ", ".join(f"0x{code:02x}" for code in IDX_TYPES)
        raise ValueError(f"{path}: unknown type 0x{type_code:02x}; the format has {known}")
    start = 4 + 4 * n_dims
    if len(head) < start:
        raise ValueError(f"{path}: too short for the {n_dims} sizes that its header announces")
    shape = struct.unpack(f">{n_dims}I", head[4:start])
    dtype = np.dtype(IDX_TYPES[type_code])
    expected = start + math.prod(shape) * dtype.itemsize
    # all asked before unpacking: a header of a few bytes may promise terabytes
    at_most = len(data) * _DEFLATE_MAX_RATIO if zipped else len(data)
    if expected <= at_most and zipped:
        if expected > max(_UNPACK_LIMIT, _UNPACK_RATIO * len(data)):
            raise ValueError(
                f"{path}: {len(data):,} bytes that unpack to {expected:,}; if you trust them, "
                "unpack the file yourself, with gunzip, and read the result"
            )
        data = _unpack(path, data, expected + 1)
        at_most = len(data)
    if expected > at_most:
        raise ValueError(
            f"{path}: the sizes {shape} in its header need {expected:,} bytes, but the file ends "
            "before that; it is cut off"
        )
    if expected < len(data):
        raise ValueError(f"{path}: trailing bytes after the {expected:,} that its header announces")
    try:
        array = np.frombuffer(data, dtype, offset=start).reshape(shape)
    except ValueError as error:  # too many dimensions, or sizes too large beside a 0
        raise ValueError(
            f"{path}: NumPy has no array of the shape in its header: {error}"
        ) from error
    return array.astype(dtype.newbyteorder("="))


def _unpack(path, data, max_length):
    """Return the first `max_length` bytes of a gzip file; all checked if the file is no longer."""
    inflater = zlib.decompressobj(wbits=31)  # 31: with gzip's header and checksum
    try:
        unpacked = inflater.decompress(data, max_length)
    except zlib.error as error:
        raise ValueError(f"{path}: a damaged gzip file ({error}); get it again") from error
    if len(unpacked) < max_length and not inflater.eof:
        raise ValueError(f"{path}: a gzip file that is cut off; get it again")
    if inflater.unused_data:
        raise ValueError(f"{path}: trailing bytes after the end of the gzip data")
    return unpacked


def _read_part(images_path, labels_path):
    """Return images (n, 28, 28) and labels (n,) from two files, checked against each other."""
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28):
        raise ValueError(
            f"{images_path}: must hold images of 28×28 bytes, but holds {images.dtype} of shape "
            f"{images.shape}"
        )
    if labels.dtype != np.uint8 or labels.ndim != 1:
        raise ValueError(
            f"{labels_path}: must hold one byte a label, but holds {labels.dtype} of shape "
            f"{labels.shape}"
        )
    if len(images) != len(labels):
        raise ValueError(f"{labels_path}: {len(labels):,} labels for {len(images):,} images")
    if labels.max(initial=0) > 9:
        raise ValueError(f"{labels_path}: labels must be 0 to 9, but one is {labels.max()}")
    return images, labels


def _project_data():
    return Path(__file__).resolve().parents[1] / "data"


def _package_data():
    return Path(__file__).resolve().parent / "data"


def _own_folders():
    """Yield the folders that downloads go to: the project's, where there is one, then the user's."""
    if (_project_data() / "uci-digits").is_dir():
        yield _project_data() / "mnist"
    import pooch

    yield Path(pooch.os_cache("course_utils")) / "mnist"


def _file(folder, name):
    """Return the path of the file `name` (``….gz``) in `folder`, or of its unpacked form, or None."""
    paths = (Path(folder) / name, Path(folder) / name.removesuffix(".gz"))
    # os.path: without an error where the folder must not be looked into
    return next((path for path in paths if os.path.isfile(path)), None)


def _is_official(folder):
    """Return whether all four files in `folder` have the official checksums."""
    return all(_has_checksum(_file(folder, name)) for name in FILE_NAMES)


def _has_checksum(path):
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == CHECKSUMS[path.name]
    except OSError:  # not ours to read
        return False


def _download(data_dir):
    """Download the four files from the first mirror that gives them, and return their folder.

    Raises OSError, with a message for the user and no path in it, if there is no mirror or no place
    to write; ValueError rather than overwrite a file in `data_dir`.
    """
    for name in FILE_NAMES if data_dir else ():
        path = Path(data_dir) / name
        # os.path: without an error where there can be no such path
        if os.path.exists(path) and not _has_checksum(path):
            raise ValueError(
                f"{path}: not the official file, and the other three are not all beside it; add "
                "them or take this one away"
            )
    found, more = [], _answering(MIRRORS)

    def mirrors():
        yield from found
        for mirror in more:
            found.append(mirror)
            yield mirror

    if not any(mirrors()):
        raise OSError(
            f"MNIST is not on this computer, and no server that offers it answers. {_ADVICE}"
        )
    reasons = []
    for folder in [Path(data_dir)] if data_dir else _own_folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in FILE_NAMES:
                _download_file(name, mirrors(), folder)
            return folder
        except ConnectionError as error:
            reasons.append(str(error))
            break  # another folder would not help
        except OSError as error:
            reason = error.strerror or type(error).__name__  # str(error) would hold a path
            reasons.append(f"a folder cannot be written ({reason})")
    raise OSError(f"MNIST could not be downloaded: {'; '.join(reasons)}. {_ADVICE}")


def _answering(mirrors):
    """Yield those of the mirrors that answer, as they do, until the time for that is over.

    The first is asked at once, each other one a head start later, if it is still needed then. One
    that sends to another address, such as one without https, is none.
    """
    import requests

    answers, done = queue.SimpleQueue(), threading.Event()

    def ask(mirror, wait):
        if done.wait(wait):
            return
        try:
            url = mirror + FILE_NAMES[-1]
            with requests.get(
                url, stream=True, timeout=ANSWER_TIMEOUT, allow_redirects=False
            ) as response:
                answers.put((mirror, response.status_code == requests.codes.ok))
        except Exception:  # settings for a proxy can be wrong in many ways
            answers.put((mirror, False))

    deadline = time.monotonic() + ANSWER_TIMEOUT
    # threads, since a name server that keeps silent cannot be hurried
    for k, mirror in enumerate(mirrors):
        threading.Thread(target=ask, args=(mirror, k * HEAD_START), daemon=True).start()
    try:
        for _ in mirrors:
            mirror, is_good = answers.get(timeout=max(0, deadline - time.monotonic()))
            if is_good:
                yield mirror
    except queue.Empty:
        return
    finally:
        done.set()


def _download_file(name, mirrors, folder):
    """Bring one file into `folder`, whole and right, from the first of the mirrors that has it so.

    Raises ConnectionError, with the reason for each mirror, if none has; OSError if the file cannot
    be written.
    """
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")  # its lines hold paths
    reasons = []
    for mirror in mirrors:
        try:
            # it writes to a temporary file, and moves that into place once its checksum is right
            pooch.retrieve(mirror + name, CHECKSUMS[name], name, folder, downloader=_fetch)
            (folder / name).chmod(0o644)  # pooch leaves it to its owner alone; classes share it
            return
        except requests.RequestException as error:
            reasons.append(f"{mirror} fails ({type(error).__name__})")
        except ValueError:
            reasons.append(f"{mirror} has a wrong {name}")
    raise ConnectionError(", ".join(reasons))


def _fetch(url, path, _pooch):
    """Write what `url` has to `path`, and show a bar meanwhile. Raises ValueError if it is huge."""
    import requests
    from tqdm import tqdm

    with (
        requests.get(url, stream=True, timeout=PAUSE_TIMEOUT, allow_redirects=False) as response,
        open(path, "wb") as file,
    ):
        response.raise_for_status()
        bar = tqdm(
            desc=url.rsplit("/", 1)[1],
            total=int(response.headers.get("Content-Length", 0)) or None,
            unit="B",
            unit_scale=True,
            file=sys.stdout,
            leave=False,
        )
        with bar:
            for chunk in response.iter_content(1024):
                bar.update(file.write(chunk))
                if file.tell() > LARGEST_DOWNLOAD:
                    raise ValueError(f"more than {LARGEST_DOWNLOAD:,} bytes")
