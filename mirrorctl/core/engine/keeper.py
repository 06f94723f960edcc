"""The keeper of cycles: when main's positions begin and end, and what each mirror's own exits make of its copy.

"Closed" needs evidence: a row of size 0 or a closing execution. A symbol that no row ever proved keeps its cycle until
it was read. A mirror that is seen for the first time changes no exposure by itself (the fresh store rule).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from mirrorctl.core.domain.account import Execution, Order
from mirrorctl.core.domain.cycle import NEW_ONLY, NEW_STORE, Copy, Cycle, CycleKey, entry_orders, observed, proportion
from mirrorctl.core.domain.exit_orders import is_our_rung, own_exit, rung_of
from mirrorctl.core.domain.ids import Role, parse, trade_tag
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.policy import MAIN, Adopt, MirrorPolicy
from mirrorctl.core.domain.scene import MainFill
from mirrorctl.core.domain.values import ExecutionKind, OrderStatus, PositionSide
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.records import Store

_RUNGS_KEPT = 200
_COUNTED_KEPT = 200


@dataclass(frozen=True, slots=True)
class _Measured:
    """Own exits, what their copy's cap and main's size were before them, what they sold, the newest one's seq."""

    cap: Decimal | None
    main_size: Decimal
    sold: Decimal
    out: str
    seq: int


