"""What people see, exactly: tables at 100 columns without colour, and what becomes of them in a narrow terminal."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from rich.console import RenderableType

from mirrorctl.commands import status_tables, tables
from mirrorctl.commands.terminal import Terminal

POSITION: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "long",
    "position_idx": 0,
    "qty": Decimal("0.082"),
    "entry_price": Decimal("60000.1"),
    "mark_price": Decimal("60100"),
    "unrealised_pnl": Decimal("8.1918"),
    "leverage": Decimal(5),
    "stop": {"price": Decimal(57000), "qty": Decimal("0.082")},
    "targets": [{"price": Decimal(61000), "qty": Decimal("0.041")}, {"price": Decimal(62000), "qty": Decimal("0.041")}],
    "monitor": None,
    "want_qty": None,
    "drift_qty": None,
}
MIRROR = {
    **POSITION,
    "qty": Decimal("0.04"),
    "unrealised_pnl": Decimal("-1204.5"),
    "stop": None,
    "targets": [],
    "want_qty": Decimal("0.041"),
    "drift_qty": Decimal("0.001"),
}


def account(name: str, **more: Any) -> dict[str, Any]:
    return {"account": name, "role": "main" if name == "main" else "mirror", "state": "fresh", "error": None, **more}


UNKNOWN = {"state": "unknown", "error": "no connection: refused or unreachable"}


pytestmark = pytest.mark.usefixtures("berlin")


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")


def printed(renderable: RenderableType, capsys: pytest.CaptureFixture[str]) -> str:
    Terminal().show(renderable)
    return "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines())


def test_positions(capsys: pytest.CaptureFixture[str]) -> None:
    document = {
        "accounts": [
            account("main", positions=[POSITION]),
            account("mirror", positions=[MIRROR, {**MIRROR, "symbol": "ETHUSDT", "want_qty": None, "drift_qty": None}]),
            account("second", positions=[]),
            account("third", positions=None, **UNKNOWN) | UNKNOWN,
        ]
    }
    assert printed(tables.positions(document), capsys) == GOLDEN_POSITIONS.strip("\n")


def test_plan(capsys: pytest.CaptureFixture[str]) -> None:
    document = {
        "plan": [
            {
                "account": "mirror",
                "action": "place",
                "symbol": "BTCUSDT",
                "side": "buy",
                "qty": "0.041",
                "price": None,
                "reason": "grow to 0.041",
            },
            {
                "account": "mirror",
                "action": "set-stop",
                "symbol": "BTCUSDT",
                "side": None,
                "qty": None,
                "price": "57000",
                "reason": "main's stop",
            },
        ],
        "held": [{"account": "second", "symbol": "BTCUSDT", "raw_want": "0.02", "want": "0", "reason": "new store"}],
        "unread": ["third"],
    }
    assert printed(tables.plan(document), capsys) == GOLDEN_PLAN.strip("\n")


DISABLED = {
    "state": "disabled",
    "error": "disabled in the profile",
    "holds": [{"symbol": "BTCUSDT", "side": "long", "qty": "0.02"}],
    "holds_error": None,
}


def test_status(capsys: pytest.CaptureFixture[str]) -> None:
    at = "2026-01-02T03:04:05.678Z"
    document = {
        "daemon": {"running": True, "pid": 4711, "since": at, "answering": True},
        "accounts": [
            account("main", stream="up", last_event_at=at, paused=False, monitors=2),
            account("mirror", stream="down", last_event_at=None, paused=True, monitors=1),
            account("second", stream=None, last_event_at=None, paused=None, monitors=None) | UNKNOWN,
            account("third", stream=None, last_event_at=None, paused=None, monitors=None) | DISABLED,
            account("fourth", stream=None, last_event_at=None, paused=None, monitors=None)
            | {**DISABLED, "holds": None, "holds_error": "the keys of fourth are not set: KEY"},
        ],
        "mirroring": False,
        "monitors": {"total": None, "main": 2, "mirror": None},
        "building": {"total": 3, "main": 1, "mirror": 2},
        "in_sync": False,
        "drift": [{"account": "mirror", "symbol": "BTCUSDT", "have": "0.04", "want": "0.041", "since": at}],
        "held": [],
        "parked": [{"account": "mirror", "symbol": "ETHUSDT", "reason": "foreign position"}],
        "pauses": [
            {"account": "mirror", "symbol": None, "reason": "by the trader", "since": at},
            {"account": None, "symbol": "DOGEUSDT", "reason": "by the trader", "since": at},
        ],
        "naked": [{"account": "mirror", "symbol": "BTCUSDT", "side": "long", "ms": 3210}],
        "in_doubt": 1,
        "alerts_waiting": 0,
        "alerts": [
            {
                "at": at,
                "severity": "critical",
                "kind": "held",
                "account": "mirror",
                "symbol": "BTCUSDT",
                "text": f"naked: the long stands without its stop since {at}",
            }
        ],
    }
    assert printed(status_tables.status(document), capsys) == GOLDEN_STATUS.strip("\n")


QUIET: dict[str, Any] = {
    "daemon": {"running": True, "pid": 4711, "since": "2026-01-02T03:04:05.678Z", "answering": True},
    "mirroring": True,
    "monitors": {"total": 2, "main": 1, "mirror": 1},
    "in_sync": True,
    **dict.fromkeys(("drift", "held", "parked", "pauses", "naked", "alerts"), ()),
    "in_doubt": 0,
    "alerts_waiting": 0,
}


def status_line(capsys: pytest.CaptureFixture[str], state: str, **more: Any) -> str:
    row = account("mirror", stream="up", last_event_at=None, paused=False, monitors=1) | {"state": state}
    shown = printed(status_tables.status({**QUIET, "accounts": [row], **more}), capsys)
    return next(line for line in shown.splitlines() if line.startswith("in step"))


def test_status_shows_how_long_the_newest_copies_took_leg_by_leg(capsys: pytest.CaptureFixture[str]) -> None:
    spans = {"main_to_frame": 41, "frame_to_plan": 2, "plan_to_send": 1, "send_to_ack": 38, "ack_to_fill": -19}
    latency = {leg: {"p50": ms, "p95": 2 * ms, "p99": 3 * ms} for leg, ms in {**spans, "total": 63}.items()}
    unmeasured = {leg: dict.fromkeys(("p50", "p95", "p99")) for leg in latency}
    whole = {**unmeasured, "total": latency["total"]}
    rows = [
        {"account": "mirror", "copies": 12, "latency_ms": latency},
        {"account": "second", "copies": 3, "latency_ms": whole},  # the clocks were never compared
        {"account": "third", "copies": 0, "latency_ms": unmeasured},
    ]
    shown = printed(status_tables.status({**QUIET, "accounts": [], "latency": rows}), capsys).splitlines()
    at = next(number for number, line in enumerate(shown) if line.startswith("last copies of"))
    heads = "last copies of copies to news decision sent answer fill all, ms p50 p95"
    assert " ".join(shown[at].split()) == heads
    assert shown[at + 2].split() == ["mirror", "12", "41", "2", "1", "38", "-19", "63", "126"]
    assert shown[at + 3].split() == ["second", "3", *["unknown"] * 5, "63", "126"]
    assert "third" not in "".join(shown)


@pytest.mark.proves("A50")
def test_status_shows_how_long_the_last_pass_took(capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(status_tables.status({**QUIET, "accounts": [], "pass_ms": 12}), capsys).splitlines()
    assert "last pass: 12 ms" in shown
    assert "last pass" not in printed(status_tables.status({**QUIET, "accounts": []}), capsys)  # nobody runs


def test_in_step_says_what_is_held_back_and_what_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    held = [{"account": "mirror", "symbol": "BTCUSDT", "raw_want": "2", "want": "1", "reason": "paused"}]
    assert status_line(capsys, "fresh") == "in step: yes"
    assert status_line(capsys, "fresh", held=held) == "in step: yes, but for 1 held back"
    assert status_line(capsys, "stale", in_sync=False) == "in step: unknown (not read now: mirror)"
    assert status_line(capsys, "fresh", in_sync=False) == "in step: no (something is on its way, or not decided yet)"
    drift = [{"account": "mirror", "symbol": "BTCUSDT", "have": "1", "want": "2", "since": None}]
    assert status_line(capsys, "stale", in_sync=False, drift=drift) == "in step: no"


def test_a_stop_that_is_late_is_not_in_step_and_says_since_when(capsys: pytest.CaptureFixture[str]) -> None:
    what = "the stop of main could not be set: not sent: rate limit; wanted 59500, standing 58000"
    late = {"account": "mirror", "symbol": "BTCUSDT", "what": what, "since": "2026-01-02T03:04:05.678Z"}
    assert status_line(capsys, "fresh", in_sync=False, missing=[late]) == "in step: no"
    row = account("mirror", stream="up", last_event_at=None, paused=False, monitors=1)
    document = {**QUIET, "accounts": [row], "in_sync": False, "missing": [late]}
    shown = " ".join(printed(status_tables.status(document), capsys).split())
    assert f"not done since 2026-01-02 04:04:05 CET: mirror BTCUSDT: {what}" in shown
    refused = {name: text for name, text in late.items() if name != "since"}
    shown = " ".join(printed(status_tables.status({**document, "missing": [refused]}), capsys).split())
    assert f"not placed: mirror BTCUSDT: {what}" in shown


def test_a_stream_that_went_down_is_not_told_as_a_position_that_was_closed(capsys: pytest.CaptureFixture[str]) -> None:
    alert = {"at": "2026-01-02T03:04:05.678Z", "severity": "warning", "kind": "stream-down", "account": "mirror"}
    row = account("mirror", stream="down", last_event_at=None, paused=False, monitors=1)
    row |= {"error": "mirror: no connection: refused or unreachable"}
    document = {**QUIET, "accounts": [row], "alerts": [{**alert, "symbol": "", "text": "closed by the exchange"}]}
    shown = printed(status_tables.status(document), capsys)
    assert "warning: mirror: stream down: closed by the exchange" in shown
    assert shown.count("mirror: no") == 0, "the line is the account's own"


def test_demo(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        account("main", want_qty=Decimal(0), have_qty=Decimal(0), in_step=None, copies=0, latency_ms=None),
        account(
            "mirror",
            want_qty=Decimal("0.041"),
            have_qty=Decimal("0.04"),
            in_step=False,
            copies=3,
            latency_ms={"p50": 12, "max": 350},
        ),
    ]
    assert printed(tables.demo(rows), capsys) == GOLDEN_DEMO.strip("\n")


ORDER_ID = "5d338c12-aba2-d44a-8101-16e593d13fb2"
ORDER: dict[str, Any] = {
    "symbol": "1000PEPEUSDT",
    "side": "sell",
    "type": "market",
    "role": "stop",
    "price": None,
    "trigger_price": Decimal("0.0123456"),
    "qty": Decimal(120000),
    "filled_qty": Decimal(0),
    "order_id": ORDER_ID,
}


@pytest.mark.parametrize(("width", "order_id"), [(60, ORDER_ID), (80, ORDER_ID[:8])])
def test_no_figure_is_broken_in_a_narrow_terminal(
    width: int, order_id: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = printed(tables.positions({"accounts": [account("mirror", positions=[MIRROR])]}), capsys)
    shown += "\n" + printed(tables.orders({"accounts": [account("main", orders=[ORDER])]}), capsys)
    assert all(len(line) <= width for line in shown.splitlines())
    words = shown.split()
    for whole in ("main", "BTCUSDT", "0.04", "0.041", "60000.1", "60100", "-1,204.50", "0.0123456", "120000", order_id):
        assert whole in words


def test_a_terminal_of_80_columns_shows_orders_and_a_ladder_of_four_as_tables(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ladder = [{"price": Decimal(price), "qty": Decimal("0.02")} for price in (62000, 63000, 64000, 65000)]
    rows = [{**POSITION, "symbol": symbol, "targets": ladder} for symbol in ("BTCUSDT", "ETHUSDT")]
    shown = printed(tables.positions({"accounts": [account("main", positions=rows)]}), capsys)
    assert shown == GOLDEN_LADDER.strip("\n")
    shown = printed(tables.orders({"accounts": [account("main", orders=[ORDER, ORDER])]}), capsys)
    assert [len(line.split()) for line in shown.splitlines()] == [11, 1, 10, 10], "a header, a rule and a line each"


def test_a_mirror_that_holds_nothing_of_a_position_has_a_line_and_what_is_held_back_its_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lacks = {"symbol": "XRPUSDT", "side": "long", "want_qty": Decimal("479.8")}
    held = {"account": "mirror", "symbol": "ETHUSDT", "raw_want": "0.75", "want": "0", "reason": "paused"}
    document = {"accounts": [account("mirror", positions=[], missing=[lacks])], "held": [held]}
    lines = printed(tables.positions(document), capsys).splitlines()
    assert lines[2].split() == ["mirror", "XRPUSDT", "long", "0", "479.8", *"------"]
    assert [line.split() for line in lines[3:] if "─" not in line] == [
        ["held", "back", "symbol", "want", "held", "at", "reason"],
        ["mirror", "ETHUSDT", "0.75", "0", "paused"],
    ]


def test_no_columns_at_all_is_no_reason_to_print_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "0")
    assert "61000 62000" in printed(tables.positions({"accounts": [account("main", positions=[POSITION])]}), capsys)


def test_an_average_price_is_shown_to_seven_figures_and_without_an_exponent(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [
        {**POSITION, "targets": [], "entry_price": Decimal(text)}
        for text in ("59962.18275862", "0.0123456789", "60000")
    ]
    words = printed(tables.positions({"accounts": [account("main", positions=rows)]}), capsys).split()
    assert {"59962.18", "0.01234568", "60000"} <= set(words)


def test_a_fraction_of_a_cent_is_no_loss(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{**POSITION, "unrealised_pnl": Decimal("-0.001")}]
    words = printed(tables.positions({"accounts": [account("main", positions=rows)]}), capsys).split()
    assert "0.00" in words
    assert "-0.00" not in words


def test_leverage_in_a_plan_is_no_quantity(capsys: pytest.CaptureFixture[str]) -> None:
    row = {
        "account": "main",
        "action": "set-leverage",
        "symbol": "BTCUSDT",
        "side": None,
        "qty": "10",
        "price": None,
        "reason": "asked for by the trade",
    }
    assert "10x" in printed(tables.plan({"plan": [row], "held": []}), capsys).split()


GOLDEN_DEMO = """
account    want   have   in step   copies   latency p50 ms   max ms
───────────────────────────────────────────────────────────────────
main          -      0   -              -                -        -
mirror    0.041   0.04   no             3               12      350
"""
GOLDEN_POSITIONS = """
account   symbol    side     qty      want     entry    mark         pnl   lev    stop       targets
────────────────────────────────────────────────────────────────────────────────────────────────────
main      BTCUSDT   long   0.082         -   60000.1   60100       +8.19     5   57000   61000 62000
mirror    BTCUSDT   long    0.04     0.041   60000.1   60100   -1,204.50     5    none             -
mirror    ETHUSDT   long    0.04   unknown   60000.1   60100   -1,204.50     5    none             -
second: no open position
third: unknown: no connection: refused or unreachable
"""
GOLDEN_LADDER = """
account symbol  side   qty want   entry  mark   pnl lev  stop            targets
────────────────────────────────────────────────────────────────────────────────
main    BTCUSDT long 0.082    - 60000.1 60100 +8.19   5 57000  62000 63000 64000
                                                                           65000
