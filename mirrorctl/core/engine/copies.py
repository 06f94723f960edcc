"""Copies: what each mirror makes of main's cycles, held in memory and written through to the store.

Copies are keyed by the mirror's own symbol and side; its lens says which cycle of main that is. A mirror that is seen
for the first time changes no exposure by itself (the fresh store rule).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from mirrorctl.core.domain.cycle import NEW_ONLY, NEW_STORE, Copy, Cycle, CycleKey, observed
from mirrorctl.core.domain.ids import Role, parse, trade_tag
from mirrorctl.core.domain.instruments import ZERO, plain
from mirrorctl.core.domain.lens import PLAIN, Lens
from mirrorctl.core.domain.ours import OurOrder
from mirrorctl.core.domain.own_approach import first_seen
from mirrorctl.core.domain.policy import MAIN, Adopt, MirrorPolicy
from mirrorctl.core.domain.scene import MainFill, Skipped, SymbolPlan
from mirrorctl.core.domain.sizing import WAITS, Sized, SizingInputs, Unsized, ratio_of
from mirrorctl.core.domain.values import SIDES, PositionMode, PositionSide
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.domain.wish import LEFT_OUT, Wish
from mirrorctl.core.engine.accounts import Account
from mirrorctl.core.engine.records import Store

CopyKey = tuple[str, str, PositionSide]
_ENTRIES = (Role.TWIN, Role.CORRECTION)


class Copies:
    """Copies by (account, symbol, side), beside main's cycles. `lenses` by mirror; one not named sees plainly.

    Kept by name, for they are looked at with every event: `unopened` cycles, copies that are `unsized`, that ended and
    are `unexplained`, and that go (`leaving`) once nothing is left of them: they ended, or are misfits.
    """

    def __init__(
        self,
        store: Store,
        main_uid: int,
        lenses: Mapping[str, Lens],
        accounts: Mapping[str, Account] | None = None,
    ) -> None:
        """`accounts` by name: a mirror's position mode decides what it follows of two legs; unknown is one-way."""
        self._store = store
        self._main_uid = main_uid
        self._lenses = lenses
        self._accounts = {} if accounts is None else accounts
        self.cycles: dict[CycleKey, Cycle] = {cycle.key: cycle for cycle in store.cycles()}
        self.unopened = {key for key, cycle in self.cycles.items() if not cycle.opened}
        self.copies: dict[CopyKey, Copy] = {}
        self._by_source: dict[CycleKey, dict[CopyKey, Copy]] = {}
        self.unsized: set[CopyKey] = set()
        self.unexplained: set[CopyKey] = set()
        self.leaving: set[CopyKey] = set()
        self._capped: set[CopyKey] = set()
        for copy in store.copies():
            self._hold(copy)
        self.exit_fill: dict[CycleKey, MainFill] = {}
        self._done_before: dict[CopyKey, dict[str, int]] = {}
        self.misfits = {key for key, copy in self.copies.items() if not self._fits(copy)}
        self.leaving |= self.misfits

    def lens(self, account: str) -> Lens:
        return self._lenses.get(account, PLAIN)

    def copy_of(self, account: str, cycle: CycleKey) -> Copy | None:
        """What a mirror makes of one cycle of main."""
        copy = self.copies.get((account, *self.lens(account).here(cycle)))
        return copy if copy is not None and copy.source == cycle else None

    def copies_of(self, cycle: CycleKey) -> list[Copy]:
        """What every mirror makes of one cycle of main."""
        return list(self._by_source.get(cycle, {}).values())

    def source(self, account: str, symbol: str, side: PositionSide) -> CycleKey:
        """The key of the cycle of main that a mirror's side follows."""
        return self.lens(account).there((symbol, side))

    def is_one_way(self, account: str, symbol: str) -> bool:
        """Whether a mirror has one position for both sides of its symbol, as far as a row was seen."""
        known = self._accounts.get(account)
        return known is None or known.view.mode(symbol) is PositionMode.ONE_WAY

    def main_size(self, copy: Copy, main: AccountView) -> Decimal:
        """Main's size as the mirror of a copy follows it, in the mirror's own coins."""
        lens = self.lens(copy.account)
        if lens is PLAIN:
            return main.size(*copy.source)
        return lens.size(main, copy.source, one_way=self.is_one_way(copy.account, copy.symbol))

    def seen(self, account: str) -> bool:
        return bool(self.seen_ms(account))

    def seen_ms(self, account: str) -> int:
        """When this store first saw a mirror, exchange clock; 0 for never."""
        return int(self._store.fact(f"seen.{account}") or 0)

    def first_sight(
        self,
        mirror: Account,
        policy: MirrorPolicy,
        main: AccountView,
        now_ms: int,
        old: Container[CycleKey] | None = None,
    ) -> None:
        """Give a mirror its copies of cycles that began without it; nothing of it opens or closes by this alone.

        `old`: the cycles that are older than the mirror (adopt = "new-only"); None: all of them.
        """
        for cycle in self.cycles.values():
            lens = self.lens(mirror.name)
            here = lens.here(cycle.key)
            known = self.copies.get((mirror.name, *here))
            ours = bool(mirror.view.size(*here)) and opened_by_us(mirror, here)
            if not lens.follows(cycle.symbol) or (known is not None and (known.opened or not ours)):
                continue
            done = self._done_since(mirror.name, here, cycle.started_ms) if cycle.opened else ()
            copy = new_copy(cycle, policy, lens)
            if cycle.opened:
                is_old = policy.adopt is Adopt.NEW_ONLY and (old is None or cycle.key in old)
                copy = _adopted(copy, policy, mirror, self.main_size(copy, main), NEW_ONLY if is_old else NEW_STORE)
            elif ours:  # what it followed is over, or leads its order
                copy = replace(copy, held=NEW_STORE, opened=True)
            opened = copy.opened or _has_twins(mirror, here)
            self._begin_copy(replace(copy, done=done, opened=opened))
        for row in mirror.view.positions():
            key = (row.symbol, row.side) if row.side else None
            if key and (mirror.name, *key) not in self.copies and opened_by_us(mirror, key):
                tag = trade_tag(self._main_uid, row.symbol, key[1], "unknown")
                self._save_copy(
                    Copy(mirror.name, *key, tag, Decimal(1), "main is flat", held=NEW_STORE, opened=True, ended=True)
                )
        if policy.follow.approach == MAIN:  # it may have had one of its own before the profile was changed
            for copy in [c for c in self.copies.values() if c.account == mirror.name and c.spared]:
                self._save_copy(replace(copy, spared=ZERO, ladder=()))
        if not self.seen(mirror.name):
            self._store.set_fact(f"seen.{mirror.name}", str(now_ms))

    def write_down(self, plan: SymbolPlan) -> None:
        """What a mirror has of its own, before anything is sent for it, so that it survives a restart (A27).

        Its breakeven or bounded stop; and where the rungs of its ladder stand, for main's target may be filled first.
        """
        for side in PositionSide:
            copy = self.copies.get((plan.account, plan.symbol, side))
            if copy is None:
                continue
            stop, ladder = plan.own_stops.get(side, copy.own_stop), plan.own_ladders.get(side, copy.ladder)
            if (stop, ladder) != (copy.own_stop, copy.ladder):
                self._save_copy(replace(copy, own_stop=stop, ladder=ladder))

    def skip(self, account: str, symbol: str, side: PositionSide, skipped: Skipped, main: Decimal) -> None:
        """What an entry was too small for is left out of this cycle (A9). `main`: main's size now."""
        copy = self.copies.get((account, symbol, side))
        if copy is not None:
            self._save_copy(copy.after_skip(skipped.kept, skipped.qty, skipped.main_size, main))

    def raise_to(self, account: str, symbol: str, side: PositionSide, size: Decimal, main: Decimal) -> None:
        """An entry under the minimum is about to be raised to it: written down before it is sent (A9)."""
        copy = self.copies.get((account, symbol, side))
        if copy is not None:
            self._save_copy(copy.after_raise(size, main))

    def size(self, copy: Copy, made: Sized | Unsized) -> None:
        """A ratio was made, or is still not: written down before anything is sent for it (A77)."""
        after = sized(copy, made)
        if after != copy:
            self._save_copy(after)

    def adopt(self, copy: Copy) -> None:
        """A foreign position becomes this copy's (foreign = "adopt")."""
        self._save_copy(copy)

    def grant(self, copy: Copy, wish: Wish) -> None:
        """Give a copy what the trader asked for it alone.

        One that went out for entries already keeps its ratio until it has the new one; the others are sized by it.
        """
        if wish.value is None:
            self._save_copy(replace(copy, held=copy.held or LEFT_OUT))
            return
        chosen = replace(copy, value=wish.value, held="" if copy.held == LEFT_OUT else copy.held)
        if not copy.opened or copy.unsized:
            self._save_copy(sized(chosen, Unsized(f"{WAITS} its ratio")))
        elif wish.ratio is not None:
            self._save_copy(replace(chosen, ratio=wish.ratio, formula=wish.formula))
        else:
            self._save_copy(chosen)

    def rebase(self, copy: Copy) -> None:
        """The trader asked for another ratio (`sync --rebase`)."""
        self._save_copy(copy)

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
        held = [c for c in self.copies.values() if c.held == NEW_STORE and symbol in (None, c.symbol, c.source[0])]
        for copy in held:
            self._save_copy(replace(copy, held="", explained=True))
        return len(held)

    def explain_closes(self) -> None:
        """A closing execution may arrive after the position push that ended the cycle."""
        for key in sorted(self.unexplained):
            copy = self.copies[key]
            if copy.source in self.exit_fill:
                self._save_copy(replace(copy, explained=True))

    def drop_done(self, account: str, symbol: str, view: AccountView, ours: Callable[[], Iterable[OurOrder]]) -> bool:
        """An ended copy goes when its mirror is proven flat and has no order of `ours` left, and so does a misfit.

        Whether a misfit went: what main holds is looked at anew then.
        """
        fits = True
        for side in SIDES:
            copy = self.copies.get((account, symbol, side))
            if (
                copy is None
                or (account, symbol, side) not in self.leaving
                or view.size(symbol, side)
                or any(order.is_live for order in ours())
            ):
                continue
            if view.proven(symbol, side) and view.is_settled(symbol) and not view.is_ahead(symbol):
                fits = fits and copy.key not in self.misfits
                self._let_go(copy)
                self._store.drop_copy(copy.key)
        return not fits

    def _fits(self, copy: Copy) -> bool:
        """Whether the profile still follows main as it did when the copy began: the same side, symbol and multiplier.

        The profile may have been edited while no process ran. What has another meaning now is not traded on.
        """
        if copy.ended or copy.account not in self._lenses:
            return True  # what is over is closed in any case; or the profile does not name the mirror any more
        lens, (symbol, _) = self._lenses[copy.account], copy.source
        told = self._store.fact(_terms_key(copy)) if symbol != copy.symbol else None
        same = told is None or told == plain(lens.multiplier(symbol))
        return same and lens.follows(symbol) and lens.here(copy.source) == (copy.symbol, copy.side)

    def _begin_copy(self, copy: Copy) -> None:
        """Save a copy of a cycle that begins, or is seen for the first time, with the terms it is followed on."""
        symbol, _ = copy.source
        if symbol != copy.symbol:
            self._store.set_fact(_terms_key(copy), plain(self.lens(copy.account).multiplier(symbol)))
        self._save_copy(copy)

    def _done_since(self, account: str, key: CycleKey, since_ms: int) -> tuple[str, ...]:
        """Rungs that were seen filled before anything was known of the position they were of; told once."""
        before = self._done_before.pop((account, *key), {})
        return tuple(rung for rung, filled_ms in before.items() if filled_ms >= since_ms)

    def _save_cycle(self, cycle: Cycle) -> None:
        self.cycles[cycle.key] = cycle
        (self.unopened.discard if cycle.opened else self.unopened.add)(cycle.key)
        self._store.save_cycle(cycle)

    def _save_copy(self, copy: Copy) -> None:
        self._hold(copy)
        self._store.save_copy(copy)

    def _hold(self, copy: Copy) -> None:
        """Take a copy in memory, with what finds it."""
        key = copy.key
        before = self.copies.get(key)
        if before is not None and before.source != copy.source:
            self._by_source[before.source].pop(key)
        self.copies[key] = self._by_source.setdefault(copy.source, {})[key] = copy
        (self.unsized.add if copy.unsized else self.unsized.discard)(key)
        (self._capped.add if copy.cap is not None or copy.raised else self._capped.discard)(key)
        if copy.ended:
            self.leaving.add(key)
        elif key in self.leaving and key not in self.misfits:
            self.leaving.discard(key)
        (self.unexplained.add if copy.ended and not copy.explained else self.unexplained.discard)(key)

    def _let_go(self, copy: Copy) -> None:
        del self.copies[copy.key]
        self._by_source[copy.source].pop(copy.key)
        for known in (self.unsized, self.unexplained, self.leaving, self._capped, self.misfits):
            known.discard(copy.key)


