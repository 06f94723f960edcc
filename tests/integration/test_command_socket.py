"""The local command channel over real sockets: answers, errors, bounds, and a command that was withdrawn stays so."""

from __future__ import annotations

import os
import queue
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mirrorctl.core.domain.errors import Locked, MirrorctlError, PartlyDone, ProfileError, Refused, Rejected, UsageError
from mirrorctl.core.engine.command_client import call
from mirrorctl.core.engine.command_socket import CommandRequest, CommandServer

# A daemon in small: one loop that claims what it gets, notes it in a file, and answers.
DAEMON = """
import queue, sys
from pathlib import Path
from mirrorctl.core.engine.command_socket import CommandServer
path, notes = Path(sys.argv[1]), open(sys.argv[2], "a", buffering=1)
requests = queue.Queue()
server = CommandServer(path, requests.put)
server.start()
print("ready", flush=True)
while True:
    request = requests.get()
    if request.claim():
        notes.write(request.args["id"] + "\\n")
        request.reply({"id": request.args["id"]})
"""

CLIENT = """
import sys
from pathlib import Path
from mirrorctl.core.engine.command_client import call
call(Path(sys.argv[1]), "trade", {})
"""


class Loop:
    """A server whose decision loop runs `decide` on a thread of its own."""

    def __init__(self, path: Path, decide: Callable[[CommandRequest], None]) -> None:
        self.requests: queue.Queue[CommandRequest | None] = queue.Queue()
        self.server = CommandServer(path, self.requests.put)
        self._decide = decide
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Loop:
        self.server.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.requests.put(None)
        self._thread.join(5)
        self.server.close()

    def _run(self) -> None:
        while (request := self.requests.get()) is not None:
            self._decide(request)


@contextmanager
def silent_server(path: Path) -> Iterator[tuple[CommandServer, queue.Queue[CommandRequest]]]:
    """A server whose loop never gets to anything by itself."""
    requests: queue.Queue[CommandRequest] = queue.Queue()
    server = CommandServer(path, requests.put)
    server.start()
    try:
        yield server, requests
    finally:
        server.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "daemon.sock"


def echo(request: CommandRequest) -> None:
    if request.claim():
        request.reply({"name": request.name, "args": request.args})


def test_a_command_is_carried_out_and_its_result_comes_back(path: Path) -> None:
    with Loop(path, echo):
        assert call(path, "pause", {"account": "mirror"}) == {"name": "pause", "args": {"account": "mirror"}}


def test_progress_arrives_in_order_before_the_result(path: Path) -> None:
    seen: list[Any] = []

    def decide(request: CommandRequest) -> None:
        assert request.claim()
        for step in range(3):
            request.progress({"step": step, "qty": Decimal("0.00000001")})
        request.reply({"seen": len(seen)})

    with Loop(path, decide):
        call(path, "trade", {}, on_progress=seen.append)
    assert seen == [{"step": step, "qty": "0.00000001"} for step in range(3)]


def test_progress_is_shown_while_the_command_runs(path: Path) -> None:
    shown = threading.Event()

    def decide(request: CommandRequest) -> None:
        assert request.claim()
        request.progress({"mirror": "filled"})
        request.reply({"shown_before_the_end": shown.wait(5)})

    with Loop(path, decide):
        assert call(path, "trade", {}, on_progress=lambda _: shown.set()) == {"shown_before_the_end": True}


@pytest.mark.parametrize(
    "error",
    [
        UsageError("no such symbol", "look at `mirrorctl positions`"),
        Rejected("margin is too small", "deposit", code=110007),
        ProfileError("2 problems", "edit it", ("a: wrong", "b: wrong")),
        Locked("held", "wait"),
        PartlyDone("mirror is out"),
        MirrorctlError("a bug"),
    ],
)
def test_an_error_is_raised_again_with_all_it_says(path: Path, error: MirrorctlError) -> None:
    with Loop(path, lambda request: request.fail(error)), pytest.raises(type(error)) as caught:
        call(path, "trade", {})
    again = caught.value
    assert type(again) is type(error)
    assert (again.message, again.hint, again.exit_code) == (error.message, error.hint, error.exit_code)
    assert getattr(again, "code", None) == getattr(error, "code", None)
    assert getattr(again, "problems", None) == getattr(error, "problems", None)


def claim(request: CommandRequest) -> None:
    assert request.claim()


def refused(path: Path) -> None:
    with pytest.raises(Refused):
        call(path, "x", {})


def in_background(*steps: Callable[[], object]) -> threading.Thread:
    """Runs the steps one after another on a thread that has started."""

    def run() -> None:
        for step in steps:
            step()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.proves("A49")
