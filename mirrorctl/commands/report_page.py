"""The page of `report`: one HTML document that needs nothing from elsewhere. Pure: what is shown is given.

What was not measured or could not be read is said to be so where its figure would stand (rule 15).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from html import escape

from mirrorctl.commands.report_charts import Point, histogram, line_chart
from mirrorctl.commands.report_style import STYLE
from mirrorctl.commands.report_tables import alerts, legs, naked_times, parts, trades
from mirrorctl.commands.report_words import amount, money, percent, percent_tick, rate, share
from mirrorctl.commands.times import zoned
from mirrorctl.core.domain.fidelity import Fidelity
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.domain.statistics import CycleResult, Figures
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.records import Alert, EquitySample, MeasuredCopy, NakedTime
from mirrorctl.core.engine.times import stamp

MARK = "<!-- mirrorctl report -->"
_HEAD = f"""<!doctype html>
{MARK}
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
"""
_HOW = (
    "Results are the exchange's closed-PnL records, fees and funding its executions: of one account each, never added"
    " together. A trade is one position from flat to flat.",
    "Equity is sampled once a minute while the daemon runs and sees the account; deposits and withdrawals are in it."
    " Drawdown is measured from the highest sample before. Samples, copies, times without a stop and alerts go back 30"
    " days at most: the store keeps no more.",
    "A copy runs from main's execution to the first execution of the order that followed it. Slippage is against main's"
    " price, in basis points, positive where the mirror did worse.",
    "The tracking error is a mirror's result less main's by the copy ratio, of every cycle that both accounts' records"
    " tell whole; docs/statistics.md defines its parts.",
)


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of one account. `figures` None: it could not be read, and `error` says why.

    `cycles` are those that are over. `fidelity` None: main or this account could not be read, or it is main.
    """

    name: str
    error: str = ""
    figures: Figures | None = None
    cycles: Sequence[CycleResult] = ()
    samples: Sequence[EquitySample] = ()
    copies: Sequence[MeasuredCopy] = ()
    naked: Sequence[NakedTime] = ()
    fidelity: Fidelity | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All that a page shows. `reasons`: why a position closed, by (account, symbol, side) and time.

    `store_error`: why nothing of the store is in it; "" where it was read.
    """

    profile: str
    environment: str
    at_ms: int
    since_ms: int
    accounts: Sequence[Account]
    alerts: Sequence[Alert] = ()
    reasons: Mapping[tuple[str, str, PositionSide], Sequence[tuple[int, str]]] = field(default_factory=dict)
    store_error: str = ""


def page(report: Report) -> str:
    """The whole document."""
    title = f"mirrorctl: {report.profile}"
    body = [
        f"<h1>{escape(report.profile)}</h1>",
        f'<p class="soft">{escape(report.environment)}, {escape(zoned(stamp(report.since_ms)))} to'
        f" {escape(zoned(stamp(report.at_ms)))}</p>",
        *_notices(report),
        f'<section class="cards">{"".join(map(_card, report.accounts))}</section>',
        "<h2>Equity and drawdown</h2>",
        *map(_equity, report.accounts),
        *_mirrors(report.accounts),
        "<h2>Trades</h2>",
        trades(report.accounts, report.reasons),
        "<h2>Times without a stop</h2>",
        naked_times([spell for account in report.accounts for spell in account.naked]),
        "<h2>Alerts</h2>",
        alerts(report.alerts),
        "<footer><h2>How to read it</h2>" + "".join(f"<p>{escape(text)}</p>" for text in _HOW) + "</footer>",
    ]
    head = f"{_HEAD}<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
    return head + "\n".join(body) + "\n</body>\n</html>\n"


def _notices(report: Report) -> Iterable[str]:
    if report.store_error:
        text = f"the store could not be read, so samples, copies and alerts are missing: {report.store_error}"
        yield f'<p class="notice">{escape(text)}</p>'
    for account in report.accounts:
        if account.figures is None:
            yield f'<p class="notice">{escape(f"{account.name} could not be read: {account.error}")}</p>'


def _card(account: Account) -> str:
    found, rows = account.figures, []
    equity = next((s for s in reversed(account.samples) if s.equity is not None), None)
    if equity is not None:
        rows += [("equity", amount(equity.equity)), ("sampled", escape(zoned(stamp(equity.at_ms))))]
    else:
        rows += [("equity", "no samples yet")]
    drop = min((value for _, value in drawdown(account.samples)), default=None)
    rows += [("max drawdown", "no samples yet" if drop is None else percent(drop))]
    big = '<span class="soft">not read</span>'
    if found is not None:
        big = money(found.net_pnl)
        told = f"{found.trades} ({found.wins} won, {found.losses} lost)"
        rows += [
            ("trades", told),
            ("win rate", rate(found.win_rate)),
            ("profit factor", share(found.profit_factor)),
            ("fees", amount(found.fees)),
            ("funding", money(found.funding)),
        ]
        rows += [("still open", str(found.standing))] if found.standing else []
        rows += [("cut by the window", str(found.cut))] if found.cut else []
        rows += [("without a record yet", str(found.unrecorded))] if found.unrecorded else []
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)
    return (
        f'<article class="card"><h3>{escape(account.name)}</h3><div class="big">{big}</div>'
        f'<div class="soft">net PnL</div><dl>{listed}</dl></article>'
    )


def _equity(account: Account) -> str:
    points = [(sample.at_ms, sample.equity) for sample in account.samples if sample.equity is not None]
    drops = drawdown(account.samples)
    return (
        f'<h3>{escape(account.name)}</h3><div class="charts">{line_chart("Equity", "", points, _thousands)}'
        f"{line_chart('Drawdown', 'below the highest sample before', drops, percent_tick, down=True)}</div>"
    )


def drawdown(samples: Iterable[EquitySample]) -> list[Point]:
    """How far equity was below its highest sample so far, as a fraction; never above zero."""
    found: list[Point] = []
    top = ZERO
    for sample in samples:
        if sample.equity is None:
            continue
        top = max(top, sample.equity)
        if top > ZERO:
            found.append((sample.at_ms, sample.equity / top - 1))
    return found


def tracking(samples: Iterable[EquitySample]) -> list[Point]:
    """What a mirror held of what main's positions by their ratios were, as a fraction; nothing while main was flat."""
    return [
        (sample.at_ms, sample.have / sample.ideal) for sample in samples if sample.ideal and sample.have is not None
    ]


