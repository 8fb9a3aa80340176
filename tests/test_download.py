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
from pathlib import Path

import pooch
import pytest
import requests
from idx_files import contents, flipped, make_official, small_mnist, write_files, zipped

from course_utils import _download, data_path, load_mnist

OFFLINE_DIGITS = data_path("uci-digits")
ASKING = _download.ASKING  # before `timeouts` changes it
ADVICE = (
    "(To have it: go online, or put its four files into a folder and set MNIST_DIR to that folder.)"
)
NO_SERVER = f"MNIST is not on this computer, and no server that offers it answers. {ADVICE}"
SO = " So these are the offline digits, not MNIST.\n"
NAMES = list(small_mnist()[0])
STATUS = {"broken": 500, "missing": 404, "forbidden": 403, "busy": 503}  # at once
BODIES = {  # of a file: what is sent of it
    "good": lambda data: data,
    "cut to nothing": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "cut at the end": lambda data: data[:-1],
    "flipped": lambda data: flipped(data, len(data) // 2),
    "other": lambda data: zipped(b"not these digits").ljust(len(data), b"\0"),
    "html": lambda data: b"<!DOCTYPE html><title>Log in to use this network</title>",
    "shorter": lambda data: data[: len(data) // 2],
    "stall": lambda data: data[: len(data) // 2],
    "slow": lambda data: data,
}
HONEST = ("html", "shorter")  # these say how much they send; the others, how much they should


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers /FAULT/NAME with the file NAME, as BODIES and STATUS say."""

    def do_HEAD(self):
        self.fault, name = self.path.strip("/").replace("%20", " ").split("/")
        self.server.requests.append((self.command, self.fault, name))
        with contextlib.suppress(OSError):  # the other side has hung up
            self.answer(self.server.files[name])

    do_GET = do_HEAD

    def answer(self, data):
        if self.fault == "silent":
            self.server.closing.wait()
        elif self.fault == "drip":  # one byte of the header after another, without end
            while not self.server.closing.wait(0.05):
                self.wfile.write(b"H")
        elif self.fault in STATUS:
            self.send_error(STATUS[self.fault])
        elif self.fault == "gone" and self.command == "GET":
            self.send_error(404)
        elif self.fault == "elsewhere":  # where the right file is, but at none of the mirrors
            self.send_response(302)
            self.send_header("Location", self.path.replace("elsewhere", "good"))
            self.end_headers()
        else:
            self.send(data, BODIES.get(self.fault, bytes)(data))

    def send(self, data, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body if self.fault in HONEST else data)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.fault == "slow" and len(data) > 20_000:
            step = len(body) // 24 + 1
            for start in range(0, len(body), step):
                self.server.closing.wait(0.1)
                self.wfile.write(body[start : start + step])
        else:
            self.wfile.write(body)
        if self.fault == "stall":
            self.server.stalled.set()
            self.server.closing.wait()

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    """A server with a mirror for each fault; `requests` holds what it was asked for."""

    block_on_close = False

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.requests = files, []
        self.closing, self.stalled = threading.Event(), threading.Event()

    def mirrors(self, *faults):
        """Return the addresses of mirrors with these faults."""
        return tuple(f"http://127.0.0.1:{self.server_port}/{fault}/" for fault in faults)

    def downloads(self):
        """Return which files were asked for, not which mirrors answer."""
        return [(fault, name) for method, fault, name in self.requests if method == "GET"]


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
        monkeypatch.setattr(_download, "MIRRORS", tuple(mirrors))

    return use


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch, files):
    """Make a project folder and a cache folder to write to, and a small MNIST official."""
    make_official(monkeypatch, files)
    for name in ("MNIST_DIR", "MNIST_SOURCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(_download, "__file__", str(tmp_path / "project/course_utils/_download.py"))
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    shutil.copytree(OFFLINE_DIGITS, tmp_path / "project" / "data" / "uci-digits")


@pytest.fixture(autouse=True)
def timeouts(monkeypatch):
    """Let mirrors that keep silent be given up soon, and others late, however busy the computer.

    Return which time-outs the package asks for.
    """
    asked_for = {"head": set(), "get": set()}
    monkeypatch.setattr(_download, "ASKING", 60)

    def patient(name, send):
        def wrapped(url, *, timeout, **options):
            asked_for[name].add(timeout)
            short = {"silent": 0.2, "stall": 0.2, "slow": 2}
            return send(url, timeout=short.get(url.split("/")[3], 60), **options)

        return wrapped

    for name in asked_for:
        monkeypatch.setattr(requests, name, patient(name, getattr(requests, name)))
    return asked_for


@pytest.fixture
def own(tmp_path):
    return tmp_path / "project" / "data" / "mnist"


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache" / "course_utils" / "mnist"


# a good mirror


def test_mirrors_are_asked_over_https_only_and_not_for_long():
    assert len(_download.MIRRORS) == 2
    assert ASKING < 10  # seconds until the offline line, whatever happens
    assert all(mirror.startswith("https://") for mirror in _download.MIRRORS)


@pytest.mark.parametrize("source", ["auto", "mnist"])
def test_files_are_downloaded_whole_and_once(
    use, server, own, cache, files, capsys, timeouts, source
):
    use("good", "dead")
    digits = load_mnist(source=source)
    assert digits.source == "mnist"
    assert (len(digits.X_train), len(digits.X_test)) == (30, 20)
    assert contents(own) == files
    assert not cache.exists()
    assert sorted(server.downloads()) == sorted(("good", name) for name in files)
    assert timeouts == {"head": {_download.ANSWER}, "get": {_download.PAUSE}}
    if os.name == "posix":
        assert {path.stat().st_mode & 0o777 for path in own.iterdir()} == {0o644}
    server.requests.clear()
    capsys.readouterr()
    assert load_mnist(source=source).source == "mnist"
    assert server.requests == []
    assert capsys.readouterr() == ("", "")


def test_progress_bars_are_shown_with_the_names(use, files, capsys, tmp_path):
    use("good")
    load_mnist()
    out, err = capsys.readouterr()
    for name in files:
        assert f"\r{name}: " in out
    assert "B/s" in out
    assert "\n" not in out.rstrip()  # the bars vanish when they are full
    assert out.split("\r")[-1].strip() == ""
    assert str(tmp_path) not in out
    assert err == ""


def test_no_server_is_asked_where_the_reader_names_what_to_load(use, server, tmp_path, monkeypatch):
    use("good")
    load_mnist(source="uci-digits")
    with pytest.raises(FileNotFoundError, match="data_dir is "):
        load_mnist(data_dir=tmp_path / "fashoin")
    monkeypatch.setenv("MNIST_DIR", str(tmp_path / "empty"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="MNIST_DIR is "):
        load_mnist(source="mnist")
    assert server.requests == []
    assert contents(tmp_path / "empty") == {}


def test_slow_download_that_is_under_way_goes_on(use, own, files, capsys):
    use("slow", "dead")  # it takes longer than the time-out, but no pause in it does
    assert load_mnist(source="mnist").source == "mnist"
    assert contents(own) == files
    shown = re.findall(r"train-images\S+ +(\d+)%", capsys.readouterr().out)
    assert len(set(shown)) > 2  # the bar moves


# bad mirrors

AT_ONCE = ["dead", "silent", *STATUS]
LATER = ["gone", "elsewhere", *(body for body in BODIES if body not in ("good", "slow"))]


@pytest.mark.parametrize("fault", AT_ONCE + LATER)
def test_second_mirror_is_used_where_the_first_fails(use, own, files, fault):
    use(fault, "good")
    assert load_mnist(source="mnist").source == "mnist"
    assert contents(own) == files


@pytest.mark.parametrize("fault", AT_ONCE + LATER)
def test_offline_digits_where_both_mirrors_fail(use, server, own, cache, capsys, tmp_path, fault):
    use(fault, fault)
    digits = load_mnist()
    assert digits.source == "uci-digits"
    assert len(digits.X_train) == 1437
    out, err = capsys.readouterr()
    line = out.split("\r")[-1]  # what stays on the screen; only bars that vanish come before it
    if fault in AT_ONCE:
        assert out == NO_SERVER + SO
    else:
        assert line.startswith("MNIST could not be downloaded: ")
        assert line.endswith(f"{NAMES[0]}. {ADVICE}{SO}" if "wrong" in line else f"{ADVICE}{SO}")
    assert out.count("\n") == 1
    assert str(tmp_path) not in out
    assert err == ""
    assert contents(own) == contents(cache) == {}
    # each of them once: for another folder they need not be asked again
    assert len(server.downloads()) == (2 if fault in LATER else 0)


def test_message_says_what_was_wrong_with_each_mirror(use, server):
    use("flipped", "cut")
    with pytest.raises(OSError, match="could not be downloaded") as caught:
        load_mnist(source="mnist")
    one, two = server.mirrors("flipped", "cut")
    assert str(caught.value) == (
        f"MNIST could not be downloaded: {one} has a wrong train-images-idx3-ubyte.gz, "
        f"{two} fails (ChunkedEncodingError). {ADVICE}"
    )


@pytest.mark.parametrize("fault", ["drip", "name server"])
def test_offline_digits_where_a_server_never_comes_to_an_end(
    use, server, capsys, monkeypatch, fault
):
    use("drip")
    monkeypatch.setattr(_download, "ASKING", 0.3)
    look_up = socket.getaddrinfo

    def never(host, *args, **options):
        server.closing.wait()
        return look_up(host, *args, **options)

    if fault == "name server":
        monkeypatch.setattr(socket, "getaddrinfo", never)
    assert load_mnist().source == "uci-digits"
    assert capsys.readouterr() == (NO_SERVER + SO, "")
    with pytest.raises(OSError, match="not on this computer") as caught:
        load_mnist(source="mnist")
    assert str(caught.value) == NO_SERVER


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


def test_what_is_already_there_is_kept_when_the_mirrors_fail(use, server, own, files):
    use("good")
    server.files = files | {NAMES[-1]: b"wrong"}
    assert load_mnist().source == "uci-digits"
    assert contents(own) == {name: files[name] for name in NAMES[:-1]}
    server.files, server.requests = files, []
    assert load_mnist().source == "mnist"
    assert server.downloads() == [("good", NAMES[-1])]


# folders


def make_impossible(folder):
    """Put a file where `folder` should be: even root cannot write into that."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("in the way")


@pytest.mark.parametrize("flaw", ["impossible", "no project"])
def test_cache_folder_is_used_where_the_project_cannot_be_written(
    use, server, own, cache, files, flaw
):
    use("good")
    if flaw == "impossible":
        make_impossible(own)
    else:  # the package is installed
        shutil.rmtree(own.parents[1])
    assert load_mnist(source="mnist").source == "mnist"
    assert contents(cache) == files
    assert contents(own) == {}
    server.requests.clear()
    assert load_mnist(source="mnist").source == "mnist"
    assert server.requests == []


@pytest.mark.parametrize("where", ["own", "cache"])
@pytest.mark.parametrize("damage", ["flipped", "cut off", "empty", "another gzip"])
def test_damaged_file_in_a_folder_for_downloads_is_replaced(
    use, server, own, cache, files, damage, where
):
    use("good")
    name, folder = NAMES[1], {"own": own, "cache": cache}[where]
    data = files[name]
    bad = {"flipped": flipped(data, 20), "cut off": data[:-5], "empty": b""}
    write_files(folder, files | {name: bad.get(damage, zipped(b"not these labels"))})
    if where == "cache":
        make_impossible(own)
    assert load_mnist().source == "mnist"
    assert contents(folder) == files
    assert server.downloads() == [("good", name)]


# in processes of their own

IN_A_PROCESS = """
import json, os, sys
from pathlib import Path
from course_utils import _download, load_mnist

settings = json.loads(sys.argv[1])
_download.MIRRORS, _download.CHECKSUMS = settings["mirrors"], settings["checksums"]
_download.folders = lambda: [Path(folder) for folder in settings["folders"]]
_download.ANSWER = _download.ASKING = 60
"""
LOAD = """
print(load_mnist(source="mnist"))
"""


@pytest.fixture
def start(server):
    """Start code in a process of its own, with the small MNIST and these folders; return it."""
    started = []

    def start(code, *folders, mirror="good"):
        settings = {
            "mirrors": server.mirrors(mirror),
            "checksums": _download.CHECKSUMS,
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


def assert_loaded(process):
    out, err = process.communicate(timeout=120)
    assert "Digits: 30 to train on, 20 to test on, from mnist" in out
    assert err == ""


def test_several_processes_at_once(start, own, files):
    for process in [start(LOAD, own) for _ in range(3)]:
        assert_loaded(process)
    assert contents(own) == files


def test_killed_in_the_middle_of_a_file_and_started_again(start, server, own, files):
    process = start(LOAD, own, mirror="stall")
    assert server.stalled.wait(60)
    process.kill()
    assert process.wait(60) != 0
    assert not contents(own).keys() & files.keys()
    assert_loaded(start(LOAD, own))
    assert contents(own).items() >= files.items()


FULL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
print(load_mnist())
"""


def test_no_file_is_left_where_the_disk_is_full(start, tmp_path):
    pytest.importorskip("resource", reason="this system has no limit to the size of files")
    out, err = start(FULL, tmp_path / "first", tmp_path / "second").communicate(timeout=120)
    full = f"a folder cannot be written ({os.strerror(errno.EFBIG)})"
    message, digits = out.splitlines()[-2:]
    assert message.endswith(f"MNIST could not be downloaded: {full}; {full}. {ADVICE}{SO}".rstrip())
    assert digits.endswith("from uci-digits")
    assert err == ""
    assert contents(tmp_path / "first") == contents(tmp_path / "second") == {}


AS_NOBODY = """
os.umask(0o077)
if os.geteuid() == 0:  # root may do everything; be somebody else
    os.setegid(65534)
    os.seteuid(65534)
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows has other permissions")
@pytest.mark.parametrize("flaw", ["folder", "file that may not be read", "file"])
def test_what_another_user_left_is_passed_over_or_used(start, files, flaw):
    if flaw != "folder" and os.geteuid() != 0:
        pytest.skip("only root can leave a file of another user")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # those of pytest may not be looked into
        first, second = Path(folder, "first"), Path(folder, "second")
        second.mkdir()
        second.chmod(0o777)
        first.mkdir()
        first.chmod(0o555 if flaw == "folder" else 0o1777)  # as /tmp: everybody may add files
        left = {} if flaw == "folder" else {NAMES[1]: files[NAMES[1]]}
        write_files(first, left)
        for name in left:
            (first / name).chmod(0o644 if flaw == "file" else 0)
        assert_loaded(start(AS_NOBODY + LOAD, first, second))
        assert contents(first if flaw == "file" else second) == files
        assert contents(first).items() <= files.items()
