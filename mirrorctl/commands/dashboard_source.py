"""Where the dashboard's document comes from: the daemon where it answers, else the exchange and the store.

Either way it is the same document, and it says which it was and how old its figures are. What only a daemon knows is
None without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirrorctl.commands import desk
from mirrorctl.commands.reading import Reading, read_accounts
from mirrorctl.commands.session import SCHEMA, Session, now_text
from mirrorctl.commands.status import summed, without_daemon
from mirrorctl.commands.terminal import Terminal
from mirrorctl.commands.wants import Known, find_known, flat_entries
from mirrorctl.core.domain.account import Position
from mirrorctl.core.domain.errors import ExchangeError, MirrorctlError, PartlyDone
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.domain.potential import Potential
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.accounts import DAY_MS
from mirrorctl.core.engine.building import building_json
from mirrorctl.core.engine.command_client import call
from mirrorctl.core.engine.ports import RelistAnswer
from mirrorctl.core.engine.published import (
    COPIES_SHOWN,
    WALLET,
    Holding,
    copy_json,
    position_json,
    potential_json,
    text,
    unread_desk,
)
from mirrorctl.core.engine.times import iso

if TYPE_CHECKING:
    from mirrorctl.core.bybit.rest import BybitRest

ANSWER_S = 2.0
_RESULT_S = 5.0  # it may wait three seconds for the exchange
_READ_S = 2.0
_KEPT_BACK = ("hold", "hold_since", "parked", "drift_since")
_DAEMON_ONLY = ("rungs_total", "label", "approach", "managed", "entries", "naked_ms", *_KEPT_BACK)

Document = dict[str, Any]


class _Notes(Terminal):
    """Keeps what would be told: a screen that is drawn over and over has a place for it."""

    def __init__(self) -> None:
        super().__init__(as_json=True)
        self.told: list[str] = []

    def tell(self, text: str, style: str = "") -> None:
        del style
        self.told.append(text)


@dataclass(frozen=True, slots=True)
class _Look:
    """One account as it was read now. `realised` None: its closed PnL could not be read."""

    answer: RelistAnswer
    realised: Decimal | None
    at_ms: int


def read_dashboard(session: Session, max_age_s: Decimal | None = ZERO) -> Document:
    """The document of `dashboard --once --json`; with a daemon its figures are younger than `max_age_s` if it can.

    With None it answers with what it knows. The exchange is always read now.

    `notes` are sentences for people: why it is not the daemon's, what could not be read. Prints nothing, raises
    ProfileError alone: what cannot be read is unknown.
    """
    notes = _Notes()
    session = replace(session, terminal=notes)
    head = {"schema": SCHEMA, "profile": session.profile.name, "environment": session.profile.environment.value}
    holder = desk.holder_of(session)
    daemon: Document = {"running": False, "pid": None, "since": None}
    found: Document | None = None
    if holder is not None and (holder.socket is not None or holder.command == "run"):
        daemon = {"running": True, "pid": holder.pid, "since": holder.since, "answering": False}
        found = None if holder.socket is None else _ask(Path(holder.socket), max_age_s, notes)
        daemon["answering"] = found is not None
        if holder.socket is None:
            notes.tell("the daemon is starting: figures are read from the exchange")
    source = "exchange" if found is None else "daemon"
    found = _from_exchange(session, silent=daemon["running"]) if found is None else found
    at = now_text()
    age = _age_ms(found["desk"].values(), at)
    return {**head, "at": at, "source": source, "age_ms": age, "notes": notes.told, "daemon": daemon, **found}


def unread_code(document: Document) -> int:
    """0 when every account was read, 5 when some were, 4 when none was (contract)."""
    unread = [row["positions"] is None for row in document["desk"].values()]
    return 0 if not any(unread) else ExchangeError.exit_code if all(unread) else PartlyDone.exit_code


def _ask(socket: Path, max_age_s: Decimal | None, notes: Terminal) -> Document | None:
    """The daemon's own document; None when it does not answer, with why."""
    try:
        asked = {"max_age_s": text(max_age_s)}
        return call(socket, "published", asked, timeout_s=ANSWER_S, result_timeout_s=_RESULT_S)
    except MirrorctlError as error:
        notes.tell(f"{error.message.split(';')[0]}: figures are read from the exchange")
        return None


