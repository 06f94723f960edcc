"""The brake on loops: the same decision again and again although nothing that it rests on has changed.

A controller that does not converge repeats itself: a target is placed and the exchange takes it off, an order is
changed and never shows the change, a size is bought and sold again. What a decision rests on is main's state, what
others do on the account, and the account's own size; our own orders are what it brings about. So a decision counts
once more when it was taken before under the very same inputs, and afresh when any of them has moved. Refusals and what
was never sent do not count: they have their own patience.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from mirrorctl.core.domain.actions import Action, AmendOrder, CancelOrder, PlaceOrder, Priority, SetLeverage
from mirrorctl.core.domain.ids import Role, parse
from mirrorctl.core.domain.lens import Lens
from mirrorctl.core.domain.parks import told
from mirrorctl.core.domain.scene import SymbolPlan
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.records import Intent
from mirrorctl.core.engine.trades import TradeBook

PASSES = 6
"""How often a decision may come to nothing, when that takes as long as `SPAN_MS` at least."""
SPAN_MS = 60_000
BURST = 20
"""How often at most, however quickly."""
TURNS = 3
"""How often the same size may be bought, or sold, again when nobody else did anything."""
RESTORES = 12
"""How often it may be when somebody else undoes it each time."""
_FORGOTTEN_MS = 120_000
_KEPT = 500
_ACTIONS_TOLD = 5
_REASON = 60
_MOVING = frozenset((Role.CORRECTION, Role.REDUCTION, Role.FLATTEN))

Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Loop:
    """A decision that came to nothing `times` times since `since_ms`. `held_back`: it is not taken any more.

    `plan`: what the last pass sent with it, in words.
    """

    account: str
    symbol: str
    what: str
    times: int
    since_ms: int
    held_back: bool
    plan: tuple[str, ...] = ()


@dataclass(slots=True)
class _Passes:
    times: int
    since_ms: int
    last_ms: int
    seq: int


@dataclass(slots=True)
class _Sent:
    action: Action
    inputs: Hashable
    mains: Hashable
    seq: int


class Brake:
    """Counts decisions by account and symbol. All calls on the engine's thread; nothing of it outlives the process."""

    def __init__(self, trades: TradeBook | None = None) -> None:
        """`trades`: what the trader intends on main, which is an input of everything that follows it."""
        self._trades = trades
        self._versions: dict[Place, int] = {}
        self._states: dict[tuple[str, Place], tuple[int, Hashable]] = {}
        self._sent: dict[int, _Sent] = {}
        self._passes: dict[tuple[Place, Hashable, Hashable], _Passes] = {}
        self._room = _KEPT
        self._loops: dict[tuple[Place, Hashable], Loop] = {}
        self._plans: dict[Place, list[Action]] = {}

    def outside(self, account: str, symbol: str) -> None:
        """Somebody else did something there: what is decided after it is decided anew."""
        self._versions[(account, symbol)] = self._versions.get((account, symbol), 0) + 1

    def sent(self, intents: Sequence[Intent], main: AccountView, lens: Lens, own: AccountView) -> None:
        """The actions of one pass were journaled. `lens` tells which of main's symbols each follows."""
        plans: dict[Place, list[Intent]] = {}
        for intent in intents:
            plans.setdefault((intent.account, intent.action.symbol), []).append(intent)
        for place, of_symbol in plans.items():
            self._plans[place] = [intent.action for intent in of_symbol[:_ACTIONS_TOLD]]
            inputs, mains = self._inputs(place, main, lens.symbol_there(place[1]), own)
            seq = own.row_seq(place[1])
            for intent in of_symbol:
                self._sent[intent.intent_id] = _Sent(intent.action, inputs, mains, seq)
        while len(self._sent) > _KEPT:
            del self._sent[next(iter(self._sent))]

    def _inputs(self, here: Place, main: AccountView, there: str, own: AccountView) -> tuple[Hashable, Hashable]:
        """What a decision about a symbol rests on: all of it, and what is not others' doing on the account itself."""
        symbol = here[1]
        sizes = (own.size(symbol, PositionSide.LONG), own.size(symbol, PositionSide.SHORT))
        mains = (
            self._version_of("main", here, (_main_state(main, there, own), self._word(there))),
            self._versions.get((main.account, there), 0),
            sizes,
        )
        others = (self._version_of("others", here, _foreign(own, symbol)), self._versions.get(here, 0))
        return (mains, others), mains

    def _word(self, symbol: str) -> Hashable:
        """The trader's intent on a symbol of main."""
        trades = () if self._trades is None else self._trades.all()
        return tuple(
            [
                (trade.side, trade.tag, trade.revision, trade.stop, tuple((t.price, t.percent) for t in trade.targets))
                for trade in trades
                if trade.symbol == symbol
            ]
        )

    def _version_of(self, what: str, place: Place, state: Hashable) -> int:
        """How often a state has been another one than the time before."""
        version, known = self._states.get((what, place), (0, None))
        if known != state:
            version += 1
            self._states[(what, place)] = (version, state)
        return version

    def dropped(self, intent_id: int) -> None:
        """It was refused, or never left."""
        self._sent.pop(intent_id, None)

    def accepted(self, intent_id: int, now_ms: int, *, at_once: bool = False) -> Loop | None:
        """The exchange took it. Returns the loop when this makes it one, once. `at_once`: it was one before."""
        sent = self._sent.pop(intent_id, None)
        if sent is None:
            return None
        place, decision = (sent.action.account, sent.action.symbol), decision_of(sent.action)
        moving = _moves(sent.action)
        passes = self._count((place, decision, sent.inputs), sent, now_ms)
        found = passes if _is_loop(passes, moving=moving, at_once=at_once) else None
        if moving:
            restores = self._count((place, decision, sent.mains), sent, now_ms)
            found = restores if found is None and restores.times >= RESTORES else found
        if found is None or (place, decision) in self._loops:
            return None
        held_back = sent.action.priority in (Priority.TARGET, Priority.ENTRY)
        plan = tuple(f"{told(action)} ({action.reason[:_REASON]})" for action in self._plans.get(place, ()))
        loop = Loop(*place, told(sent.action), found.times, found.since_ms, held_back, plan)
        self._loops[(place, decision)] = loop
        return loop

    def _count(self, key: tuple[Place, Hashable, Hashable], sent: _Sent, now_ms: int) -> _Passes:
        """One more of the same; what is to change the size counts only where something filled since the last."""
        known = self._passes.get(key)
        if known is None or now_ms - known.last_ms > _FORGOTTEN_MS:
            self._forget(now_ms)
            known = self._passes[key] = _Passes(1, now_ms, now_ms, sent.seq)
            return known
        if not _moves(sent.action) or sent.seq != known.seq:  # what fills nothing waits for its price: that is no loop
            known.times += 1
        known.last_ms, known.seq = now_ms, sent.seq
        return known

    def hold_back(self, plan: SymbolPlan) -> None:
        """Take out of a plan what turned out to be a loop, and name it. Stops, reductions and cancels go on."""
        place = (plan.account, plan.symbol)
        if not self._loops or not any(where == place for where, _ in self._loops):
            return
        going = []
        for item in plan.actions:
            loop = self._loops.get((place, decision_of(item.action)))
            if loop is None or not loop.held_back:
                going.append(item)
            else:
                plan.missing.append(f"{loop.what}: {loop.times} times and it does not last, not tried any more")
        plan.actions[:] = going

    def knows(self, account: str, symbol: str) -> bool:
        """Whether a loop was found there since the start."""
        return any(place == (account, symbol) for place, _ in self._loops)

    def loops(self) -> Iterable[Loop]:
        """Every loop that was found and not ended."""
        return self._loops.values()

    def release(self, account: str | None, symbol: str | None) -> None:
        """The trader says try again (`resume`). None: of every account or symbol."""
        chosen = [key for key in self._loops if account in (None, key[0][0]) and symbol in (None, key[0][1])]
        for key in chosen:
            del self._loops[key]
        self._passes = {
            key: passes
            for key, passes in self._passes.items()
            if not (account in (None, key[0][0]) and symbol in (None, key[0][1]))
        }

    def _forget(self, now_ms: int) -> None:
        if len(self._passes) > self._room:
            self._passes = {
                key: passes for key, passes in self._passes.items() if now_ms - passes.last_ms <= _FORGOTTEN_MS
            }
            self._room = max(_KEPT, 2 * len(self._passes))  # many are fresh in a busy minute: they are not walked again


