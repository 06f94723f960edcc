"""What `explain` is asked about: one symbol since main's newest cycle began, or one order with all that belongs to it.

An order's story reaches over accounts: main's order and every twin that stands for it, and of each what changed or
cancelled it. What no id ties together, a fill on main and the correction that followed it, is tied by the moment.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mirrorctl.commands import amounts
from mirrorctl.core.domain.errors import UsageError
from mirrorctl.core.domain.policy import MAIN

if TYPE_CHECKING:
    from mirrorctl.core.domain.cycle import Cycle
    from mirrorctl.core.engine.records import Alert, Intent, MeasuredCopy
    from mirrorctl.core.store.sqlite import SqliteStore

ALERTS = 5_000
_OVERLAP_MS = 1_000
_NEAR_MS = 5_000  # within this of main's execution its fill is told
_SHORTEST = 8  # characters of an id: what a narrow table shows of one
_OF_AN_ORDER = ("fill", "opened")  # what alerts are about whose key ends with an order's id


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about. `here` names the symbol that an account trades for main's `symbol`.

    `order` "": the symbol, since `since_ms`. Otherwise `own` are the intents of that order alone, `intents` those of
    all that belongs to it, `orders` the ids of every order among them. `cycle` is main's, None where none was seen.
    """

    here: Callable[[str, str], str]
    symbol: str
    intents: Sequence[Intent]
    order: str = ""
    own: Sequence[Intent] = ()
    orders: Collection[str] = ()
    since_ms: int = 0
    cycle: Cycle | None = None
    ended_ms: int | None = None
    measured: Sequence[MeasuredCopy] = field(default=())

    def concerns(self, account: str, symbol: str) -> bool:
        """Whether a symbol of an account is what is asked about."""
        return symbol == self.here(account, self.symbol)

    def tells(self, alert: Alert) -> bool:
        """Whether an alert belongs to the story."""
        if self.order:
            return order_of(alert) in self.orders
        return self.concerns(alert.account, alert.symbol) and alert.at_ms >= self.since_ms


def ask(store: SqliteStore, about: str, account: str | None, here: Callable[[str, str], str]) -> Question:
    """What `about` means. Raises UsageError for what was never seen, and for an id that is not the only one."""
    journal = store.recent_intents(0)
    alerts = store.alerts(ALERTS)
    cycles = [*((cycle, None) for cycle in store.cycles()), *((e.cycle, e.ended_ms) for e in store.ended_cycles(0))]
    ids = {name for intent in journal for name in _names(intent)}
    ids |= {order_of(alert) for alert in alerts} | {cycle.origin for cycle, _ in cycles}
    order = _order(ids - {""}, about)
    if order:
        return _of_order(store, order, account, here, journal, alerts, cycles)
    symbol = amounts.symbol(about)
    of_symbol = [(cycle, ended) for cycle, ended in cycles if cycle.symbol == symbol]
    cycle, ended_ms = _newest(of_symbol)
    since_ms = max(cycle.started_ms - _OVERLAP_MS, 0) if cycle is not None else 0
    intents = [
        intent
        for intent in journal
        if account in (None, intent.account)
        and intent.action.symbol == here(intent.account, symbol)
        and intent.created_ms >= since_ms
    ]
    if not intents and cycle is None and not any(alert.symbol == symbol for alert in alerts):
        raise UsageError(
            f'nothing is written down about "{about}"',
            "an order id or link id as `mirrorctl history --json` lists them, or a symbol that was followed",
        )
    links = {link_of(intent) for intent in intents} - {""}
    measured = [copy for copy in store.measured_copies() if copy.link_id in links]
    return Question(here, symbol, intents, since_ms=since_ms, cycle=cycle, ended_ms=ended_ms, measured=measured)


def link_of(intent: Intent) -> str:
    """The link id of the order that an intent is about; "" where it is about none of ours."""
    return str(getattr(intent.action, "link_id", ""))


def order_of(alert: Alert) -> str:
    """The id of the order that an alert tells of; "" where it tells of something else."""
    subject, _, _ = alert.key.partition(":")
    return alert.key.rsplit(":", 1)[-1] if subject in _OF_AN_ORDER else ""


# --- one order --------------------------------------------------------------------------------------------------------