def _age_ms(rows: Any, at: str) -> int | None:
    """How old the oldest figures are, of the accounts that were read; None when none was."""
    read = [datetime.fromisoformat(row["read_at"]) for row in rows if row["read_at"]]
    if not read:
        return None
    return max(int((datetime.fromisoformat(at) - min(read)).total_seconds() * 1000), 0)


def _from_exchange(session: Session, *, silent: bool) -> Document:
    looks = _read(session)
    held = [Reading(row.account, None if row.value is None else _rows(row.value), row.error) for row in looks]
    main = next((row.value for row in held if row.account == MAIN), None)
    known = find_known(session, main, asks=False)
    desks = {row.account: _desk(row, known) for row in looks}
    counts = {name: None if row["building"] is None else len(row["building"]) for name, row in desks.items()}
    return {
        **without_daemon(session, held, silent=silent),
        "building": summed(counts),
        "pass_ms": None,
        "desk": desks,
        "copies": _copies(session),
    }


def _read(session: Session) -> list[Reading[_Look]]:
    names = session.account_names(None)
    try:
        return read_accounts(session, names, _look, timeout_s=_READ_S)
    except ExchangeError as error:
        return [Reading(name, None, error) for name in names]


def _look(rest: BybitRest) -> _Look:
    at_ms = rest.link.clock.local_ms()
    answer = rest.relist()
    try:
        day_ms = rest.link.clock.now_ms() // DAY_MS * DAY_MS
        realised = sum((row.pnl for row in rest.closed_pnl(day_ms)), ZERO)
    except ExchangeError:
        return _Look(answer, None, at_ms)
    return _Look(answer, realised, at_ms)


def _rows(look: _Look) -> tuple[Position, ...]:
    return tuple(row for row in look.answer.positions if row.size)


def _desk(reading: Reading[_Look], known: Known) -> Document:
    role, look = reading.head()["role"], reading.value
    if look is None:
        return unread_desk(role)
    wallet = look.answer.wallet
    rows = sorted(_rows(look), key=lambda row: (row.symbol, row.idx))
    found = [_position(row, row.side, look, reading.account, known) for row in rows if row.side is not None]
    missing = known.missing(reading.account, rows)
    building = [  # what should hold something is missing, which says more
        {**building_json(*about, known.want_at(reading.account, *about[:2])), **dict.fromkeys(_KEPT_BACK)}
        for about in flat_entries(reading.account, rows, look.answer.orders)
        if not any(about[:2] == (row["symbol"], row["side"]) for row in missing)
    ]
    return {
        "role": role,
        "state": "fresh",
        "read_at": iso(look.at_ms),
        "changed_at": None,
        **{name: None if wallet is None else text(getattr(wallet, name)) for name in WALLET},
        "realised_today": text(look.realised),
        "realised_at": None if look.realised is None else iso(look.at_ms),
        **potential_json([(f"{row['symbol']} {row['side']}", high, low) for row, high, low in found]),
        "positions": [row for row, _, _ in found],
        "missing": [{**row, "want_qty": text(row["want_qty"]), **dict.fromkeys(_KEPT_BACK)} for row in missing],
        "building": building,
    }


def _position(
    row: Position, side: PositionSide, look: _Look, account: str, known: Known
) -> tuple[Document, Potential, Potential]:
    orders = [order for order in look.answer.orders if order.symbol == row.symbol]
    found, high, low = position_json(Holding(row.symbol, side, row.idx, row.size, row, orders))
    want = known.want(account, row)
    kept = {
        **dict.fromkeys(_DAEMON_ONLY),
        "rungs_done": known.done.get((account, row.symbol, side)),
        "phase": known.phase(account, row, orders),
        "want_qty": text(want),
        "drift_qty": None if want is None else text(abs(row.size - want)),
    }
    return {**found, **kept}, high, low


def _copies(session: Session) -> Sequence[Document] | None:
    """The newest measured copies; None where the store cannot be read."""
    from mirrorctl.core.store.errors import StoreError
    from mirrorctl.core.store.sqlite import SqliteStore

    try:
        with SqliteStore(session.home.store_path(session.profile.name), read_only=True) as store:
            return [copy_json(copy) for copy in store.newest_measured(COPIES_SHOWN)]
    except StoreError:
        return None  # `without_daemon` has told why
