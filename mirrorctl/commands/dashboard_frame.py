"""One frame of the dashboard: a pure function of the document, the size of the screen and the time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from textwrap import wrap
from typing import Any

from rich.text import Text

from mirrorctl.commands import dashboard_accounts, dashboard_copies, dashboard_positions, dashboard_trouble
from mirrorctl.commands.dashboard_columns import cropped, flowed
from mirrorctl.commands.dashboard_figures import UNKNOWN, age, seconds_since
from mirrorctl.commands.dashboard_sections import Section, stacked
from mirrorctl.commands.times import localised
from mirrorctl.core.domain.policy import MAIN

Document = Mapping[str, Any]

LEAST_WIDTH = 80
_BARS_SHOWN, _BARS_NARROW = 60, 24
_FOLDED_LEAST = 40  # columns
_INDENT = 9
_WIDE = 100
_REAL = "mainnet"
_ASCII = str.maketrans({"…": "~", "─": "-", "·": "|"})

KEYS = (
    ("q", "leave; so does Ctrl-C"),
    ("p", "pause: hold back the entries of every account, or of the one shown. Again: resume. It asks first"),
    ("r", "read every account again, now"),
    ("tab", "the next account, and after the last all of them; shift-tab goes back"),
    ("up down", "scroll the positions; page up and page down by ten"),
    ("?", "this help; any key leaves it"),
)
"""Every key with what it does."""

_LEGEND = (
    ("today", "closed PnL since 00:00 UTC, fees included, from the exchange's own records"),
    ("at all targets, at all stops", "what the positions bring where all targets fill, or all stops, fees apart"),
    ("away", "from the mark price to the stop"),
    ("rungs", "targets filled, of all"),
    ("note", "what needs a look, with its age"),
    ("phase", "build: entries are working; watch: all entries are done; profit: the first target has filled"),
    (UNKNOWN, "unknown: not read, or not known without a daemon; never a zero"),
)


@dataclass(frozen=True, slots=True)
class View:
    """How to draw. `height` None: as many lines as it takes; `zone` None: the zone of this machine.

    `account` None is the overview. `skip`: lines of positions scrolled away. `footer`: the last line, None for none;
    `problem`: why the figures could not be read again.
    """

    width: int
    now: datetime
    height: int | None = None
    zone: tzinfo | None = None
    account: str | None = None
    skip: int = 0
    help: bool = False
    footer: Text | None = None
    problem: str = ""
    ascii_only: bool = False


def frame(document: Document, view: View) -> list[Text]:
    """The lines of one frame, none wider than the view."""
    footer = [] if view.footer is None else [view.footer]
    height = None if view.height is None else max(view.height - len(footer), 0)
    sections = _help(document, view) if view.help else list(_sections(document, view))
    lines = stacked(sections, height)
    if height is not None and footer:
        lines += [Text()] * (height - len(lines))
    return [_shown(cropped(_printable(line), view.width), view.ascii_only) for line in (*lines, *footer)]


def names(document: Document) -> list[str]:
    """The accounts that have a view of their own, main first."""
    return [row["account"] for row in document["accounts"] if row["account"] in document["desk"]]


def _sections(document: Document, view: View) -> Iterator[Section]:
    yield Section(tuple(_head(document, view)))
    if view.account is None:
        accounts = dashboard_accounts.table(document, view.now, view.width)
        yield Section((accounts.head,), tuple(accounts.rows), "accounts", least=2)
    else:
        groups = dashboard_accounts.details(document, view.account, view.now)
        yield Section((), tuple(line for group in groups for line in flowed(group, view.width)), least=2)
    yield Section((), tuple(flowed(dashboard_accounts.potential(document, view.account), view.width)), least=2)
    yield _positions(document, view)
    found = dashboard_trouble.troubles(document, view.account, view.now)
    yield Section(tuple(flowed(_counts(document), view.width)), _sentences(found, view), "to look at", least=3)
    bars = _BARS_SHOWN if view.width >= _WIDE else _BARS_NARROW
    copies = dashboard_copies.lines(document, view.account, bars, ascii_only=view.ascii_only)
    yield Section((), tuple(copies))
    alerts = _sentences(_alerts(document, view), view)
    yield Section((Text("last alerts", "bold"),) if alerts else (), alerts, least=1)


def _head(document: Document, view: View) -> Iterator[Text]:
    if view.width < LEAST_WIDTH:
        yield Text(f"{view.width} columns: {LEAST_WIDTH} show everything", "yellow")
    local = view.now.astimezone(view.zone)
    environment = document["environment"]
    style = "bold red" if environment == _REAL else ""
    left = Text.assemble(("mirrorctl", "bold cyan"), "  ", (document["profile"], "bold"), "  ", (environment, style))
    yield _spread(left, Text(f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()}"), view.width)
    yield _spread(dashboard_trouble.step(document), _source(document, view), view.width)
    if view.problem:
        yield Text(f"not read again: {localised(view.problem)}", "red")
    if view.footer is not None:
        yield _tabs(document, view)


def _source(document: Document, view: View) -> Text:
    """Whence the figures are, and how old."""
    daemon = document["daemon"]
    oldest_ms = document["age_ms"]
    old = "nothing read"
    if oldest_ms is not None:
        old = f"{age((seconds_since(document['at'], view.now) or 0) + oldest_ms / 1000)} old"
    if document["source"] == "daemon":
        return Text(f"from the daemon (process {daemon.get('pid') or UNKNOWN}), {old}")
    if daemon.get("running"):
        return Text(f"from the exchange, {old}: the daemon (process {daemon['pid']}) does not answer", "yellow")
    return Text(f"from the exchange, {old}: no daemon runs", "yellow")


def _tabs(document: Document, view: View) -> Text:
    """The views that tab goes through; the one shown stands in brackets, and as near to the left as it must."""
    labels = [(None, "all"), *((name, name) for name in names(document))]
    shown = [
        Text(f"[{label}]", "bold reverse") if name == view.account else Text(f" {label} ") for name, label in labels
    ]
    at = next((i for i, (name, _) in enumerate(labels) if name == view.account), 0)
    start = 0
    while start < at and sum(tab.cell_len for tab in shown[start : at + 1]) > view.width - 1:
        start += 1
    return Text().join(shown[start:])


def _counts(document: Document) -> list[Text]:
    """How much there is of everything that is watched."""
    monitors = document["monitors"]
    of_each = f"main {_count(monitors['main'])}, mirrors {_count(monitors['mirror'])}"
    building = (document.get("building") or {"total": None})["total"]
    more = "" if building == 0 else f", and {_count(building)} building"
    pairs = [
        ("monitors", f"{_count(monitors['total'])} ({of_each}){more}"),
        ("in doubt", _count(document["in_doubt"])),
        *((name, _length(document[name])) for name in ("parked", "drift", "held")),
    ]
    if document["alerts_waiting"]:
        pairs.append(("alerts waiting", _count(document["alerts_waiting"])))
    return [Text.assemble((f"{name} ", "bold"), value) for name, value in pairs]


def _positions(document: Document, view: View) -> Section:
    """Only the lines that can be on the screen are made, however many there are."""
    lines = dashboard_positions.lines(document, view.account, view.now)
    unknown = [name for name, desk in document["desk"].items() if desk["positions"] is None]
    unknown = [name for name in unknown if view.account in (None, name)]
    if not lines:
        return Section((Text("positions: unknown", "yellow") if unknown else Text("no open position"),))
    skip = min(view.skip, len(lines) - 1)
    end = len(lines) if view.height is None else min(len(lines), skip + view.height)
    leading = view.account or MAIN
    table = dashboard_positions.fitted(
        lines[skip:end], leading, leading_is_unknown=leading in unknown, width=view.width
    )
    head = [table.head]
    if unknown:
        head.insert(0, Text(f"positions unknown: {', '.join(unknown)}", "red"))
    lost = [name for name in table.left_out if name in dashboard_positions.ALWAYS]
    if lost:
        head.insert(0, Text(f"no room for: {', '.join(lost)}", "dim"))
    first = lines[skip]
    if skip and first.account != leading:
        head.append(Text(f"{first.symbol} {first.side}, continued", "dim"))
    return Section(
        tuple(head),
        (*[Text()] * skip, *table.rows, *[Text()] * (len(lines) - end)),
        "positions",
        frozenset(index for index, line in enumerate(lines) if line.row is None),
        skip=skip,
        least=4,
        turn=2,
    )


def _alerts(document: Document, view: View) -> Iterator[Text]:
    for row in document["alerts"] or ():
        if view.account is not None and row["account"] not in ("", None, view.account):
            continue
        about = " ".join(part for part in (row["account"], row["symbol"]) if part)
        said = f"{about}: {row['text']}" if about else row["text"]
        style = {"critical": "bold red", "warning": "yellow"}.get(row["severity"], "")
        yield Text(f"{_clock(row['at'], view)}  {row['severity']:<8}  {said}", style)


def _clock(moment: str | None, view: View) -> str:
    """The time of day, with the date where it was another day."""
    if moment is None:
        return UNKNOWN
    local = datetime.fromisoformat(moment).astimezone(view.zone)
    today = view.now.astimezone(view.zone).date()
    return f"{local:%H:%M:%S}" if local.date() == today else f"{local:%m-%d %H:%M:%S}"


def _sentences(lines: Iterable[Text], view: View) -> tuple[Text, ...]:
    """Sentences as they are on a screen, which cuts them; where there is no end of lines, they are folded."""
    lines = [Text(localised(line.plain), line.style) for line in lines]
    if view.height is not None:
        return tuple(lines)
    return tuple(
        Text(part, line.style)
        for line in lines
        for part in wrap(line.plain, max(view.width, _FOLDED_LEAST), subsequent_indent="    ")
    )


def _help(document: Document, view: View) -> list[Section]:
    wide = max(len(key) for key, _ in KEYS) + 2
    keys = [line for key, does in KEYS for line in _entry(key.ljust(wide), does, view.width)]
    legend = [line for word, means in _LEGEND for line in _entry(f"{word}: ", means, view.width)]
    return [Section(tuple(_head(document, view))), Section(tuple(keys)), Section(tuple(legend))]


def _entry(word: str, says: str, width: int) -> list[Text]:
    """A word and what it is about, folded under itself."""
    first, *rest = wrap(word + says, max(width, _FOLDED_LEAST), subsequent_indent=" " * min(len(word), _INDENT))
    return [Text.assemble((word, "bold"), first[len(word) :]), *map(Text, rest)]


def _spread(left: Text, right: Text, width: int) -> Text:
    """One at each end of the line; where they touch, the right one is cut."""
    room = width - left.cell_len - right.cell_len
    return Text.assemble(left, " " * max(room, 2), right)


def _count(value: int | None) -> str:
    return UNKNOWN if value is None else str(value)


def _length(rows: Sequence[Any] | None) -> str:
    return UNKNOWN if rows is None else str(len(rows))


def _printable(line: Text) -> Text:
    """The line without what would move the cursor: an error's text comes from elsewhere."""
    if line.plain.isprintable():
        return line
    return _replaced(line, "".join(each if each.isprintable() else " " for each in line.plain))


def _shown(line: Text, ascii_only: bool) -> Text:
    """The line as its terminal can show it; what else than ASCII there is in names and reasons becomes "?"."""
    if not ascii_only:
        return line
    return _replaced(line, line.plain.translate(_ASCII).encode("ascii", "replace").decode("ascii"))


def _replaced(line: Text, plain: str) -> Text:
    """Other characters in the same style."""
    return Text(plain, line.style, spans=line.spans)