def test_a_command_that_nobody_took_up_is_withdrawn_for_good(path: Path) -> None:
    with silent_server(path) as (_, requests):
        with pytest.raises(Locked) as caught:
            call(path, "trade", {}, timeout_s=0.1)
        assert caught.value.exit_code == 6
        assert f"process {os.getpid()}" in caught.value.message
        late = requests.get(timeout=5)
        assert not late.claim()
        assert not late.confirmed


def test_a_client_that_left_is_not_obeyed(path: Path) -> None:
    """Killed, so it could not withdraw: the closed connection says so."""
    with silent_server(path) as (_, requests):
        client = subprocess.Popen([sys.executable, "-c", CLIENT, str(path)])
        late = requests.get(timeout=10)
        client.kill()
        client.wait(5)
        assert not late.claim()


def test_taking_up_and_withdrawing_at_once_never_both_succeed(path: Path) -> None:
    with silent_server(path) as (_, requests):
        outcomes = set()
        for round_ in range(40):
            told: list[str] = []

            def ask(told: list[str] = told) -> None:
                try:
                    call(path, "x", {}, timeout_s=0.02)
                    told.append("done")
                except Locked:
                    told.append("withdrawn")

            client = threading.Thread(target=ask)
            client.start()
            try:
                request = requests.get(timeout=0.5)
            except queue.Empty:  # withdrawn before the server had even read it
                client.join(5)
                assert told == ["withdrawn"]
                continue
            time.sleep(0.015 + random.Random(round_).random() * 0.01)
            taken = request.claim()
            if taken:
                request.reply({})
            client.join(5)
            outcomes.add(told[0])
            assert told == ["done" if taken else "withdrawn"]
        assert outcomes  # both happen on most machines; neither may ever contradict the other


def test_taken_up_and_then_silent_is_unknown(path: Path) -> None:
    with Loop(path, claim), pytest.raises(PartlyDone) as caught:
        call(path, "trade", {}, result_timeout_s=0.1)
    assert caught.value.exit_code == 5
    assert "unknown" in caught.value.hint


def test_a_daemon_that_ends_before_it_took_the_command_up(path: Path) -> None:
    with silent_server(path) as (server, requests):
        ender = in_background(lambda: requests.get(timeout=5), server.close)
        with pytest.raises(Refused, match="nothing was done"):
            call(path, "trade", {})
        ender.join(5)


def test_a_daemon_that_ends_after_it_took_the_command_up(path: Path) -> None:
    with silent_server(path) as (server, requests):
        ender = in_background(lambda: requests.get(timeout=5).claim(), server.close)
        with pytest.raises(PartlyDone):
            call(path, "trade", {})
        ender.join(5)


def test_an_answer_given_right_before_the_end_still_arrives(path: Path) -> None:
    with silent_server(path) as (server, requests):

        def end() -> None:
            request = requests.get(timeout=5)
            request.claim()
            request.reply({"done": True})
            server.close()

        ender = in_background(end)
        assert call(path, "trade", {}) == {"done": True}
        ender.join(5)


def test_nothing_is_taken_up_after_the_end(path: Path) -> None:
    with silent_server(path) as (server, requests):
        client = in_background(lambda: refused(path))
        request = requests.get(timeout=5)
        server.close()
        assert not request.claim()
        request.reply({"too": "late"})
        client.join(5)


def test_a_daemon_that_is_not_there(path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(Locked) as caught:
        call(path, "x", {}, timeout_s=0.2)
    assert caught.value.exit_code == 6
    assert 0.1 < time.monotonic() - began < 1


def test_a_daemon_that_is_still_starting_is_waited_for(path: Path) -> None:
    loop = Loop(path, echo)
    starter = threading.Timer(0.2, loop.__enter__)
    starter.start()
    assert call(path, "x", {})["name"] == "x"
    starter.join()
    loop.__exit__()


def test_the_loop_is_not_held_up_by_a_client_that_does_not_read(path: Path) -> None:
    with silent_server(path) as (server, requests), socket.socket(socket.AF_UNIX) as client:
        token, write_end = os.pipe()
        os.write(write_end, b"1")
        client.connect(os.fspath(path))
        socket.send_fds(client, [b'{"version":1,"name":"x","args":{}}\n'], [token])
        request = requests.get(timeout=5)
        assert request.claim()
        began = time.monotonic()
        for _ in range(20_000):
            request.progress({"text": "x" * 1000})
        request.reply({})
        assert time.monotonic() - began < 4
        began = time.monotonic()
        server.close()
        assert time.monotonic() - began < 1.5
        os.close(token)
        os.close(write_end)


def test_closing_takes_less_than_a_second_with_clients_that_say_nothing(path: Path) -> None:
    with silent_server(path) as (server, _):
        clients = [socket.socket(socket.AF_UNIX) for _ in range(5)]
        for client in clients:
            client.connect(os.fspath(path))
        time.sleep(0.1)
        began = time.monotonic()
        server.close()
        assert time.monotonic() - began < 1.5
        assert not path.exists()
        assert not [thread for thread in threading.enumerate() if thread.name in ("command", "commands")]
        for client in clients:
            client.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"hello\n",
        b"[]\n",
        b'{"version":99,"name":"x","args":{}}\n',
        b'{"version":1,"name":"x","args":{}}\n',  # no token
        b'{"version":1,"name":7,"args":{}}\n',
        b"[" * 60_000 + b"\n",
        b"x" * 70_000,
    ],
    ids=["text", "list", "version", "no token", "no name", "deep", "large"],
)
def test_what_is_no_command_is_answered_and_harms_nothing(path: Path, sent: bytes) -> None:
    with Loop(path, echo):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(os.fspath(path))
            client.sendall(sent)
            assert b'"error"' in client.recv(4096)
        assert call(path, "x", {})["name"] == "x"


