"""What a mirror's own orders sold is never bought back (A76): each own exit is counted once and caps its copy.

Executions and the position row may come in any order; the row says what the exits up to it left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from mirrorctl.core.domain.account import Execution
from mirrorctl.core.domain.cycle import Copy, CycleKey
from mirrorctl.core.domain.exit_orders import own_exit, put_out
from mirrorctl.core.domain.ids import Role, parse
from mirrorctl.core.domain.instruments import ZERO
from mirrorctl.core.domain.lens import Lens
from mirrorctl.core.domain.values import SIDES, ExecutionKind, PositionSide
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.copies import Copies, CopyKey
from mirrorctl.core.engine.records import Store

_COUNTED_KEPT = 200
_ONE_MOVE_MS = 50  # one move of the price may close main, open it again and reach a target of the position before


@dataclass(frozen=True, slots=True)
class _Measured:
    """Own exits, what their copy's cap and main's size were before them, what they sold, the newest one's seq."""

    cap: Decimal | None
    main_size: Decimal
    sold: Decimal
    out: str
    seq: int


class OwnExits(Copies):
    """Copies, and what their mirrors' executions make of them.

    `lead` tells what a copy's twins filled ahead of main's orders: an own exit did not leave that.
    """

    def __init__(
        self,
        store: Store,
        main_uid: int,
        lenses: Mapping[str, Lens],
        accounts: Mapping[str, Account] | None = None,
    ) -> None:
        super().__init__(store, main_uid, lenses, accounts)
        self._measured: dict[CopyKey, _Measured] = {}
        self._begun: dict[CycleKey, int] = {}
        self._flat_ms: dict[CycleKey, int] = {}
        self._leftover: dict[CopyKey, int | None] = {}
        self.lead: Callable[[Copy], Decimal] = lambda _copy: ZERO

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
        if copy is None or not self.is_uncounted(copy, execution, live=live):
            return None
        if self._is_leftover(copy, execution):
            self.count(copy, execution)  # a later process, to which the past looks alike, shall not take it for its own
            return None
        if reason := put_out(execution):
            return None if copy.out else self.count(replace(copy, out=reason, cap=ZERO), execution)
        own, out = own_exit(execution)
        if not own:
            return None
        main_size = self.main_size(copy, main)
        left = view.size(execution.symbol, side) - (ZERO if out else self.lead(copy))
        after = copy.after_own_exit(max(left, ZERO), execution.closed_qty, main_size, out)
        changed = after is not copy
        after = self.count(after, execution)
        if not changed:
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
        return after

    def is_uncounted(self, copy: Copy, execution: Execution, *, live: bool) -> bool:
        """Whether an execution, of a mirror or of main, belongs to the open cycle of a copy and was not counted yet."""
        cycle = self.cycles.get(copy.source)
        if copy.ended or cycle is None:
            return False
        began_ms = cycle.started_ms
        if live:  # the same clock is needed; with the fill that made main flat the cycle before ended
            began_ms = self._begun.get(cycle.key) or self._flat_ms.get(cycle.key, -1) + 1
        return execution.time_ms >= began_ms and execution.exec_id not in copy.counted

    def _expect_leftover(self, key: CopyKey, view: AccountView) -> None:
        """A cycle begins while its mirror may hold what it followed before: what closes that is of the past."""
        self._leftover[key] = None if view.size(*key[1:]) else view.seq(key[1])

    def _is_leftover(self, copy: Copy, execution: Execution) -> bool:
        """Whether an exit sold what the cycle before left, while main has not filled anything of this one yet.

        Main's close and a stop at the same price fire at once: the stop may be told after the new cycle began. The same
        move may open main again; then the id of a target of ours says which cycle it was placed for.
        """
        cycle = self.cycles.get(copy.source)
        link = parse(execution.link_id)
        if cycle is not None and link is not None and link.role is Role.TARGET and link.trade != copy.tag:
            began_ms = self._begun.get(cycle.key) or cycle.started_ms
            if execution.time_ms <= began_ms + _ONE_MOVE_MS:
                return True
        if cycle is None or cycle.opened or copy.key not in self._leftover:
            return False
        until = self._leftover[copy.key]
        return until is None or execution.seq <= until

    def count(self, copy: Copy, execution: Execution) -> Copy:
        """Write down a copy with what an execution made of it: the same execution, read again, counts no more."""
        counted = replace(copy, counted=(*copy.counted, execution.exec_id)[-_COUNTED_KEPT:])
        self._save_copy(counted)
        return counted

    def on_mirror_row(self, account: str, symbol: str, view: AccountView, main: AccountView) -> None:
        """A position row came: it says what the own exits up to it left, whichever of their executions came first."""
        if not self._leftover and not self._measured:
            return
        for side in SIDES:
            key = (account, symbol, side)
            if self._leftover.get(key, 0) is None and view.position(symbol, side) is None:
                self._leftover[key] = view.row_seq(symbol)
            if key in self._measured and view.row_seq(symbol) >= self._measured[key].seq:
                row = view.position(symbol, side)
                self._measure_again(key, row.size if row is not None else ZERO, main)
                del self._measured[key]

    def _measure_again(self, key: tuple[str, str, PositionSide], left: Decimal, main: AccountView) -> None:
        """A fill from before an own exit was seen after it: the exit left more than it seemed to."""
        copy, measured = self.copies.get(key), self._measured[key]
        if copy is not None and not copy.ended:
            before = replace(copy, cap=measured.cap, main_size=measured.main_size)
            left = max(left - (ZERO if measured.out else self.lead(copy)), ZERO)
            after = before.after_own_exit(left, measured.sold, self.main_size(copy, main), measured.out)
            if after != copy:
                self._save_copy(after)

    def forget_exits(self, cycle: CycleKey) -> None:
        """A cycle ended: what its mirrors' own exits left is of the past."""
        self._measured = {key: measured for key, measured in self._measured.items() if self.source(*key) != cycle}
