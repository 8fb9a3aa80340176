"""The download of MNIST, from servers on this computer that fail in every way servers do."""

import contextlib
import errno
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pooch
import pytest
from idx_files import flipped, make_official, small_mnist, write_files, zipped

from course_utils import data_path, datasets, load_mnist

OFFLINE_DIGITS = data_path("uci-digits")
ADVICE = (
    "(To have it: go online, or put its four files into a folder and set MNIST_DIR to that folder.)"
)
NO_SERVER = "MNIST is not on this computer, and no server that offers it answers. " + ADVICE
SO = " So these are the offline digits, not MNIST.\n"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers /FAULT/NAME with the file NAME, treated as the method FAULT says."""

    def do_GET(self):
        fault, name = self.path.strip("/").split("/")
        self.server.requests.append((fault, name))
        with contextlib.suppress(OSError):  # the other side has hung up
            getattr(self, fault)(self.server.files[name])

    def start(self, length, status=200, type_="application/octet-stream"):
        self.send_response(status)
        self.send_header("Content-Type", type_)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def good(self, data):
        self.start(len(data))
        self.wfile.write(data)

    def broken(self, data):
        self.send_error(500)

    def missing(self, data):
        self.send_error(404)

    def forbidden(self, data):
        self.send_error(403)

    def busy(self, data):
        self.send_error(503)

    def elsewhere(self, data):
        """Send to another address, which has the right file but is none of the mirrors."""
        self.send_response(302)
        self.send_header("Location", re.sub("elsewhere(_later)?", "good", self.path))
        self.end_headers()

    def loop(self, data):
        self.elsewhere(data)

    def elsewhere_later(self, data):
        is_first = [fault for fault, _ in self.server.requests].count("elsewhere_later") == 1
        self.good(data) if is_first else self.elsewhere(data)

    def cut(self, data, length=None):
        self.start(len(data))
        self.wfile.write(data[: len(data) // 2 if length is None else length])

    def cut_at_0(self, data):
        self.cut(data, 0)

    def cut_at_1(self, data):
        self.cut(data, 1)

    def cut_at_last(self, data):
        self.cut(data, len(data) - 1)

    def short(self, data):
        self.start(len(data) // 2)
        self.wfile.write(data[: len(data) // 2])

    def flip(self, data):
        self.good(flipped(data, len(data) // 2))

    def other(self, data):
        """Send another valid gzip file."""
        self.good(zipped(b"not these digits"))

    def endless(self, data):
        """Send a file that never ends; its length is not said."""
        self.send_response(200)
        self.end_headers()
        while not self.server.closing.is_set():
            self.wfile.write(bytes(1_000_000))

    def html(self, data):
        page = b"<!DOCTYPE html><title>Log in to use this network</title>"
        self.start(len(page), type_="text/html")
        self.wfile.write(page)

    def silent(self, data):
        self.server.closing.wait()

    def drip(self, data):
        """Send one byte of the header after another, without end."""
        while not self.server.closing.wait(0.1):
            self.wfile.write(b"H")

    def stall(self, data):
        self.cut(data)
        self.server.stalled.set()
        self.server.closing.wait()

    def slow(self, data):
        """Send the largest file in twelve pieces, with a pause before each."""
        if len(data) < max(map(len, self.server.files.values())):
            return self.good(data)
        self.start(len(data))
        step = len(data) // 12 + 1
        for start in range(0, len(data), step):
            time.sleep(0.1)
            self.wfile.write(data[start : start + step])

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    """A server with a mirror for each fault; `requests` holds a (fault, name) for each request."""

    block_on_close = False

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.requests = files, []
        self.closing, self.stalled = threading.Event(), threading.Event()

    def mirrors(self, *faults):
        """Return the addresses of mirrors with these faults."""
        return tuple(f"http://127.0.0.1:{self.server_port}/{fault}/" for fault in faults)

    def downloads(self):
        """Return the requests without the first to each mirror, which asks whether it answers."""
        seen, rest = set(), []
        for fault, name in self.requests:
            if fault in seen:
                rest.append((fault, name))
            seen.add(fault)
        return rest


@pytest.fixture
def files():
    return small_mnist()[0]


@pytest.fixture
def server(files):
    with Server(files) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.closing.set()
        server.shutdown()


@pytest.fixture
def closed_port():
    """Return an address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # without listen: it refuses, and nobody else gets it
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/"


