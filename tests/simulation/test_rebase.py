"""`sync --rebase`: the trader has the ratios of open cycles made anew; nobody else ever does (A77)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mirrorctl.commands import sync, tables
from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.errors import Refused
from mirrorctl.core.domain.policy import Limits, MirrorPolicy, Sizing, SizingMode
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.service import steps
from mirrorctl.core.simulation.stage import Stage, copying
from tests.cli.test_tables import printed

FREE = Limits(Decimal(100), None, None, None)


def by(mode: SizingMode, value: str) -> MirrorPolicy:
    return copying("copy", sizing=Sizing(mode, Decimal(value)), limits=FREE)


def under(stage: Stage, *mirrors: MirrorPolicy) -> None:
    """The profile was edited and the daemon started again."""
    stage.world.kill()
    stage.world.policy = stage.policy = replace(stage.policy, mirrors=mirrors)
    stage.start()
    stage.settle()


def row(stage: Stage, **args: Any) -> dict[str, Any]:
    (found,) = stage.command("preview", rebase=True, **args)["rebase"]
    return dict(found)


@pytest.mark.proves("A65", "A77")
def test_todays_policy_gives_the_ratio_once_the_trader_asks_for_it() -> None:
    stage = Stage(by(SizingMode.PROPORTION, "0.5"))
    stage.main.buy("0.1", stop="50000")
    stage.settle()
    under(stage, by(SizingMode.PROPORTION, "0.8"))
    stage.command("sync")
    stage.settle()
    assert stage.of("copy").position() == Decimal("0.05"), "sync alone leaves it as it was made"
    found = stage.command("preview", rebase=True)
    assert [(r["from"], r["to"], r["formula"], r["reason"]) for r in found["rebase"]] == [
        ("0.5", "0.8", "proportion: r = 0.8", None)
    ]
    assert [(action["action"], action["qty"]) for action in found["plan"]] == [("place", "0.03")]
    stage.settle()
    assert stage.of("copy").position() == Decimal("0.05"), "looking changes nothing"
    done = stage.command("sync", rebase=found["rebase"])
    assert (done["plan"], done["rebase"]) == (found["plan"], found["rebase"])
    stage.settle()
    assert stage.of("copy").position() == Decimal("0.08")
    assert stage.alerts("copy", "rebased: r = 0.5 → 0.8; proportion: r = 0.8")
    stage.restart()
    stage.settle()
    assert stage.of("copy").position() == Decimal("0.08")
    assert row(stage)["to"] == "0.8"
    assert stage.command("preview", rebase=True)["plan"] == []


def test_a_smaller_ratio_reduces_and_resting_twins_follow() -> None:
    stage = Stage(by(SizingMode.PROPORTION, "1"))
    stage.main.buy("0.1", stop="50000")
    stage.main.bid("0.04", "59000")
    stage.settle()
    under(stage, by(SizingMode.PROPORTION, "0.25"))
    stage.command("sync", rebase=True)
    stage.settle()
    assert stage.of("copy").position() == Decimal("0.025")
    assert stage.of("copy").book() == [("Buy", Decimal("0.01"), Decimal(59000))]
    assert stage.of("copy").stop() == Decimal(50000)


@pytest.mark.proves("A77")
def test_equities_count_as_they_are_when_it_is_asked_for() -> None:
    stage = Stage(by(SizingMode.EQUITY, "1"), balances={"copy": Decimal(50_000)})
    stage.main.bid("0.1", "59000", stop="50000")
    stage.settle()
    assert stage.of("copy").book() == [("Buy", Decimal("0.05"), Decimal(59000))]
    uid = stage.world.uids["copy"]
    stage.world.exchange.state.accounts[uid].wallet += 50_000
    stage.run(120_000)
    assert stage.of("copy").book() == [("Buy", Decimal("0.05"), Decimal(59000))]
    assert row(stage)["formula"] == "equity: r = 1 × 100000 ÷ 100000 = 1"
    stage.command("sync", symbol="BTCUSDT", rebase=True)
    stage.settle()
    assert stage.of("copy").book() == [("Buy", Decimal("0.1"), Decimal(59000))]


@pytest.mark.proves("A76")
def test_what_an_own_exit_sold_is_not_bought_back() -> None:
    stage = Stage(by(SizingMode.PROPORTION, "0.5"))
    stage.main.buy("0.1", stop="50000")
    stage.main.offer("0.05", "61000", reduceOnly=True)
    stage.settle()
    target = next(order["orderId"] for order in stage.of("copy").orders() if order["reduceOnly"])
    stage.of("copy").fill(target, "0.025")
    stage.settle()
    assert stage.of("copy").position() == Decimal("0.025")
    under(stage, by(SizingMode.PROPORTION, "1"))
    stage.command("sync", rebase=True)
    stage.settle()
    assert stage.of("copy").position() == Decimal("0.025"), "its cap holds"
    stage.main.buy("0.1")
    stage.settle()
    assert stage.of("copy").position() == Decimal("0.125"), "later entries count at the new ratio"


def test_a_mirror_that_is_out_or_left_out_has_nothing_to_make_anew() -> None:
    stage = Stage(copying("half", "0.5"), copying("quarter", "0.25"))
    stage.command("trade.open", symbol="BTCUSDT", side="long", qty="0.1", stop="50000", without=["quarter"])
    stage.settle()
    stage.of("half").protect(stop="59950")
    stage.price("59950")
    stage.settle()
    assert stage.of("half").held() == {}
    assert stage.command("preview", rebase=True)["rebase"] == []


def test_of_what_cannot_be_made_the_old_ratio_is_kept_with_the_reason() -> None:
    stage = Stage(by(SizingMode.PROPORTION, "0.5"))
    stage.main.buy("0.1")
    stage.settle()
    under(stage, by(SizingMode.RISK, "1"))
    found = row(stage)
    assert (found["from"], found["to"], found["reason"]) == ("0.5", None, "sizing risk: main has no stop")
    stage.command("sync", rebase=True)
    stage.settle()
    assert stage.of("copy").position() == Decimal("0.05")


def test_a_value_for_one_trade_lives_as_long_as_its_mode() -> None:
    stage = Stage(by(SizingMode.PROPORTION, "0.5"))
    given = [{"name": "copy", "value": "0.7", "percent": False}]
    stage.command("trade.open", symbol="BTCUSDT", side="long", qty="0.1", stop="50000", mirrors=given)
    stage.settle()
    under(stage, by(SizingMode.PROPORTION, "0.2"))
    assert row(stage)["to"] == "0.7", "it is the trader's word for this trade"
    under(stage, by(SizingMode.FIXED_QTY, "0.03"))
    assert row(stage)["formula"] == "fixed-qty: r = 0.03 ÷ 0.1 = 0.3", "0.7 of a coin was never asked for"


def test_what_is_not_any_more_as_it_was_shown_is_refused() -> None:
    stage = Stage(by(SizingMode.PROPORTION, "0.5"))
    stage.main.buy("0.1")
    stage.settle()
    under(stage, by(SizingMode.PROPORTION, "0.8"))
    shown = stage.command("preview", rebase=True)["rebase"]
    stage.main.close()
    stage.settle()
    stage.main.buy("0.1")
    stage.settle()
    sent = len(stage.sent())
    with pytest.raises(Refused, match="what was shown is not so any more"):
        stage.command("sync", rebase=shown)
    stage.settle()
    assert len(stage.sent()) == sent


def test_one_symbol_alone() -> None:
    stage = Stage(by(SizingMode.PROPORTION, "0.5"))
    stage.main.buy("0.1")
    stage.main.buy("2", "ETHUSDT")
    stage.settle()
    under(stage, by(SizingMode.PROPORTION, "1"))
    stage.command("sync", symbol="ETHUSDT", rebase=True)
    stage.settle()
    assert stage.of("copy").held() == {"BTCUSDT": Decimal("0.05"), "ETHUSDT": Decimal(2)}


@pytest.mark.proves("A43")
@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
def test_killed_at_any_call_each_ratio_is_the_old_one_or_the_new(after: bool) -> None:
    for crash in range(1, 30):
        stage = Stage(by(SizingMode.PROPORTION, "0.5"))
        stage.main.buy("0.1", stop="50000")
        stage.settle()
        under(stage, by(SizingMode.PROPORTION, "0.8"))
        world = stage.world
        kills, world.crash_at, world.crash_after = world.kills, len(world.calls) + crash, after
        engine = stage.engine

        def ask(engine: Engine = engine) -> None:
            engine.tasks.start(steps(engine, "sync", {"rebase": True}, lambda _e: None), lambda _r, _e: None)

        world.alive(ask)
        stage.run(20_000)
        stage.settle()
        if world.kills == kills:
            assert crash > 8, "a relist, the row, the order and its outcome are calls"
            return
        (copy,) = stage.engine.keeper.copies.values()
        assert copy.formula in ("proportion: r = 0.5", "proportion: r = 0.8")
        assert stage.of("copy").position() == copy.ratio / 10
        assert stage.of("copy").volume()[1] == 0


def quiet(stage: Stage) -> None:
    """So long that main's fills and every price are old."""
    stage.run(120_000)


