"""`explain`: an order or a symbol told from what was written down, in process, without an exchange."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mirrorctl.cli import main
from mirrorctl.core.domain.actions import AmendOrder, PlaceOrder, SetTradingStop
from mirrorctl.core.domain.cycle import Copy, Cycle
from mirrorctl.core.domain.ids import LinkId, Role
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.values import OrderType, PositionSide, Severity, Side
from mirrorctl.core.engine.records import Alert, HoldTime, MeasuredCopy, Standing, StandingKind
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
    store: SqliteStore,
    action: PlaceOrder | AmendOrder | SetTradingStop,
    state: IntentState,
    *,
    main_order_id: str = "",
    at_ms: int = AT + 30,
    **found: Any,
) -> None:
    store.record_intent(action, AT + 5 if at_ms <= AT + 30 else at_ms - 10, main_order_id)
    _update(store, state, at_ms, **found)


def _update(store: SqliteStore, state: IntentState, at_ms: int, **found: Any) -> None:
    store.update_intent(replace(store.open_intents()[-1], state=state, updated_ms=at_ms, **found))


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


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Main enters by hand at market and with a limit; a mirror corrects and twins, `second` is paused and filtered."""
    monkeypatch.setenv("MIRRORCTL_HOME", str(tmp_path))
    home = find_home({"MIRRORCTL_HOME": str(tmp_path)})
    path = home.store_path("told")
    path.parent.mkdir(parents=True)
    (home.profiles_dir).mkdir(parents=True)
    (home.profiles_dir / "told.toml").write_text(PROFILE)
    with SqliteStore(path) as store:
        store.save_cycle(Cycle("BTCUSDT", LONG, "tradeaa", MARKET, AT, True))
        store.save_copy(
            Copy("mirror", "BTCUSDT", LONG, "tradeaa", Decimal("0.25"), "proportion: r = 0.25", opened=True)
        )
        store.save_standing(Standing(StandingKind.PAUSE, "second", "", "by the trader", AT))
        store.add_hold(HoldTime("mirror", "BTCUSDT", LONG, AT + 3, "leverage is being set", AT + 8))
        correction = PlaceOrder(
            "mirror",
            "BTCUSDT",
            Side.BUY,
            OrderType.LIMIT,
            Decimal("0.003"),
            LINK,
            Role.CORRECTION,
            "main holds 0.015: want 0.003 of 0.25 × 0.015 = 0.00375, have 0; proportion: r = 0.25",
            price=Decimal("60300"),
            stop_loss=Decimal(57000),
        )
        _journal(store, correction, IntentState.ACCEPTED, at_ms=AT + 14, order_id=CORRECTION)
        _update(store, IntentState.DONE, AT + 30, filled=Decimal("0.003"))
        reason = "twin of main's buy 0.02 at 59000: 0.005; proportion: r = 0.25"
        twin = replace(
            correction, link_id=TWIN_LINK, role=Role.TWIN, reason=reason, qty=Decimal("0.005"), price=Decimal(59000)
        )
        _journal(store, twin, IntentState.LIVE, at_ms=AT + 40, order_id=TWIN, main_order_id=LIMIT)
        _journal(store, replace(twin, account="second", link_id="m1-second"), IntentState.LIVE, main_order_id=LIMIT)
        amend = AmendOrder("mirror", "BTCUSDT", TWIN, TWIN_LINK, "main's order was amended", price=Decimal(58900))
        _journal(store, amend, IntentState.REJECTED, at_ms=AT + 900, code=110001, message="order not exists")
        store.add_measured_copy(
            MeasuredCopy("mirror", "BTCUSDT", LONG, LINK, AT + 2, AT + 25, Decimal("1.5"), AT + 4, AT + 5, AT + 6, None)
        )
        for order, at_ms, text in ((MARKET, 5, "entry filled: 0.015"), (LIMIT, 2_600, "entry filled: 0.02")):
            store.add_alert(
                Alert(f"fill:main:BTCUSDT:{order}", AT + at_ms, Severity.INFO, "entry", "main", "BTCUSDT", text)
            )
    return home


