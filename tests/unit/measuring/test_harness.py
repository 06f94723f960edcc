"""The harness of `make bench`: bytes, figures and verdicts, and one tiny round over real sockets."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from random import Random

import msgspec
import pytest

from benchmarks import wire
from benchmarks.books import FRAME_BYTES, Book, execution_push, steps, text
from benchmarks.docs import BEGIN, END, write_docs
from benchmarks.exchange import Reaction, Remote, Sustained
from benchmarks.figures import FLOOR, Figure, figures, percentile
from benchmarks.fleet import BY_NAME, MIRRORCTL, Fleet
from benchmarks.gates import Gate, gates
from benchmarks.measures import Effort, reactions
from benchmarks.results import Results
from mirrorctl.core.bybit.frames import decode_frame


def test_a_message_comes_out_as_it_went_in_whatever_its_length() -> None:
    for size in (0, 125, 126, 70_000):
        payload = bytes(number % 251 for number in range(size))
        buffer = bytearray(wire.masked_frame(payload, b"\x01\x02\x03\x04"))
        assert wire.take_message(buffer[:-1]) is None
        message = wire.take_message(buffer)
        assert message is not None
        assert (message.payload, bytes(buffer)) == (payload, b"")


def test_a_request_is_taken_once_it_is_whole() -> None:
    sent = b"POST /v5/order/create HTTP/1.1\r\nContent-Length: 4\r\nX-BAPI-API-KEY: k\r\n\r\n{12}GET "
    for end in range(len(sent) - 4):
        assert wire.take_request(bytearray(sent[:end])) is None
    buffer = bytearray(sent)
    request = wire.take_request(buffer)
    assert request == wire.Request("POST", "/v5/order/create", {"content-length": "4", "x-bapi-api-key": "k"}, b"{12}")
    assert bytes(buffer) == b"GET "


def test_the_execution_frame_has_the_length_of_bybits_and_reads_as_a_fill() -> None:
    fill = Book("main", 1000).fill("BTCUSDT", "Buy", 1, 1_700_000_000_000)
    payload = execution_push(fill.execution, 1_700_000_000_000)
    assert len(payload) == FRAME_BYTES
    (execution,) = decode_frame(msgspec.json.decode(payload))
    assert str(execution.qty) == "0.001"  # type: ignore[union-attr]  # the execution topic brings executions


def test_quantities_are_counted_in_whole_steps() -> None:
    assert [steps(qty) for qty in ("1", "0.001", "12.34", "0.0015")] == [1000, 1, 12340, 1]
    assert [text(size) for size in (1, 1000, 12340)] == ["0.001", "1.000", "12.340"]


def test_a_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    rounds = {FLOOR: [[10_000, 10_000], [40_000], [10_000]], "slow": [[30_000], [80_000], []]}
    floor, slow = figures(rounds, {"slow": [5_000.0, 7_000.0]}, {"slow": 1})
    assert (floor.ratio, slow.ratio, slow.cpu_us) == (1.0, 2.5, 6.0)
    assert (slow.events, slow.lost, slow.p50_us) == (3, 1, 80.0)
    assert percentile(list(range(100)), 0.99) == 99


@pytest.mark.parametrize(
    ("gate", "verdict"),
    [
        (Gate("g", None, 5), "not measured"),
        (Gate("g", 5.1, 5, 3), "NOT met"),
        (Gate("g", 4.0, 5, 3), "met"),
        (Gate("g", 2.0, 5, 3), "met, stretch too"),
        (Gate("g", 0.9, 1, 3, least=True), "NOT met"),
        (Gate("g", 3.5, 1, 3, least=True), "met, stretch too"),
        (Gate("g", 1.0, 5, judged=False), "not judged"),
    ],
)
def test_a_gate_says_what_became_of_it(gate: Gate, verdict: str) -> None:
    assert gate.verdict == verdict


def test_beside_a_disturbed_floor_nothing_is_met_and_each_scenario_has_its_own() -> None:
    def scenario(floor_us: float, tail: float) -> list[Figure]:
        return [
            Figure(FLOOR, floor_us, floor_us * tail, 1.0, 1.0, 1, 0),
            Figure(MIRRORCTL, 2 * floor_us, 3 * floor_us, 2.0, 1.0, 1, 0),
        ]

    quiet, slow, ragged = scenario(30.0, 2.0), scenario(5_000.0, 2.0), scenario(30.0, 50.0)
    for disturbed in (slow, ragged):
        found = gates(Results({}, reaction=quiet, reaction_ahead=disturbed, fan_out={10: disturbed}))
        verdicts = {gate.name: gate.verdict for gate in found}
        assert verdicts["reaction p50, 1 mirror, ws"] == "met, stretch too"
        assert verdicts["reaction, orders and positions ahead, ws"] == "not judged"
        assert verdicts["fan-out to 10, last order p50, ws"] == "not judged"


def test_the_tables_of_a_run_replace_those_of_the_run_before(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_docs(Results({"cores": "2"}), page)
    written = page.read_text()
    assert written.startswith(f"before\n{BEGIN}") and written.endswith(f"{END}\nafter\n")
    assert "| cores | 2 |" in written and "old" not in written


@pytest.fixture
def exchange() -> Iterator[Remote]:
    with Remote() as remote:
        yield remote


def test_a_round_over_sockets_measures_the_floor(exchange: Remote) -> None:
    with Fleet(exchange, [BY_NAME[FLOOR]], None, mirrors=2) as fleet:
        (figure,) = reactions(fleet, Effort(rounds=2, events=3, pause_s=0.001), Random(1), ahead=True)
        burst: Sustained = exchange.call("sustain", fleet.venue(FLOOR), 50, mirrors=2)
    assert (figure.variant, figure.events, figure.lost, figure.ratio) == (FLOOR, 6, 0, 1.0)
    assert figure.p50_us is not None and 0 < figure.p50_us <= (figure.p99_us or 0)
    assert (burst.ordered, burst.orders) == (100, 100)


def test_an_order_that_never_comes_is_counted_as_lost(exchange: Remote) -> None:
    port = exchange.call("open_venue", "deaf", 1)
    exchange.call("set_patience", 0.05)
    with contextlib.closing(socket.create_connection(("127.0.0.1", port))):
        found: list[Reaction] = exchange.call("react", "deaf", [0.0])
    assert [(one.whole, one.orders_ns) for one in found] == [(False, ())]


def test_what_goes_wrong_in_the_exchange_is_told(exchange: Remote) -> None:
    with pytest.raises(RuntimeError, match="KeyError"):
        exchange.call("react", "nobody", [0.0])