def test_the_plan_that_is_shown_reads_its_prices_first_and_is_what_is_sent() -> None:
    stage = Stage(by(SizingMode.PROPORTION, "0.5"), copying("other", "0.5"))
    stage.main.buy("0.1", stop="50000")
    stage.settle()
    under(stage, by(SizingMode.PROPORTION, "0.8"), copying("other", "0.6"))
    quiet(stage)
    found = stage.command("preview", rebase=True)
    assert found["held"] == []
    assert [(row["account"], row["action"], row["qty"]) for row in found["plan"]] == [
        ("copy", "place", "0.03"),
        ("other", "place", "0.01"),
    ]
    sent = len(stage.sent())
    quiet(stage)
    assert len(stage.sent()) == sent, "looking sends nothing"
    stage.command("sync", rebase=found["rebase"])
    stage.settle()
    ordered = [row.action for row in stage.sent()[sent:] if isinstance(row.action, PlaceOrder)]
    assert sorted(action.qty for action in ordered) == [Decimal("0.01"), Decimal("0.03")]


def test_a_mirror_that_cannot_be_read_delays_the_plan_only_for_a_moment() -> None:
    stage = Stage(by(SizingMode.PROPORTION, "0.5"))
    stage.main.buy("0.1", stop="50000")
    stage.settle()
    under(stage, by(SizingMode.PROPORTION, "0.8"))
    quiet(stage)
    stage.world.go_down("copy")
    found = stage.command("preview", rebase=True)
    assert (found["plan"], found["unread"]) == ([], ["copy"])


@pytest.mark.parametrize(
    ("value", "changed", "said"),
    [
        ("0.5", False, "nothing to do"),
        ("0.504", True, "nothing to send, but 1 ratio changes"),
        ("0.50000000001", True, "nothing to send, but 1 ratio changes"),
        ("0.8", True, "place"),
    ],
)
def test_a_ratio_that_changes_is_said_even_when_nothing_is_to_be_sent(
    value: str, changed: bool, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 0.1 BTC half and 0.504 are both 0.050: only what main adds later will differ."""
    stage = Stage(by(SizingMode.PROPORTION, "0.5"))
    stage.main.buy("0.1", stop="50000")
    stage.settle()
    under(stage, by(SizingMode.PROPORTION, value))
    found = stage.command("preview", rebase=True)
    assert tables.ratios_changed(found["rebase"]) == changed
    text = "".join(printed(part, capsys) for part in sync.shown(found, rebase=True))
    assert said in text
    line = next(line for line in text.splitlines() if line.startswith("copy"))
    before, after = line.split()[3:5]
    assert (before != after) is changed
