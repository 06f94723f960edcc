"""The keeper of cycles: when main's positions begin and end, and with them the copies of its mirrors.

"Closed" needs evidence: a row of size 0 or a closing execution. A symbol that no row ever proved keeps its cycle until
it was read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mirrorctl.core.domain.account import Execution, Order
from mirrorctl.core.domain.cycle import Cycle, CycleKey, entry_orders
from mirrorctl.core.domain.exit_orders import is_our_rung, rung_of
from mirrorctl.core.domain.ids import trade_tag
from mirrorctl.core.domain.lens import Lens
from mirrorctl.core.domain.policy import MAIN, MirrorPolicy
from mirrorctl.core.domain.scene import MainFill
from mirrorctl.core.domain.values import SIDES, OrderStatus, PositionSide
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.copies import new_copy
from mirrorctl.core.engine.entry_fees import Entered
from mirrorctl.core.engine.own_exits import OwnExits
from mirrorctl.core.engine.records import Store

_RUNGS_KEPT = 200


class Keeper(OwnExits):
    """Main's cycles, from flat to flat."""

    def __init__(
        self,
        store: Store,
        main_uid: int,
        lenses: Mapping[str, Lens],
        accounts: Mapping[str, Account] | None = None,
    ) -> None:
        super().__init__(store, main_uid, lenses, accounts)
        self.growth_fill: dict[CycleKey, MainFill] = {}
        self.openers: dict[CycleKey, str] = {}
        self._ended: dict[CycleKey, Cycle] = {}

    # --- main ------------------------------------------------------------------------------------------------

    def unproven(self, main: AccountView, among: Iterable[str] | None = None) -> set[str]:
        """Symbols of open cycles that seem flat without proof; None looks at those of every cycle.

        Their position was never read: its absence proves nothing. Or executions alone close it: one from before them
        may be on its way, and the row that comes with them says what is left.
        """
        found = set()
        for symbol in among if among is not None else {key[0] for key in self.cycles}:
            for side in SIDES:
                if (symbol, side) not in self.cycles or main.size(symbol, side):
                    continue
                if not main.proven(symbol, side) or main.position(symbol, side) is not None:
                    found.add(symbol)
        return found

    def unseen(self, main: AccountView) -> set[tuple[str, str]]:
        """(symbol, order id) that hold a cycle open although no list named them since the start."""
        waiting = {(key[0], self.cycles[key].origin) for key in self.unopened}
        return {(symbol, origin) for symbol, origin in waiting if not (main.order(origin) or main.is_gone(origin))}

    def on_main_execution(self, execution: Execution, at_ms: int, received_ms: int | None = None) -> None:
        """Note main's fills: the reference for slippage, the evidence of a close, the origin of a cycle.

        `at_ms` is the execution's time on the local clock, `received_ms` when it was told.
        """
        fill = MainFill(execution.price, at_ms, execution.time_ms, received_ms)
        opened = execution.qty - execution.closed_qty
        if execution.closed_qty:
            self.exit_fill[(execution.symbol, execution.side.shrinks)] = fill
        if opened > 0:
            grown = (execution.symbol, execution.side.grows)
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
        sides: Iterable[PositionSide] = SIDES,
    ) -> None:
        """Bring the cycles of one symbol in step with main. Main is known and settled when this is called.

        `now_ms` is the exchange's clock as far as it is known. `begun`: when the first fill of what is held was, as
        the exchange stamped it, where that is known: executions are compared with it.
        """
        for side in sides:
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
                stamped = row.opened_ms if row is not None else 0
                placed_ms = max([now_ms, *(order.created_ms for order in entries)])  # whatever our clock says
                began_ms = min(stamped, now_ms) if stamped else now_ms if size else placed_ms
                began_ms = (begun or {}).get(side) or began_ms
                first = entries[0].order_id if entries else f"position-{began_ms}"
                self._start(key, origin or first, bool(size), mirrors, began_ms)
            elif cycle is not None and size and not cycle.opened:
                self._open(cycle)
            elif cycle is not None and not cycle.opened and main.is_gone(cycle.origin):
                self._save_cycle(replace(cycle, origin=entries[0].order_id))
            if size:
                self._raise_caps(key, main)
                self._begun[key] = (begun or {}).get(side) or self._begun.get(key, 0)

    def goes_on(self, key: CycleKey, entered: Entered | None) -> bool:
        """Whether nothing of an open cycle changes by what main holds now, which is more than nothing.

        `entered`: what its executions prove of the position.
        """
        cycle = self.cycles.get(key)
        if cycle is None or not cycle.opened or (self._capped and self._has_caps(key)):
            return False
        if entered is not None:
            if entered.flat_ms > cycle.started_ms:
                return False
            self._begun[key] = entered.began_ms or self._begun.get(key, 0)
        return True

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
        copy = self.copies.get((account, *key))
        cycle = self.cycles.get(key if account == MAIN else self.source(account, *key))
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

    # --- inside main's part ------------------------------------------------------------------------------------

    def _start(self, key: CycleKey, origin: str, opened: bool, mirrors: dict[str, MirrorPolicy], began_ms: int) -> None:
        symbol, side = key
        done = self._done_since(MAIN, key, began_ms)
        last = self._ended.get(key)
        again = last is not None and last.origin == origin  # an order that outlasted the position it began
        named = f"{origin} after {last.tag}" if last is not None and again else origin
        tag = trade_tag(self._main_uid, symbol, side, named)
        self._save_cycle(Cycle(symbol, side, tag, origin, began_ms, opened, done))
        cycle = self.cycles[key]
        if opened:
            self.exit_fill.pop(key, None)
        for name, policy in mirrors.items():
            if self.seen(name) and self.lens(name).follows(symbol):
                copy = new_copy(cycle, policy, self.lens(name))
                if copy.key in self.misfits:
                    continue  # it still holds what it followed under another policy
                before = self.copies.get(copy.key)
                if before is not None:  # what it still holds of the cycle before is ours, and its close explained
                    copy = replace(copy, opened=before.opened, explained=before.explained and not opened)
                    if name in self._accounts:
                        self._expect_leftover(copy.key, self._accounts[name].view)
                self._begin_copy(copy)

    def _open(self, cycle: Cycle) -> None:
        """An entry that rested has filled: from now on only a new closing execution explains a close."""
        self._save_cycle(replace(cycle, opened=True))
        self.exit_fill.pop(cycle.key, None)
        for copy in [copy for copy in self.copies_of(cycle.key) if copy.explained]:
            self._save_copy(replace(copy, explained=False))

    def _end(self, cycle: Cycle, now_ms: int) -> None:
        self._ended[cycle.key] = self.cycles.pop(cycle.key)
        self.unopened.discard(cycle.key)
        self._begun.pop(cycle.key, None)
        closing = self.exit_fill.get(cycle.key)
        self._flat_ms[cycle.key] = closing.exchange_ms if closing is not None else 0
        self.forget_exits(cycle.key)
        self._done_before[(MAIN, *cycle.key)] = dict.fromkeys(cycle.done, 0)
        self._store.end_cycle(cycle.key, now_ms)
        self.openers.pop(cycle.key, None)
        self.growth_fill.pop(cycle.key, None)
        for copy in self.copies_of(cycle.key):
            self._save_copy(replace(copy, ended=True, explained=cycle.key in self.exit_fill))

    def _has_caps(self, key: CycleKey) -> bool:
        return any(copy.key in self._capped for copy in self.copies_of(key))

    def _raise_caps(self, key: CycleKey, main: AccountView) -> None:
        for copy in self.copies_of(key):
            if copy.cap is None and not copy.raised:
                continue  # most copies: nothing of theirs goes by what main's size was
            size = self.main_size(copy, main)
            if not size:
                continue  # beside main's other leg it counts for nothing, and is no entry when it counts again
            after = copy.after_main(size)
            if after is not copy:
                self._save_copy(after)
