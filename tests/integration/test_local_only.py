"""What listens is for this machine and this user: the command socket, the paper exchange and its admin routes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from mirrorctl.core.engine.command_socket import CommandRequest, CommandServer
from mirrorctl.core.engine.command_wire import VERSION, encode
from mirrorctl.core.paper.model import PaperAccount
from mirrorctl.core.paper.server import PaperServer

NOBODY = 65534


def ask_as_nobody(path: Path) -> str:
    """What a process of another user hears when it asks for a command: a forked child, which gives up all rights."""
    hears, tells = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(tells, ask(path))
        finally:
            os._exit(0)
    os.close(tells)
    os.waitpid(child, 0)
    with os.fdopen(hears) as said:
        return said.read()


def ask(path: Path) -> bytes:
    token, write_end = os.pipe()
    os.write(write_end, b"1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(5)
        try:
            sock.connect(str(path))
        except PermissionError:
            return b"permission denied"
        with contextlib.suppress(OSError):  # turned away before it was read: the answer says why
            socket.send_fds(sock, [encode({"version": VERSION, "name": "flatten", "args": {}})], [token])
        return sock.recv(65_536)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may enter: only the socket's own guards count."""
    made = Path(tempfile.mkdtemp(prefix="mirrorctl-test-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize(("mode", "answer"), [(0o600, "permission denied"), (0o666, "belongs to another user")])
def test_another_user_gives_no_command(folder: Path, mode: int, answer: str) -> None:
    """Its mode keeps others out, and where somebody has opened it the kernel says who asks."""
    taken: list[CommandRequest] = []
    server = CommandServer(folder / "daemon.sock", taken.append)
    server.start()
    try:
        assert server.path.stat().st_mode & 0o777 == 0o600
        server.path.chmod(mode)
        assert answer in ask_as_nobody(server.path)
    finally:
        server.close()
    assert taken == []


def own_address() -> str:
    """An address of this machine that is not loopback; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        try:
            trial.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(trial.getsockname()[0])


def paper(host: str = "127.0.0.1") -> PaperServer:
    return PaperServer([PaperAccount("main", 101, "k1", "s1")], volatility=Decimal(0), host=host)


def test_the_paper_exchange_listens_on_loopback_alone() -> None:
    with paper() as server, pytest.raises(ConnectionRefusedError):
        socket.create_connection((own_address(), server.port), timeout=5)


def refusal(url: str, headers: dict[str, str]) -> str:
    request = urllib.request.Request(url, b"{}", headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError) as caught:
        opener.open(request, timeout=5)
    with caught.value as answer:
        return str(json.loads(answer.read())["error"])


def test_its_admin_routes_answer_neither_the_network_nor_a_web_page() -> None:
    with paper(host="0.0.0.0") as server:
        assert refusal(f"http://{own_address()}:{server.port}/paper/reset", {}) == "loopback only"
        page = {"Origin": "https://example.org", "Content-Type": "text/plain"}
        assert "browser" in refusal(f"http://127.0.0.1:{server.port}/paper/reset", page)
