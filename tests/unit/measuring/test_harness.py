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
from benchmarks.copiers.profiler import Row
from benchmarks.docs import write_docs
from benchmarks.exchange import Reaction, Remote, Sustained
from benchmarks.figures import FLOOR, Figure, figures, middle, percentile
from benchmarks.fleet import BY_NAME, MIRRORCTL, MIRRORCTL_HTTP, Fleet
from benchmarks.gates import STOCK, Gate, gates
from benchmarks.ladder import rebuilt
from benchmarks.measures import Effort, Relisted, grown, reactions
from benchmarks.profile import Stage, staged, summed
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


def test_the_cost_of_what_is_open_is_a_gate_of_its_own() -> None:
    def figure(p50: float, cpu: float) -> Figure:
        return Figure(MIRRORCTL, p50, p50, None, cpu, 1, 0)

    results = Results(
        {},
        reaction=[figure(100, 50)],
        fan_out_acked={100: [figure(900, 60)]},
        growth={1: figure(100, 50), 200: figure(150, 60)},
        growth_fills={40: 100.0, 400: 120.0},
        relists=[Relisted(n, 2, 0.1, requests, 2, 1.0) for n, requests in ((1, 16), (200, 20))],
    )
    found = {gate.name: gate for gate in gates(results)}
    values = {name: round(gate.value, 2) for name, gate in found.items() if gate.value is not None}
    assert values["CPU of an event, 200 positions ÷ 1"] == 1.2
    assert values["p50 of an event, 200 positions ÷ 1"] == 1.5
    assert values["CPU of an order, 100 mirrors ÷ 1"] == 1.2
    assert values["p50 of an event, 400 fills before ÷ 40"] == 1.2
    assert values["requests of a relist, 200 positions ÷ 1"] == 1.25
    assert found["CPU of an event, 200 positions ÷ 1"].verdict == "met"


def test_of_several_rounds_the_middle_of_each_number_counts() -> None:
    rounds = [Figure("a", float(n), float(2 * n), None, None if n == 9 else float(n), 5, n % 2) for n in (1, 9, 4)]
    assert middle(rounds) == Figure("a", 4.0, 8.0, None, 2.5, 15, 2)


def test_a_profile_is_summed_by_part() -> None:
    rows = [
        Row("/x/mirrorctl/core/engine/engine.py", "Engine.process", 20, 0.75, 1.0),
        Row("/x/site-packages/websocket/_core.py", "send", 10, 0.25, 0.25),
    ]
    found = summed(rows, events=10)
    assert found.event_us == 100_000
    assert [(part.name, part.share, part.calls) for part in found.parts] == [
        ("engine", 0.75, 2.0),
        ("websocket-client", 0.25, 1.0),
    ]
    assert [part.name for part in found.functions] == ["engine/engine.py: Engine.process", "websocket/_core.py: send"]


def test_stages_are_medians_and_the_rest_of_the_reaction_is_beside_them() -> None:
    rows = [tuple(range(0, 7_000 * pace, 1_000 * pace)) for pace in (1, 2, 9)]
    found = {stage.name: stage.us for stage in staged(rows, [20_000, 15_000, 40_000])}
    assert list(found.values()) == [2.0] * 6 + [8.0, 20.0]
    assert list(staged([], [])[-1:]) == [Stage("in all", 0.0)]


PAGE = "before\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nafter\n"
PROFILE = "<!-- profile: begin -->\nolder\n<!-- profile: end -->\n"
README = "# r\n<!-- headline: begin -->\nold\n<!-- headline: end -->\n"


