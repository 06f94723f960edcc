"""What is not as it should be, as sentences of the dashboard: the most urgent first, each with its age."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.text import Text

from mirrorctl.commands.dashboard_figures import UNKNOWN, age, exact, seconds_since

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trouble:
    """One sentence. `account` "" is every account; `rank`: the lower the more urgent."""

    rank: int
    account: str
    text: str
    style: str


def troubles(document: Document, account: str | None, now: datetime) -> list[Text]:
    """Of every account, or of one and of what concerns all."""
    found = [each for find in _FINDERS for each in find(document, now)]
    shown = [each for each in found if account is None or each.account in ("", account)]
    return [Text(each.text, each.style) for each in sorted(shown, key=lambda each: each.rank)]


def step(document: Document) -> Text:
    """Whether every mirror is in step, in a few words."""
    if document["in_sync"] is None:
        return Text("in step: unknown", "yellow")
    if document["in_sync"]:
        held = len(document["held"] or ())
        return Text(f"in step: yes, {held} held back" if held else "in step: yes", "green")
    if any(document[name] for name in ("drift", "parked", "in_doubt")) or any(
        "since" in row for row in document.get("missing") or ()
    ):
        return Text("in step: no", "red")
    if any(row["state"] in ("unknown", "stale") for row in document["accounts"]):
        return Text("in step: unknown", "red")
    return Text("in step: not yet", "yellow")


def _rows(document: Document, name: str) -> Iterable[Any]:
    """A list of the document; what is unknown lists nothing."""
    rows: Iterable[Any] = document.get(name) or ()
    return rows


def _for(moment: str | None, now: datetime) -> str:
    return f"for {age(seconds_since(moment, now))}"


def _naked(document: Document, _now: datetime) -> Iterator[Trouble]:
    for row in _rows(document, "naked"):
        where = f"{row['account']} {row['symbol']} {row['side']}"
        yield Trouble(0, row["account"], f"without a stop: {where}, for {age(row['ms'] / 1000)}", "bold red")


def _notes(document: Document, _now: datetime) -> Iterator[Trouble]:
    for note in _rows(document, "notes"):
        yield Trouble(1, "", note, "yellow")


def _store(document: Document, now: datetime) -> Iterator[Trouble]:
    store = document.get("store")
    if store is not None and not store["writable"]:
        said = f"entries are held, the store cannot be written {_for(store['since'], now)}: {store['error']}"
        yield Trouble(1, "", f"{said}; {store['hint']}", "bold red")


def _missing(document: Document, now: datetime) -> Iterator[Trouble]:
    for row in _rows(document, "missing"):
        where = f"{row['account']} {row['symbol']}: {row['what']}"
        if "since" in row:
            yield Trouble(2, row["account"], f"not done {_for(row['since'], now)}: {where}", "bold red")
        else:
            yield Trouble(9, row["account"], f"not placed: {where}", "yellow")


def _accounts(document: Document, now: datetime) -> Iterator[Trouble]:
    live = document.get("source") == "daemon"
    for row in _rows(document, "accounts"):
        name, error = row["account"], (row["error"] or "").removeprefix(f"{row['account']}: ")
        if row["state"] == "unknown":
            yield Trouble(3, name, f"unknown: {name}: {error or 'not read'}", "red")
        elif row["state"] == "stale":
            seen = max(filter(None, (row["last_event_at"], row["last_read_at"])), default=None)
            said = f"{_for(seen, now)}{f': {error}' if error else ''}"
            yield Trouble(3, name, f"stale: {name}: nothing heard or read {said}", "red")
        if row["breaker"] in ("open", "half-open"):
            wait_s = row.get("next_try_s")
            again = f", next try in {age(wait_s)}" if wait_s else ""
            yield Trouble(4, name, f"breaker {row['breaker']}: {name}{again}; stops and reductions still go", "red")
        if row["stream"] == "down" and live and row["state"] != "unknown":
            yield Trouble(8, name, f"stream down: {name}, last heard {_ago(row['last_event_at'], now)}", "yellow")


def _ago(moment: str | None, now: datetime) -> str:
    return UNKNOWN if moment is None else f"{age(seconds_since(moment, now))} ago"


def _doubts(document: Document, now: datetime) -> Iterator[Trouble]:
    for row in _rows(document, "doubts"):
        said = f"in doubt {_for(row['since'], now)}: {row['account']} {row['symbol']}: {row['what']}: {row['why']}"
        yield Trouble(5, row["account"], f"{said}; {row['remedy']}", "yellow")
    if document["in_doubt"] and not document.get("doubts"):
        yield Trouble(5, "", f"in doubt: {document['in_doubt']} sent, outcome not known yet", "yellow")


def _parked(document: Document, _now: datetime) -> Iterator[Trouble]:
    for row in _rows(document, "parked"):
        to_do = f"; to do: {row['remedy']}" if row.get("remedy") else ""
        where = f"{row['account']} {row['symbol']}"
        yield Trouble(6, row["account"], f"parked: {where}: {row['reason']}{to_do}", "yellow")


def _drift(document: Document, now: datetime) -> Iterator[Trouble]:
    for row in _rows(document, "drift"):
        sizes = f"has {exact(row['have']).plain}, wants {exact(row['want']).plain}"
        where = f"{row['account']} {row['symbol']}"
        yield Trouble(6, row["account"], f"drift {_for(row['since'], now)}: {where}: {sizes}", "yellow")


def _pauses(document: Document, now: datetime) -> Iterator[Trouble]:
    for row in _rows(document, "pauses"):
        where = f"{row['account'] or 'every account'}, {row['symbol'] or 'every symbol'}"
        word = "halted" if row.get("kind") == "halt" else "paused"
        text = f"{word} {_for(row['since'], now)}: {where}: {row['reason']}"
        yield Trouble(7, row["account"] or "", text, "red" if word == "halted" else "yellow")


def _reach(document: Document, _now: datetime) -> Iterator[Trouble]:
    address = document.get("address")
    if address is not None and address["silent_s"]:
        yield Trouble(1, "", f"blocked: the exchange refuses this address for {age(address['silent_s'])}", "red")
    if address is not None and address["wait_s"]:
        yield Trouble(9, "", f"rate limit: entries and lists wait {age(address['wait_s'])}", "yellow")


def _loops(document: Document, _now: datetime) -> Iterator[Trouble]:
    for row in _rows(document, "loops"):
        if not row["held_back"]:  # what is held back is parked, with the same words
            where = f"{row['account']} {row['symbol']}"
            said = f"again and again: {where}: {row['what']}, {row['times']} times"
            yield Trouble(9, row["account"], said, "yellow")


def _held(document: Document, _now: datetime) -> Iterator[Trouble]:
    for row in _rows(document, "held"):
        sizes = f"wants {exact(row['raw_want']).plain}, held at {exact(row['want']).plain}"
        where = f"{row['account']} {row['symbol']}"
        yield Trouble(10, row["account"], f"held: {where}: {sizes}: {row['reason']}", "yellow")


_FINDERS: tuple[Callable[[Document, datetime], Iterator[Trouble]], ...] = (
    _naked,
    _notes,
    _store,
    _missing,
    _accounts,
    _doubts,
    _parked,
    _drift,
    _pauses,
    _reach,
    _loops,
    _held,
)