def decision_of(action: Action) -> Hashable:
    """What makes two actions the same decision: everything but their reason, and which attempt they are."""
    if isinstance(action, PlaceOrder):
        link = parse(action.link_id)
        whose = None if link is None or action.role in _MOVING else (link.role, link.leg, link.step)
        price = None if action.role in _MOVING else action.price
        return ("place", action.role, whose, action.side, action.qty, price, action.trigger_price, action.stop_loss)
    if isinstance(action, AmendOrder):
        changes = (action.qty, action.price, action.trigger_price, action.stop_loss)
        return ("amend", _order_of(action), *changes)
    if isinstance(action, CancelOrder):
        return ("cancel", _order_of(action))
    if isinstance(action, SetLeverage):
        return ("leverage", action.leverage)
    bound = (action.stop_loss, action.take_profit, action.trailing_stop, action.active_price)
    return ("stop", action.position_idx, *bound)


def _order_of(action: AmendOrder | CancelOrder) -> Hashable:
    link = parse(action.link_id)
    return action.order_id if link is None else link.intent


def _moves(action: Action) -> bool:
    """Whether it is to change the size at once, so that a fill shows whether it did."""
    return isinstance(action, PlaceOrder) and action.role in _MOVING


def _is_loop(passes: _Passes, *, moving: bool, at_once: bool) -> bool:
    if at_once:
        return passes.times > 1
    if moving:
        return passes.times >= TURNS
    return passes.times >= BURST or (passes.times >= PASSES and passes.last_ms - passes.since_ms >= SPAN_MS)


def _main_state(main: AccountView, symbol: str, own: AccountView) -> Hashable:
    """What main holds and wants of a symbol, as far as others make it: on main itself our own orders are no input."""
    both = (main.position(symbol, PositionSide.LONG), main.position(symbol, PositionSide.SHORT))
    rows = tuple(
        [
            (row.side, row.size, row.stop_loss, row.take_profit, row.trailing_stop, row.seq)
            for row in both
            if row is not None
        ]
    )
    orders = _foreign(main, symbol) if main is own else _orders(main, symbol, ours=True)
    return (rows if main is not own else tuple(row[:2] for row in rows), main.row_seq(symbol), orders)


def _foreign(view: AccountView, symbol: str) -> Hashable:
    """The orders of others that stand on a symbol."""
    return _orders(view, symbol, ours=False)


def _orders(view: AccountView, symbol: str, *, ours: bool) -> frozenset[tuple[str, Decimal, Decimal | None]]:
    return frozenset(
        (order.order_id, order.qty, order.price or order.trigger_price)
        for order in view.orders(symbol)
        if not order.stop_kind.position_bound and (ours or parse(order.link_id) is None)
    )