def test_the_tables_of_a_run_replace_those_of_the_run_before(tmp_path: Path) -> None:
    page, readme = tmp_path / "performance.md", tmp_path / "README.md"
    page.write_text(PAGE + PROFILE)
    readme.write_text(README)
    ratios = dict(zip((FLOOR, MIRRORCTL, MIRRORCTL_HTTP, *STOCK), (1.0, 4.2, 9.5, 3.1, 11.0), strict=True))
    reaction = [Figure(name, 30 * ratio, 60 * ratio, ratio, 1.0, 1, 0) for name, ratio in ratios.items()]
    profile = summed([Row("/x/mirrorctl/core/domain/view.py", "AccountView.size", 30, 0.1, 0.1)], events=10)
    write_docs(Results({"cores": "2", "processor": "P"}, reaction=reaction, profile=profile), page, readme)
    written = page.read_text()
    assert written.startswith("before\n<!-- measured: begin -->")
    assert "| cores | 2 |" in written
    assert "old" not in written
    assert "| `domain/view.py: AccountView.size` | 100.0% | 100.0% | 3.0 |" in written
    assert "(P, 2 cores)" in readme.read_text()
    assert "4.2 × over WebSocket and 9.5 × over HTTP with everything on; bare pybit copiers 3.1 × and 11.0 ×" in (
        readme.read_text()
    )


def test_what_a_run_did_not_measure_stays(tmp_path: Path) -> None:
    page, readme = tmp_path / "performance.md", tmp_path / "README.md"
    page.write_text(PAGE + PROFILE)
    readme.write_text(README)
    write_docs(Results({"cores": "2"}), page, readme)
    assert (page.read_text(), readme.read_text()) == (PAGE + PROFILE, README)


def test_the_docs_have_a_place_for_everything_that_is_written() -> None:
    root = Path(__file__).parents[3]
    page, readme = (root / "docs" / "performance.md").read_text(), (root / "README.md").read_text()
    for name, found in (("measured", page), ("profile", page), ("headline", readme)):
        assert found.index(f"<!-- {name}: begin -->") < found.index(f"<!-- {name}: end -->")


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


def test_a_copied_order_is_one_request_over_the_socket_or_one_over_http(exchange: Remote) -> None:
    """mirrorctl itself, as a process, over real sockets: nothing else is asked of the exchange for a fill of main."""
    variants = [BY_NAME[MIRRORCTL], BY_NAME[MIRRORCTL_HTTP]]
    with Fleet(exchange, variants, None) as fleet:
        exchange.call("linger", 1.0)  # what is read once after the start
        for name, expected in ((MIRRORCTL, {}), (MIRRORCTL_HTTP, {"/v5/order/create": 5})):
            tries = [asked_for_five(exchange, fleet.venue(name)) for _ in range(2)]
            assert expected in tries, "a relist by the clock may fall into one of them"


def asked_for_five(exchange: Remote, venue: str) -> dict[str, int]:
    """HTTP requests, by path, while five fills were copied."""
    before = exchange.call("requests", venue)
    found: list[Reaction] = exchange.call("react", venue, [0.03] * 5)
    after = exchange.call("requests", venue)
    assert [len(one.orders_ns) for one in found] == [1] * 5
    return {path: more for path, number in after.items() if (more := number - before.get(path, 0))}


def test_three_ladders_of_five_fit_in_a_seconds_budget_because_what_is_over_goes_in_batches() -> None:
    """Fifteen orders of each kind, where the exchange takes ten singly and ten in batches a second."""
    one, three = rebuilt(1), rebuilt(3)
    assert (one.single, one.batches, one.refused) == (15, 0, 0)
    assert three.refused == 0
    assert three.batches
    assert three.single + three.batches < 45


def test_what_is_open_is_measured_in_turns(exchange: Remote) -> None:
    with Fleet(exchange, [BY_NAME[FLOOR]], None) as few, Fleet(exchange, [BY_NAME[FLOOR]], None, 1, 3) as many:
        found = grown({1: few, 3: many}, FLOOR, Effort(rounds=2, events=2, pause_s=0.001), Random(1))
        assert [(size, figure.events, figure.lost) for size, figure in found.items()] == [(1, 4, 0), (3, 4, 0)]
        assert exchange.call("positions", many.venue(FLOOR))["main"] == 3
