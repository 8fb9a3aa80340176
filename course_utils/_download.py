"""MNIST's download: two mirrors in order, and a checksum for each file."""

import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pooch
import requests
from tqdm import tqdm

MIRRORS = (  # https only; and no redirect is followed, which could lead elsewhere
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
CHECKSUMS = {  # SHA-256 of the official files
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
UNPACKED = {  # and once they are unpacked, as some computers do unasked
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
ANSWER, ASKING, PAUSE = 3.5, 8, 30  # seconds: for a mirror, for all of them, between two bytes
ADVICE = (
    "(To have it: go online, or put its four files into a folder and set MNIST_DIR to that folder.)"
)


def folders():
    """Return where downloads go: data/mnist in a checkout, and the user's cache folder."""
    data = Path(__file__).resolve().parents[1] / "data"
    in_checkout = [data / "mnist"] if (data / "uci-digits").is_dir() else []
    return [*in_checkout, Path(pooch.os_cache("course_utils")) / "mnist"]


def is_official(path):
    """Return whether a file is one of MNIST's four, whatever its name."""
    return pooch.file_hash(path) in {*CHECKSUMS.values(), *UNPACKED}


def download_mnist():
    """Download what is missing of the four files, and return their folder.

    Raises OSError, without a path in its message, if no mirror has them or no folder takes them.
    """
    mirrors = answering()
    if not mirrors:
        raise OSError(
            f"MNIST is not on this computer, and no server that offers it answers. {ADVICE}"
        )
    reasons = []
    for folder in folders():
        try:
            for name in CHECKSUMS:
                fetch(name, mirrors, folder)
            return folder
        except ConnectionError as error:
            reasons.append(str(error))
            break  # another folder would not help
        except OSError as error:
            reasons.append(f"a folder cannot be written ({error.strerror or type(error).__name__})")
    raise OSError(f"MNIST could not be downloaded: {'; '.join(reasons)}. {ADVICE}")


def answering():
    """Return the mirrors that answer. In a thread, since a name server may never do so."""
    good = []

    def ask():
        for mirror in MIRRORS:
            with suppress(Exception):  # settings for a proxy can be wrong in many ways
                url = mirror + min(CHECKSUMS)
                requests.head(url, timeout=ANSWER, allow_redirects=False).raise_for_status()
                good.append(mirror)

    thread = Thread(target=ask, daemon=True)
    thread.start()
    thread.join(ASKING)
    return list(good)


def fetch(name, mirrors, folder):
    """Bring one file into `folder`, whole and right, from the first of the mirrors that has it so.

    Pooch writes to a temporary file, and gives it its name once its checksum is right.
    """
    pooch.get_logger().setLevel("ERROR")  # its lines hold paths
    reasons = []
    for mirror in mirrors:
        # pooch puts the true total in its place; without any, the bar would have no truth value
        bar = tqdm(desc=name, total=1, unit="B", unit_scale=True, file=sys.stdout, leave=False)
        get = pooch.HTTPDownloader(progressbar=bar, timeout=PAUSE, allow_redirects=False)
        try:
            pooch.retrieve(mirror + name, CHECKSUMS[name], name, folder, downloader=get)
            with suppress(PermissionError):  # the file of another user, or a disk without modes
                (folder / name).chmod(0o644)  # pooch leaves it to its owner; classes share it
            return
        except requests.RequestException as error:
            reasons.append(f"{mirror} fails ({type(error).__name__})")
        except ValueError:
            reasons.append(f"{mirror} has a wrong {name}")
        finally:
            bar.close()
    raise ConnectionError(", ".join(reasons))
