"""Tables of a report: trades, parts of the tracking error, legs of a copy, times without a stop, alerts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING

from mirrorctl.commands.mirror_tables import LEG_WORDS
from mirrorctl.commands.report_words import NOT_AVAILABLE, UNKNOWN, money
from mirrorctl.commands.times import head, local
from mirrorctl.core.domain.fidelity import Fidelity, Part, Tracking
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.statistics import CycleResult, percentile
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.records import Alert, MeasuredCopy, NakedTime
from mirrorctl.core.engine.times import stamp

if TYPE_CHECKING:
    from mirrorctl.commands.report_page import Account

TRADES, SPELLS, ALERTS = 200, 20, 100
_REASON_MS = 60_000  # between a closing execution and what was written down of it
_PARTS = {
    Part.LATENCY: "filled at other prices than main",
    Part.ROUNDING: "less than a step, or below the minimum",
    Part.HELD: "held back by policy, filter, limit or pause",
    Part.REJECTION: "refused by the exchange, or in doubt",
    Part.FEE: "other fees than main's by the ratio",
    Part.OWN_EXIT: "its own target, stop or liquidation came first",
    Part.REST: "the rest: late by more than a minute, changed by hand, not known",
}

Reasons = Mapping[tuple[str, str, PositionSide], Sequence[tuple[int, str]]]


def trades(accounts: Iterable[Account], reasons: Reasons) -> str:
    """The newest trades of all accounts, mirrors with what main's exact copy would have brought."""
    rows = [(account, cycle) for account in accounts for cycle in account.cycles if cycle.counts]
    rows.sort(key=lambda row: row[1].closed_ms or 0, reverse=True)
    if not rows:
        return _none("no trade ended")
    times = [stamp(cycle.closed_ms or 0) for _, cycle in rows[:TRADES]]
    columns = (head("closed", times), head("opened", times), "account", "symbol", "side", "closed by")
    body = []
    for account, cycle in rows[:TRADES]:
        tracked = _tracked(account, cycle)
        cells = [
            local(stamp(cycle.closed_ms or 0)),
            "before" if cycle.opened_ms is None else local(stamp(cycle.opened_ms)),
            *map(escape, (account.name, cycle.symbol, cycle.side.value)),
            _reason(account.name, cycle, reasons),
        ]
        figures = (plain(cycle.closed_qty), money(cycle.pnl), *_ideal(tracked))
        body.append(_row(cells, figures))
    return _table(columns, ("qty", "net PnL", "ideal", "error"), body) + _more(len(rows), TRADES)


def _tracked(account: Account, cycle: CycleResult) -> Tracking | None:
    """The comparison that this trade of a mirror is all of, when it is all of one."""
    if account.fidelity is None:
        return None
    same = (row for row in account.fidelity.cycles if row.pnl == cycle.pnl)
    return next((row for row in same if abs(row.closed_ms - (cycle.closed_ms or 0)) <= _REASON_MS), None)


def _ideal(tracked: Tracking | None) -> tuple[str, str]:
    return ("", "") if tracked is None else (money(tracked.ideal), money(tracked.error))


def _reason(account: str, cycle: CycleResult, reasons: Reasons) -> str:
    near = [
        (abs(at - (cycle.closed_ms or 0)), reason)
        for at, reason in reasons.get((account, cycle.symbol, cycle.side), ())
        if abs(at - (cycle.closed_ms or 0)) <= _REASON_MS
    ]
    return escape(min(near)[1]) if near else UNKNOWN


def parts(found: Fidelity | None) -> str:
    """What made the tracking error."""
    if found is None:
        return _none("not compared: main, this mirror or the store could not be read")
    left = f"{found.unmeasured} of main's cycles cannot be compared with it." if found.unmeasured else ""
    if not found.cycles:
        return _none(f"no cycle to compare yet. {left}")
    body = [_row([escape(words)], [money(found.total(part))]) for part, words in _PARTS.items()]
    body.append(_row(["<b>tracking error</b>"], [f"<b>{money(found.pnl - found.ideal)}</b>"]))
    told = (
        f"{len(found.cycles)} cycles: it brought {money(found.pnl)}, an exact copy of main would have brought"
        f" {money(found.ideal)}. {left}"
    )
    return f"<h3>What made the difference</h3><p>{told}</p>" + _table(("",), ("amount",), body, slim=True)


def legs(copies: Sequence[MeasuredCopy]) -> str:
    """Where the time of the copies went."""
    if not copies:
        return ""
    ways = [copy.legs_ms() for copy in copies]
    body = []
    for leg, words in LEG_WORDS.items():
        spans = [copy.total_ms for copy in copies] if leg == "total" else [s for w in ways if (s := w[leg]) is not None]
        figures = [str(len(spans)), *(_count(percentile(spans, at)) for at in (50, 95, 99))]
        body.append(_row([escape(words)], figures))
    return "<h3>Where the time went</h3>" + _table(("leg",), ("copies", "ms p50", "p95", "p99"), body, slim=True)


def naked_times(spells: Sequence[NakedTime]) -> str:
    """The longest times in which a position stood without the stop it should have."""
    if not spells:
        return _none("none was measured")
    rows = sorted(spells, key=lambda spell: spell.ms, reverse=True)[:SPELLS]
    columns = (head("from", [stamp(spell.from_ms) for spell in rows]), "account", "symbol", "side", "")
    body = [
        _row(
            [
                local(stamp(spell.from_ms)),
                *map(escape, (spell.account, spell.symbol, spell.side.value)),
                "" if spell.ended else '<span class="warn">it lasts</span>',
            ],
            [f"{spell.ms:,}"],
        )
        for spell in rows
    ]
    return _table(columns, ("ms",), body) + _more(len(spells), SPELLS, "longest")


def alerts(rows: Sequence[Alert]) -> str:
    """The newest alerts, newest first."""
    if not rows:
        return _none("none")
    columns = (head("time", [stamp(row.at_ms) for row in rows]), "severity", "account", "symbol", "what")
    body = "".join(
        f"<tr><td>{local(stamp(row.at_ms))}</td><td>{escape(row.severity.value)}</td><td>{escape(row.account)}</td>"
        f'<td>{escape(row.symbol)}</td><td class="text">{escape(row.text)}</td></tr>'
        for row in rows[:ALERTS]
    )
    return _table(columns, (), [body]) + _more(len(rows), ALERTS)


def _table(left: Sequence[str], right: Sequence[str], body: Iterable[str], *, slim: bool = False) -> str:
    heads = "".join(f"<th>{escape(name)}</th>" for name in left)
    heads += "".join(f'<th class="n">{escape(name)}</th>' for name in right)
    kind = "wide slim" if slim else "wide"
    return f'<div class="{kind}"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'


def _row(cells: Iterable[str], figures: Iterable[str]) -> str:
    left = "".join(f"<td>{cell}</td>" for cell in cells)
    return f"<tr>{left}" + "".join(f'<td class="n">{figure}</td>' for figure in figures) + "</tr>"


def _more(count: int, shown: int, which: str = "newest") -> str:
    return f'<p class="soft">the {shown} {which} of {count}</p>' if count > shown else ""


def _none(text: str) -> str:
    return f'<div class="empty">{escape(text)}</div>'


def _count(value: int | Decimal | None) -> str:
    return NOT_AVAILABLE if value is None else f"{value:,}"
