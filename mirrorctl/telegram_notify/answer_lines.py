"""Lines of the bot's answers: one position, one account's money, one monitor, one mirror's copies. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from mirrorctl.core.domain.statistics import Figures, percentile

UNKNOWN = "unknown"
_MOST_ROWS = 40
_CENT = Decimal("0.01")
_HUNDRED = Decimal(100)

Document = Mapping[str, Any]


def line(row: Document) -> str:
    """A position: what, how much, and what it brings now."""
    return f"{row['symbol']} {row['side']} {row['qty']}  PnL {_signed(row['unrealised_pnl'])}"


def guard(row: Document) -> str:
    """The stop and the ladder of a position."""
    stop = "NO STOP" if row["stop"] is None else f"stop {row['stop']}"
    if row["stop"] is not None and row["stop_distance_pct"] is not None:
        stop += f" ({row['stop_distance_pct']}% away)"
    done, total = row.get("rungs_done"), row.get("rungs_total")
    return f"  {stop}, {'no target' if total == 0 else f'targets {shown(done)} of {shown(total)} done'}"


def lacking(row: Document) -> str:
    """What a mirror should hold and holds nothing of, and what keeps it back."""
    why = f"PARKED: {row['parked']}" if row["parked"] else f"held: {row['hold']}" if row["hold"] else ""
    return f"{row['symbol']} {row['side']} holds nothing\n  {why or 'wants ' + shown(row['want_qty'])}"


def waiting(row: Document) -> str:
    """A side that holds nothing yet, with its resting entries and what keeps them back."""
    why = f"PARKED: {row['parked']}" if row["parked"] else f"held: {row['hold']}" if row["hold"] else ""
    entries = ", ".join(f"{entry['qty']} at {entry['price'] or 'market'}" for entry in row["resting"])
    lines = [f"{row['symbol']} {row['side']} holds nothing yet", *([f"  {why}"] if why else [])]
    return "\n".join([*lines, *([f"  entries wait: {entries}"] if entries else [])])


def money(desk: Document) -> Iterator[str]:
    """An account's wallet, its day, and what its positions could still bring."""
    yield f"equity {_cents(desk['equity'])}, available {_cents(desk['available'])}"
    yield f"margin used {_cents(desk['initial_margin'])}, PnL {_signed(desk['unrealised_pnl'])}"
    yield f"today {_signed(desk['realised_today'])} realised"
    if desk["positions"]:
        left = len(desk["without_targets"] or ()), len(desk["without_stops"] or ())
        notes = [f" ({count} left out)" if count else "" for count in left]
        yield f"at all targets {_signed(desk['at_targets'])}{notes[0]}"
        yield f"at all stops {_signed(desk['at_stops'])}{notes[1]}"


def connection(row: Document) -> str:
    """How one account can be reached."""
    if row["state"] == "disabled":
        return f"{row['account']}: disabled"
    parts = [row["state"], f"stream {shown(row['stream'])}"]
    if row["breaker"] != "closed":
        parts.append(f"breaker {shown(row['breaker'])}")
    if row["paused"]:
        parts.append("paused")
    if row["error"]:
        parts.append(plain_error(row))
    return f"{row['account']}: {', '.join(parts)}"


def plain_error(row: Document) -> str:
    """The error of a row, whose account is named already."""
    return str(row["error"]).removeprefix(f"{row['account']}: ")


def step(published: Document) -> str:
    """Whether everything is in step; what was not read lately cannot be known to be."""
    if published["in_sync"]:
        return "in step"
    unread = [row["account"] for row in published["accounts"] if row["state"] in ("stale", "unknown")]
    return f"in step or not is {UNKNOWN}: {', '.join(unread)} cannot be read" if unread else "NOT in step"


def counted(counts: Document, building: Document | None) -> str:
    """How many monitors there are, and how many trades hold nothing yet while their entries rest."""
    mirror, waiting = shown(counts["mirror"]), None if building is None else building["total"]
    more = f", building {UNKNOWN}" if waiting is None else f", and {waiting} building" if waiting else ""
    return f"monitors: {shown(counts['total'])} (main {shown(counts['main'])}, mirrors {mirror}){more}"