class Keeper:
    """Cycles of main and their copies, held in memory and written through to the store."""

    def __init__(self, store: Store, main_uid: int) -> None:
        self._store = store
        self._main_uid = main_uid
        self.cycles: dict[CycleKey, Cycle] = {cycle.key: cycle for cycle in store.cycles()}
        self.copies: dict[tuple[str, str, PositionSide], Copy] = {copy.key: copy for copy in store.copies()}
        self.growth_fill: dict[CycleKey, MainFill] = {}
        self.exit_fill: dict[CycleKey, MainFill] = {}
        self.openers: dict[CycleKey, str] = {}
        self._done_before: dict[tuple[str, str, PositionSide], dict[str, int]] = {}
        self._measured: dict[tuple[str, str, PositionSide], _Measured] = {}
        self._begun: dict[CycleKey, int] = {}

    # --- main ------------------------------------------------------------------------------------------------

    def unproven(self, main: AccountView) -> set[str]:
        """Symbols of open cycles that seem flat without proof.

        Their position was never read: its absence proves nothing. Or executions alone close it: one from before them
        may be on its way, and the row that comes with them says what is left.
        """
        flat = {key for key in self.cycles if not main.size(*key)}
        return {key[0] for key in flat if not main.proven(*key) or main.position(*key) is not None}

    def unseen(self, main: AccountView) -> set[tuple[str, str]]:
        """(symbol, order id) that hold a cycle open although no list named them since the start."""
        waiting = {(cycle.symbol, cycle.origin) for cycle in self.cycles.values() if not cycle.opened}
        return {(symbol, origin) for symbol, origin in waiting if not (main.order(origin) or main.is_gone(origin))}

    def on_main_execution(self, execution: Execution, at_ms: int) -> None:
        """Note main's fills: the reference for slippage, the evidence of a close, the origin of a cycle.

        `at_ms` is the execution's time on the local clock.
        """
        fill = MainFill(execution.price, at_ms, execution.time_ms)
        opened = execution.qty - execution.closed_qty
        if execution.closed_qty:
            closed = PositionSide.shrunk_by(execution.side)
            self.exit_fill[(execution.symbol, closed)] = fill
        if opened > 0:
            grown = (execution.symbol, PositionSide.grown_by(execution.side))
            self.growth_fill[grown] = fill
            if grown not in self.cycles or not self.cycles[grown].opened:
                self.openers[grown] = execution.order_id

    def advance(
        self,
        symbol: str,
        main: AccountView,
        mirrors: dict[str, MirrorPolicy],
        now_ms: int,
        begun: Mapping[PositionSide, int] | None = None,
    ) -> None:
        """Bring the cycles of one symbol in step with main. Main is known and settled when this is called.

        `now_ms` is the exchange's clock as far as it is known. `begun`: when the first fill of what is held was, as
        the exchange stamped it, where that is known: executions are compared with it.
        """
        for side in PositionSide:
            key = (symbol, side)
            size = main.size(symbol, side)
            entries = entry_orders(main, symbol, side)
            cycle = self.cycles.get(key)
            if cycle is not None and not size and (cycle.opened or not entries):
                closed = main.proven(symbol, side) and main.position(symbol, side) is None
                if not (closed if cycle.opened else main.is_gone(cycle.origin)):
                    continue
                self._end(cycle, now_ms)
                cycle = None
            if cycle is None and (size or entries):
                origin = self.openers.get(key) if size else None
                row = main.position(symbol, side)  # with a new store the position may have begun long ago
                began_ms = min(row.opened_ms, now_ms) if row is not None and row.opened_ms else now_ms
                began_ms = (begun or {}).get(side) or began_ms
                first = entries[0].order_id if entries else f"position-{began_ms}"
                self._start(key, origin or first, bool(size), mirrors, began_ms)
            elif cycle is not None and size and not cycle.opened:
                self._open(cycle)
            elif cycle is not None and not cycle.opened and main.is_gone(cycle.origin):
                self._save_cycle(replace(cycle, origin=entries[0].order_id))
            if size:
                self._raise_caps(key, size)
                self._begun[key] = (begun or {}).get(side) or self._begun.get(key, 0)

    def end_unseen(self, key: CycleKey, flat_ms: int, origin: str, now_ms: int) -> bool:
        """Executions say that main was flat and is not any more, while nobody looked. Whether it ended a cycle.

        `flat_ms` when it was flat, exchange clock; `origin` the order that opened the position it holds now.
        """
        cycle = self.cycles.get(key)
        if cycle is None or not cycle.opened or flat_ms <= cycle.started_ms:
            return False
        self._end(cycle, now_ms)
        self.openers[key] = origin
        return True

    # --- rungs -----------------------------------------------------------------------------------------------

    def on_filled_order(self, account: str, order: Order) -> None:
        """An order was seen filled to the end: a rung that it stood for is done, and never comes back (A37)."""
        if order.status is not OrderStatus.FILLED:
            return
        rung = rung_of(order)
        key = (order.symbol, PositionSide.shrunk_by(order.side))
        if not rung or (account != MAIN and not is_our_rung(order)):
            return
        cycle, copy = self.cycles.get(key), self.copies.get((account, *key))
        if cycle is None or (account != MAIN and copy is None):
            before = self._done_before.setdefault((account, *key), {})
            before[rung] = order.updated_ms
            if len(before) > _RUNGS_KEPT:
                del before[next(iter(before))]
        elif order.updated_ms < cycle.started_ms:
            return  # of a position before this one
        elif account == MAIN and rung not in cycle.done:
            self._save_cycle(replace(cycle, done=(*cycle.done, rung)))
        elif copy is not None and rung not in copy.done:
            self._save_copy(replace(copy, done=(*copy.done, rung)))

    def rungs_done(self, symbol: str, side: PositionSide) -> frozenset[str]:
        """Keys of the rungs main has filled: of its cycle, or of the one that just ended."""
        cycle = self.cycles.get((symbol, side))
        return frozenset(cycle.done if cycle is not None else self._done_before.get((MAIN, symbol, side), ()))

    def set_own_stop(self, account: str, symbol: str, side: PositionSide, stop: Decimal) -> None:
        """A mirror's own breakeven: written down before it is sent, so it survives a restart (A27)."""
        copy = self.copies.get((account, symbol, side))
        if copy is not None and copy.own_stop != stop:
            self._save_copy(replace(copy, own_stop=stop))

    def skip(self, account: str, symbol: str, side: PositionSide, have: Decimal, qty: Decimal, main: Decimal) -> None:
        """What an entry was too small for is left out of this cycle (A9)."""
        copy = self.copies.get((account, symbol, side))
        if copy is not None:
            self._save_copy(copy.after_skip(have, qty, main))

    def raise_to(self, account: str, symbol: str, side: PositionSide, size: Decimal, main: Decimal) -> None:
        """An entry under the minimum is about to be raised to it: written down before it is sent (A9)."""
        copy = self.copies.get((account, symbol, side))
        if copy is not None:
            self._save_copy(copy.after_raise(size, main))

    # --- inside main's part ------------------------------------------------------------------------------------

    def _start(self, key: CycleKey, origin: str, opened: bool, mirrors: dict[str, MirrorPolicy], began_ms: int) -> None:
        symbol, side = key
        done = self._done_since(MAIN, key, began_ms)
        tag = trade_tag(self._main_uid, symbol, side, origin)
        self._save_cycle(Cycle(symbol, side, tag, origin, began_ms, opened, done))
        cycle = self.cycles[key]
        if opened:
            self.exit_fill.pop(key, None)
        for name, policy in mirrors.items():
            if self.seen(name):
                copy, before = _new_copy(cycle, policy), self.copies.get((name, *key))
                if before is not None:  # what it still holds of the cycle before is ours, and its close explained
                    copy = replace(copy, opened=before.opened, explained=before.explained and not opened)
                self._save_copy(copy)

    def _done_since(self, account: str, key: CycleKey, since_ms: int) -> tuple[str, ...]:
        """Rungs that were seen filled before anything was known of the position they were of; told once."""
        before = self._done_before.pop((account, *key), {})
        return tuple(rung for rung, filled_ms in before.items() if filled_ms >= since_ms)

    def _open(self, cycle: Cycle) -> None:
        """An entry that rested has filled: from now on only a new closing execution explains a close."""
        self._save_cycle(replace(cycle, opened=True))
        self.exit_fill.pop(cycle.key, None)
        for copy in [copy for copy in self.copies.values() if copy.key[1:] == cycle.key and copy.explained]:
            self._save_copy(replace(copy, explained=False))

    def _end(self, cycle: Cycle, now_ms: int) -> None:
        del self.cycles[cycle.key]
        self._begun.pop(cycle.key, None)
        self._measured = {key: exit_ for key, exit_ in self._measured.items() if key[1:] != cycle.key}
        self._done_before[(MAIN, *cycle.key)] = dict.fromkeys(cycle.done, 0)
        self._store.end_cycle(cycle.key, now_ms)
        self.openers.pop(cycle.key, None)
        self.growth_fill.pop(cycle.key, None)
        for copy in [copy for copy in self.copies.values() if copy.key[1:] == cycle.key]:
            self._save_copy(replace(copy, ended=True, explained=cycle.key in self.exit_fill))

    def _raise_caps(self, key: CycleKey, size: Decimal) -> None:
        for copy in [copy for copy in self.copies.values() if copy.key[1:] == key]:
            after = copy.after_main(size)
            if after is not copy:
                self._save_copy(after)

    # --- mirrors -----------------------------------------------------------------------------------------------

    def seen(self, account: str) -> bool:
        return bool(self._store.fact(f"seen.{account}"))

    def first_sight(self, mirror: Account, policy: MirrorPolicy, main: AccountView, now_ms: int) -> None:
        """Give a mirror its copies of cycles that began without it; nothing of it opens or closes by this alone."""
        for cycle in self.cycles.values():
            if (mirror.name, *cycle.key) in self.copies:
                continue
            done = self._done_since(mirror.name, cycle.key, cycle.started_ms) if cycle.opened else ()
            copy = _adopted_copy(cycle, policy, mirror, main) if cycle.opened else _new_copy(cycle, policy)
            opened = copy.opened or _has_twins(mirror, cycle.key)
            self._save_copy(replace(copy, done=done, opened=opened))
        for row in mirror.view.positions():
            key = (row.symbol, row.side) if row.side else None
            if key and (mirror.name, *key) not in self.copies and opened_by_us(mirror, key):
                tag = trade_tag(self._main_uid, row.symbol, key[1], "unknown")
                self._save_copy(
                    Copy(mirror.name, *key, tag, Decimal(1), "main is flat", held=NEW_STORE, opened=True, ended=True)
                )
        if not self.seen(mirror.name):
            self._store.set_fact(f"seen.{mirror.name}", str(now_ms))

    def on_mirror_execution(
        self, account: str, execution: Execution, view: AccountView, main: AccountView, *, live: bool
    ) -> Copy | None:
        """Own exits are final (A76). Returns the copy that an own exit changed.

        `live`: it came by the stream; one read later counts only if it is younger than the cycle, and was not counted
        by the process before this one: measured again it would undo what the mirror has made up since.
        """
        by_itself = execution.kind is not ExecutionKind.TRADE or execution.stop_kind.position_bound
        if not execution.closed_qty and not by_itself:
            key = (account, execution.symbol, PositionSide.grown_by(execution.side))
            if key in self._measured and execution.seq < self._measured[key].seq:
                self._measure_again(key, view.size(execution.symbol, key[2]), main)
            return None
        side = PositionSide.shrunk_by(execution.side)
        copy = self.copies.get((account, execution.symbol, side))
        cycle = self.cycles.get((execution.symbol, side))
        if copy is None or copy.ended or cycle is None:
            return None
        began_ms = self._begun.get(cycle.key, 0) if live else cycle.started_ms  # what came live needs the same clock
        if execution.time_ms < began_ms or execution.exec_id in copy.counted:
            return None
        own, out = own_exit(execution)
        if not own:
            return None
        main_size = main.size(execution.symbol, side)
        after = copy.after_own_exit(view.size(execution.symbol, side), execution.closed_qty, main_size, out)
        changed = after is not copy
        after = replace(after, counted=(*copy.counted, execution.exec_id)[-_COUNTED_KEPT:])
        if not changed:
            self._save_copy(after)
            return None
        if view.row_seq(execution.symbol) < execution.seq:
            known = self._measured.get(copy.key)
            first = known or _Measured(copy.cap, copy.main_size, ZERO, out, execution.seq)
            self._measured[copy.key] = replace(
                first,
                sold=first.sold + execution.closed_qty,
                out=first.out or out,
                seq=max(first.seq, execution.seq),
            )
        self._save_copy(after)
        return after

    def on_mirror_row(self, account: str, symbol: str, view: AccountView, main: AccountView) -> None:
        """A position row came: it says what the own exits up to it left, whichever of their executions came first."""
        for side in PositionSide:
            key = (account, symbol, side)
            if key in self._measured and view.row_seq(symbol) >= self._measured[key].seq:
                row = view.position(symbol, side)
                self._measure_again(key, row.size if row is not None else ZERO, main)
                del self._measured[key]

    def _measure_again(self, key: tuple[str, str, PositionSide], left: Decimal, main: AccountView) -> None:
        """A fill from before an own exit was seen after it: the exit left more than it seemed to."""
        copy, measured = self.copies.get(key), self._measured[key]
        if copy is not None and not copy.ended:
            before = replace(copy, cap=measured.cap, main_size=measured.main_size)
            after = before.after_own_exit(left, measured.sold, main.size(key[1], key[2]), measured.out)
            if after != copy:
                self._save_copy(after)

    def mark_opened(self, account: str, symbol: str, side: PositionSide) -> None:
        """An entry of ours is about to go out: the position it makes is ours."""
        copy = self.copies.get((account, symbol, side))
        if copy is not None and not copy.opened:
            self._save_copy(replace(copy, opened=True))

    def end_here(self, account: str, symbol: str, side: PositionSide, reason: str) -> bool:
        """This mirror leaves the cycle: what it holds is closed, and no entry follows until main was flat.

        False where that was said before.
        """
        copy = self.copies.get((account, symbol, side))
        if copy is None or (copy.out and copy.cap == ZERO):
            return False
        self._save_copy(replace(copy, out=copy.out or reason, cap=ZERO))
        return True

    def mark_out(self, account: str, reason: str) -> None:
        """The trader flattened this account: no entry in any cycle of today until main was flat."""
        for copy in [c for c in self.copies.values() if c.account == account and not c.ended]:
            self._save_copy(replace(copy, out=reason, cap=ZERO))

    def release(self, symbol: str | None = None) -> int:
        """The trader said yes (`sync --yes`): what a new store held back may go. Returns how many copies that freed."""
        held = [c for c in self.copies.values() if c.held == NEW_STORE and symbol in (None, c.symbol)]
        for copy in held:
            self._save_copy(replace(copy, held="", explained=True))
        return len(held)

    def explain_closes(self) -> None:
        """A closing execution may arrive after the position push that ended the cycle."""
        for copy in list(self.copies.values()):
            if copy.ended and not copy.explained and (copy.symbol, copy.side) in self.exit_fill:
                self._save_copy(replace(copy, explained=True))

    def drop_done(self, account: str, symbol: str, view: AccountView, live: bool) -> None:
        """An ended copy goes when its mirror is proven flat and has no order of ours left."""
        for side in PositionSide:
            copy = self.copies.get((account, symbol, side))
            if not copy or not copy.ended or live or view.size(symbol, side):
                continue
            if view.proven(symbol, side) and view.is_settled(symbol) and not view.is_ahead(symbol):
                del self.copies[copy.key]
                self._store.drop_copy(copy.key)

    def _save_cycle(self, cycle: Cycle) -> None:
        self.cycles[cycle.key] = cycle
        self._store.save_cycle(cycle)

    def _save_copy(self, copy: Copy) -> None:
        self.copies[copy.key] = copy
        self._store.save_copy(copy)


