"""Every table, made from the documents that `--json` prints: people and scripts see the same facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from mirrorctl.commands.cells import NONE, UNKNOWN, average, money, number
from mirrorctl.commands.grid import Grid
from mirrorctl.commands.times import zoned
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.policy import MAIN

Document = Mapping[str, Any]

_RATIO_SHOWN = 10


def positions(document: Document) -> RenderableType:
    """What every account holds, what a mirror should hold and does not, and what is held back."""
    table = Grid(
        ("account", "symbol", "side"),
        ("qty", "want", "entry", "mark", "pnl", "lev", "stop", "targets"),
        lists=("targets",),
    )
    for account in document["accounts"]:
        for row in account["positions"] or ():
            is_main = account["account"] == MAIN
            want = Text(NONE) if is_main else number(row["want_qty"])
            if row["drift_qty"]:
                want.stylize("yellow")
            table.add_row(
                account["account"],
                row["symbol"],
                row["side"],
                number(row["qty"]),
                want,
                average(row["entry_price"]),
                number(row["mark_price"]),
                money(row["unrealised_pnl"], signed=True),
                number(row["leverage"]),
                number(row["stop"]["price"]) if row["stop"] else Text("none", "red"),
                " ".join(plain(target["price"]) for target in row["targets"]) or NONE,
            )
        for row in account.get("missing") or ():
            nothing = [NONE] * 6
            want = Text(plain(row["want_qty"]), "yellow")
            table.add_row(account["account"], row["symbol"], row["side"], Text("0", "yellow"), want, *nothing)
    parts = [_with_accounts(document, table, "positions", "no open position")]
    return Group(*parts, held(document["held"])) if document.get("held") else Group(*parts)


def orders(document: Document) -> RenderableType:
    """Open orders of every account."""
    table = Grid(
        ("account", "symbol", "side", "type", "role"),
        ("price", "trigger", "qty", "filled"),
        ("order id",),
        ids=("order id",),
    )
    for account in document["accounts"]:
        for row in account["orders"] or ():
            table.add_row(
                account["account"],
                row["symbol"],
                row["side"],
                row["type"],
                row["role"],
                number(row["price"], NONE),
                number(row["trigger_price"], NONE),
                number(row["qty"]),
                number(row["filled_qty"]),
                row["order_id"],
            )
    return _with_accounts(document, table, "orders", "no open order")


def balance(document: Document) -> RenderableType:
    """Equity and margin of every account."""
    columns = ("equity", "available", "initial_margin", "maintenance_margin", "unrealised_pnl")
    table = Grid(("account",), [name.replace("_", " ") for name in columns])
    for account in document["accounts"]:
        table.add_row(account["account"], *(money(account[name]) for name in columns))
    return Group(table, *_unreadable(document))


def plan(document: Document, nothing: str = "nothing to do") -> RenderableType:
    """The actions of a plan, then what is held back. `nothing`: what is said where it has no action."""
    parts: list[RenderableType] = []
    rows = document["plan"]
    if rows:
        table = Grid(("account", "action", "symbol", "side"), ("qty", "price"), ("reason",), prose=("reason",))
        for row in rows:
            reason = f"{row['reason']}, stop {row['stop']}" if row.get("stop") else row["reason"]
            table.add_row(row["account"], row["action"], row["symbol"], row["side"] or NONE, *asked(row), reason)
        parts.append(table)
    elif not document.get("unread"):
        parts.append(Text(nothing))
    if document.get("held"):
        parts.append(held(document["held"]))
    parts += doubts(document.get("in_doubt") or ())
    if document.get("unread"):
        parts.append(Text(f"not read, so this plan is not all of it: {', '.join(document['unread'])}", "red"))
    return Group(*parts)


def doubts(rows: Sequence[Document]) -> list[Text]:
    """What was sent and whose outcome is not known, with what keeps it so and what to do."""
    return [
        Text(
            f"in doubt: {row['account']} {row['symbol']}: {row['what']}, since {zoned(row['since'])}: {row['why']};"
            f" {row['remedy']}",
            "yellow",
        )
        for row in rows
    ]


def asked(action: Document) -> tuple[str, str]:
    """Quantity and price of an action, as people read them."""
    qty, price = action["qty"], action["price"]
    if action["action"] == "set-leverage":
        return f"{qty}x", NONE
    if price is None and action["action"] in ("place", "close"):
        price = "market"
    if price is None and "trailing" in action.get("sets", ()):
        price = f"trailing {action['sets']['trailing']}"
    return qty or NONE, price or NONE


def held(rows: Sequence[Document]) -> RenderableType:
    """Growth that is held back, with its reason."""
    table = Grid(("held back", "symbol"), ("want", "held at"), ("reason",), prose=("reason",))
    for row in rows:
        table.add_row(row["account"], row["symbol"], number(row["raw_want"]), row["want"], row["reason"])
    return table


def rebased(rows: Sequence[Document]) -> RenderableType:
    """Ratios as they are and as they would be; the reason where one cannot be made."""
    if not rows:
        return Text("no open cycle has a ratio to make anew")
    table = Grid(("ratio of", "symbol", "side"), ("r", "new r"), ("formula",), prose=("formula",))
    for row in rows:
        digits = _digits(row["from"], row["to"])
        to = _ratio(row["to"], digits) if row["to"] is not None else "kept"
        about, before = (row["account"], row["symbol"], row["side"]), _ratio(row["from"], digits)
        table.add_row(*about, before, to, row["reason"] or row["formula"])
    return table


def ratios_changed(rows: Sequence[Document]) -> int:
    """How many ratios would be others than they are."""
    return sum(row["to"] not in (None, row["from"]) for row in rows)


def _ratio(text: str, digits: int) -> str:
    return text if len(text) <= digits else f"{text[:digits]}…"


def _digits(before: str, after: str | None) -> int:
    """Enough digits to compare; `--json` has all of them."""
    digits = _RATIO_SHOWN
    while after is not None and before != after and before[:digits] == after[:digits]:
        digits += 1
    return digits


def audit(document: Document) -> RenderableType:
    """What an audit found, the gravest first, and what mends it."""
    if not document["findings"]:
        return Text("clean: nothing found", "green")
    table = Grid(("severity", "code", "account", "position", "expected", "actual"), prose=("expected", "actual"))
    remedies: dict[tuple[str, str], list[str]] = {}
    for row in document["findings"]:
        about = " ".join(row[name] for name in ("symbol", "side") if row[name]) or NONE
        severity = Text(row["severity"], _SEVERITIES[row["severity"]])
        table.add_row(severity, row["code"], row["account"], about, row["expected"], row["actual"])
        remedies.setdefault((row["code"], row["remedy"]), []).append(f"{row['account']} {row['symbol'] or ''}".rstrip())
    state = [Text("clean: nothing has to be done", "green")] if document["clean"] else []
    return Group(table, *(Text(remedy) for remedy in _remedies(remedies)), *state)


def _remedies(found: Mapping[tuple[str, str], Sequence[str]]) -> Iterator[str]:
    """What mends each code; for whom, where not all of a code are mended alike."""
    codes = [code for code, _ in found]
    for (code, remedy), subjects in found.items():
        if not remedy.startswith("none"):
            whom = f" ({', '.join(dict.fromkeys(subjects))})" if codes.count(code) > 1 else ""
            yield f"{code}{whom}: {remedy}"


_SEVERITIES = {"critical": "red", "warning": "yellow", "info": "dim"}


def mirrors(rows: Iterable[Document]) -> RenderableType:
    """How the mirrors followed one symbol; nothing where there is nothing to tell."""
    table = Grid(("account",), ("have", "want"), ("state",), prose=("state",))
    for row in rows:
        table.add_row(row["account"], number(row["have"]), number(row["want"]), follow_state(row))
    return table


def follow_state(row: Document) -> str:
    """One word or the reason why a mirror is not in step."""
    if row["held"]:
        return f"held: {row['held']}"
    if row["parked"]:
        return f"parked: {row['parked']}"
    if row["have"] is None:
        return UNKNOWN
    return "in step" if row["have"] == row["want"] else "on its way"


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
        state = Text(NONE) if is_main else Text("yes", "green") if row["in_step"] else Text("no", "red")
        table.add_row(
            row["account"],
            Text(NONE) if is_main else number(row["want_qty"]),
            number(row["have_qty"]),
            state,
            NONE if is_main else str(row["copies"]),
            NONE if row["latency_ms"] is None else str(row["latency_ms"]["p50"]),
            NONE if row["latency_ms"] is None else str(row["latency_ms"]["max"]),
        )
    return table


def faults(rows: Iterable[Document]) -> RenderableType:
    """Standing faults of the paper exchange."""
    table = Grid(("id", "kind", "account", "target", "left"), prose=("target",))
    for row in rows:
        left = "until cleared" if row["left"] is None else str(row["left"])
        if row["for_ms"] is not None:
            left = f"{row['for_ms'] / 1000:.1f} s"
        table.add_row(str(row["id"]), row["kind"], row["account"] or "all", row["target"] or "all", left)
    return table


def _with_accounts(document: Document, table: Grid, what: str, nothing: str) -> RenderableType:
    parts: list[RenderableType] = [table] if table.row_count else []
    empty = [
        account
        for account in document["accounts"]
        if account[what] is not None and not account[what] and not account.get("missing")
    ]
    parts += [Text(f"{account['account']}: {nothing}") for account in empty]
    return Group(*parts, *_unreadable(document))


def _unreadable(document: Document) -> list[Text]:
    return [
        Text(f"{account['account']}: unknown: {account['error']}", "red")
        for account in document["accounts"]
        if account["state"] == UNKNOWN
    ]


def _setting(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_setting(item) for item in value) + "]"
    return NONE if value is None else str(value)