def test_a_descriptor_that_is_no_pipe_is_refused(path: Path) -> None:
    """A read of it could block the loop."""
    with Loop(path, echo), socket.socket(socket.AF_UNIX) as client, Path(os.devnull).open() as other:
        client.settimeout(5)
        client.connect(os.fspath(path))
        socket.send_fds(client, [b'{"version":1,"name":"x","args":{}}\n'], [other.fileno()])
        assert b'"error"' in client.recv(4096)


def test_an_answer_without_a_json_form_is_an_error_of_the_command(path: Path) -> None:
    with Loop(path, lambda request: request.reply({"what": object()})), pytest.raises(MirrorctlError, match="object"):
        call(path, "x", {})


def test_too_many_waiting_commands_are_turned_away(path: Path) -> None:
    with silent_server(path) as (_, _requests):
        clients = [socket.socket(socket.AF_UNIX) for _ in range(32)]
        for client in clients:
            client.connect(os.fspath(path))
        with pytest.raises(Refused, match="too many"):
            call(path, "x", {})
        for client in clients:
            client.close()


def test_the_socket_is_its_owner_s_alone_and_a_leftover_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as leftover:
        leftover.bind(os.fspath(path))
    with Loop(path, echo):
        assert path.stat().st_mode & 0o777 == 0o600
        assert call(path, "x", {})["name"] == "x"
    assert not path.exists()


def test_a_file_in_the_way_is_not_deleted(path: Path) -> None:
    path.write_text("mine")
    server = CommandServer(path, lambda request: None)
    with pytest.raises(Refused):
        server.start()
    server.close()
    assert path.read_text() == "mine"


def test_a_path_too_long_for_a_socket_moves_to_a_private_folder(tmp_path: Path) -> None:
    wanted = tmp_path / ("d" * 120) / "daemon.sock"
    with Loop(wanted, echo) as loop:
        real = loop.server.path
        assert real != wanted
        assert real.parent.stat().st_mode & 0o777 == 0o700
        assert call(real, "x", {})["name"] == "x"
    assert not real.parent.exists()


@contextmanager
def daemon(path: Path, notes: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", DAEMON, str(path), str(notes)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait(5)
        process.stdout.close()


@pytest.mark.proves("A49")
def test_a_stopped_daemon_never_does_what_was_withdrawn(path: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    with daemon(path, notes) as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(Locked, match="withdrawn"):
            call(path, "trade", {"id": "withdrawn"}, timeout_s=0.3)
        process.send_signal(signal.SIGCONT)
        assert call(path, "trade", {"id": "next"}) == {"id": "next"}
    assert notes.read_text() == "next\n"


@pytest.mark.proves("A49")
def test_stopped_at_any_moment_what_was_told_is_what_happened(path: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    dice = random.Random(20)
    told: dict[str, str] = {}
    with daemon(path, notes) as process:
        for round_ in range(24):
            name = f"c{round_}"
            delay = dice.random() * 0.001
            stopper = in_background(partial(time.sleep, delay), partial(process.send_signal, signal.SIGSTOP))
            try:
                call(path, "trade", {"id": name}, timeout_s=0.06, result_timeout_s=0.06)
                told[name] = "done"
            except (Locked, Refused):
                told[name] = "not done"
            except PartlyDone:
                told[name] = "unknown"
            stopper.join()
            process.send_signal(signal.SIGCONT)
        assert call(path, "trade", {"id": "last"}) == {"id": "last"}
    done = notes.read_text().split()
    assert len(done) == len(set(done))
    for name, word in told.items():
        assert word != "not done" or name not in done
        assert word != "done" or name in done


def test_a_killed_daemon_did_not_take_the_command_up(path: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    with daemon(path, notes) as process:
        process.send_signal(signal.SIGSTOP)
        killer = threading.Timer(0.2, process.kill)
        killer.start()
        with pytest.raises(Refused, match="nothing was done"):
            call(path, "trade", {"id": "x"})
        killer.join()
    assert notes.read_text() == ""
