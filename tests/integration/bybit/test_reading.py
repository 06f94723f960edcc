"""Whatever way a message is cut into frames and packets, it is handed over whole, once and in its order (RFC 6455)."""

from __future__ import annotations

import contextlib
import queue
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import websocket

from mirrorctl.core.bybit.reading import App, whole_text
from tests.integration.bybit.scripted import ScriptedStream, Wire

TEXT, CONTINUED, BINARY, CLOSE, PING, PONG = 1, 0, 2, 8, 9, 10


def frame(payload: bytes, opcode: int = TEXT, *, fin: bool = True) -> bytes:
    """As a server sends it."""
    size = len(payload)
    if size < 126:
        length = bytes([size])
    elif size < 1 << 16:
        length = b"\x7e" + struct.pack("!H", size)
    else:
        length = b"\x7f" + struct.pack("!Q", size)
    return bytes([(0x80 if fin else 0) | opcode]) + length + payload


class Listener:
    """What an App tells, in its order; ends with ("over", …)."""

    def __init__(self, url: str) -> None:
        self.told: queue.Queue[tuple[str, object]] = queue.Queue()
        self.unread: list[bool] = []
        self.app = App(
            url,
            self._take,
            on_error=lambda _, error: self.told.put(("error", type(error))),
            on_close=lambda *_: self.told.put(("over", None)),
            on_ping=lambda _, data: self.told.put(("ping", bytes(data))),
        )
        self.thread = threading.Thread(target=self.app.run_forever, kwargs={"skip_utf8_validation": True}, daemon=True)
        self.thread.start()

    def _take(self, message: bytes) -> None:
        self.unread.append(self.app.has_unread)
        self.told.put(("message", bytes(message)))

    def all(self) -> list[tuple[str, object]]:
        """Everything until the end."""
        found: list[tuple[str, object]] = []
        while not found or found[-1][0] != "over":
            found.append(self.told.get(timeout=10))
        return found


@contextlib.contextmanager
def listening(script: Callable[[Wire], None]) -> Iterator[Listener]:
    with ScriptedStream(script) as server:
        listener = Listener(server.url)
        try:
            yield listener
        finally:
            server.closing.set()  # whoever holds lets go
            listener.thread.join(5)
            assert not listener.thread.is_alive()


def messages(told: list[tuple[str, object]]) -> list[object]:
    return [what for kind, what in told if kind == "message"]


MANY = [b"a", b"", b"{}" * 60, b"x" * 126, b"y" * 700, b"z" * 20_000, b"w" * 70_000, "Grüße".encode()]
GOODBYE = frame(struct.pack("!H", 1000), CLOSE)


@pytest.mark.parametrize("size", [1, 3, 700, 5_000, 1 << 20])
def test_messages_are_whole_however_the_packets_cut_them(size: int) -> None:
    bytes_ = b"".join(frame(each) for each in MANY) + GOODBYE
    if size == 1:
        bytes_ = b"".join(frame(each) for each in MANY if len(each) < 1_000) + GOODBYE

    def script(wire: Wire) -> None:
        for start in range(0, len(bytes_), size):
            wire.write(bytes_[start : start + size])
            if size == 1 and start < 40:
                time.sleep(0.002)  # really apart
        wire.hold()

    with listening(script) as listener:
        wanted = [each for each in MANY if size > 1 or len(each) < 1_000]
        assert messages(listener.all()) == wanted


def test_fragments_with_control_frames_between_them_are_one_message() -> None:
    def script(wire: Wire) -> None:
        wire.write(
            frame(b"before")
            + frame(b"one ", fin=False)
            + frame(b"!", PING)
            + frame(b"two ", CONTINUED, fin=False)
            + frame(b"", PONG)
            + frame(b"three", CONTINUED)
            + frame(b"after")
            + GOODBYE
        )
        wire.hold()

    with listening(script) as listener:
        told = listener.all()
    assert messages(told) == [b"before", b"one two three", b"after"]
    assert ("ping", b"!") in told


def test_a_text_in_the_middle_of_fragments_is_an_error_as_the_library_says() -> None:
    def script(wire: Wire) -> None:
        wire.write(frame(b"one ", fin=False) + frame(b"{}") + GOODBYE)

    with listening(script) as listener:
        told = listener.all()
    assert messages(told) == []
    assert ("error", websocket.WebSocketProtocolException) in told


def test_more_of_a_burst_is_seen_while_a_message_is_handed_over() -> None:
    def script(wire: Wire) -> None:
        wire.write(frame(b"1") + frame(b"2") + frame(b"3"))
        wire.hold()

    with listening(script) as listener:
        for _ in range(3):
            listener.told.get(timeout=10)
        assert listener.unread == [True, True, False]


@pytest.mark.parametrize("end", [b"", b"\x81", frame(b"half a message")[:-3]], ids=["between", "header", "payload"])
def test_an_end_without_a_goodbye_is_an_error_and_half_a_message_is_none(end: bytes) -> None:
    def script(wire: Wire) -> None:
        wire.write(frame(b"whole") + end)

    with listening(script) as listener:
        told = listener.all()
    assert messages(told) == [b"whole"]
    assert ("error", websocket.WebSocketConnectionClosedException) in told


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", None),
        (b"\x81", None),
        (frame(b"ab"), (b"ab", b"")),
        (frame(b"ab") + b"\x81", (b"ab", b"\x81")),
        (frame(b"ab")[:-1], None),
        (frame(b"x" * 126), (b"x" * 126, b"")),
        (frame(b"x" * 126)[:3], None),
        (frame(b"x" * 65_535), (b"x" * 65_535, b"")),
        (frame(b"x" * 65_536), None),
        (frame(b"ab", BINARY), None),
        (frame(b"ab", PING), None),
        (frame(b"ab", fin=False), None),
        (b"\xc1\x01a", None),  # a reserved bit
        (b"\x81\x81keyxa", None),  # masked, which a server never does
    ],
)
def test_only_a_whole_plain_text_is_taken_the_short_way(data: bytes, found: tuple[bytes, bytes] | None) -> None:
    assert whole_text(data) == found
