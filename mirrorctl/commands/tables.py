"""Every table, made from the documents that `--json` prints: people and scripts see the same facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Context, Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from mirrorctl.commands.grid import Grid
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.policy import MAIN

Document = Mapping[str, Any]

_NONE = "-"
_UNKNOWN = "unknown"
_CENT = Decimal("0.01")
_SEVEN_FIGURES = Context(prec=7)


def positions(document: Document) -> RenderableType:
    """What every account holds."""
    table = Grid(
        ("account", "symbol", "side"),
        ("qty", "want", "entry", "mark", "pnl", "lev", "stop", "targets"),
    )
    for account in document["accounts"]:
        for row in account["positions"] or ():
            is_main = account["account"] == MAIN
            want = Text(_NONE) if is_main else _number(row["want_qty"])
            if row["drift_qty"]:
                want.stylize("yellow")
            table.add_row(
                account["account"],
                row["symbol"],
                row["side"],
                _number(row["qty"]),
                want,
                _average(row["entry_price"]),
                _number(row["mark_price"]),
                _money(row["unrealised_pnl"], signed=True),
                _number(row["leverage"]),
                _number(row["stop"]["price"]) if row["stop"] else Text("none", "red"),
                " ".join(plain(target["price"]) for target in row["targets"]) or _NONE,
            )
    return _with_accounts(document, table, "positions", "no open position")


def orders(document: Document) -> RenderableType:
    """Open orders of every account."""
    table = Grid(("account", "symbol", "side", "type", "role"), ("price", "trigger", "qty", "filled"), ("order id",))
    for account in document["accounts"]:
        for row in account["orders"] or ():
            table.add_row(
                account["account"],
                row["symbol"],
                row["side"],
                row["type"],
                row["role"],
                _number(row["price"], _NONE),
                _number(row["trigger_price"], _NONE),
                _number(row["qty"]),
                _number(row["filled_qty"]),
                row["order_id"],
            )
    return _with_accounts(document, table, "orders", "no open order")


def balance(document: Document) -> RenderableType:
    """Equity and margin of every account."""
    columns = ("equity", "available", "initial_margin", "maintenance_margin", "unrealised_pnl")
    table = Grid(("account",), [name.replace("_", " ") for name in columns])
    for account in document["accounts"]:
        table.add_row(account["account"], *(_money(account[name]) for name in columns))
    return Group(table, *_unreadable(document))


def plan(document: Document) -> RenderableType:
    """The actions of a plan, then what is held back."""
    parts: list[RenderableType] = []
    rows = document["plan"]
    if rows:
        table = Grid(("account", "action", "symbol", "side"), ("qty", "price"), ("reason",), prose=("reason",))
        for row in rows:
            price = row["price"] or ("market" if row["action"] in ("place", "close") else None)
            qty = f"{row['qty']}x" if row["action"] == "set-leverage" else row["qty"]
            table.add_row(
                row["account"],
                row["action"],
                row["symbol"],
                row["side"] or _NONE,
                qty or _NONE,
                price or _NONE,
                row["reason"],
            )
        parts.append(table)
    else:
        parts.append(Text("nothing to do"))
    if document.get("held"):
        parts.append(held(document["held"]))
    if document.get("unread"):
        parts.append(Text(f"not read, so nothing is planned for: {', '.join(document['unread'])}", "red"))
    return Group(*parts)


def held(rows: Sequence[Document]) -> RenderableType:
    """Growth that is held back, with its reason."""
    table = Grid(("held", "symbol"), ("would be", "is"), ("reason",), prose=("reason",))
    for row in rows:
        table.add_row(row["account"], row["symbol"], row["raw_want"], row["want"], row["reason"])
    return table


def expected(rows: Iterable[Document]) -> RenderableType:
    """What a trade would come to on each mirror."""
    table = Grid(("mirror",), ("factor", "qty"))
    for row in rows:
        table.add_row(row["account"], row["factor"], row["qty"])
    return table


def mirrors(rows: Iterable[Document]) -> RenderableType:
    """How the mirrors followed one symbol."""
    table = Grid(("account",), ("have", "want"), ("state",), prose=("state",))
    for row in rows:
        table.add_row(row["account"], _number(row["have"]), _number(row["want"]), follow_state(row))
    return table


def follow_state(row: Document) -> str:
    """One word or the reason why a mirror is not in step."""
    if row["held"]:
        return f"held: {row['held']}"
    if row["parked"]:
        return f"parked: {row['parked']}"
    if row["have"] is None:
        return _UNKNOWN
    return "in step" if row["have"] == row["want"] else "on its way"


def status(document: Document) -> RenderableType:
    """The daemon, the accounts, and everything that is not in step."""
    parts: list[RenderableType] = [_daemon_line(document["daemon"]), _status_accounts(document["accounts"])]
    parts.append(_in_step(document["in_sync"]))
    if document["drift"]:
        table = Grid(("drift", "symbol"), ("have", "want"), ("since",))
        for row in document["drift"]:
            table.add_row(row["account"], row["symbol"], row["have"], row["want"], row["since"] or _UNKNOWN)
        parts.append(table)
    if document["held"]:
        parts.append(held(document["held"]))
    parts += [
        Text(f"parked: {row['account']} {row['symbol']}: {row['reason']}", "yellow") for row in document["parked"] or ()
    ]
    if document["in_doubt"]:
        parts.append(Text(f"in doubt: {document['in_doubt']} sent, outcome not known yet", "yellow"))
    for row in document["alerts"] or ():
        where = " ".join(part for part in (row["account"], row["symbol"]) if part)
        parts.append(Text(f"{row['at']}  {row['severity']}: {where}: {row['text']}", "dim"))
    if document["alerts_waiting"]:
        parts.append(Text(f"alerts waiting: {document['alerts_waiting']}"))
    return Group(*parts)


def profiles(rows: Iterable[Document]) -> RenderableType:
    """The profiles that can be named."""
    table = Grid(("", "name", "environment", "path"), prose=("path",))
    for row in rows:
        table.add_row("*" if row["chosen"] else "", row["name"], row["environment"] or "broken", row["path"])
    return table


def settings(rows: Iterable[Document]) -> RenderableType:
    """Keys of a profile with the value that holds and where it came from."""
    table = Grid(("key", "value", "source"), prose=("value",))
    for row in rows:
        table.add_row(row["key"], _setting(row["value"]), row["source"])
    return table


def demo(rows: Iterable[Document]) -> RenderableType:
    """How the demo ended."""
    table = Grid(("account",), ("want", "have"), ("in step",), ("copies", "latency p50 ms", "max ms"))
    for row in rows:
        is_main = row["role"] == MAIN
        state = Text(_NONE) if is_main else Text("yes", "green") if row["in_step"] else Text("no", "red")
        table.add_row(
            row["account"],
            Text(_NONE) if is_main else _number(row["want_qty"]),
            _number(row["have_qty"]),
            state,
            _NONE if is_main else str(row["copies"]),
            _NONE if row["latency_ms"] is None else str(row["latency_ms"]["p50"]),
            _NONE if row["latency_ms"] is None else str(row["latency_ms"]["max"]),
        )
    return table


def faults(rows: Iterable[Document]) -> RenderableType:
    """Standing faults of the paper exchange."""
    table = Grid(("id", "kind", "account", "target", "left"), prose=("target",))
    for row in rows:
        left = "until cleared" if row["left"] is None else str(row["left"])
        table.add_row(str(row["id"]), row["kind"], row["account"] or "all", row["target"] or "all", left)
    return table


def _with_accounts(document: Document, table: Grid, what: str, nothing: str) -> RenderableType:
    parts: list[RenderableType] = [table] if table.row_count else []
    empty = [account for account in document["accounts"] if account[what] is not None and not account[what]]
    parts += [Text(f"{account['account']}: {nothing}") for account in empty]
    return Group(*parts, *_unreadable(document))


def _unreadable(document: Document) -> list[Text]:
    return [
        Text(f"{account['account']}: unknown: {account['error']}", "red")
        for account in document["accounts"]
        if account["state"] == _UNKNOWN
    ]


def _daemon_line(daemon: Document) -> Text:
    if not daemon["running"]:
        return Text("daemon: not running", "yellow")
    silent = "" if daemon.get("answering", True) else ", does not answer"
    return Text(f"daemon: running, process {daemon['pid']} since {daemon['since']}{silent}", "yellow" if silent else "")


def _status_accounts(rows: Iterable[Document]) -> Grid:
    table = Grid(("account", "state", "stream", "last event", "paused", "error"), prose=("error",))
    for row in rows:
        stream = row["stream"]
        table.add_row(
            row["account"],
            Text(row["state"], "" if row["state"] == "fresh" else "red"),
            Text(stream, "" if stream == "up" else "yellow"),
            row["last_event_at"] or _NONE,
            _UNKNOWN if row["paused"] is None else "yes" if row["paused"] else "no",
            row["error"] or _NONE,
        )
    return table


def _in_step(in_sync: bool | None) -> Text:
    if in_sync is None:
        return Text("in step: unknown (no daemon looks; `mirrorctl sync --dry-run` does)", "yellow")
    return Text("in step: yes", "green") if in_sync else Text("in step: no", "red")


def _number(value: Decimal | str | None, missing: str = _UNKNOWN) -> Text:
    if value is None:
        return Text(missing, "dim")
    return Text(plain(value) if isinstance(value, Decimal) else value)


def _average(value: Decimal | None) -> Text:
    """An average price has no tick: to the figures that a trader compares. `--json` has all of them."""
    return _number(None if value is None else _SEVEN_FIGURES.plus(value).normalize())


def _money(value: Decimal | None, *, signed: bool = False) -> Text:
    if value is None:
        return Text(_UNKNOWN, "dim")
    cents = value.quantize(_CENT)
    text = format(cents, "+,f" if signed else ",f") if cents else "0.00"
    return Text(text, "" if not signed or not cents else "green" if cents > 0 else "red")


def _setting(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_setting(item) for item in value) + "]"
    return _NONE if value is None else str(value)