MARKET, LIMIT, CORRECTION, TWIN = (
    f"{name}-0000-4000-8000-000000000000" for name in ("aaaa1111", "bbbb2222", "cccc3333", "dddd4444")
)
TWIN_LINK = str(LinkId("abcde", "tradeaa", Role.TWIN, 0, "stepbbbb", 0))
PROFILE = """
schema = 1
name = "told"
environment = "paper"
[[mirrors]]
name = "mirror"
[[mirrors]]
name = "second"
[mirrors.filter]
exclude = ["BTC*"]
"""


def seen(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(event["account"], event["kind"]) for event in document["events"]]


def test_a_correction_is_told_with_main_s_fill_that_it_followed_and_its_way_there(
    story: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    _, document = run(capsys, CORRECTION[:8], "--profile", "told")
    assert seen(document) == [
        ("main", "fill"),
        ("mirror", "held"),
        ("mirror", "place"),
        ("main", "entry"),
        ("mirror", "fill"),
    ]
    about = document["about"]
    assert (about["account"], about["role"], about["qty"], about["order_id"]) == (
        "mirror",
        "correction",
        "0.003",
        CORRECTION,
    )
    sent, filled = document["events"][2], document["events"][4]
    assert [(step["state"], step["filled"]) for step in sent["steps"]] == [
        ("pending", "0"),
        ("accepted", "0"),
        ("done", "0.003"),
    ]
    assert filled["legs_ms"] == {
        "main_to_frame": 2,
        "frame_to_plan": 1,
        "plan_to_send": 1,
        "send_to_ack": None,
        "ack_to_fill": None,
    }
    assert [size["account"] for size in document["sizes"]] == ["mirror"]


def test_a_twin_is_told_with_the_order_of_main_s_that_it_stands_for_and_not_with_its_siblings(
    story: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    for asked in (TWIN, TWIN_LINK):
        _, document = run(capsys, asked, "--profile", "told")
        assert (document["about"]["role"], document["about"]["main_order_id"]) == ("twin", LIMIT)
        assert seen(document) == [("mirror", "held"), ("mirror", "place"), ("mirror", "amend"), ("main", "entry")]
    _, document = run(capsys, LIMIT, "--profile", "told")
    assert {account for account, kind in seen(document) if kind == "place"} == {"mirror", "second"}
    assert document["about"] is None, "main's own order was placed by hand"


def test_an_order_of_main_s_by_hand_is_told_with_what_followed_it(
    story: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    _, document = run(capsys, MARKET, "--profile", "told")
    assert (document["symbol"], document["cycle"]["origin"]) == ("BTCUSDT", MARKET)
    assert ("mirror", "place") in seen(document)
    assert [event["text"] for event in document["events"] if event["kind"] == "entry"] == ["entry filled: 0.015"]


def test_what_keeps_a_mirror_away_is_told_without_a_daemon_and_of_a_mirror_without_a_size(
    story: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    _, document = run(capsys, "BTCUSDT", "--profile", "told")
    assert {row["account"]: row["blocks"] for row in document["gates"]} == {
        "mirror": [],
        "second": ["filter: excluded by BTC*", "paused, every symbol: by the trader"],
    }
    held = next(event for event in document["events"] if event["kind"] == "held")
    assert (held["text"], held["outcome"]) == ("growth of the long is kept back: leverage is being set", "for 5 ms")


def test_a_cycle_that_is_over_is_told_with_the_sizes_it_had(story: Home, capsys: pytest.CaptureFixture[str]) -> None:
    with SqliteStore(story.store_path("told")) as store:
        store.end_cycle(("BTCUSDT", LONG), AT + 9_000)
        store.drop_copy(("mirror", "BTCUSDT", LONG))
    _, document = run(capsys, "BTCUSDT", "--profile", "told")
    (size,) = document["sizes"]
    assert (size["formula"], size["ratio"], size["ended"]) == ("proportion: r = 0.25", "0.25", True)
    assert document["cycle"]["ended_at"] == "2026-01-02T03:04:14.000Z"


def test_ids_that_begin_alike_are_not_guessed(story: Home, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = run(capsys, "m1-abcde", "--profile", "told")
    assert (code, "begins 2 ids" in document["error"]["message"]) == (2, True)


WIDE = """
BTCUSDT long
main's BTCUSDT long since 2026-01-02 04:04:05 CET, begun by aaaa1111-0000-4000-8000-000000000000

mirror   size, and what keeps it back
─────────────────────────────────────────────────────────────────────────────────
mirror   proportion: r = 0.25
         last sent: twin of main's buy 0.02 at 59000: 0.005; proportion: r = 0.25
         no filter, pause, halt or park keeps entries away
         what is held now is unknown: no daemon answers
second   it has no size in this cycle
         entries are kept away: filter: excluded by BTC*
         entries are kept away: paused, every symbol: by the trader

2026-01-02 CET   account   what                       why, and what came of it
────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
04:04:05.002     main      fill                       main's fill that mirror followed
04:04:05.003     mirror    held                       growth of the long is kept back: leverage is being set
                                                      → for 5 ms
04:04:05.005     mirror    place buy 0.003 at 60300   main holds 0.015: want 0.003 of 0.25 × 0.015 = 0.00375, have 0;
                                                      proportion: r = 0.25
                                                      → accepted +9 ms, over +25 ms; 0.003 filled; order cccc3333
04:04:05.005     second    place buy 0.005 at 59000   twin of main's buy 0.02 at 59000: 0.005; proportion: r = 0.25
                                                      → on the book +25 ms
04:04:05.005     main      entry                      entry filled: 0.015
04:04:05.025     mirror    fill                       first fill 23 ms after main's, 1.5 bps worse than main
                                                      → heard of it +2, decided +1, sent +1, accepted ?, filled ? ms
04:04:05.030     mirror    place buy 0.005 at 59000   twin of main's buy 0.02 at 59000: 0.005; proportion: r = 0.25
                                                      → on the book +10 ms; order dddd4444
04:04:05.890     mirror    amend at 58900             main's order was amended
                                                      → rejected: (110001) order not exists; order dddd4444
04:04:07.600     main      entry                      entry filled: 0.02
"""
NARROW = """
BTCUSDT long
main's BTCUSDT long since 2026-01-02 04:04:05 CET, begun by
aaaa1111-0000-4000-8000-000000000000

mirror   size, and what keeps it back
────────────────────────────────────────────────────────────────────────────────
mirror   proportion: r = 0.25
         last sent: twin of main's buy 0.02 at 59000: 0.005; proportion: r =
         0.25
         no filter, pause, halt or park keeps entries away
         what is held now is unknown: no daemon answers
second   it has no size in this cycle
         entries are kept away: filter: excluded by BTC*
         entries are kept away: paused, every symbol: by the trader

2026-01-02 CET   account   what                       why, and what came of it
────────────────────────────────────────────────────────────────────────────────
04:04:05.002     main      fill                       main's fill that mirror
                                                      followed
04:04:05.003     mirror    held                       growth of the long is kept
                                                      back: leverage is being
                                                      set
                                                      → for 5 ms
04:04:05.005     mirror    place buy 0.003 at 60300   main holds 0.015: want
                                                      0.003 of 0.25 × 0.015 =
                                                      0.00375, have 0;
                                                      proportion: r = 0.25
                                                      → accepted +9 ms, over +25
                                                      ms; 0.003 filled; order
                                                      cccc3333
04:04:05.005     second    place buy 0.005 at 59000   twin of main's buy 0.02 at
                                                      59000: 0.005; proportion:
                                                      r = 0.25
                                                      → on the book +25 ms
04:04:05.005     main      entry                      entry filled: 0.015
04:04:05.025     mirror    fill                       first fill 23 ms after
                                                      main's, 1.5 bps worse than
                                                      main
                                                      → heard of it +2, decided
                                                      +1, sent +1, accepted ?,
                                                      filled ? ms
04:04:05.030     mirror    place buy 0.005 at 59000   twin of main's buy 0.02 at
                                                      59000: 0.005; proportion:
                                                      r = 0.25
                                                      → on the book +10 ms;
                                                      order dddd4444
04:04:05.890     mirror    amend at 58900             main's order was amended
                                                      → rejected: (110001) order
                                                      not exists; order dddd4444
04:04:07.600     main      entry                      entry filled: 0.02
"""
OF_A_TWIN = """
order dddd4444-0000-4000-8000-000000000000, BTCUSDT
mirror: twin, buy 0.005 BTCUSDT at 59000, stop 57000, live with 0 filled
it stands for main's order bbbb2222-0000-4000-8000-000000000000
its link id is m1-abcde-tradeaa-w0-stepbbbb-0
main's BTCUSDT long since 2026-01-02 04:04:05 CET, begun by aaaa1111-0000-4000-8000-000000000000

mirror   size, and what keeps it back
──────────────────────────────────────────────────────────
mirror   proportion: r = 0.25
         no filter, pause, halt or park keeps entries away
         what is held now is unknown: no daemon answers

2026-01-02 CET   account   what                       why, and what came of it
───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
04:04:05.003     mirror    held                       growth of the long is kept back: leverage is being set
                                                      → for 5 ms
04:04:05.030     mirror    place buy 0.005 at 59000   twin of main's buy 0.02 at 59000: 0.005; proportion: r = 0.25
                                                      → on the book +10 ms; order dddd4444
04:04:05.890     mirror    amend at 58900             main's order was amended
                                                      → rejected: (110001) order not exists; order dddd4444
04:04:07.600     main      entry                      entry filled: 0.02
"""


@pytest.mark.parametrize(
    ("asked", "columns", "expected"), [("BTCUSDT", "120", WIDE), ("BTCUSDT", "80", NARROW), (TWIN, "120", OF_A_TWIN)]
)
def test_it_is_read_by_people(
    story: Home,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    asked: str,
    columns: str,
    expected: str,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert main(["explain", asked, "--profile", "told"]) == 0
    finally:
        monkeypatch.undo()
        time.tzset()
    shown = "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines())
    assert shown == expected.strip("\n")


@pytest.fixture
def traded(story: Home) -> Home:
    """A trade of our own on main: its entry at market was followed, its limit twinned, its target amended."""
    with SqliteStore(story.store_path("told")) as store:
        for role, step, order_id in ((Role.ENTRY, "entryaaa", MARKET), (Role.ENTRY, "entrybbb", LIMIT)):
            link = str(LinkId("mainn", "tradezz", role, 0, step, 0))
            entry = PlaceOrder("main", "BTCUSDT", Side.BUY, OrderType.LIMIT, Decimal("0.02"), link, role, "entry")
            _journal(store, entry, IntentState.DONE, at_ms=AT + 20, order_id=order_id)
        place = replace(entry, side=Side.SELL, link_id=TARGET_LINK, role=Role.TARGET, price=Decimal(61000))
        _journal(store, place, IntentState.LIVE, at_ms=AT + 40, order_id="eeee5555", filled=Decimal(0))
        amend = AmendOrder("main", "BTCUSDT", "eeee5555", TARGET_LINK, "target 1", qty=Decimal("0.17"))
        _journal(store, amend, IntentState.DONE, at_ms=AT + 60)
        refused = replace(amend, qty=Decimal("0.3"))
        _journal(store, refused, IntentState.REJECTED, at_ms=AT + 80)
    return story


TARGET_LINK = str(LinkId("mainn", "tradezz", Role.TARGET, 0, "targetaa", 0))


def test_an_order_of_main_s_tells_the_same_by_either_of_its_ids_with_the_cycle_that_follows_it(
    traded: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    by_id = run(capsys, MARKET, "--profile", "told")[1]
    link = by_id["about"]["order_link_id"]
    by_link = run(capsys, link, "--profile", "told")[1]
    assert seen(by_link) == seen(by_id)
    assert ("mirror", "fill") in seen(by_link)
    twinned = run(capsys, LIMIT, "--profile", "told")[1]
    assert [size["formula"] for size in twinned["sizes"]] == ["proportion: r = 0.25"]
    assert twinned["cycle"]["tag"] == "tradeaa"


def test_an_order_is_described_as_the_changes_left_it_that_the_exchange_took(
    traded: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    about = run(capsys, TARGET_LINK, "--profile", "told")[1]["about"]
    assert (about["qty"], about["price"]) == ("0.17", "61000")


def test_a_better_price_is_called_better_and_a_target_is_not_called_a_stop(
    story: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    with SqliteStore(story.store_path("told")) as store:
        store.add_measured_copy(MeasuredCopy("mirror", "BTCUSDT", LONG, TWIN_LINK, AT + 2, AT + 25, Decimal("-34.45")))
        target = SetTradingStop("mirror", "BTCUSDT", 0, "main's stop", take_profit=Decimal(3100))
        _journal(store, target, IntentState.DONE)
    assert main(["explain", "BTCUSDT", "--profile", "told"]) == 0
    told = capsys.readouterr().out
    assert "34.45 bps better than main" in told
    assert "-34.45" not in told
    assert "set-target at 3100" in told
    assert "set-stop" not in told
