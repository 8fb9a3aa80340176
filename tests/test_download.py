"""The download of MNIST, from servers on this computer that fail in every way servers do."""

import contextlib
import errno
import http.server
import os
import shutil
import socket
import sys
import threading
from pathlib import Path
from subprocess import PIPE, Popen

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
DEAD = "http://127.0.0.1:1/"  # nobody listens there
# faults of a server
AT_ONCE = ["dead", "silent", "broken"]  # it does not even say that it is there
BODIES = {  # what is sent of a file
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
        fault, name = self.path.strip("/").split("/")
        self.server.requests.append((self.command, fault, name))
        with contextlib.suppress(OSError):  # the other side has hung up
            self.answer(fault, self.server.files[name])

    do_GET = do_HEAD

    def answer(self, fault, data):
        if fault == "silent":
            self.server.closing.wait()
        if fault == "broken" or (fault == "gone" and self.command == "GET"):
            self.send_error(500 if fault == "broken" else 404)
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
        return DEAD if fault == "dead" else f"http://127.0.0.1:{self.server_port}/{fault}/"

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
def use(server, monkeypatch):
    """Set the mirrors by their faults, or "good"."""
    return lambda *faults: monkeypatch.setattr(
        _download, "MIRRORS", tuple(map(server.mirror, faults))
    )


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    """Make a project and a cache to write to, and a small MNIST official; return data/mnist."""
    make_official(monkeypatch, FILES)
    for name in ("MNIST_DIR", "MNIST_SOURCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(_download, "__file__", str(tmp_path / "project/course_utils/_download.py"))
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    shutil.copytree(OFFLINE_DIGITS, tmp_path / "project" / "data" / "uci-digits")
    return tmp_path / "project" / "data" / "mnist"


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
    assert load_mnist(source=source).source == "mnist"
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


def test_offline_digits_where_a_name_server_never_answers(use, server, capsys, monkeypatch):
    use("good")
    monkeypatch.setattr(_download, "ASKING", 0.3)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **options: server.closing.wait())
    assert load_mnist().source == "uci-digits"
    assert capsys.readouterr() == (NO_SERVER + SO, "")
    with pytest.raises(OSError, match="not on this computer") as caught:
        load_mnist(source="mnist")
    assert str(caught.value) == NO_SERVER


@pytest.mark.filterwarnings("error")  # as pytest turns an error in a thread into a warning
@pytest.mark.parametrize("proxy", [DEAD, "http://[", "http://a..b", "socks9://127.0.0.1:1"])
def test_proxy_that_leads_nowhere(use, monkeypatch, capsys, proxy):
    use("good", "good")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert load_mnist().source == "uci-digits"
    assert capsys.readouterr() == (NO_SERVER + SO, "")


def test_only_damaged_files_are_replaced_and_the_rest_is_kept_if_mirrors_fail(use, server, own):
    use("good")
    second, last = ({name: flipped(FILES[name], 20)} for name in NAMES[1::2])
    write_files(own, FILES | second | last)
    server.files = FILES | {NAMES[-1]: b"wrong"}
    assert load_mnist().source == "uci-digits"
    assert contents(own) == FILES | last
    assert server.downloads() == [("good", name) for name in NAMES[1::2]]
    server.files, server.requests = FILES, []
    assert load_mnist().source == "mnist"
    assert contents(own) == FILES
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
from pathlib import Path
from course_utils import _download, load_mnist
_download.MIRRORS, _download.CHECKSUMS = [{mirror!r}], {checksums}
_download.folders = lambda: [Path(folder) for folder in {folders}]
_download.ANSWER = _download.ASKING = 60
print(load_mnist(source={source!r}))
"""


@pytest.fixture
def start(server):
    """Load in a process of its own, with the small MNIST and these folders; return the process."""
    with contextlib.ExitStack() as at_the_end:

        def start(*folders, mirror="good", source="mnist", first=""):
            settings = {"folders": list(map(str, folders)), "checksums": _download.CHECKSUMS}
            settings |= {"mirror": server.mirror(mirror), "source": source}
            command = [sys.executable, "-c", first + IN_A_PROCESS.format(**settings)]
            process = Popen(command, stdout=PIPE, stderr=PIPE, encoding="utf-8")
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
