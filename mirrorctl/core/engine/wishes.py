"""Wishes for single trades: written down before main's first entry is sent, and given to copies once one was taken.

A wish whose entries were all refused, or never sent, is forgotten: nothing of a mirror changes by it. Until that is
known no entry goes out on the mirror, so the old ratio and the new one are never both ordered.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.ids import Role, parse
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.ours import IntentState
from mirrorctl.core.domain.wish import Wish
from mirrorctl.core.engine.records import Intent, Severity
from mirrorctl.core.engine.state import EngineState

_TAKEN = (IntentState.ACCEPTED, IntentState.LIVE, IntentState.DONE)


class _Fate(Enum):
    TAKEN = "taken"
    FLYING = "flying"
    NOTHING = "nothing"


def tend_wishes(state: EngineState, now_ms: int) -> None:
    """Bind what was taken to its cycle, give it to the copies, forget what came to nothing. Main is known."""
    book = state.trades.wishes
    if not book.rows:
        return
    with state.store.batch():
        tended = [_tended(state, wish, now_ms) for wish in book.rows]
        book.keep(_newest([wish for wish in tended if wish is not None]))


def _tended(state: EngineState, wish: Wish, now_ms: int) -> Wish | None:
    """The wish as it is now; None when it is over."""
    cycle, fate = state.keeper.cycles.get(wish.key), _fate(state, wish)
    held = state.main.view.size(*wish.key)
    if wish.cycle and (cycle is None or cycle.tag != wish.cycle):
        if not _is_working(state, wish):
            return None
        wish = replace(wish, cycle="", applied=False)  # its entries outlast the position: the next one has it too
    if not wish.cycle and fate is _Fate.NOTHING:
        return None
    if not wish.cycle and fate is _Fate.TAKEN:
        if cycle is not None and (held or not cycle.opened):
            wish = replace(wish, cycle=cycle.tag)
        elif cycle is None and not _is_working(state, wish) and _is_flat(state, wish):
            return None
    return _applied(state, wish, now_ms) if wish.cycle and not wish.applied else wish


def _applied(state: EngineState, wish: Wish, now_ms: int) -> Wish:
    copy = state.keeper.copy_of(wish.mirror, wish.key)
    if copy is None or copy.ended or copy.tag != wish.cycle:
        return wish
    state.keeper.grant(copy, wish)
    for mirror in (mirror for name, mirror in state.passes.items() if name == wish.mirror):
        state.mark(mirror.mirror, copy.symbol)
    asked = "it stays out of this trade" if wish.value is None else f"{plain(wish.value)} for this trade alone"
    state.outbox.tell(now_ms, Severity.INFO, "sizing", wish.mirror, copy.symbol, f"asked for: {asked}", wish.step)
    return replace(wish, applied=True)


def _newest(wishes: list[Wish]) -> list[Wish]:
    """Of the wishes for one mirror in one cycle the last one holds."""
    last = {(wish.mirror, wish.cycle): wish for wish in wishes if wish.cycle}
    return [wish for wish in wishes if not wish.cycle or last[(wish.mirror, wish.cycle)] is wish]


def _entries(state: EngineState, wish: Wish) -> list[tuple[Intent, PlaceOrder]]:
    """The entries that were asked for with a wish, as far as they are known."""
    found = []
    for intent in state.book.of_symbol(state.main.name, wish.symbol):
        action = intent.action
        if isinstance(action, PlaceOrder) and action.role is Role.ENTRY:
            link = parse(action.link_id)
            if link is not None and link.step == wish.step:
                found.append((intent, action))
    return found


def _fate(state: EngineState, wish: Wish) -> _Fate:
    """What became of the entries: one was taken, or may still be, or none was."""
    view, entries = state.main.view, _entries(state, wish)
    for intent, action in entries:
        seen = view.by_link(action.link_id) is not None or view.link_filled(action.link_id) > 0
        if seen or intent.state in _TAKEN:
            return _Fate.TAKEN
    return _Fate.FLYING if any(not intent.state.is_over for intent, _ in entries) else _Fate.NOTHING


def _is_working(state: EngineState, wish: Wish) -> bool:
    return any(not intent.state.is_over for intent, _ in _entries(state, wish))


def _is_flat(state: EngineState, wish: Wish) -> bool:
    view = state.main.view
    return view.proven(*wish.key) and view.is_settled(wish.symbol) and not view.size(*wish.key)