def monitor(row: Document) -> str:
    """One monitor with its stop, its ladder and the entries that wait."""
    held = Decimal(row["qty"]) != 0
    size = row["qty"] if row["want_qty"] in (None, row["qty"]) else f"{row['qty']}, wants {row['want_qty']}"
    lines = [f"{row['account']} {row['symbol']} {row['side']} {size}", f"  {row['label']}: {row['phase']}"]
    if held:
        lines.append(guard(row))
    if row["entries"]:
        entries = ", ".join(f"{entry['qty']} at {entry['price'] or 'market'}" for entry in row["entries"])
        lines.append(f"  entries wait: {entries}")
    if held and not row["covered"]:
        lines.append("  nothing stands for it")
    return "\n".join(lines)


def copied(copies: Sequence[Document]) -> Iterator[str]:
    """How the newest copies of each mirror went."""
    if not copies:
        yield "no copy was measured yet"
    for name in sorted({copy["account"] for copy in copies}):
        own = [copy for copy in copies if copy["account"] == name]
        latency = percentile([copy["latency_ms"] for copy in own], 50)
        slippage = percentile([Decimal(copy["slippage_bps"]) for copy in own if copy["slippage_bps"] is not None], 50)
        bps = UNKNOWN if slippage is None else f"{slippage.quantize(_CENT)} bps"
        yield f"{name}: last {len(own)} copies: median {shown(latency)} ms, slippage {bps}"


def brought(name: str, found: Figures) -> Iterator[str]:
    """The statistics of one account."""
    rate = UNKNOWN if found.win_rate is None else f"{(found.win_rate * _HUNDRED).quantize(Decimal(1))}%"
    yield f"{name}: net {_signed(found.net_pnl)}, fees {_cents(found.fees)}"
    if found.trades:
        yield f"{found.trades} trades, {found.wins} won, {found.losses} lost ({rate})"
    else:
        yield "no trade is over"
    if found.standing:
        yield f"{found.standing} still stand"
    if found.unrecorded:
        yield f"{found.unrecorded} not recorded by the exchange yet"


def planned(plan: Document) -> list[str]:
    """The actions of a dry run, by account; nothing to do is said."""
    rows = plan["plan"]
    lines = []
    for name in dict.fromkeys(row["account"] for row in rows):
        own = [row for row in rows if row["account"] == name]
        closes = [row for row in own if row["action"] == "close"]
        lines += [f"{name}: close {row['symbol']} ({row['side']} {row['qty']})" for row in closes]
        cancels = sum(row["action"] == "cancel" for row in own)
        lines += [f"{name}: cancel {cancels} order{'s' if cancels != 1 else ''}"] if cancels else []
    return limited(lines) if lines else ["nothing of ours stands there"]


def limited(rows: Sequence[str]) -> list[str]:
    """The first rows, and how many there are beyond."""
    left = len(rows) - _MOST_ROWS
    return [*rows[:_MOST_ROWS], *([f"+ {left} more"] if left > 0 else [])]


def where(row: Document) -> str:
    """Account and symbol of a row."""
    return " ".join(filter(None, (row["account"], row["symbol"])))


def scope(account: str | None, symbol: str | None) -> str:
    """Of one account and symbol, or of all: written as null, "" or "all"."""
    accounts = "every account" if account in (None, "", "all") else account
    return f"{accounts}, {'every symbol' if symbol in (None, '', 'all') else symbol}"


def shown(value: object) -> str:
    """A value, or that it is not known."""
    return UNKNOWN if value is None else str(value)


def _cents(value: str | Decimal | None) -> str:
    return UNKNOWN if value is None else f"{Decimal(value).quantize(_CENT):,f}"


def _signed(value: str | Decimal | None) -> str:
    if value is None:
        return UNKNOWN
    cents = Decimal(value).quantize(_CENT)
    return f"{cents:+,f}" if cents else "0.00"
