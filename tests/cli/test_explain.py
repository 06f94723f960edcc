"""`explain`: an order or a symbol told from what was written down, in process, without an exchange."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mirrorctl.cli import main
from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.cycle import Copy, Cycle
from mirrorctl.core.domain.ids import LinkId, Role
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.values import OrderType, PositionSide, Severity, Side
from mirrorctl.core.engine.records import Alert, MeasuredCopy
from mirrorctl.core.profile.catalogue import Home, find_home
from mirrorctl.core.store.sqlite import SqliteStore

LONG = PositionSide.LONG
AT = 1_767_323_045_000
FORMULA = "equity: r = 0.5 × 20000 ÷ 100000 = 0.1"
LINK = str(LinkId("abcde", "tradeaa", Role.CORRECTION, 0, "stepaaaa", 0))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose store holds one cycle, its copy, a correction that filled, and a twin that was refused."""
    monkeypatch.setenv("MIRRORCTL_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    home = find_home({"MIRRORCTL_HOME": str(tmp_path)})
    path = home.store_path("paper")
    path.parent.mkdir(parents=True)
    with SqliteStore(path) as store:
        store.save_cycle(Cycle("BTCUSDT", LONG, "tradeaa", "order-main", AT, True))
        store.save_copy(Copy("mirror", "BTCUSDT", LONG, "tradeaa", Decimal("0.1"), FORMULA, opened=True))
        placed = PlaceOrder(
            "mirror",
            "BTCUSDT",
            Side.BUY,
            OrderType.LIMIT,
            Decimal("0.1"),
            LINK,
            Role.CORRECTION,
            f"main holds 1: want 0.1, have 0; {FORMULA}",
            price=Decimal("60300"),
        )
        _journal(store, placed, IntentState.DONE, filled=Decimal("0.1"), order_id="order-mirror")
        twin = replace(placed, link_id="another", reason="twin of main's buy 1 at 59000", price=Decimal(59000))
        _journal(store, twin, IntentState.REJECTED, main_order_id="order-main", code=110007, message="no margin")
        store.add_measured_copy(MeasuredCopy("mirror", "BTCUSDT", LONG, LINK, AT + 2, AT + 40, Decimal("1.5")))
        store.add_alert(Alert("a", AT + 50, Severity.INFO, "fill", "mirror", "BTCUSDT", "copied: 0.1"))
        store.add_alert(Alert("b", AT + 60, Severity.INFO, "fill", "mirror", "ETHUSDT", "copied: 7"))
    return home


def _journal(
    store: SqliteStore, action: PlaceOrder, state: IntentState, *, main_order_id: str = "", **found: Any
) -> None:
    store.record_intent(action, AT + 5, main_order_id)
    store.update_intent(replace(store.open_intents()[-1], state=state, updated_ms=AT + 30, **found))


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, dict[str, Any]]:
    code = main(["explain", *args, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.proves("A3")
def test_a_symbol_is_told_from_main_s_fill_to_the_copy_with_its_arithmetic(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    code, document = run(capsys, "BTCUSDT")
    assert code == 0
    (size,) = document["sizes"]
    assert (size["account"], size["ratio"], size["formula"]) == ("mirror", "0.1", FORMULA)
    assert [event["text"] for event in document["events"]] == [
        "main's fill that mirror followed",
        f"main holds 1: want 0.1, have 0; {FORMULA}",
        "twin of main's buy 1 at 59000",
        "first fill 38 ms after main's, 1.5 bps worse than main",
        "copied: 0.1",
    ]
    assert [e["outcome"] for e in document["events"]][1:3] == ["done, 0.1 filled", "rejected: (110007) no margin"]
    assert document["now"] is None, "no daemon answers: what is held is unknown"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("order-mirror", ["main's fill that mirror followed", f"main holds 1: want 0.1, have 0; {FORMULA}"]),
        (LINK, ["main's fill that mirror followed", f"main holds 1: want 0.1, have 0; {FORMULA}"]),
        ("order-main", ["twin of main's buy 1 at 59000"]),
        ("order-mi", ["main's fill that mirror followed", f"main holds 1: want 0.1, have 0; {FORMULA}"]),
    ],
)
def test_an_order_is_found_by_every_id_it_has(
    home: Home, capsys: pytest.CaptureFixture[str], asked: str, told: list[str]
) -> None:
    code, document = run(capsys, asked)
    assert (code, document["order"].startswith(asked), document["symbol"]) == (0, True, "BTCUSDT")
    assert [event["text"] for event in document["events"]][: len(told)] == told


def test_a_mapped_mirror_is_told_with_what_it_trades_for_mains_symbol(
    home: Home, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = 'schema = 1\nname = "paper"\nenvironment = "paper"\n[[mirrors]]\nname = "mirror"\n'
    profile = tmp_path / "mapped.toml"
    profile.write_text(f'{text}[mirrors.map]\nDOTUSDT = {{ symbol = "BTCUSDT", multiplier = "0.0001" }}\n')
    with SqliteStore(home.store_path("paper")) as store:
        store.save_cycle(Cycle("DOTUSDT", LONG, "tradeaa", "order-dot", AT, True))
        store.save_copy(Copy("mirror", "BTCUSDT", LONG, "tradeaa", Decimal("0.1"), FORMULA, follows=("DOTUSDT", LONG)))
    code, document = run(capsys, "DOTUSDT", "--profile", str(profile))
    assert (code, [size["account"] for size in document["sizes"]]) == (0, ["mirror"])
    assert f"main holds 1: want 0.1, have 0; {FORMULA}" in [event["text"] for event in document["events"]]


def test_a_fill_of_main_is_told_once_for_all_that_followed_it_and_only_what_is_grave_has_a_severity(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    with SqliteStore(home.store_path("paper")) as store:
        second = str(LinkId("fghij", "tradeaa", Role.CORRECTION, 0, "stepaaaa", 0))
        journal = [intent.action for intent in store.recent_intents(0)]
        (placed,) = [action for action in journal if isinstance(action, PlaceOrder) and action.link_id == LINK]
        _journal(store, replace(placed, account="second", link_id=second), IntentState.DONE)
        store.add_measured_copy(MeasuredCopy("second", "BTCUSDT", LONG, second, AT + 2, AT + 44, None))
        store.add_alert(Alert("c", AT + 70, Severity.CRITICAL, "naked", "mirror", "BTCUSDT", "no stop stands"))
    _, document = run(capsys, "BTCUSDT")
    fills = [event["text"] for event in document["events"] if (event["account"], event["kind"]) == ("main", "fill")]
    assert fills == ["main's fill that mirror, second followed"]
    outcomes = {event["text"]: event["outcome"] for event in document["events"]}
    assert (outcomes["copied: 0.1"], outcomes["no stop stands"]) == (None, "critical")
    assert outcomes["first fill 42 ms after main's"] is None


def test_what_was_never_seen_is_said(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = run(capsys, "order-m")
    assert (code, document["error"]["kind"]) == (2, "usage"), "seven characters are too few to guess"
    for words in (("DOGEUSDT",), ("no-such-order",), ("BTCUSDT", "--account", "nobody"), ("BTCUSDT", "--limit", "0")):
        code, document = run(capsys, *words)
        assert (code, document["error"]["kind"]) == (2, "usage"), words


def test_it_is_read_by_people(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "BTCUSDT", "--limit", "2"]) == 0
    shown = capsys.readouterr().out
    assert f"mirror BTCUSDT long: {FORMULA}" in shown
    assert "3 earlier events left out" in shown
    assert "what is held now is unknown: no daemon answers" in shown
