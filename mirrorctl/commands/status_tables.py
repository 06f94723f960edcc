"""What `status` prints, made from the document of `--json`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from mirrorctl.commands.cells import NONE, UNKNOWN
from mirrorctl.commands.grid import Grid
from mirrorctl.commands.mirror_tables import LEG_HEADS
from mirrorctl.commands.status_reach import reach
from mirrorctl.commands.tables import doubts, held
from mirrorctl.commands.times import brief, head, localised, zoned
from mirrorctl.core.domain.instruments import plain

Document = Mapping[str, Any]

_CENT = Decimal("0.01")


def status(document: Document) -> RenderableType:
    """The daemon, the accounts, and everything that is not in step."""
    parts: list[RenderableType] = [_daemon_line(document["daemon"])]
    if not document["mirroring"]:
        parts.append(Text("mirroring: disabled (ENABLE_MIRROR_TRADING)", "yellow"))
    parts += _store(document.get("store"))
    parts += [_accounts(document["accounts"]), *_disabled(document["accounts"])]
    parts += [*reach(document), _in_step(document), _monitors(document)]
    parts += _unprotected(document["naked"] or ())
    if document["drift"]:
        since = head("since", (row["since"] for row in document["drift"]))
        table = Grid(("drift", "symbol"), ("have", "want"), (since,))
        for row in document["drift"]:
            began = brief(row["since"]) if row["since"] else UNKNOWN
            table.add_row(row["account"], row["symbol"], row["have"], row["want"], began)
        parts.append(table)
    if document["held"]:
        parts.append(held(document["held"]))
    parts += [_parked(row) for row in document["parked"] or ()]
    parts += [_missing(row) for row in document.get("missing") or ()]
    parts += [
        Text(f"again and again: {row['account']} {row['symbol']}: {row['what']}, {row['times']} times", "yellow")
        for row in document.get("loops") or ()
        if not row["held_back"]  # what is held back is parked, with the same words
    ]
    parts += [_pause(row) for row in document["pauses"] or ()]
    parts += _days(document["accounts"])
    if document.get("doubts"):
        parts += doubts(document["doubts"])
    elif document["in_doubt"]:
        parts.append(Text(f"in doubt: {document['in_doubt']} sent, outcome not known yet", "yellow"))
    parts += _latency(document.get("latency") or ())
    if document.get("pass_ms") is not None:
        parts.append(Text(f"last pass: {document['pass_ms']} ms"))
    for row in document["alerts"] or ():
        where = " ".join(part for part in (row["account"], row["symbol"]) if part)
        bare = row["kind"] == "stream-down" and not row["text"].startswith("stream down")  # as older rows are
        what = f"stream down: {row['text']}" if bare else row["text"]
        said = ": ".join(part for part in (row["severity"], where, localised(what)) if part)
        parts.append(Text(f"{zoned(row['at'])}  {said}", "dim"))
    parts += _telegram(document.get("telegram"), document["alerts_waiting"])
    if document.get("stale"):
        told = ", told on Telegram" if document.get("alerted") else ""
        parts.append(Text(f"too old: {localised(document['stale'])}{told}", "bold red"))
    return Group(*parts)


def _daemon_line(daemon: Document) -> Text:
    if not daemon["running"]:
        return Text("daemon: not running", "yellow")
    silent = "" if daemon.get("answering", True) else ", does not answer"
    said = f"daemon: running, process {daemon['pid']} since {zoned(daemon['since'])}{silent}"
    return Text(said, "yellow" if silent else "")


def _store(store: Document | None) -> Iterator[Text]:
    """That nothing can be written down, which holds every entry back."""
    if store is not None and not store["writable"]:
        since = zoned(store["since"]) if store["since"] else "now"
        yield Text(f"entries are held since {since}: {store['error']}", "bold red")
        yield Text(f"stops, reductions and cancels go on; {store['waiting']} writes wait. {store['hint']}", "yellow")


def _telegram(telegram: Document | None, waiting: int | None) -> Iterator[Text]:
    """Whether alerts reach their chat; nothing where none are to be sent."""
    waits = "" if waiting == 0 else ", 1 alert waits" if waiting == 1 else f", {_count(waiting)} alerts wait"
    if telegram is None or not telegram["enabled"]:
        return
    if telegram["error"]:
        since = f" since {zoned(telegram['since'])}" if telegram["since"] else ""
        told = f"telegram: {telegram['state']}{since}: {telegram['error']}{waits}"
        yield Text(told, "red" if telegram["state"] == "refused" else "yellow")
    elif telegram["state"] is None:
        yield Text(f"telegram: unknown{waits}", "yellow")
    else:
        yield Text(f"telegram: {telegram['state']}, alerts delivered: {telegram['delivered']}{waits}")
    commands = telegram.get("commands")
    if commands is not None and not commands["heard"]:
        yield Text(f"telegram: no command is heard: {commands['error']}", "yellow")


def _accounts(rows: Iterable[Document]) -> Grid:
    rows = list(rows)
    heard = head("last event", (row["last_event_at"] for row in rows))
    table = Grid(("account", "state", "stream", heard, "paused"), ("monitors",), ("error",), prose=("error",))
    for row in rows:
        state, stream = row["state"], row["stream"]
        table.add_row(
            row["account"],
            Text(state, {"fresh": "", "disabled": "dim"}.get(state, "red")),
            Text(stream or (NONE if state == "disabled" else UNKNOWN), "" if stream == "up" else "yellow"),
            brief(row["last_event_at"]) if row["last_event_at"] else NONE,
            NONE if state == "disabled" else _known(row["paused"], "yes", "no"),
            NONE if state == "disabled" else _count(row["monitors"]),
            (row["error"] or NONE).removeprefix(f"{row['account']}: "),
        )
    return table


def _disabled(rows: Iterable[Document]) -> Iterator[Text]:
    """What a disabled mirror holds, as far as its keys could tell."""
    for row in rows:
        if "holds" not in row:
            continue
        holds = row["holds"]
        if holds is None:
            yield Text(f"{row['account']} is disabled; what it holds is unknown: {row['holds_error']}", "yellow")
        elif holds:
            what = ", ".join(f"{each['symbol']} {each['side']} {each['qty']}" for each in holds)
            yield Text(f"{row['account']} is disabled and holds {what}", "yellow")


def _in_step(document: Document) -> Text:
    """Held growth is not drift, yet a mirror that lacks it holds less than main says: both are told."""
    if document["in_sync"] is None:
        return Text("in step: unknown (no daemon looks; `mirrorctl sync --dry-run` does)", "yellow")
    if document["in_sync"]:
        held_back = len(document["held"] or ())
        return Text(f"in step: yes, but for {held_back} held back" if held_back else "in step: yes", "green")
    undone = any("since" in row for row in document.get("missing") or ())
    if undone or any(document[name] for name in ("drift", "parked", "in_doubt")):
        return Text("in step: no", "red")
    unread = [row["account"] for row in document["accounts"] if row["state"] in (UNKNOWN, "stale")]
    if unread:
        return Text(f"in step: unknown (not read now: {', '.join(unread)})", "red")
    return Text("in step: no (something is on its way, or not decided yet)", "yellow")


def _missing(row: Document) -> Text:
    """What should be there and is not; a stop, reduction or cancel that is late says since when."""
    where = f"{row['account']} {row['symbol']}"
    if "since" in row:
        return Text(f"not done since {zoned(row['since'])}: {where}: {row['what']}", "bold red")
    return Text(f"not placed: {where}: {row['what']}", "yellow")


def _monitors(document: Document) -> Text:
    counts, building = document["monitors"], (document.get("building") or {"total": None})["total"]
    of_each = f"main {_count(counts['main'])}, mirrors {_count(counts['mirror'])}"
    more = f", building {UNKNOWN}" if building is None else f", and {building} building" if building else ""
    return Text(f"monitors: {_count(counts['total'])} ({of_each}){more}")


def _latency(rows: Iterable[Document]) -> Iterator[Grid]:
    """How fast the newest copies were: the median of each leg, and of the whole way. Nothing where none is measured."""
    measured = [row for row in rows if row["copies"]]
    if measured:
        table = Grid(("last copies of",), ("copies", *LEG_HEADS.values(), "all, ms p50", "p95"))
        for row in measured:
            spans = row["latency_ms"]
            found = [*(spans[leg]["p50"] for leg in LEG_HEADS), spans["total"]["p50"], spans["total"]["p95"]]
            table.add_row(row["account"], str(row["copies"]), *map(_count, found))
        yield table


def _unprotected(rows: Iterable[Document]) -> Iterator[Text]:
    for row in rows:
        where = f"{row['account']} {row['symbol']} {row['side']}"
        yield Text(f"without a stop: {where}, for {row['ms'] / 1000:.1f} s", "red")


def _parked(row: Document) -> Text:
    to_do = f"; to do: {row['remedy']}" if row.get("remedy") else ""
    return Text(f"parked: {row['account']} {row['symbol']}: {row['reason']}{to_do}", "yellow")


def _pause(row: Document) -> Text:
    where = f"{row['account'] or 'every account'}, {row['symbol'] or 'every symbol'}"
    if row.get("kind") == "halt":
        said = f"halted: {row['account']}: {row['reason']}, since {zoned(row['since'])}"
        return Text(f"{said}; `mirrorctl resume` ends it, once the limit is not reached any more", "red")
    return Text(f"paused: {where}: {row['reason']} since {zoned(row['since'])}", "yellow")


def _lost(loss: str | None, limit: str) -> str:
    """What an account lost today, or won."""
    if loss is None:
        return f"{UNKNOWN} of {limit} lost"
    amount = Decimal(loss)
    return f"{loss} of {limit} lost" if amount > 0 else f"{plain(-amount)} won, {limit} may be lost"


def _days(rows: Iterable[Document]) -> Iterator[Text]:
    """The day of every account that has a limit on it."""
    for row in rows:
        day = row.get("day")
        if day is not None:
            said = []
            if day["max_daily_loss"]:
                said.append(_lost(day["loss"], day["max_daily_loss"]))
            if day["max_drawdown_pct"]:
                fallen = UNKNOWN if day["drawdown_pct"] is None else f"{day['drawdown_pct']}%"
                high = (
                    UNKNOWN
                    if day["highest_equity"] is None
                    else plain(Decimal(day["highest_equity"]).quantize(_CENT).normalize())
                )
                said.append(f"{fallen} of {day['max_drawdown_pct']}% under its highest equity {high}")
            yield Text(f"today: {row['account']}: {', '.join(said)}")


def _known(value: bool | None, yes: str, no: str) -> str:
    return UNKNOWN if value is None else yes if value else no


def _count(value: int | None) -> str:
    return UNKNOWN if value is None else str(value)
