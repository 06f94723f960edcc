"""The audit against the whole system: each defect is made on the exchange while no daemon runs, found with its account,
mended by the engine that starts then, and not found again."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from mirrorctl.core.domain.ids import LinkId, Role, account_tag
from mirrorctl.core.domain.policy import Limits
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.simulation.ports import Sent
from mirrorctl.core.simulation.stage import Stage, copying

ENTRY, TARGET = "59000", "61000"


def in_step() -> Stage:
    """Main holds a long under a stop, with an entry and a target resting; both mirrors follow."""
    stage = Stage()
    stage.main.buy("0.1", stop="58000")
    stage.main.bid("0.04", ENTRY)
    stage.main.offer("0.04", TARGET, reduceOnly=True)
    stage.settle()
    return stage


def found(stage: Stage) -> list[str]:
    """What an audit finds that is more than worth to be known; it sends nothing and takes no time."""
    before = (len(stage.world.sent), stage.world.now_ms())
    findings = stage.audit()
    assert (len(stage.world.sent), stage.world.now_ms()) == before
    return [f"{f.code} {f.account}" for f in findings if f.severity != "info"]


def known(stage: Stage) -> list[str]:
    """What it only mentions."""
    return [f"{f.code} {f.account}" for f in stage.audit() if f.severity == "info"]


def entry_of(stage: Stage, name: str = "main") -> str:
    trader = stage.main if name == "main" else stage.of(name)
    return next(str(row["orderId"]) for row in trader.orders() if row["side"] == "Buy")


def target_of(stage: Stage, name: str) -> str:
    """The target nearest to entry."""
    trader = stage.main if name == "main" else stage.of(name)
    return str(min((row for row in trader.orders() if row["side"] == "Sell"), key=lambda row: row["price"])["orderId"])


def half_sells(stage: Stage) -> None:
    stage.of("half").sell("0.01", reduceOnly=True)


def half_buys(stage: Stage) -> None:
    stage.of("half").buy("0.01")


def main_closes(stage: Stage) -> None:
    stage.main.cancel(entry_of(stage))
    stage.main.close()


def main_flips(stage: Stage) -> None:
    stage.main.sell("0.2")


def opened(stage: Stage, *, targets: list[str], **more: object) -> None:
    """A managed long on main, followed and at rest."""
    wishes = [dict(zip(("price", "percent"), target.split(":"), strict=False)) for target in targets]
    trade = {"symbol": "BTCUSDT", "side": "long", "qty": "0.3", "stop": "57000", "targets": wishes}
    stage.command("trade.open", **trade, **more)
    stage.settle()


def second_stop_on_main(stage: Stage) -> None:
    trade = stage.world.store.trades()[0]
    link = LinkId(account_tag(stage.world.uids["main"]), trade.tag, Role.TARGET, 0, "abcdefgh", 0)
    stage.main.sell("0.3", triggerPrice="57500", triggerDirection=2, reduceOnly=True, orderLinkId=str(link))


DEFECTS: dict[str, tuple[Callable[[Stage], object], list[str]]] = {
    "a stop taken off": (lambda stage: stage.of("half").protect(stop="0"), ["NO_STOP half"]),
    "a stop moved": (lambda stage: stage.of("quarter").protect(stop="57000"), ["NO_STOP quarter"]),
    "main's stop moved": (lambda stage: stage.main.protect(stop="57500"), ["NO_STOP half", "NO_STOP quarter"] * 2),
    "a take-profit set": (lambda stage: stage.of("half").protect(target="66000"), ["TARGET_QTY half"]),
    "a target taken off main": (
        lambda stage: stage.main.cancel(target_of(stage, "main")),
        ["TARGET_QTY half", "TARGET_QTY quarter"],
    ),
    "a target resized": (
        lambda stage: stage.of("half").amend(target_of(stage, "half"), qty="0.01"),
        ["TARGET_QTY half"],
    ),
    "size lost": (half_sells, ["RATIO_DRIFT half", "TARGET_QTY half"]),
    "size gained": (half_buys, ["RATIO_DRIFT half"]),
    "an entry moved on main": (
        lambda stage: stage.main.amend(entry_of(stage), price="58900"),
        ["RATIO_DRIFT half", "RATIO_DRIFT quarter"],
    ),
    "an entry cancelled on main": (
        lambda stage: stage.main.cancel(entry_of(stage)),
        ["ORPHAN_ORDER half", "ORPHAN_ORDER quarter"],
    ),
    "an entry made on main": (
        lambda stage: stage.main.bid("0.08", "58500"),
        ["NOT_MIRRORED half", "NOT_MIRRORED quarter"],
    ),
    "another symbol opened on main": (
        lambda stage: stage.main.buy("1", "ETHUSDT"),
        ["MISSING_MONITOR main", "NOT_MIRRORED half", "NOT_MIRRORED quarter"],
    ),
    "main closed": (
        main_closes,
        [
            "UNEXPECTED_POSITION half",
            "UNEXPECTED_POSITION quarter",
            "ORPHAN_MONITOR main",
            "ORPHAN_ORDER half",
            "ORPHAN_ORDER half",
            "ORPHAN_ORDER quarter",
            "ORPHAN_ORDER quarter",
        ],
    ),
}


@pytest.mark.proves("A64", "A65")
@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_found_with_its_account_and_gone_after_one_sync(name: str) -> None:
    make, expected = DEFECTS[name]
    stage = in_step()
    assert found(stage) == []
    stage.world.kill()
    assert found(stage) == []
    make(stage)
    assert sorted(found(stage)) == sorted(expected)
    stage.start()
    stage.settle()
    assert found(stage) == []


MANAGED: dict[str, tuple[Callable[[Stage], object], list[str]]] = {
    "its stop taken off": (lambda stage: stage.main.protect(stop="0"), ["NO_STOP main"]),
    "a target taken off": (lambda stage: stage.main.cancel(target_of(stage, "main")), ["TARGET_QTY main"]),
    "a second stop": (second_stop_on_main, ["DUPLICATE_STOP main", "TARGET_QTY main"]),
}


@pytest.mark.proves("A27", "A64")
@pytest.mark.parametrize("name", MANAGED)
def test_a_managed_trade_on_main_is_audited_as_a_mirror_is(name: str) -> None:
    make, expected = MANAGED[name]
    stage = Stage()
    opened(stage, targets=["61000:50", "62000:50"])
    assert stage.audit() == []
    stage.world.kill()
    make(stage)
    assert found(stage) == expected
    stage.start()
    stage.settle()
    assert found(stage) == []


@pytest.mark.proves("A64", "A66")
@pytest.mark.parametrize("killed", [False, True])
def test_a_trade_is_clean_at_every_rest_of_its_life(killed: bool) -> None:
    """Three entries, targets filled in part and in full, breakeven, the stop; and with a restart at each of them."""
    stage = Stage()
    opened(stage, targets=["61000", "62000", "63000", "64000"], approach="conservative", entries=["59500", "59000"])
    moves: list[Callable[[], object]] = [
        lambda: stage.price("59500"),
        lambda: stage.main.fill(target_of(stage, "main"), "0.05"),
        lambda: stage.price("61000"),
        lambda: stage.price("62000"),
        lambda: stage.price("59000"),
    ]
    for move in moves:
        assert stage.audit() == []
        if killed:
            stage.world.kill()
            assert stage.audit() == []
            stage.start()
            stage.settle()
        move()
        stage.settle()
    assert stage.main.held() == stage.of("half").held() == {}
    assert stage.audit() == []


@pytest.mark.proves("A64")
def test_a_flip_on_main_leaves_the_old_side_unexpected_and_the_new_one_unwatched() -> None:
    stage = in_step()
    stage.world.kill()
    main_flips(stage)
    assert {"MISSING_MONITOR main", "ORPHAN_MONITOR main", "UNEXPECTED_POSITION half"} <= set(found(stage))
    stage.start()
    stage.settle()
    assert found(stage) == []


@pytest.mark.proves("A66")
def test_a_lost_store_is_a_missing_monitor_until_the_next_pass() -> None:
    stage = in_step()
    stage.world.kill()
    stage.world.lose_store()
    assert found(stage) == ["MISSING_MONITOR main", "MISSING_MONITOR half", "MISSING_MONITOR quarter"]
    stage.start()
    stage.settle()
    assert found(stage) == []


@pytest.mark.proves("A61")
def test_entry_limits_that_wait_are_clean() -> None:
    stage = Stage()
    for price in ("59000", "58500"):
        stage.main.bid("0.04", price)
    stage.settle()
    assert stage.of("half").book() != []
    assert stage.audit() == []


def test_a_trade_that_was_taken_back_before_it_filled_is_no_orphan() -> None:
    """Its record ends by itself a minute later."""
    stage = Stage()
    opened(stage, targets=["61000"], approach="fast", entries=["59000"])
    assert stage.audit() == []
    stage.command("trade.cancel", symbol="BTCUSDT")
    stage.settle()
    assert stage.world.store.trades() != []
    assert stage.audit() == []


@pytest.mark.proves("A62")
def test_after_flat_nothing_of_ours_is_left_and_the_audit_is_clean() -> None:
    stage = in_step()
    manual = stage.of("half").bid("0.01", "57000")
    main_closes(stage)
    stage.settle()
    assert [row["orderId"] for row in stage.of("half").orders()] == [manual]
    assert (found(stage), known(stage)) == ([], ["FOREIGN_ORDER half"])


@pytest.mark.proves("A23")
def test_a_second_stop_of_ours_is_a_duplicate_and_gone_after_one_sync() -> None:
    stage = in_step()
    stage.world.kill()
    tag = next(copy.tag for copy in stage.world.store.copies() if copy.account == "half")
    link = LinkId(account_tag(stage.world.uids["half"]), tag, Role.TARGET, 0, "abcdefgh", 0)
    stage.of("half").sell("0.05", triggerPrice="57500", triggerDirection=2, reduceOnly=True, orderLinkId=str(link))
    assert set(found(stage)) == {"DUPLICATE_STOP half", "TARGET_QTY half"}
    stage.start()
    stage.settle()
    assert found(stage) == []
    assert stage.of("half").stop() == Decimal(58000)


# --- what is no finding ---------------------------------------------------------------------------------------------


@pytest.mark.proves("A82")
def test_held_growth_is_held_in_the_audit_as_in_status() -> None:
    stage = in_step()
    stage.command("pause", account="half")
    stage.main.buy("0.1")
    stage.run(5_000)
    assert (found(stage), known(stage)) == ([], ["HELD half"])
    [held] = [finding for finding in stage.audit() if finding.code == "HELD"]
    assert (held.expected, held.actual) == ("0.1", "0.05: paused: by the trader")
    stage.command("resume")
    stage.settle()
    assert stage.audit() == []


@pytest.mark.proves("A76", "A82")
def test_a_mirror_whose_own_stop_sold_is_out_of_the_cycle_and_not_missing() -> None:
    stage = in_step()
    stage.of("half").protect(stop="59950")
    stage.world.kill()
    stage.price("59940")
    stage.price("60000")
    assert stage.of("half").held() == {}
    stage.start()
    stage.run(5_000)
    assert found(stage) == []
    assert "HELD half" in known(stage)


@pytest.mark.proves("A81")
def test_a_foreign_position_is_named_until_it_is_flat() -> None:
    stage = in_step()
    stage.of("half").sell("0.3", "ETHUSDT")
    stage.run(2_000)
    expected = ["PARKED half", "UNEXPECTED_POSITION half"]
    assert sorted(found(stage)) == expected
    stage.main.buy("1", "ETHUSDT")
    stage.run(5_000)
    assert sorted(found(stage)) == expected, "parked is never drift"
    stage.of("half").close("ETHUSDT")
    stage.settle()
    assert found(stage) == []


@pytest.mark.proves("A57")
def test_a_symbol_that_the_exchange_refuses_is_parked_and_nothing_else() -> None:
    stage = Stage(copying("half", "0.5"))
    stage.world.fault(FaultKind.RET_CODE, "half", "/v5/order/create", count=1, code=110023, message="only reducing")
    stage.main.buy("0.1", stop="58000")
    stage.run(10_000)
    assert found(stage) == ["PARKED half"]
    stage.command("resume")
    stage.settle()
    assert found(stage) == []


@pytest.mark.proves("A14")
def test_both_legs_on_main_are_parked_on_a_one_way_mirror() -> None:
    stage = Stage(copying("half", "0.5"), hedged=["main"])
    stage.main.buy("0.1", stop="58000", idx=1)
    stage.settle()
    assert found(stage) == []
    stage.main.sell("0.1", stop="62000", idx=2)
    stage.run(5_000)
    assert found(stage) == ["PARKED half"]


def test_a_limit_holds_and_the_leverage_of_the_next_entry_is_only_mentioned() -> None:
    stage = Stage(copying("half", "0.5", limits=Limits(Decimal(100), Decimal(4_000), None, None)))
    stage.main.buy("0.1", stop="58000")
    stage.settle()
    stage.main.buy("0.1")
    stage.main.set_leverage("7")
    stage.run(5_000)
    assert found(stage) == []
    assert known(stage) == ["LEVERAGE_MISMATCH half", "HELD half"]


# --- unknown --------------------------------------------------------------------------------------------------------


@pytest.mark.proves("A45")
@pytest.mark.parametrize("name", ["half", "main"])
def test_an_account_that_cannot_be_read_is_all_that_is_said_of_it(name: str) -> None:
    """Whatever is wrong there; and with main unknown no mirror is judged against it."""
    stage = in_step()
    stage.world.kill()
    stage.of("half").close()
    stage.world.go_down(name)
    assert found(stage) == [f"ACCOUNT_UNREADABLE {name}"]
    stage.world.come_back(name)
    stage.start()
    stage.settle()
    assert found(stage) == []


def dying_at(number: int) -> Stage:
    """A copy is about to be made; the process dies before that port call and stays dead."""
    stage = Stage(copying("half", "0.5"))
    stage.world.crash_at, stage.world.restart_after_ms = number, 10**9
    stage.main.buy("0.1", stop="58000")
    stage.run(2_000)
    return stage


@pytest.mark.proves("A43", "A64")
def test_an_order_that_was_journaled_and_not_seen_since_is_in_doubt_until_it_is_settled() -> None:
    """The process died between journal and send."""
    calls = dying_at(0).world.calls
    sends = next(number for number, call in enumerate(calls, 1) if call == "half send PlaceOrder")
    stage = dying_at(sends)
    assert stage.of("half").held() == {}
    doubts = [finding for finding in stage.audit() if finding.code == "IN_DOUBT"]
    assert [(doubt.account, doubt.symbol) for doubt in doubts] == [("half", "BTCUSDT")]
    assert doubts[0].actual.startswith("place buy 0.05 at ")
    assert "NOT_MIRRORED half" in found(stage)
    stage.start()
    stage.settle()
    assert found(stage) == []


@pytest.mark.proves("A47")
def test_an_order_that_arrived_although_its_sender_died_is_no_doubt_once_it_is_seen() -> None:
    calls = dying_at(0).world.calls
    sends = next(number for number, call in enumerate(calls, 1) if call == "half send PlaceOrder")
    stage = dying_at(sends + 1)
    assert stage.of("half").position() == Decimal("0.05")
    assert found(stage) == []


@pytest.mark.proves("A64")
def test_audits_beside_a_working_engine_change_nothing() -> None:
    """Audited at every moment of a life, the engine sends the same orders at the same times."""

    def life(*, audited: bool) -> list[Sent]:
        stage = Stage(seed=3)
        moves: list[Callable[[], object]] = [
            lambda: stage.main.buy("0.1", stop="58000"),
            lambda: stage.main.bid("0.04", ENTRY),
            stage.main.close,
        ]
        for move in moves:
            move()
            for _ in range(10):
                stage.run(100)
                if audited:
                    stage.audit()
        stage.settle()
        return stage.world.sent

    assert life(audited=True) == life(audited=False)
