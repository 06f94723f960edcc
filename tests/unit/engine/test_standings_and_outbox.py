"""Pauses and parks hold back what they name and survive restarts; an alert is told when it begins, once."""

from __future__ import annotations

import pytest

from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.scene import Held, Standing, SymbolPlan
from mirrorctl.core.engine.outbox import Outbox
from mirrorctl.core.engine.records import Severity, StandingKind
from mirrorctl.core.engine.standings import Standings
from mirrorctl.core.store.sqlite import SqliteStore
from tests.unit.domain.scenes import LONG, NOW, SYMBOL

PAUSE, PARK = StandingKind.PAUSE, StandingKind.PARK


@pytest.mark.proves("A12", "A57")
@pytest.mark.parametrize(
    ("kind", "account", "symbol", "blocked"),
    [
        (PAUSE, "", "", {(a, s) for a in ("mirror", "other") for s in (SYMBOL, "ETHUSDT")}),
        (PAUSE, "mirror", "", {("mirror", SYMBOL), ("mirror", "ETHUSDT")}),
        (PAUSE, "", SYMBOL, {("mirror", SYMBOL), ("other", SYMBOL)}),
        (PARK, "mirror", SYMBOL, {("mirror", SYMBOL)}),
    ],
)
def test_a_standing_holds_what_it_names_and_survives_a_restart(
    kind: StandingKind, account: str, symbol: str, blocked: set[tuple[str, str]]
) -> None:
    store = SqliteStore(None)
    Standings(store).set(kind, account, symbol, "why", NOW)
    standings = Standings(store)
    everywhere = {(a, s) for a in ("mirror", "other") for s in (SYMBOL, "ETHUSDT")}
    assert {where for where in everywhere if standings.growth_block(*where)} == blocked
    word = "paused" if kind is PAUSE else "parked"
    assert all(standings.growth_block(*where) == f"{word}: why" for where in blocked)
    assert standings.is_paused("mirror") is (kind is PAUSE and not symbol)
    assert len(standings.parked()) == (kind is PARK)


@pytest.mark.parametrize(
    ("account", "symbol", "left"), [(None, None, 0), ("mirror", None, 1), ("mirror", SYMBOL, 2), ("other", None, 2)]
)
def test_resume_ends_what_it_names(account: str | None, symbol: str | None, left: int) -> None:
    store = SqliteStore(None)
    standings = Standings(store)
    standings.set(PARK, "mirror", SYMBOL, "refused", NOW)
    standings.set(PAUSE, "mirror", "", "by hand", NOW)
    standings.set(PAUSE, "other", SYMBOL, "by hand", NOW)
    ended = standings.clear(account, symbol)
    assert len(ended) == 3 - left
    assert len(store.standings()) == left


def test_the_first_reason_stays() -> None:
    standings = Standings(SqliteStore(None))
    standings.set(PARK, "mirror", SYMBOL, "first", NOW)
    standings.set(PARK, "mirror", SYMBOL, "second", NOW + 1)
    assert [(row.reason, row.since_ms) for row in standings.parked()] == [("first", NOW)]


# --- alerts -------------------------------------------------------------------------------------------------------


def saying(*reasons: str, parked: str = "", blocked: str = "") -> SymbolPlan:
    plan = SymbolPlan("mirror", SYMBOL, parked=parked, blocked=blocked)
    plan.held = [Held("mirror", SYMBOL, LONG, ZERO, ZERO, reason) for reason in reasons]
    if reasons:
        plan.standings = [Standing("mirror", SYMBOL, LONG, ZERO, ZERO + 1, ZERO + 1)]
    return plan


def texts(store: SqliteStore) -> list[str]:
    return [alert.text for alert in reversed(store.alerts(99))]


@pytest.mark.proves("A36")
def test_what_a_plan_keeps_saying_is_told_once_and_again_after_it_was_over() -> None:
    store = SqliteStore(None)
    outbox = Outbox(store)
    for at, plan in enumerate([saying("limit a: 6000 over 5000"), saying("limit a: 6100 over 5000"), saying()]):
        outbox.tell_plan(plan, NOW + at)
    assert len(texts(store)) == 1
    outbox.tell_plan(saying("limit a: 7000 over 5000"), NOW + 9)
    assert texts(store) == ["held: limit a: 6000 over 5000", "held: limit a: 7000 over 5000"]


@pytest.mark.parametrize(
    ("plan", "severity"),
    [
        (saying("slippage: nothing within 50 bps"), Severity.WARNING),
        (saying("new store"), Severity.WARNING),
        (saying(parked="foreign position"), Severity.WARNING),
        (saying(blocked="brake: 4 closes without a closing execution on main"), Severity.CRITICAL),
        (saying("waits for leverage 5"), None),
        (saying(blocked="a fill on main is not accounted for yet"), None),
    ],
)
def test_what_a_trader_must_know_is_an_alert_and_what_ends_by_itself_is_not(
    plan: SymbolPlan, severity: Severity | None
) -> None:
    store = SqliteStore(None)
    Outbox(store).tell_plan(plan, NOW)
    assert [alert.severity for alert in store.alerts(9)] == ([severity] if severity else [])


@pytest.mark.proves("A69")
def test_the_same_event_is_told_once_also_after_a_restart() -> None:
    store = SqliteStore(None)
    for outbox in (Outbox(store), Outbox(store)):
        for _ in range(2):
            outbox.tell(NOW, Severity.INFO, "own-exit", "mirror", SYMBOL, "stopped", "execution-1")
    assert len(texts(store)) == 1