def _of_order(
    store: SqliteStore,
    order: str,
    account: str | None,
    here: Callable[[str, str], str],
    journal: Sequence[Intent],
    alerts: Sequence[Alert],
    cycles: Sequence[tuple[Cycle, int | None]],
) -> Question:
    told = {order_of(alert): alert for alert in alerts if alert.account == MAIN and order_of(alert)}
    everything = store.measured_copies()
    own = _connected(journal, {order})
    order_id = next((intent.order_id for intent in own if intent.order_id), order)  # `order` may be its link id
    mains = {intent.main_order_id for intent in own} - {""}
    of_main = not own or own[0].account == MAIN
    named = _connected(journal, mains | {order}, twins=of_main)
    followed: set[str] = set()
    if of_main and order_id in told and not any(intent.main_order_id for intent in named):
        at_ms = told[order_id].at_ms
        near = [copy for copy in everything if abs(copy.main_exec_ms - at_ms) <= _NEAR_MS]
        measured = [copy for copy in near if _told_of(copy.main_exec_ms, told) == order_id]
        named += _connected(journal, {copy.link_id for copy in measured})
    else:
        links = {link_of(intent) for intent in named} - {""}
        measured = [copy for copy in everything if copy.link_id in links]
        if not of_main and not mains:
            twinned = {intent.main_order_id for intent in journal}
            followed = {_told_of(copy.main_exec_ms, told) for copy in measured} - twinned - {""}
            named += _connected(journal, followed)
    symbol = _symbol(here, order, own or named, told, cycles)
    intents = [i for i in named if i.action.symbol == here(i.account, symbol) and account in (None, i.account, MAIN)]
    tags = {cycle.tag for cycle, _ in cycles if cycle.origin == order_id} | _tags(own) | _tags(intents)
    cycle, ended_ms = _newest([each for each in cycles if each[0].symbol == symbol and each[0].tag in tags])
    return Question(
        here,
        symbol,
        sorted(intents, key=lambda intent: intent.intent_id),
        order=order,
        own=own,
        orders={order, *_ids(intents), *followed},
        cycle=cycle,
        ended_ms=ended_ms,
        measured=[copy for copy in measured if copy.symbol == here(copy.account, symbol)],
    )


def _order(ids: Iterable[str], about: str) -> str:
    """The id that is meant: a whole one, or the beginning that a narrow table shows; "" when it is none.

    Raises UsageError where several begin so.
    """
    names = set(ids)
    if about in names:
        return about
    found = sorted(name for name in names if len(about) >= _SHORTEST and name.startswith(about))
    if len(found) > 1:
        raise UsageError(f'"{about}" begins {len(found)} ids', f"give more of it: {', '.join(found[:3])}")
    return found[0] if found else ""


def _connected(journal: Sequence[Intent], names: Collection[str], *, twins: bool = False) -> list[Intent]:
    """Every intent about the orders with these ids, and with `twins` about those that stand for them."""
    known = set(names) - {""}
    found: list[Intent] = []
    waiting = list(journal) if known else []
    while True:
        hits = [i for i in waiting if known & _own_names(i) or (twins and i.main_order_id in known)]
        if not hits:
            return sorted(found, key=lambda intent: intent.intent_id)
        found += hits
        for intent in hits:
            known |= _own_names(intent)
        taken = {intent.intent_id for intent in hits}
        waiting = [intent for intent in waiting if intent.intent_id not in taken]


def _own_names(intent: Intent) -> set[str]:
    """The ids of the order that an intent is about."""
    return {intent.order_id, str(getattr(intent.action, "order_id", "")), link_of(intent)} - {""}


def _names(intent: Intent) -> set[str]:
    """Every id by which an order of the journal can be asked for."""
    return _own_names(intent) | ({intent.main_order_id} - {""})


def _ids(intents: Iterable[Intent]) -> set[str]:
    return {name for intent in intents for name in _names(intent)}


def _told_of(moment: int, told: Mapping[str, Alert]) -> str:
    """The order of main whose fill was told next to an execution of main; "" where none was told near it."""
    near = {name: abs(alert.at_ms - moment) for name, alert in told.items() if abs(alert.at_ms - moment) <= _NEAR_MS}
    return min(near, key=lambda name: near[name], default="")


def _symbol(
    here: Callable[[str, str], str],
    order: str,
    intents: Sequence[Intent],
    told: Mapping[str, Alert],
    cycles: Sequence[tuple[Cycle, int | None]],
) -> str:
    """Main's symbol of an order."""
    for cycle, _ in cycles:
        if cycle.origin == order:
            return cycle.symbol
    if order in told:
        return told[order].symbol
    first = intents[0]
    symbols = {cycle.symbol for cycle, _ in cycles}
    return next((s for s in sorted(symbols) if here(first.account, s) == first.action.symbol), first.action.symbol)


def _tags(intents: Iterable[Intent]) -> set[str]:
    """The cycles whose orders these are, as their link ids say."""
    from mirrorctl.core.domain.ids import parse

    links = (parse(link_of(intent)) for intent in intents)
    return {link.trade for link in links if link is not None}


def _newest(cycles: Sequence[tuple[Cycle, int | None]]) -> tuple[Cycle | None, int | None]:
    """The open cycle, else the newest."""
    found = sorted(cycles, key=lambda each: (each[1] is None, each[0].started_ms))
    return found[-1] if found else (None, None)