def _new_copy(cycle: Cycle, policy: MirrorPolicy) -> Copy:
    ratio, formula = proportion(policy.sizing, cycle.symbol)
    return Copy(policy.name, cycle.symbol, cycle.side, cycle.tag, ratio, formula)


def _adopted_copy(cycle: Cycle, policy: MirrorPolicy, mirror: Account, main: AccountView) -> Copy:
    """A copy of a cycle that was open before this mirror was seen: its observed ratio, or held."""
    main_size = main.size(cycle.symbol, cycle.side)
    have = mirror.view.size(cycle.symbol, cycle.side)
    if have and main_size and opened_by_us(mirror, cycle.key):
        ratio, formula = observed(have, main_size)
        return Copy(mirror.name, cycle.symbol, cycle.side, cycle.tag, ratio, formula, opened=True)
    held = NEW_STORE if policy.adopt is Adopt.ALL else NEW_ONLY
    return replace(_new_copy(cycle, policy), held=held)


def _has_twins(mirror: Account, key: CycleKey) -> bool:
    """Whether the side is flat and entries of ours rest there: the position that they may open is ours."""
    symbol, side = key
    links = (parse(o.link_id) for o in mirror.view.orders(symbol) if o.side is side.entry and not o.is_exit)
    twins = any(link is not None and link.account == mirror.tag and link.role is Role.TWIN for link in links)
    return twins and not mirror.view.size(symbol, side)


def opened_by_us(mirror: Account, key: CycleKey) -> bool:
    """Whether the execution that last grew this position carries an id of ours for this account."""
    link = parse(mirror.openers.get(key, ""))
    return link is not None and link.account == mirror.tag
