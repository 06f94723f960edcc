"""The dashboard's table of accounts, and the figures of one: what they have, risk and brought today."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.text import Text

from mirrorctl.commands.dashboard_columns import Cell, Column, Fitted, Row, cell, fit
from mirrorctl.commands.dashboard_figures import (
    NONE,
    UNKNOWN,
    age,
    decimal,
    money,
    percent,
    seconds_since,
    share,
    total,
)
from mirrorctl.core.domain.policy import MAIN

Document = Mapping[str, Any]

_COLUMNS = (
    Column(("account",), right=False),
    Column(("equity",)),
    Column(("available",)),
    Column(("margin",), need=8),
    Column(("used",), need=7),
    Column(("unrealised", "uPnL")),
    Column(("today",)),
    Column(("at targets",), need=1, extra=True),
    Column(("at stops",), need=2, extra=True),
    Column(("positions",), need=3, extra=True),
    Column(("state",), right=False),
)
_WALLET = ("equity", "available", "initial_margin", "maintenance_margin", "unrealised_pnl")
_NOTHING: Document = {}
_NAME_CUT = 12
_WHOLE_FROM = 10_000
_CALM = 99


def table(document: Document, now: datetime, width: int) -> Fitted:
    """One line for each account: main first, then those that need a look."""
    desks: Mapping[str, Document] = document["desk"]
    marked = [(account, _words(account, document, now)) for account in document["accounts"]]
    marked.sort(key=lambda pair: (pair[0]["account"] != MAIN, pair[1][0][0] if pair[1] else _CALM))
    rows = [_row(account, desks.get(account["account"], _NOTHING), words) for account, words in marked]
    return fit(_COLUMNS, rows, width)


def potential(document: Document, account: str | None) -> list[Text]:
    """What all targets would bring and all stops would cost: of main, of all mirrors together, or of one account."""
    desks: Mapping[str, Document] = document["desk"]
    sides = {"main": [MAIN], "mirrors": [name for name in desks if name != MAIN]}
    if account is not None:
        sides = {account: [account]}
    parts = []
    for what in ("targets", "stops"):
        part = Text.assemble((f"at all {what}", "bold"))
        for side, names in sides.items():
            having = [desks[name] for name in names if name in desks and not _has_none(desks[name], what)]
            found = total([desk.get(f"at_{what}") for desk in having])
            if names:
                said = money(found, signed=True) if having or not desks else Text(NONE)
                part.append_text(Text.assemble(f"  {side} ", said))
        lacking = sum(len(desks[name].get(f"without_{what}") or ()) for names in sides.values() for name in names)
        if lacking:
            part.append_text(Text(f" ({lacking} without)", "yellow"))
        parts.append(part)
    return parts


def details(document: Document, name: str, now: datetime) -> list[list[Text]]:
    """All figures of one account: groups of `name value` pairs."""
    desk: Document = document["desk"].get(name, _NOTHING)
    account = next((row for row in document["accounts"] if row["account"] == name), _NOTHING)
    used = share(desk.get("initial_margin"), desk.get("equity"))
    kept = share(desk.get("maintenance_margin"), desk.get("equity"))
    signed = {key: money(desk.get(key), signed=True) for key in ("unrealised_pnl", "realised_today")}
    lines = [
        [
            ("equity", money(desk.get("equity"))),
            ("available", money(desk.get("available"))),
            ("unrealised", signed["unrealised_pnl"]),
            ("realised today", signed["realised_today"]),
        ],
        [
            ("margin used", Text.assemble(money(desk.get("initial_margin")), " ", percent(used))),
            ("maintenance", Text.assemble(money(desk.get("maintenance_margin")), " ", percent(kept))),
        ],
        [
            ("state", Text(account.get("state") or UNKNOWN)),
            ("stream", Text(account.get("stream") or UNKNOWN)),
            ("breaker", Text(account.get("breaker") or UNKNOWN)),
            ("paused", _yes(account.get("paused"))),
            ("heard", _ago(account.get("last_event_at"), now)),
            ("read", _ago(account.get("last_read_at"), now)),
        ],
    ]
    skew = account.get("clock_skew_ms")
    if skew is not None:
        lines[2].append(("clock", Text(f"{skew:+} ms")))
    return [[Text.assemble((f"{name} ", "dim"), value) for name, value in pairs] for pairs in lines]


def unread(document: Document) -> list[str]:
    """Accounts about whose money nothing is known."""
    desks: Mapping[str, Document] = document["desk"]
    return [name for name, desk in desks.items() if all(desk.get(key) is None for key in _WALLET)]


def _row(account: Document, desk: Document, words: Sequence[tuple[int, str, str]]) -> Row:
    positions = desk.get("positions")
    return (
        _name(account["account"]),
        _amount(desk.get("equity")),
        _amount(desk.get("available")),
        _amount(desk.get("initial_margin")),
        cell(percent(share(desk.get("initial_margin"), desk.get("equity")), 0)),
        _amount(desk.get("unrealised_pnl"), signed=True),
        _amount(desk.get("realised_today"), signed=True),
        cell(NONE) if _has_none(desk, "targets") else _amount(desk.get("at_targets"), signed=True),
        cell(NONE) if _has_none(desk, "stops") else _amount(desk.get("at_stops"), signed=True),
        cell(Text(UNKNOWN) if positions is None else str(len(positions))),
        _state(words),
    )


def _has_none(desk: Document, what: str) -> bool:
    """Whether it is known that no target (or no stop) stands for anything that an account holds."""
    positions, lacking = desk.get("positions"), desk.get(f"without_{what}")
    return bool(positions) and desk.get(f"at_{what}") is None and len(lacking or ()) == len(positions or ())


def _state(words: Sequence[tuple[int, str, str]]) -> Cell:
    everything = Text(", ").join(Text(word, style) for _, word, style in words)
    _rank, word, style = words[0]
    return cell(everything, Text(word, style))


def _words(account: Document, document: Document, now: datetime) -> list[tuple[int, str, str]]:
    """(rank, word, style) of everything that holds for an account, the most urgent first; one word when all is well."""
    return sorted(_each_word(account, document, now)) or [(_CALM, "live" if _is_live(document) else "read", "")]


def _each_word(account: Document, document: Document, now: datetime) -> Iterator[tuple[int, str, str]]:
    state = account["state"]
    if state == "disabled":
        yield (_CALM, "disabled", "dim")
        return
    if state == "unknown":
        yield (0, "unknown", "red")
    if state == "stale":
        seen = max(filter(None, (account["last_event_at"], account["last_read_at"])), default=None)
        yield (1, f"stale {age(seconds_since(seen, now))}", "red")
    if account["breaker"] in ("open", "half-open"):
        yield (2, f"breaker {account['breaker']}", "red")
    if account["stream"] == "down" and _is_live(document) and state != "unknown":
        yield (3, "stream down", "yellow")
    if account["paused"]:
        yield (4, "paused", "yellow")


def _is_live(document: Document) -> bool:
    """Whether the figures come from a daemon, which streams feed."""
    return document.get("source") == "daemon"


def _name(name: str) -> Cell:
    return cell(name, name if len(name) <= _NAME_CUT else f"{name[: _NAME_CUT - 1]}…")


def _amount(value: Any, *, signed: bool = False) -> Cell:
    amount, full = decimal(value), money(value, signed=signed)
    if amount is None or abs(amount) < _WHOLE_FROM:
        return cell(full)
    return cell(full, full, money(value, signed=signed, cents=False))


def _yes(value: bool | None) -> Text:
    return Text(UNKNOWN) if value is None else Text("yes", "yellow") if value else Text("no")


def _ago(moment: str | None, now: datetime) -> Text:
    return Text(NONE if moment is None else f"{age(seconds_since(moment, now))} ago")
