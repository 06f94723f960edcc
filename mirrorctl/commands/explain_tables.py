"""What `explain` says to people: what it is about, how sizes came about, what keeps them back, then what happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from mirrorctl.commands.grid import Grid
from mirrorctl.commands.times import exact, head, local, zoned
from mirrorctl.core.domain.instruments import plain

Document = Mapping[str, Any]

_DATE, _DAY = len("2026-01-31"), len("01-31 ")
_ID = 8
_LEGS = {
    "main_to_frame": "heard of it",
    "frame_to_plan": "decided",
    "plan_to_send": "sent",
    "send_to_ack": "accepted",
    "ack_to_fill": "filled",
}
_STEPS = {"accepted": "accepted", "live": "on the book", "done": "over", "in-doubt": "no answer"}


def explanation(document: Document) -> RenderableType:
    """The order or the symbol, sizes of its cycle, holds, events; the newest last."""
    parts: list[RenderableType] = list(_head(document))
    parts += [Text(""), *_sizes(document)] if document["sizes"] or document["gates"] else []
    parts.append(Text(""))
    if document["left_out"]:
        parts.append(Text(f"{document['left_out']} earlier events left out: --limit shows more", "dim"))
    parts.append(_events(document["events"]) if document["events"] else Text("nothing was sent"))
    return Group(*parts)


# --- what it is about -------------------------------------------------------------------------------------------------


def _head(document: Document) -> Iterator[Text]:
    about, cycle = document["about"], document["cycle"]
    if document["order"]:
        yield Text(f"order {document['order']}, {document['symbol']}", "bold")
    else:
        yield Text(document["symbol"] if cycle is None else f"{cycle['symbol']} {cycle['side']}", "bold")
    if about is not None:
        yield Text(_order(about))
        if about["main_order_id"]:
            yield Text(f"it stands for main's order {about['main_order_id']}")
        if about["order_link_id"] and about["order_link_id"] != document["order"]:
            yield Text(f"its link id is {about['order_link_id']}")
    if cycle is not None:
        yield Text(_cycle(cycle))


def _order(about: Document) -> str:
    price = "at market" if about["price"] is None else f"at {plain(about['price'])}"
    words = [f"{about['account']}: {about['role']}, {about['side']} {plain(about['qty'])} {about['symbol']} {price}"]
    words += [f"stop {plain(about['stop'])}"] if about["stop"] else []
    words += ["reduce-only"] if about["reduce_only"] else []
    words += [f"attempt {about['attempt']}"] if (about["attempt"] or 1) > 1 else []
    return ", ".join([*words, f"{about['state']} with {plain(about['filled'])} filled"])


def _cycle(cycle: Document) -> str:
    words = [f"main's {cycle['symbol']} {cycle['side']} since {zoned(cycle['started_at'])}"]
    if cycle["ended_at"] is not None:
        words[0] += f" until {zoned(cycle['ended_at'])}"
    words += [f"begun by {cycle['origin']}"]
    words += [f"approach {cycle['approach']}"] if cycle["approach"] else []
    words += [f"stop {plain(cycle['stop'])}"] if cycle["stop"] else []
    return ", ".join(words)


# --- sizes and what keeps them back -----------------------------------------------------------------------------------


def _sizes(document: Document) -> Iterator[Grid]:
    """For each mirror its arithmetic, then whatever keeps entries away, a line for each."""
    table = Grid(("mirror",), (), ("size, and what keeps it back",), prose=("size, and what keeps it back",))
    sizes = {row["account"]: row for row in document["sizes"]}
    gates = {row["account"]: row["blocks"] for row in document["gates"]}
    for name in dict.fromkeys((*gates, *sizes)):
        lines: list[Text] = []
        if name in sizes:
            lines += [Text(line) for line in _arithmetic(sizes[name])]
        elif document["cycle"] is not None:
            lines.append(Text("it has no size in this cycle"))
        lines += _kept_back(name, gates.get(name, ()), document["now"], name in sizes)
        table.add_row(name, Text("\n").join(lines))
    yield table


def _arithmetic(row: Document) -> Iterator[str]:
    yield row["formula"]
    follows = row["follows"]
    if (follows["symbol"], follows["side"]) != (row["symbol"], row["side"]):
        yield f"{row['symbol']} {row['side']} follows main's {follows['symbol']} {follows['side']}"
    if row["last"]:
        yield f"last sent: {row['last']}"
    if row["cap"] is not None:
        yield f"capped at {plain(row['cap'])}: what an own exit left, or what an entry too small was for"
    if row["own_stop"] is not None:
        yield f"its own stop {plain(row['own_stop'])}"
    yield from (f"{name}: {row[name]}" for name in ("out", "held") if row[name])
    if row["ended"]:
        yield "main is flat"


def _kept_back(name: str, blocks: Sequence[str], now: Document | None, sized: bool) -> Iterator[Text]:
    """What the profile, the trader and the daemon hold back; where no daemon answers its part is unknown."""
    yield from (Text(f"entries are kept away: {block}", "yellow") for block in blocks)
    if not blocks:
        yield Text("no filter, pause, halt or park keeps entries away", "dim")
    if now is None:
        if sized:
            yield Text("what is held now is unknown: no daemon answers", "dim")
        return
    mine = {kind: [row for row in now[kind] if row["account"] == name] for kind in ("held", "parked", "drift")}
    yield from (Text(f"held: {row['reason']}", "yellow") for row in mine["held"])
    yield from (Text(f"parked: {row['reason']}", "yellow") for row in mine["parked"])
    yield from (Text(f"drifts: has {row['have']}, wants {row['want']}", "red") for row in mine["drift"])
    wants = ", ".join(f"{side} {want}" for side, want in now["wants"].get(name, {}).items())
    if wants:
        yield Text(f"wants now: {wants}")
    if sized and not mine["held"]:
        yield Text("nothing is held back", "dim")


# --- events -----------------------------------------------------------------------------------------------------------


def _events(rows: Sequence[Document]) -> Grid:
    """What came of a send follows its reason, after an arrow."""
    days = {local(row["at"])[:_DATE] for row in rows}
    when = head(days.pop() if len(days) == 1 else "time", (row["at"] for row in rows))
    cut = 0 if days else _DAY
    why = "why, and what came of it"
    table = Grid((when, "account", "what"), (), (why,), prose=(why,))
    for row in rows:
        text = Text(row["text"])
        for line in _outcome(row):
            text.append(f"\n→ {line}", _style(row))
        table.add_row(exact(row["at"])[cut:], row["account"], _what(row), text)
    return table


def _what(row: Document) -> str:
    if row.get("sets"):  # a reverse mirror's target is set as a stop is: by what it names
        return ", ".join(
            f"set-{name} {'to none' if value == '0' else f'at {value}'}" for name, value in row["sets"].items()
        )
    words = [row["kind"], row.get("side"), row.get("qty")]
    words += [f"at {row['price']}"] if row.get("price") else []
    words += ["at market"] if row.get("side") and not row.get("price") and row["kind"] != "amend" else []
    return " ".join(word for word in words if word)


def _outcome(row: Document) -> Iterable[str]:
    if "legs_ms" in row:
        legs = row["legs_ms"]
        if any(ms is not None for ms in legs.values()):
            told = (f"{words} {'?' if legs[leg] is None else f'{legs[leg]:+d}'}" for leg, words in _LEGS.items())
            yield f"{', '.join(told)} ms"
    elif "steps" in row:
        yield _life(row)
    elif row["outcome"]:
        yield row["outcome"]


def _life(row: Document) -> str:
    """Such as "accepted +6 ms, on the book +20 ms, over +2.0 s; 0.014 filled; order 2d483a82"."""
    began = datetime.fromisoformat(row["at"])
    words: list[str] = []
    for step in row["steps"]:
        if step["state"] in _STEPS and not any(word.startswith(_STEPS[step["state"]]) for word in words):
            words.append(f"{_STEPS[step['state']]} {_after(began, step['at'])}")
    last = ", ".join(words)
    if row["state"] in ("rejected", "absent", "pending"):
        said = row["outcome"]
        last = f"{last}; {said}" if last else said
    elif row["message"]:
        last = f"{last}; {row['message']}"
    parts = [last, f"{plain(row['filled'])} filled" if row["filled"] and row["state"] != "rejected" else ""]
    parts.append(f"order {row['order_id'][:_ID]}" if row["order_id"] else "")
    return "; ".join(part for part in parts if part)


def _after(began: datetime, at: str) -> str:
    ms = round((datetime.fromisoformat(at) - began).total_seconds() * 1000)
    return f"+{ms} ms" if ms < 1_000 else f"+{ms / 1000:.1f} s"


def _style(row: Document) -> str:
    if row.get("state") in ("rejected", "absent", "in-doubt") or row["outcome"] == "critical":
        return "red"
    return "yellow" if row["kind"] == "held" or row["outcome"] == "warning" else "dim"
