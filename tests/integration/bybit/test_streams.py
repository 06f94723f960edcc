"""The private stream survives everything a connection can do: refusal, close frame, reset, silence, bad keys (A53)."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mirrorctl.core.bybit.frames import TOPICS
from mirrorctl.core.bybit.streams import PrivateStream, StreamTiming
from mirrorctl.core.engine.ports import Event, Frame, StreamDown, StreamUp
from tests.integration.bybit.scripted import (
    KEY,
    SECRET,
    ScriptedHttp,
    ScriptedStream,
    Wire,
    envelope,
    free_port,
    http,
    rest_to,
)

FAST = StreamTiming(
    phase_s=0.4, ping_s=0.1, silence_s=0.4, stable_s=5, first_pause_s=0.02, longest_pause_s=0.1, refused_pause_s=0.2
)
PUSH = {"id": "1", "topic": "order", "creationTime": 1, "data": []}


class Heard:
    """The events of a stream, in order."""

    def __init__(self) -> None:
        self.events: queue.Queue[Event] = queue.Queue()

    def next(self, timeout_s: float = 5.0) -> Event:
        return self.events.get(timeout=timeout_s)

    def until_up(self, times: int = 1) -> list[Event]:
        """Everything up to the n-th StreamUp, which is the last one."""
        seen: list[Event] = []
        while times:
            seen.append(self.next())
            times -= isinstance(seen[-1], StreamUp)
        return seen


@contextlib.contextmanager
def streaming(url: str, timing: StreamTiming = FAST) -> Iterator[tuple[PrivateStream, Heard]]:
    """A started stream to `url`; its HTTP side only tells the time."""
    with ScriptedHttp(lambda _: envelope({})) as server, rest_to(server.url, private_ws=url) as rest:
        heard = Heard()
        stream = PrivateStream(rest, heard.events.put, timing=timing)
        stream.start()
        try:
            yield stream, heard
        finally:
            assert stream.stop(2.0)


def healthy(wire: Wire) -> None:
    wire.log_in()
    wire.send(PUSH)
    wire.answer_pings()


def test_comes_up_after_both_answers_and_hands_frames_over() -> None:
    asked: list[dict[str, Any]] = []

    def script(wire: Wire) -> None:
        for _ in range(2):
            asked.append(wire.receive())
            wire.send(PUSH)  # before it is live: whatever happened before is unknown anyway
            wire.accept(asked[-1])
        wire.send({"id": "2", "topic": "never.heard.of", "data": [1]})
        wire.send({"op": "surprise"})
        wire.send(PUSH)
        wire.answer_pings()

    with ScriptedStream(script) as server, streaming(server.url) as (_, heard):
        assert heard.next() == StreamUp("main", 1)
        frame = heard.next()
        assert isinstance(frame, Frame)
        assert frame.payload == PUSH
        assert [request["op"] for request in asked] == ["auth", "subscribe"]
        assert asked[1]["args"] == list(TOPICS)
        time.sleep(FAST.silence_s * 1.5)
        assert heard.events.empty(), "pings keep a quiet stream alive"


class Desk:
    """A decider that notes what it is told, and on which thread."""

    def __init__(self) -> None:
        self.told: queue.Queue[tuple[str, str]] = queue.Queue()

    def leave(self, event: Event) -> None:
        assert isinstance(event, Frame)
        self._note(event.payload["id"])

    def drive(self) -> None:
        self._note("drive")

    def wake(self) -> None:
        self._note("wake")

    def _note(self, what: str) -> None:
        self.told.put((what, threading.current_thread().name))

    def next(self, count: int) -> list[str]:
        found = [self.told.get(timeout=5.0) for _ in range(count)]
        assert {thread for _, thread in found} == {"stream-main"}
        return [what for what, _ in found]


def test_a_lone_message_is_decided_on_where_it_is_read_and_a_burst_elsewhere() -> None:
    go = threading.Event()

    def script(wire: Wire) -> None:
        wire.log_in()
        wire.send({**PUSH, "id": "alone"})
        go.wait(5)
        wire.send_at_once([{**PUSH, "id": f"burst {n}"} for n in range(3)])
        wire.answer_pings()

    with (
        ScriptedStream(script) as server,
        ScriptedHttp(lambda _: envelope({})) as web,
        rest_to(web.url, private_ws=server.url) as rest,
    ):
        desk, heard = Desk(), Heard()
        stream = PrivateStream(rest, heard.events.put, decider=desk, timing=FAST)
        stream.start()
        try:
            assert heard.next() == StreamUp("main", 1)
            assert desk.next(2) == ["alone", "drive"]
            go.set()
            assert desk.next(6) == ["burst 0", "wake", "burst 1", "wake", "burst 2", "drive"]
            assert heard.events.empty(), "a message is left with the decider and not delivered as well"
        finally:
            assert stream.stop(2.0)


def close_frame(wire: Wire) -> None:
    wire.log_in()
    wire.close_frame()
    wire.hold()


def reset(wire: Wire) -> None:
    wire.log_in()
    wire.reset()


def silence(wire: Wire) -> None:
    wire.log_in()
    wire.hold()


def late_auth(wire: Wire) -> None:
    wire.hold()


def refused_subscription(wire: Wire) -> None:
    wire.accept(wire.receive())
    wire.refuse(wire.receive(), "Request not authorized")
    wire.hold()


def not_json(wire: Wire) -> None:
    wire.log_in()
    wire.send_raw(b"<html>")
    wire.hold()


def not_utf8(wire: Wire) -> None:
    wire.log_in()
    wire.send_raw(b'{"topic": "\xff\xfe"}')
    wire.hold()


@pytest.mark.proves("A53")
@pytest.mark.parametrize(
    ("trouble", "reason", "came_up"),
    [
        (close_frame, "closed by the exchange (1001)", True),
        (reset, "", True),
        (silence, "silent for 0.4 s", True),
        (late_auth, "no answer while authenticating", False),
        (refused_subscription, "subscription refused: Request not authorized", False),
        (not_json, "a message could not be read: DecodeError", True),
        (not_utf8, "a message could not be read: UnicodeDecodeError", True),
    ],
)
def test_a_new_connection_follows_every_loss(trouble: Callable[[Wire], None], reason: str, came_up: bool) -> None:
    with ScriptedStream(trouble, healthy) as server, streaming(server.url) as (_, heard):
        if came_up:
            assert heard.next() == StreamUp("main", 1)
        down = heard.next()
        assert isinstance(down, StreamDown)
        assert (down.epoch, down.final) == (1, False)
        assert reason in down.reason
        assert down.reason
        assert heard.next() == StreamUp("main", 2)
        assert isinstance(heard.next(), Frame)


@pytest.mark.proves("A53")
def test_keeps_trying_while_nothing_listens_and_not_without_pause() -> None:
    with streaming(f"ws://127.0.0.1:{free_port()}/v5/private") as (_, heard):
        began = time.monotonic()
        reasons: list[tuple[int, str]] = []
        while len(reasons) < 5:
            event = heard.next()
            assert isinstance(event, StreamDown)
            reasons.append((event.epoch, event.reason))
        assert reasons == [(epoch, "connection refused") for epoch in range(1, 6)]
        assert time.monotonic() - began > 0.1


@pytest.mark.proves("A53")
@pytest.mark.parametrize(
    ("answer", "reason"),
    [(b"", "no answer while connecting"), (http(503, ""), "the exchange answered HTTP 503"), (None, "closed")],
)
def test_a_handshake_that_does_not_happen(answer: bytes | None, reason: str) -> None:
    with ScriptedHttp(lambda _: answer) as server, streaming(f"ws://127.0.0.1:{server.port}/v5/private") as (_, heard):
        for epoch in (1, 2):
            down = heard.next()
            assert isinstance(down, StreamDown)
            assert down.epoch == epoch
            assert reason in down.reason


def test_a_refused_key_is_final_and_still_tried_slowly() -> None:
    def refusing(wire: Wire) -> None:
        wire.refuse(wire.receive(), "API key is invalid.")
        wire.hold()

    with ScriptedStream(refusing, healthy) as server, streaming(server.url) as (_, heard):
        began = time.monotonic()
        assert heard.next() == StreamDown("main", 1, "authentication refused: API key is invalid.", final=True)
        assert heard.next() == StreamUp("main", 2)
        assert time.monotonic() - began >= FAST.refused_pause_s / 2


def test_an_expired_signature_is_not_final() -> None:
    def refusing(wire: Wire) -> None:
        wire.refuse(wire.receive(), "Params Error")

    with ScriptedStream(refusing, healthy) as server, streaming(server.url) as (_, heard):
        down = heard.next()
        assert isinstance(down, StreamDown)
        assert not down.final
        assert heard.next() == StreamUp("main", 2)


def test_stop_is_quick_and_silent_in_every_phase() -> None:
    slow = StreamTiming(phase_s=30, ping_s=30, silence_s=60)
    for script, up in ((late_auth, 0), (silence, 1)):
        with ScriptedStream(script) as server, streaming(server.url, slow) as (stream, heard):
            heard.until_up(up)
            time.sleep(0.1)
            began = time.monotonic()
            assert stream.stop(2.0)
            assert time.monotonic() - began < 1.0
            assert heard.events.empty()


def test_nothing_is_delivered_after_the_end_however_much_still_comes_in() -> None:
    def flooding(wire: Wire) -> None:
        wire.log_in()
        while True:
            wire.send(PUSH)

    with ScriptedStream(flooding) as server, streaming(server.url) as (stream, heard):
        assert heard.next() == StreamUp("main", 1)
        assert isinstance(heard.next(), Frame)
        assert stream.stop(2.0)
        delivered = heard.events.qsize()
        time.sleep(0.1)
        assert heard.events.qsize() == delivered


@pytest.mark.proves("A73")
def test_the_libraries_write_nothing_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.DEBUG),
        ScriptedStream(close_frame, not_json, healthy) as server,
        streaming(server.url) as (_, heard),
    ):
        heard.until_up(3)
    assert {record.name.partition(".")[0] for record in caplog.records} <= {"mirrorctl", "urllib3"}
    assert SECRET not in caplog.text
    assert KEY not in caplog.text


def test_the_clock_is_compensated_in_the_signature_and_no_secret_is_sent() -> None:
    skew_ms = 3_600_000
    seen: list[dict[str, object]] = []

    def script(wire: Wire) -> None:
        seen.append(wire.receive())
        wire.hold()

    def exchange_ms() -> int:
        return time.time_ns() // 1_000_000 + skew_ms

    with (
        ScriptedStream(script) as server,
        ScriptedHttp(lambda _: envelope({}), exchange_ms=exchange_ms) as web,
        rest_to(web.url, private_ws=server.url) as rest,
    ):
        heard = Heard()
        stream = PrivateStream(rest, heard.events.put, timing=FAST)
        stream.start()
        assert isinstance(heard.next(), StreamDown)
        assert stream.stop()
    args = seen[0]["args"]
    assert isinstance(args, list)
    assert args[0] == KEY
    assert 5_000 < args[1] - exchange_ms() < 11_000
    assert SECRET not in str(seen)


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, dead)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "example.org")
    with ScriptedStream(healthy) as server, streaming(server.url) as (_, heard):
        assert heard.next() == StreamUp("main", 1)
