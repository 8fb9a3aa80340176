"""The download of MNIST, from servers on this computer that fail in every way servers do."""

import contextlib
import errno
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pooch
import pytest
import requests
from idx_files import contents, flipped, make_official, small_mnist, write_files

from course_utils import _download, data_path, load_mnist

OFFLINE_DIGITS = data_path("uci-digits")
ASKING = _download.ASKING  # before `timeouts` changes it
ADVICE = _download.ADVICE
NO_SERVER = f"MNIST is not on this computer, and no server that offers it answers. {ADVICE}"
SO = " So these are the offline digits, not MNIST.\n"
FILES = small_mnist()[0]
NAMES = list(FILES)
# faults of a server
STATUS = {"broken": 500, "missing": 404, "forbidden": 403, "busy": 503}
AT_ONCE = ["dead", "silent", *STATUS]  # it does not even say that it is there
BODIES = {  # what is sent of a file
    "cut to nothing": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "stall": lambda data: data[: len(data) // 2],
    "flipped": lambda data: flipped(data, len(data) // 2),
    "html": lambda data: b"<!DOCTYPE html><title>Log in to use this network</title>",
    "elsewhere": lambda data: b"",  # the right file is there, but at none of the mirrors
}
LATER = ["gone", *BODIES]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers /FAULT/NAME with the file NAME, and with one of the faults above or none."""

    def do_HEAD(self):
        fault, name = self.path.strip("/").replace("%20", " ").split("/")
        self.server.requests.append((self.command, fault, name))
        with contextlib.suppress(OSError):  # the other side has hung up
            self.answer(fault, self.server.files[name])

    do_GET = do_HEAD

    def answer(self, fault, data):
        if fault == "silent":
            self.server.closing.wait()
        while fault == "drip" and not self.server.closing.wait(0.05):
            self.wfile.write(b"H")  # one byte of the header after another, without end
        is_gone = fault == "gone" and self.command == "GET"
        if is_gone or fault in STATUS:
            self.send_error(404 if is_gone else STATUS[fault])
            return
        body = BODIES.get(fault, bytes)(data)
        self.send_response(302 if fault == "elsewhere" else 200)
        if fault == "elsewhere":
            self.send_header("Location", self.path.replace("elsewhere", "good"))
        is_honest = fault in ("html", "elsewhere")
        self.send_header("Content-Length", str(len(body if is_honest else data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
            if fault == "stall":
                self.server.stalled.set()
                self.server.closing.wait()

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    """A server with a mirror for each fault; `requests` holds what it was asked for."""

    block_on_close = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.requests = FILES, []
        self.closing, self.stalled = threading.Event(), threading.Event()

    def mirror(self, fault):
        """Return the address of a mirror with this fault."""
        return f"http://127.0.0.1:{self.server_port}/{fault}/"

    def downloads(self):
        """Return which files were asked for, not which mirrors answer."""
        return [(fault, name) for method, fault, name in self.requests if method == "GET"]


@pytest.fixture
def server():
    with Server() as server:
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
        mirrors = [closed_port if f == "dead" else server.mirror(f) for f in faults]
        monkeypatch.setattr(_download, "MIRRORS", tuple(mirrors))

    return use


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """Make a project folder and a cache folder to write to, and a small MNIST official."""
    make_official(monkeypatch, FILES)
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

    for name, send in (("head", requests.head), ("get", requests.get)):

        def patient(url, *, timeout, name=name, send=send, **options):
            asked_for[name].add(timeout)
            is_silent = url.split("/")[3] in ("silent", "stall")
            return send(url, timeout=0.2 if is_silent else 60, **options)

        monkeypatch.setattr(requests, name, patient)
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
    use, server, own, cache, capsys, timeouts, source, tmp_path
):
    use("good", "dead")
    digits = load_mnist(source=source)
    assert digits.source == "mnist"
    assert (len(digits.X_train), len(digits.X_test)) == (30, 20)
    assert contents(own) == FILES
    assert not cache.exists()
    assert sorted(server.downloads()) == sorted(("good", name) for name in FILES)
    assert timeouts == {"head": {_download.ANSWER}, "get": {_download.PAUSE}}
    if os.name == "posix":
        assert {path.stat().st_mode & 0o777 for path in own.iterdir()} == {0o644}

    out, err = capsys.readouterr()
    assert all(f"\r{name}: " in out for name in FILES)
    assert "B/s" in out
    assert "\n" not in out.rstrip()  # the bars vanish when they are full
    assert out.split("\r")[-1].strip() == ""
    assert str(tmp_path) not in out
    assert err == ""

    server.requests.clear()
    assert load_mnist(source=source).source == "mnist"
    assert server.requests == []
    assert capsys.readouterr() == ("", "")


# bad mirrors


@pytest.mark.parametrize("fault", AT_ONCE + LATER)
def test_mirrors_that_fail_are_passed_over_for_another_or_the_offline_digits(
    use, server, own, cache, capsys, tmp_path, fault
):
    use(fault, fault)
    assert load_mnist().source == "uci-digits"
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

    use(fault, "good")
    assert load_mnist(source="mnist").source == "mnist"
    assert contents(own) == FILES


def test_message_says_what_was_wrong_with_each_mirror(use, server):
    use("flipped", "cut")
    with pytest.raises(OSError, match="could not be downloaded") as caught:
        load_mnist(source="mnist")
    assert str(caught.value) == (
        f"MNIST could not be downloaded: {server.mirror('flipped')} has a wrong {NAMES[0]}, "
        f"{server.mirror('cut')} fails (ChunkedEncodingError). {ADVICE}"
    )


@pytest.mark.parametrize("fault", ["drip", "name server"])
def test_offline_digits_where_a_server_never_comes_to_an_end(
    use, server, capsys, monkeypatch, fault
):
    use("drip")
    monkeypatch.setattr(_download, "ASKING", 0.3)
    if fault == "name server":
        monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **options: server.closing.wait())
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


def test_what_is_already_there_is_kept_when_the_mirrors_fail(use, server, own):
    use("good")
    server.files = FILES | {NAMES[-1]: b"wrong"}
    assert load_mnist().source == "uci-digits"
    assert contents(own) == {name: FILES[name] for name in NAMES[:-1]}
    server.files, server.requests = FILES, []
    assert load_mnist().source == "mnist"
    assert server.downloads() == [("good", NAMES[-1])]


# folders


@pytest.mark.parametrize("flaw", ["in the way", "no project"])
def test_cache_folder_is_used_where_the_project_cannot_be_written(use, server, own, cache, flaw):
    use("good")
    if flaw == "in the way":  # even root cannot write into that
        own.write_text("")
    else:  # the package is installed
        shutil.rmtree(own.parents[1])
    assert load_mnist(source="mnist").source == "mnist"
    assert contents(cache) == FILES
    assert contents(own) == {}
    server.requests.clear()
    assert load_mnist(source="mnist").source == "mnist"
    assert server.requests == []


@pytest.mark.parametrize("where", ["own", "cache"])
def test_damaged_file_in_a_folder_for_downloads_is_replaced(use, server, own, cache, where):
    use("good")
    folder = {"own": own, "cache": cache}[where]
    write_files(folder, FILES | {NAMES[1]: flipped(FILES[NAMES[1]], 20)})
    if where == "cache":
        own.write_text("")
    assert load_mnist().source == "mnist"
    assert contents(folder) == FILES
    assert server.downloads() == [("good", NAMES[1])]


def test_a_file_of_another_user_is_used(use, own, monkeypatch):
    use("good")
    write_files(own, {NAMES[1]: FILES[NAMES[1]]})

    def refuse(path, mode):
        raise PermissionError(errno.EPERM, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "chmod", refuse)  # root, as in a container, may do everything
    assert load_mnist(source="mnist").source == "mnist"
    assert contents(own) == FILES


# in processes of their own

IN_A_PROCESS = """
import json, sys
from pathlib import Path
from course_utils import _download, load_mnist

settings = json.loads(sys.argv[1])
_download.MIRRORS, _download.CHECKSUMS = settings["mirrors"], settings["checksums"]
_download.folders = lambda: [Path(folder) for folder in settings["folders"]]
_download.ANSWER = _download.ASKING = 60
print(load_mnist(source=settings["source"]))
"""


@pytest.fixture
def start(server):
    """Load in a process of its own, with the small MNIST and these folders; return the process."""
    with contextlib.ExitStack() as at_the_end:

        def start(*folders, mirror="good", source="mnist", first=""):
            settings = {"folders": list(map(str, folders)), "checksums": _download.CHECKSUMS}
            settings |= {"mirrors": [server.mirror(mirror)], "source": source}
            process = subprocess.Popen(
                [sys.executable, "-c", first + IN_A_PROCESS, json.dumps(settings)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
            )
            at_the_end.enter_context(process)
            at_the_end.callback(process.kill)
            return process

        yield start


def assert_loaded(process):
    out, err = process.communicate(timeout=120)
    assert "Digits: 30 to train on, 20 to test on, from mnist" in out
    assert err == ""


def test_several_processes_at_once(start, own):
    for process in [start(own) for _ in range(3)]:
        assert_loaded(process)
    assert contents(own) == FILES


def test_killed_in_the_middle_of_a_file_and_started_again(start, server, own):
    process = start(own, mirror="stall")
    assert server.stalled.wait(60)
    process.kill()
    assert process.wait(60) != 0
    assert not contents(own).keys() & FILES.keys()
    assert_loaded(start(own))
    assert contents(own).items() >= FILES.items()


def test_no_file_is_left_where_the_disk_is_full(start, tmp_path):
    pytest.importorskip("resource", reason="this system has no limit to the size of files")
    folders = tmp_path / "first", tmp_path / "second"
    is_full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))"
    out, err = start(*folders, source="auto", first=is_full).communicate(timeout=120)
    full = f"a folder cannot be written ({os.strerror(errno.EFBIG)})"
    message, digits = out.splitlines()[-2:]
    assert message.endswith(f"MNIST could not be downloaded: {full}; {full}. {ADVICE}{SO}".rstrip())
    assert digits.endswith("from uci-digits")
    assert err == ""
    assert contents(folders[0]) == contents(folders[1]) == {}