def _terms_key(copy: Copy) -> str:
    return f"multiplier.{copy.account}.{copy.symbol}.{copy.side}"


def new_copy(cycle: Cycle, policy: MirrorPolicy, lens: Lens) -> Copy:
    """What a mirror makes of a cycle that begins. Without a ratio where its mode asks for more than its value."""
    here = lens.here(cycle.key)
    follows = None if here == cycle.key else cycle.key
    return sized(
        Copy(policy.name, *here, cycle.tag, ZERO, "", follows=follows),
        ratio_of(policy.sizing.mode, policy.sizing.value_for(cycle.symbol), SizingInputs()),
    )


def sized(copy: Copy, made: Sized | Unsized) -> Copy:
    """The copy with the ratio that was made, or with the reason why there is none yet."""
    if isinstance(made, Unsized):
        return replace(copy, ratio=ZERO, formula="", unsized=made.reason)
    return replace(copy, ratio=made.ratio, formula=made.formula, unsized="")


def _adopted(copy: Copy, policy: MirrorPolicy, mirror: Account, main_size: Decimal, held: str) -> Copy:
    """A copy of a cycle that was open before this mirror was seen: its observed ratio, or `held`.

    `main_size` as the mirror follows it: of a leg that does not count nothing, whatever the mirror holds of it.
    """
    here = (copy.symbol, copy.side)
    have = mirror.view.size(*here)
    ours = bool(have) and opened_by_us(mirror, here)
    if ours and main_size and policy.follow.approach != MAIN and (known := first_seen(copy, have, main_size)):
        return replace(known, opened=True)
    if ours and main_size:
        ratio, formula = observed(have, main_size)
        return replace(copy, ratio=ratio, formula=formula, unsized="", opened=True)
    return replace(copy, held=NEW_STORE if ours else held, opened=ours)


def _has_twins(mirror: Account, key: CycleKey) -> bool:
    """Whether the side is flat and entries of ours rest there: the position that they may open is ours."""
    symbol, side = key
    links = (parse(o.link_id) for o in mirror.view.orders(symbol) if o.side is side.entry and not o.is_exit)
    twins = any(link is not None and link.account == mirror.tag and link.role in _ENTRIES for link in links)
    return twins and not mirror.view.size(symbol, side)


def opened_by_us(mirror: Account, key: CycleKey) -> bool:
    """Whether the execution that last grew this position carries an id of ours for this account."""
    link = parse(mirror.openers.get(key, ""))
    return link is not None and link.account == mirror.tag