main    ETHUSDT long 0.082    - 60000.1 60100 +8.19   5 57000  62000 63000 64000
                                                                           65000
"""
GOLDEN_PLAN = """
account   action     symbol    side     qty    price   reason
────────────────────────────────────────────────────────────────────
mirror    place      BTCUSDT   buy    0.041   market   grow to 0.041
mirror    set-stop   BTCUSDT   -          -    57000   main's stop
held back   symbol    want   held at   reason
────────────────────────────────────────────────
second      BTCUSDT   0.02         0   new store
not read, so this plan is not all of it: third
"""
GOLDEN_STATUS = """
daemon: running, process 4711 since 2026-01-02 04:04:05 CET
mirroring: disabled (ENABLE_MIRROR_TRADING)
account   state      stream    last event CET   paused    monitors   error
────────────────────────────────────────────────────────────────────────────────────────────────────
main      fresh      up        01-02 04:04:05   no               2   -
mirror    fresh      down      -                yes              1   -
second    unknown    unknown   -                unknown    unknown   no connection: refused or
                                                                     unreachable
third     disabled   -         -                -                -   disabled in the profile
fourth    disabled   -         -                -                -   disabled in the profile
third is disabled and holds BTCUSDT long 0.02
fourth is disabled; what it holds is unknown: the keys of fourth are not set: KEY
in step: no
monitors: unknown (main 2, mirrors unknown), and 3 building
without a stop: mirror BTCUSDT long, for 3.2 s
drift    symbol    have    want   since CET
────────────────────────────────────────────────
mirror   BTCUSDT   0.04   0.041   01-02 04:04:05
parked: mirror ETHUSDT: foreign position
paused: mirror, every symbol: by the trader since 2026-01-02 04:04:05 CET
paused: every account, DOGEUSDT: by the trader since 2026-01-02 04:04:05 CET
in doubt: 1 sent, outcome not known yet
2026-01-02 04:04:05 CET  critical: mirror BTCUSDT: naked: the long stands without its stop since
2026-01-02 04:04:05 CET
"""


def test_an_audit_says_what_mends_each_finding_and_nothing_of_others(capsys: pytest.CaptureFixture[str]) -> None:
    held = {"code": "HELD", "severity": "info", "symbol": "BTCUSDT", "side": "long", "expected": "1", "actual": "0"}
    findings = [
        {**held, "account": "half", "remedy": "none needed: the mirror follows again after main was flat"},
        {**held, "account": "second", "remedy": "`mirrorctl sync --yes` releases it"},
        {**held, "code": "DUST", "account": "half", "remedy": "close it"},
    ]
    text = printed(tables.audit({"findings": findings, "clean": True}), capsys)
    assert text.splitlines()[-3:-1] == ["HELD (second BTCUSDT): `mirrorctl sync --yes` releases it", "DUST: close it"]
