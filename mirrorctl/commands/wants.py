"""What every account should hold and where its trades stand: from the daemon where one runs, else from the store.

None is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mirrorctl.commands import desk
from mirrorctl.commands.session import Session
from mirrorctl.core.domain.account import Order, Position
from mirrorctl.core.domain.errors import ExchangeError, MirrorctlError
from mirrorctl.core.domain.ids import Role, parse
from mirrorctl.core.domain.instruments import ZERO, Instrument
from mirrorctl.core.domain.lens import Lens, lens_of
from mirrorctl.core.domain.lifecycle import Facts, phase
from mirrorctl.core.domain.policy import MAIN, Hedge
from mirrorctl.core.domain.values import PositionSide

if TYPE_CHECKING:
    from mirrorctl.core.domain.cycle import Copy

Wants = Mapping[str, Mapping[str, Decimal]]
"""{account: {"SYMBOL side": quantity}}; what is not in it is unknown."""

_DAEMON_S = 1.0


@dataclass(frozen=True, slots=True)
class Known:
    """`wants` of the mirrors. `phases` by the daemon; without one `done` counts the rungs done of what is covered.

    `held`: growth that is kept back, as in `status`; None where only a daemon would know.
    """

    wants: Wants = field(default_factory=dict)
    phases: Mapping[str, Mapping[str, str]] | None = None
    done: Mapping[tuple[str, str, PositionSide], int] = field(default_factory=dict)
    held: Sequence[Mapping[str, Any]] | None = None

    def want(self, account: str, row: Position) -> Decimal | None:
        """What a mirror should hold on the side of this position."""
        return None if row.side is None else self.want_at(account, row.symbol, row.side)

    def want_at(self, account: str, symbol: str, side: PositionSide) -> Decimal | None:
        """What a mirror should hold on one side."""
        return None if account == MAIN else self.wants.get(account, {}).get(f"{symbol} {side}")

    def missing(self, account: str, rows: Iterable[Position]) -> list[dict[str, Any]]:
        """What a mirror should hold and holds nothing of: [{"symbol", "side", "want_qty"}]."""
        there = {f"{row.symbol} {row.side}" for row in rows if row.size}
        found = []
        for key, want in sorted(self.wants.get(account, {}).items()):
            if want and key not in there:
                symbol, side = key.split()
                found.append({"symbol": symbol, "side": side, "want_qty": want})
        return found

    def phase(self, account: str, row: Position, orders: Iterable[Order]) -> str | None:
        """The phase of the monitor of this position; None when nothing stands for it."""
        if self.phases is not None:
            return self.phases.get(account, {}).get(f"{row.symbol} {row.side}")
        if row.side is None or (account, row.symbol, row.side) not in self.done:
            return None
        entries = any(_is_entry(account, row, order) for order in orders)
        return phase(Facts(row.size, entries, self.done[(account, row.symbol, row.side)])).value


def find_known(session: Session, main: Iterable[Position] | None, *, asks: bool = True) -> Known:
    """What is known now. `main` is what main was just read to hold; None when it could not be read.

    Without `asks` no daemon is asked: it has just not answered.
    """
    status = desk.ask_status(desk.holder_of(session), _DAEMON_S) if asks else None
    if status is not None:
        wants = status.get("wants") or {}
        figures = {name: {key: Decimal(qty) for key, qty in row.items()} for name, row in wants.items()}
        return Known(figures, status.get("phases") or {}, held=status["held"])
    try:
        return _from_store(session, None if main is None else {(row.symbol, row.side): row.size for row in main})
    except MirrorctlError as error:
        session.terminal.tell(f"what mirrors should hold is unknown: {error.message}", "yellow")
        return Known()


def _from_store(session: Session, held: Mapping[tuple[str, Any], Decimal] | None) -> Known:
    from mirrorctl.core.store.sqlite import SqliteStore

    with SqliteStore(session.home.store_path(session.profile.name), read_only=True) as store:
        copies, cycles = store.copies(), store.cycles()
    done = {(MAIN, *cycle.key): len(cycle.done) for cycle in cycles}
    done |= {copy.key: len(copy.done) for copy in copies if copy.opened}
    if held is None:
        return Known(done=done)
    lenses = {mirror.name: lens_of(mirror) for mirror in session.profile.policy.mirrors}
    copies = [copy for copy in copies if copy.account in lenses and not copy.held and not copy.unsized]
    rules = _instruments(session, {copy.symbol for copy in copies})
    found: dict[str, dict[str, Decimal]] = {}
    for copy in copies:
        size = followed_size(copy, held, lenses[copy.account])
        if copy.symbol in rules and size is not None:
            want = copy.want(size, rules[copy.symbol])
            found.setdefault(copy.account, {})[f"{copy.symbol} {copy.side}"] = want
    return Known(found, done=done)


def _is_entry(account: str, row: Position, order: Order) -> bool:
    """Whether an open order would grow this position: on main anyone's, on a mirror one of ours for one on main."""
    if order.symbol != row.symbol or order.position_idx != row.idx or row.side is None:
        return False
    return order.side is row.side.entry and _grows(account, order)


def _grows(account: str, order: Order) -> bool:
    link = parse(order.link_id)
    return not order.is_exit and (account == MAIN or (link is not None and link.role is Role.TWIN))


def flat_entries(
    account: str, held: Iterable[Position], orders: Iterable[Order]
) -> list[tuple[str, PositionSide, int, list[Order]]]:
    """(symbol, side, index, entries) of sides that hold nothing while entries rest, by symbol and side."""
    taken = {row.key for row in held if row.size}
    found: dict[tuple[str, PositionSide, int], list[Order]] = {}
    for order in orders:
        if _grows(account, order) and (order.symbol, order.position_idx) not in taken:
            side = PositionSide.grown_by(order.side)
            found.setdefault((order.symbol, side, order.position_idx), []).append(order)
    return [(*key, found[key]) for key in sorted(found)]


def followed_size(copy: Copy, held: Mapping[tuple[str, Any], Decimal], lens: Lens) -> Decimal | None:
    """What is followed of main's position, in the mirror's own coins.

    None where that cannot be told here: of two legs on main it depends on the mirror's position mode, and a profile
    that was edited since may follow another side.
    """
    symbol, side = copy.source
    both = held.get((symbol, side)) and held.get((symbol, side.opposite))
    if lens.here((symbol, side)) != (copy.symbol, copy.side) or (both and lens.hedge is not Hedge.REFUSE):
        return None
    return held.get((symbol, side), ZERO) * lens.multiplier(symbol)


def _instruments(session: Session, symbols: set[str]) -> dict[str, Instrument]:
    """Rules of the symbols, as far as they can be read."""
    from mirrorctl.bootstrap.accounts import clients

    if not symbols:
        return {}
    rest = clients(session.profile, session.home, names=[MAIN])[MAIN]
    found = {}
    try:
        for symbol in sorted(symbols):
            found[symbol] = rest.instrument(symbol)
    except ExchangeError as error:
        session.terminal.tell(f"trading rules could not be read: {error.message}", "yellow")
    finally:
        rest.close()
    return found