def errors(found: Fidelity) -> list[Point]:
    """The tracking error after each cycle, all before it included."""
    total, points = ZERO, []
    for cycle in sorted(found.cycles, key=lambda cycle: cycle.closed_ms):
        total += cycle.error
        points.append((cycle.closed_ms, total))
    return points


def _mirrors(accounts: Iterable[Account]) -> Iterable[str]:
    for account in accounts:
        if account.name != MAIN:
            yield f"<h2>How {escape(account.name)} followed</h2>"
            yield _mirror(account)


def _mirror(account: Account) -> str:
    found = account.fidelity
    delays = [Decimal(copy.total_ms) for copy in account.copies]
    slips = [copy.slippage_bps for copy in account.copies if copy.slippage_bps is not None]
    charts = (
        line_chart("Size beside main", "held, of main's by the copy ratio", tracking(account.samples), percent_tick),
        line_chart(
            "Tracking error",
            "its results less main's by the ratio",
            errors(found) if found else [],
            _thousands,
            steps=True,
            nothing="no cycle to compare yet",
        ),
        histogram("Copy latency", "ms, from main's execution to its own", delays, plain),
        histogram("Slippage", "bps of main's price, positive is worse", slips, plain),
    )
    return f'<div class="charts">{"".join(charts)}</div>{parts(found)}{legs(account.copies)}'


def _thousands(value: Decimal) -> str:
    return f"{value:,f}"