@pytest.fixture
def use(server, closed_port, monkeypatch):
    """Set the mirrors: a fault each, or "dead"."""

    def use(*faults):
        mirrors = [closed_port if f == "dead" else server.mirrors(f)[0] for f in faults]
        monkeypatch.setattr(datasets, "MIRRORS", tuple(mirrors))

    return use


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch, files):
    """Make a project folder and a cache folder to write to, and a small MNIST official."""
    make_official(monkeypatch, files)
    for name in ("MNIST_DIR", "MNIST_SOURCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(datasets, "ANSWER_TIMEOUT", 1.5)
    monkeypatch.setattr(datasets, "HEAD_START", 0.3)
    monkeypatch.setattr(datasets, "PAUSE_TIMEOUT", 5)
    monkeypatch.setattr(datasets, "_project_data", lambda: tmp_path / "project" / "data")
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    shutil.copytree(OFFLINE_DIGITS, tmp_path / "project" / "data" / "uci-digits")


@pytest.fixture
def own(tmp_path):
    return tmp_path / "project" / "data" / "mnist"


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache" / "course_utils" / "mnist"


def contents(folder):
    """Return what is in `folder`, name to bytes, hidden and temporary files too."""
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


def make_impossible(folder):
    """Put a file where `folder` should be: even root cannot write into that."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("in the way")


def fill_disk(monkeypatch, full):
    """Let the disk be full after 100 bytes of each download into the folders `full`."""
    fetch = datasets._fetch

    def fetch_a_little(url, path, pooch):
        if Path(path).parent not in full:
            return fetch(url, path, pooch)
        Path(path).write_bytes(bytes(100))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(datasets, "_fetch", fetch_a_little)


# ---------------------------------------------------------------------------------------------------
# a good mirror


@pytest.mark.parametrize("source", ["auto", "mnist"])
def test_files_are_downloaded_whole(use, own, cache, files, source):
    use("good", "dead")
    digits = load_mnist(source=source)
    assert digits.source == "mnist"
    assert (len(digits.X_train), len(digits.X_test)) == (30, 20)
    assert contents(own) == files
    assert not cache.exists()


def test_progress_bars_are_shown_with_the_names(use, files, capsys, tmp_path):
    use("good", "dead")
    load_mnist()
    out, err = capsys.readouterr()
    for name in files:
        assert re.search(rf"\r{name}: +\d+%\|", out)  # of the size that the server has told
    assert "B/s" in out
    assert "\n" not in out.rstrip()  # the bars vanish when they are full
    assert out.split("\r")[-1].strip() == ""
    assert str(tmp_path) not in out
    assert err == ""


def test_second_call_needs_no_server(use, server, capsys):
    use("good", "good")
    load_mnist()
    n_requests = len(server.requests)
    capsys.readouterr()
    assert load_mnist().source == "mnist"
    assert len(server.requests) == n_requests
    assert capsys.readouterr() == ("", "")


def test_each_file_is_asked_for_once(use, server, files):
    use("good")
    load_mnist()
    assert server.downloads() == [("good", name) for name in files]


def test_offline_digits_need_no_server(use, server):
    use("good")
    load_mnist(source="uci-digits")
    assert server.requests == []


def test_slow_download_that_is_under_way_goes_on(use, own, files, monkeypatch, capsys):
    monkeypatch.setattr(datasets, "PAUSE_TIMEOUT", 0.6)
    monkeypatch.setattr(datasets, "ANSWER_TIMEOUT", 0.6)
    use("slow", "dead")
    start = time.monotonic()
    assert load_mnist(source="mnist").source == "mnist"
    assert time.monotonic() - start > 1.2  # it did take longer than both
    assert contents(own) == files
    shown = re.findall(r"train-images\S+ +(\d+)%", capsys.readouterr().out)
    assert len(set(shown)) > 4  # the bar moves
    assert max(map(int, shown)) > 80


# ---------------------------------------------------------------------------------------------------
# bad mirrors

FAULTS = [
    *("dead", "broken", "missing", "forbidden", "busy", "loop", "elsewhere", "elsewhere_later"),
    *("cut_at_0", "cut_at_1", "cut", "cut_at_last", "short"),
    *("flip", "other", "html", "endless", "silent", "drip", "stall"),
]


@pytest.fixture(params=FAULTS)
def fault(request, monkeypatch):
    if request.param == "stall":
        monkeypatch.setattr(datasets, "PAUSE_TIMEOUT", 0.3)
    monkeypatch.setattr(datasets, "LARGEST_DOWNLOAD", 100_000)
    return request.param


def test_second_mirror_is_used_where_the_first_fails(use, own, files, fault):
    use(fault, "good")
    assert load_mnist(source="mnist").source == "mnist"
    assert contents(own) == files


def test_offline_digits_where_both_mirrors_fail(use, own, cache, capsys, tmp_path, fault):
    use(fault, fault)
    digits = load_mnist()
    assert digits.source == "uci-digits"
    assert len(digits.X_train) == 1437
    out, err = capsys.readouterr()
    line = out.split("\r")[-1]  # what stays on the screen; only bars that vanish come before it
    assert line.endswith(SO)
    assert line.startswith("MNIST ")
    assert ADVICE in line
    assert out.count("\n") == 1
    assert str(tmp_path) not in out
    assert err == ""
    assert contents(own) == contents(cache) == {}


@pytest.mark.parametrize("faults", [["dead", "dead"], ["broken", "missing"], ["loop"], []])
def test_line_when_no_server_answers(use, capsys, faults):
    use(*faults)
    load_mnist()
    assert capsys.readouterr() == (NO_SERVER + SO, "")


def test_source_mnist_raises_when_no_server_answers(use, capsys):
    use("dead", "dead")
    with pytest.raises(OSError, match="MNIST is not on this computer") as caught:
        load_mnist(source="mnist")
    assert str(caught.value) == NO_SERVER
    assert capsys.readouterr() == ("", "")


def test_message_says_what_was_wrong_with_each_mirror(use, server):
    use("flip", "cut")
    with pytest.raises(OSError, match="could not be downloaded") as caught:
        load_mnist(source="mnist")
    flip, cut = server.mirrors("flip", "cut")
    assert str(caught.value) == (
        f"MNIST could not be downloaded: {flip} has a wrong train-images-idx3-ubyte.gz, "
        f"{cut} fails (ChunkedEncodingError). {ADVICE}"
    )


def test_a_silent_mirror_does_not_delay_a_good_one(use, monkeypatch):
    monkeypatch.setattr(datasets, "ANSWER_TIMEOUT", 8)
    use("silent", "good")
    start = time.monotonic()
    assert load_mnist(source="mnist").source == "mnist"
    assert time.monotonic() - start < 4


def test_a_quick_mirror_is_used_alone(use, server):
    use("good", "broken")
    load_mnist()
    time.sleep(0.4)  # more than the head start
    assert {fault for fault, _ in server.requests} == {"good"}


@pytest.mark.filterwarnings("error")  # as pytest turns an error in a thread into a warning
@pytest.mark.parametrize(
    "proxy", ["dead", "http://", "://", "http://[", "http://a..b", "socks9://127.0.0.1:1"]
)
def test_proxy_that_leads_nowhere(use, closed_port, monkeypatch, capsys, proxy):
    use("good", "good")
    proxy = closed_port if proxy == "dead" else proxy
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert load_mnist().source == "uci-digits"
    assert capsys.readouterr() == (NO_SERVER + SO, "")


def test_bad_mirrors_are_not_asked_again_for_another_folder(use, server):
    use("flip", "html")
    load_mnist()
    first = datasets.FILE_NAMES[0]
    assert server.downloads() == [("flip", first), ("html", first)]


def test_what_is_already_there_is_kept_when_the_mirrors_fail(use, server, own, files):
    use("good")
    server.files = files | {"t10k-labels-idx1-ubyte.gz": b"wrong"}
    assert load_mnist().source == "uci-digits"
    assert contents(own) == {n: files[n] for n in datasets.FILE_NAMES[:3]}
    server.files, server.requests = files, []
    assert load_mnist().source == "mnist"
    assert server.downloads() == [("good", "t10k-labels-idx1-ubyte.gz")]


def test_answer_comes_within_ten_seconds(server, monkeypatch):
    """With the real limits: two name servers that keep silent, and two servers that do."""
    monkeypatch.undo()  # the small limits, and the folders with them
    monkeypatch.delenv("MNIST_DIR", raising=False)
    monkeypatch.delenv("MNIST_SOURCE", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(datasets, "_own_folders", lambda: iter(()))
    names = ("http://one.invalid/", "http://two.invalid/")
    monkeypatch.setattr(datasets, "MIRRORS", names + server.mirrors("silent", "drip"))
    look_up = socket.getaddrinfo

    def look_up_in_silence(host, *args, **options):
        if host.endswith(".invalid"):
            server.closing.wait()
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up_in_silence)
    start = time.monotonic()
    assert load_mnist().source == "uci-digits"
    assert time.monotonic() - start < 12  # ten, and some for a busy computer


# ---------------------------------------------------------------------------------------------------
# folders


@pytest.mark.parametrize("flaw", ["impossible", "full"])
def test_cache_folder_is_used_where_the_project_cannot_be_written(
    use, server, own, cache, files, monkeypatch, flaw
):
    use("good")
    if flaw == "full":
        fill_disk(monkeypatch, [own])
    else:
        make_impossible(own)
    assert load_mnist(source="mnist").source == "mnist"
    assert contents(cache) == files
    assert contents(own) == {}
    n_requests = len(server.requests)
    assert load_mnist(source="mnist").source == "mnist"
    assert len(server.requests) == n_requests


def test_only_the_cache_folder_is_used_where_there_is_no_project(use, tmp_path, cache, files):
    use("good")
    shutil.rmtree(tmp_path / "project")
    assert load_mnist().source == "mnist"
    assert contents(cache) == files
    assert not (tmp_path / "project").exists()


def test_no_folder_to_write_to(use, own, cache, monkeypatch, capsys, tmp_path):
    use("good")
    make_impossible(own)
    fill_disk(monkeypatch, [cache])
    message = (
        f"MNIST could not be downloaded: a folder cannot be written ({os.strerror(errno.EEXIST)}); "
        f"a folder cannot be written ({os.strerror(errno.ENOSPC)}). {ADVICE}"
    )
    assert load_mnist().source == "uci-digits"
    out, err = capsys.readouterr()
    assert out.split("\r")[-1] == message + SO
    assert str(tmp_path) not in out
    assert err == ""
    with pytest.raises(OSError, match="could not be downloaded") as caught:
        load_mnist(source="mnist")
    assert str(caught.value) == message
    assert contents(cache) == {}


IN_A_SMALL_SPACE = """
import resource, sys
from pathlib import Path
import pooch, requests, tqdm
from course_utils import datasets, load_mnist
load_mnist(source="uci-digits")
datasets.MIRRORS = (sys.argv[1],)
datasets._own_folders = lambda: iter([Path("first"), Path("second")])
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
print(load_mnist().source)
"""


def test_no_file_is_left_when_the_system_stops_the_writing(server, tmp_path):
    pytest.importorskip("resource", reason="this system has no limit to the size of files")
    done = subprocess.run(
        [sys.executable, "-c", IN_A_SMALL_SPACE, *server.mirrors("good")],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    full = f"a folder cannot be written ({os.strerror(errno.EFBIG)})"
    message = f"MNIST could not be downloaded: {full}; {full}. {ADVICE}{SO}".rstrip()
    assert done.stdout.splitlines()[-2:] == [message, "uci-digits"]
    assert done.stderr == ""
    assert contents(tmp_path / "first") == contents(tmp_path / "second") == {}


@pytest.mark.parametrize("damage", ["flipped", "cut off", "empty", "another gzip"])
def test_damaged_file_in_the_own_folder_is_replaced(use, server, own, files, damage):
    use("good")
    name = "train-labels-idx1-ubyte.gz"
    data = files[name]
    bad = {"flipped": flipped(data, 20), "cut off": data[:-5], "empty": b""}
    bad = bad.get(damage, zipped(b"not these labels"))
    write_files(own, files | {name: bad})
    assert load_mnist().source == "mnist"
    assert contents(own) == files
    assert server.downloads() == [("good", name)]


def test_damaged_file_in_the_own_folder_is_not_used(use, own, files):
    use("dead")
    name = "train-labels-idx1-ubyte.gz"
    write_files(own, files | {name: flipped(files[name], -5)})
    assert load_mnist().source == "uci-digits"


@pytest.mark.parametrize("as_text", [False, True])
def test_downloads_go_into_data_dir(use, server, own, cache, files, tmp_path, as_text):
    use("good")
    data_dir = tmp_path / "mine" / "digits"
    data_dir = str(data_dir) if as_text else data_dir
    assert load_mnist(data_dir=data_dir).source == "mnist"
    assert contents(tmp_path / "mine" / "digits") == files
    assert contents(own) == contents(cache) == {}
    n_requests = len(server.requests)
    assert load_mnist(data_dir=data_dir).source == "mnist"
    assert len(server.requests) == n_requests


def test_data_dir_is_completed(use, server, files, tmp_path):
    use("good")
    first, *others = files
    write_files(tmp_path / "mine", {name: files[name] for name in others})
    assert load_mnist(data_dir=tmp_path / "mine").source == "mnist"
    assert server.downloads() == [("good", first)]


def test_data_dir_that_cannot_be_written(use, own, cache, tmp_path):
    use("good")
    make_impossible(tmp_path / "mine")
    with pytest.raises(OSError, match="a folder cannot be written"):
        load_mnist(source="mnist", data_dir=tmp_path / "mine")
    assert contents(own) == contents(cache) == {}


def test_data_dir_that_can_be_nowhere(use, capsys):
    use("good")
    assert load_mnist(data_dir="long" * 100).source == "uci-digits"
    told, fallback = capsys.readouterr().out.splitlines()[-2:]
    assert told == f"data_dir has no {datasets.FILE_NAMES[0]}, so MNIST is looked for elsewhere."
    assert re.match(
        r"MNIST could not be downloaded: a folder cannot be written \(.*\)\. ", fallback
    )


def test_file_in_data_dir_is_never_overwritten(use, server, tmp_path):
    use("good")
    name = datasets.FILE_NAMES[-1]
    mine = {name: small_mnist(n_test=7)[0][name]}
    folder = write_files(tmp_path / "mine", mine)
    with pytest.raises(ValueError, match=f"{name}: not the official file"):
        load_mnist(data_dir=folder)
    assert contents(folder) == mine
    assert server.requests == []


def test_two_at_once_do_not_disturb_each_other(use, own, files):
    use("good")
    results = []
    threads = [threading.Thread(target=lambda: results.append(load_mnist())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [digits.source for digits in results] == ["mnist"] * 4
    assert contents(own) == files


# ---------------------------------------------------------------------------------------------------
# in processes of their own

IN_A_PROCESS = """
import hashlib, json, os, signal, sys
from pathlib import Path
import numpy, pooch, requests, tqdm
from course_utils import datasets, load_mnist

settings = json.loads(sys.argv[1])
datasets.MIRRORS = tuple(settings["mirrors"])
datasets.CHECKSUMS = settings["checksums"]
datasets._own_folders = lambda: iter(map(Path, settings["folders"]))
"""
LOAD = """
print(load_mnist(source="mnist"))
"""


@pytest.fixture
def start(server, tmp_path):
    """Start code in a process of its own, with the small MNIST and these folders; return it."""
    started = []

    def start(code, *folders, mirror="good"):
        settings = {
            "mirrors": server.mirrors(mirror),
            "checksums": datasets.CHECKSUMS,
            "folders": list(map(str, folders)),
        }
        process = subprocess.Popen(
            [sys.executable, "-c", IN_A_PROCESS + code, json.dumps(settings)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with process:
            process.kill()


def assert_loaded(process, n=30):
    out, err = process.communicate(timeout=60)
    assert f"Digits: {n} to train on, 20 to test on, from mnist" in out
    assert err == ""


def assert_no_bad_file(folder, files):
    """Check that each file under a final name is whole, and return how many others there are."""
    there = contents(folder)
    for name in files.keys() & there.keys():
        assert there[name] == files[name]
    return len(there.keys() - files.keys())


def test_two_processes_at_once(start, own, files):
    for process in [start(LOAD, own) for _ in range(3)]:
        assert_loaded(process)
    assert contents(own) == files


def test_killed_in_the_middle_of_a_file_and_started_again(start, server, own, files):
    process = start(LOAD, own, mirror="stall")
    assert server.stalled.wait(60)
    time.sleep(0.2)
    process.kill()
    process.wait()
    assert process.returncode != 0
    assert_no_bad_file(own, files)
    assert_loaded(start(LOAD, own))
    assert_no_bad_file(own, files)
    assert contents(own).items() >= files.items()


KILLED_AT_EACH_CALL = """
n_calls = 0

def count(event, arguments):
    global n_calls
    if stop_at and event.startswith(("open", "os.", "shutil.", "tempfile.", "socket.connect")):
        n_calls += 1
        if n_calls == stop_at:
            os.kill(os.getpid(), signal.SIGKILL)

stop_at = 0
sys.addaudithook(count)
own = Path(settings["folders"][0])
sums = {name: datasets.CHECKSUMS[name] for name in datasets.FILE_NAMES}
n_killed = 0
while True:
    for path in own.glob("*"):
        path.unlink()
    child = os.fork()
    if not child:
        stop_at = n_killed + 1
        load_mnist(source="mnist")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    for path in own.glob("*"):
        if path.name in sums:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == sums[path.name], path.name
    if status == 0:
        break
    assert status == signal.SIGKILL, status
    n_killed += 1
    if n_killed % 8 == 0:  # not each time, to be quick
        assert load_mnist(source="mnist").source == "mnist"
print("\\nkilled", n_killed)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_killed_at_each_call_of_the_system_and_started_again(start, own, files):
    process = start(KILLED_AT_EACH_CALL, own)
    out, err = process.communicate(timeout=300)
    assert err == ""
    assert int(out.split()[-1]) > 20
    assert contents(own) == files


AS_NOBODY = """
os.umask(0o077)
if os.geteuid() == 0:  # root may do everything; be somebody else
    os.setegid(65534)
    os.seteuid(65534)
"""


@pytest.fixture
def open_to_all():
    """Make a folder that every user may look into, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path
        for inside in path.iterdir():
            inside.chmod(0o755)


@pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions")
@pytest.mark.parametrize("flaw", ["folder read-only", "file of another user"])
def test_what_must_not_be_written_or_read_is_passed_over(start, open_to_all, files, flaw):
    first, second = open_to_all / "first", open_to_all / "second"
    second.mkdir()
    second.chmod(0o777)
    name = datasets.FILE_NAMES[1]
    if flaw == "folder read-only":
        first.mkdir()
        first.chmod(0o555)
    else:
        write_files(first, {name: files[name]})
        (first / name).chmod(0)
        first.chmod(0o1777)  # as /tmp: everybody may add files, nobody replace another's
        if os.geteuid() != 0:
            pytest.skip("only root can leave a file of another user")
    assert_loaded(start(AS_NOBODY + LOAD, first, second))
    assert contents(second) == files
    assert assert_no_bad_file(first, files) == 0


def test_the_name_of_the_cache_needs_no_home(start, tmp_path):
    code = (
        """
for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_CACHE_HOME"):
    os.environ[name] = os.devnull
"""
        + "datasets._own_folders = lambda: iter([Path(pooch.os_cache('course_utils')) / 'mnist'])\n"
    )
    process = start(code + "print(load_mnist())")
    out, err = process.communicate(timeout=60)
    assert "a folder cannot be written" in out
    assert out.rstrip().endswith("from uci-digits")
    assert err == ""
