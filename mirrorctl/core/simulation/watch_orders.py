"""What the engine asked of the exchange, one request at a time: whether it could have known better.

The words of a request and its outcome are the exchange's; when it was decided is the moment it left the engine. What
happened so shortly before that no news of it can have come is not held against it (`News`).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from mirrorctl.core.domain.actions import AmendOrder, CancelOrder, PlaceOrder, SetTradingStop
from mirrorctl.core.domain.ids import LinkId, Role, account_tag, parse
from mirrorctl.core.domain.policy import MAIN, Manage
from mirrorctl.core.domain.twins import twin_step
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.records import Intent
from mirrorctl.core.paper.model import Order, Side, WriteRecord
from mirrorctl.core.simulation.ports import Sent
from mirrorctl.core.simulation.watch_amounts import Amounts
from mirrorctl.core.simulation.watch_books import ZERO, Books, Leg
from mirrorctl.core.simulation.watch_following import Following
from mirrorctl.core.simulation.watch_news import News
from mirrorctl.core.simulation.watch_rules import Breaches, Rule
from mirrorctl.core.simulation.watch_stops import Stops
from mirrorctl.core.simulation.world import World

CREATE, AMEND, CANCEL = "/v5/order/create", "/v5/order/amend", "/v5/order/cancel"
STOP, LEVERAGE = "/v5/position/trading-stop", "/v5/position/set-leverage"
_EXITS = (Role.TARGET, Role.REDUCTION, Role.FLATTEN)
_UNKNOWN_MS = 500
"""A stream that is lost makes its account unknown at once, until a read succeeds that was begun afterwards."""
_FULL_MS = 2_000
_TARGETS = 3


@dataclass(frozen=True, slots=True)
class _Attempt:
    link: LinkId
    order_id: str


class Orders:
    """Judges requests, in their order. `duplicates` counts those that were sent twice."""

    def __init__(
        self, world: World, books: Books, news: News, stops: Stops, breaches: Breaches, following: Following
    ) -> None:
        self._world = world
        self._books = books
        self._news = news
        self._stops = stops
        self._tell = breaches.tell
        self._following = following
        self._state = world.exchange.state
        self._attempts: dict[tuple[str, Role, int, str], list[_Attempt]] = {}
        self._twins: dict[str, str] = {}
        self._main_quiet: dict[str, int] = {}
        self._calls: dict[int, tuple[str, int]] = {}
        self._store = world.store
        self._store_since_ms = world.now_ms()
        self._amounts = Amounts(world, books, news, breaches, following)
        self._full_ms = -_FULL_MS
        self._managed: set[str] = set()
        self._journaled: set[int] = set()

    # --- what main did -------------------------------------------------------------------------------------------

    def on_main_order(self, row: WriteRecord) -> None:
        """A request about an order on main was accepted, whoever made it."""
        self._twins[twin_step(row.order_id)] = row.order_id
        self._main_quiet[row.order_id] = self._world.now_ms()

    def on_main_fill(self, order_id: str) -> None:
        """An order on main filled, in part or whole."""
        self._main_quiet[order_id] = self._world.now_ms()

    def look(self) -> None:
        """What the trader has handed over on main, which may be touched from then on; and whether the disk is full."""
        if self._world.store_full or self._world.store_full_at_commit:
            self._full_ms = self._world.now_ms()
        if self._world.engine is not None:
            self._managed |= self._world.engine.trades.symbols()

    # --- what was sent -------------------------------------------------------------------------------------------

    def on_sent(self, sent: Sent, row: WriteRecord | None) -> None:
        """A write of the engine; `row` is what the exchange's log has of it, None where it never came so far."""
        self._check_journal(sent)
        self._check_turn(sent)
        self._check_owner(sent)
        if row is None or row.ret_code:
            return
        if row.path == CREATE:
            self._on_create(sent, row)
        elif row.path in (AMEND, CANCEL):
            self._on_change(sent, row)
        elif row.path == STOP:
            self._on_stop(sent, row)

    def _check_journal(self, sent: Sent) -> None:
        """It stands in the journal before it is sent (A43)."""
        world = self._world
        if world.store is not self._store:
            self._store, self._store_since_ms = world.store, world.now_ms()
            self._journaled.clear()
        if sent.decided_ms <= self._store_since_ms:
            return  # with the store before this one
        if _rank(sent) < _TARGETS and sent.decided_ms <= self._full_ms + _FULL_MS:
            return  # what protects goes on without
        if sent.intent_id not in self._journaled and not self._store.newest_intents(1, partial(self._is_of, sent)):
            self._journaled |= {row[0] for row in self._store.left_ahead()}  # a process that died in between left it
        if sent.intent_id not in self._journaled:
            self._tell(Rule.UNJOURNALED, sent.account, f"{sent.action}", str(sent.call))

    def _is_of(self, sent: Sent, intent: Intent) -> bool:
        """Whether a row of the journal is that of a write; every row that is seen is remembered."""
        self._journaled.add(intent.intent_id)
        return intent.intent_id == sent.intent_id

    def _check_turn(self, sent: Sent) -> None:
        """What was sent in one go was sent in the order of work (rule 5)."""
        rank = _rank(sent)
        self._calls[sent.call] = (sent.account, rank)
        before, after = self._calls.get(sent.call - 1), self._calls.get(sent.call + 1)
        for first, then in ((before, (sent.account, rank)), ((sent.account, rank), after)):
            if first is not None and then is not None and first[0] == then[0] and first[1] > then[1]:
                self._tell(Rule.ORDER_OF_WORK, sent.account, f"{sent.action}", str(sent.call))

    def _check_owner(self, sent: Sent) -> None:
        """On main only what belongs to a trade of ours is touched (A79); on a mirror nothing while main is unknown.

        But a position without a stop is given main's last one, whatever main did since (A21, protection first).
        """
        if sent.account == MAIN:
            if self._world.policy.manage is Manage.OWN and sent.action.symbol not in self._managed:
                self._tell(Rule.MAIN_TOUCHED, MAIN, f"{sent.action}", sent.action.symbol)
            return
        since = self._news.unreachable_ms(MAIN)
        if since is None or sent.decided_ms <= since + _UNKNOWN_MS:
            return
        if not _flattens(sent) and not self._stops.is_first(sent):
            self._tell(Rule.ACTED_ON_UNKNOWN, sent.account, f"{sent.action}", sent.action.symbol)

    # --- placed --------------------------------------------------------------------------------------------------

    def _on_create(self, sent: Sent, row: WriteRecord) -> None:
        link, order = parse(str(row.body.get("orderLinkId", ""))), self._state.order(row.uid, row.order_id)
        if order is None:
            return
        if link is None or link.account != account_tag(row.uid):
            self._tell(Rule.IDENTITY, sent.account, f"no id of the account: {row.body}", row.order_id)
            return
        if link.role is Role.TWIN and link.step not in self._twins:
            self._tell(Rule.IDENTITY, sent.account, f"{link} is made from no order of main", str(link))
        self._check_attempts(sent, link, order)
        if link.role in _EXITS and not order.reduce_only:
            self._tell(Rule.NOT_REDUCE_ONLY, sent.account, f"{row.body}", str(link))
        leg = (order.symbol, _held_by(order))
        if order.reduce_only:
            self._check_exit(sent, leg, order, link)
        elif sent.account != MAIN:
            self._books.touched.add((sent.account, leg))
            self._check_entry(sent, leg, order)
        if sent.account != MAIN:
            self._check_parked(sent, leg, entry=not order.reduce_only)
            self._amounts.check(sent, leg, link)

    def _check_attempts(self, sent: Sent, link: LinkId, order: Order) -> None:
        """One order at a time stands for a decision, and a correction that filled anything is another one then."""
        earlier = self._attempts.setdefault(link.intent, [])
        for attempt in earlier:
            before = self._state.order(order.uid, attempt.order_id)
            if before is None:
                continue
            again = link.role in (Role.CORRECTION, Role.REDUCTION) and before.filled
            if before.is_open or again:
                text = f"{link} beside {attempt.link}, which is {before.status} with {before.filled} filled"
                self._tell(Rule.DUPLICATE, sent.account, text, str(link))
        earlier.append(_Attempt(link, order.order_id))

    def _check_entry(self, sent: Sent, leg: Leg, order: Order) -> None:
        self._check_out(sent, leg, f"{order.side} {order.qty} {order.symbol}")
        stop = self._stops.known(leg, sent.decided_ms, self._news.age_ms(MAIN, sent.decided_ms))
        base = order.price if order.order_type == "Limit" else order.trigger_price
        price = base or self._state.markets[order.symbol].last
        on_time = stop is not None and (price - stop) * leg[1].sign > 0
        if on_time and not order.stop_loss and sent.account in self._following.same:
            text = f"{order.side} {order.qty} {order.symbol} at {price}, main's stop is {stop}"
            self._tell(Rule.ENTRY_WITHOUT_STOP, sent.account, text, order.order_id)

    def _check_out(self, sent: Sent, leg: Leg, what: str) -> None:
        out_ms = self._books.followed(sent.account, leg).out_ms
        if sent.account not in self._following.same or out_ms is None:
            return
        if sent.decided_ms - out_ms <= self._news.age_ms(sent.account, sent.decided_ms):
            return
        if sent.decided_ms - out_ms > self._news.age_ms(MAIN, sent.decided_ms):
            self._tell(Rule.REENTRY, sent.account, f"{what}, out since {out_ms}", f"{leg} {out_ms}")

    def _check_exit(self, sent: Sent, leg: Leg, order: Order, link: LinkId) -> None:
        """Exits never exceed the holding: one alone, and all that rest together."""
        sizes = self._books.asked(leg).sizes if sent.account == MAIN else self._books.followed(sent.account, leg).sizes
        most = max(sizes.since(sent.decided_ms - self._news.age_ms(sent.account, sent.decided_ms)))
        resting = ZERO
        for other in self._state.live(order.uid, order.symbol):
            ours = other.reduce_only and not other.protective and other.side is order.side and parse(other.link_id)
            resting += other.leaves if ours and other.idx == order.idx else ZERO
        asked = max(order.qty if link.role is not Role.TARGET else order.leaves, resting if _rests(order) else ZERO)
        if asked > most:
            self._tell(Rule.EXIT_ABOVE_HOLDING, sent.account, f"{asked} {leg} over {most}: {link}", str(link))

    def _check_parked(self, sent: Sent, leg: Leg, *, entry: bool) -> None:
        """A position is somebody else's only where no entry of ours was on its way when it was made (A81)."""
        for side in PositionSide:
            followed = self._books.followed(sent.account, (leg[0], side))
            since = followed.foreign_ms
            known = since is not None and sent.decided_ms - since > self._news.age_ms(sent.account, sent.decided_ms)
            if known:
                self._tell(Rule.FOREIGN_POSITION, sent.account, f"{sent.action}", leg[0])
            elif entry and side is leg[1]:
                followed.used, followed.foreign_ms = True, None

    # --- changed -------------------------------------------------------------------------------------------------

    def _on_change(self, sent: Sent, row: WriteRecord) -> None:
        order = self._state.order(row.uid, row.order_id)
        if order is None:
            return
        link = parse(order.link_id)
        if link is None and not order.protective:
            if sent.account == MAIN and self._world.policy.manage is Manage.ALL:
                return
            self._tell(Rule.FOREIGN_ORDER, sent.account, f"{sent.action}", order.order_id)
            return
        if link is None or sent.account == MAIN:
            return
        leg = (order.symbol, _held_by(order))
        if row.path == AMEND:
            if order.reduce_only:
                self._check_exit(sent, leg, order, link)
            elif "qty" in row.body:
                self._books.touched.add((sent.account, leg))
                self._check_out(sent, leg, f"amend to {order.qty} {order.symbol}")
        elif link.role is Role.TWIN and not order.reduce_only:
            self._check_cancel(sent, leg, link)

    def _check_cancel(self, sent: Sent, leg: Leg, link: LinkId) -> None:
        """A twin stands as long as its order does, unless it lags, or growth is held (A45)."""
        order = self._state.order(self._world.uids[MAIN], self._twins.get(link.step, ""))
        followed = self._books.followed(sent.account, leg)
        if order is None or not order.is_open or sent.account not in self._following.free:
            return
        if followed.loose or followed.out_ms is not None or followed.hand or self._world.store.standings():
            return  # what is paused, halted or parked has no entries resting
        opposite = (leg[0], leg[1].opposite)
        ages = [self._news.age_ms(name, sent.decided_ms) for name in (MAIN, sent.account)]
        since = sent.decided_ms - max(ages)
        if followed.stopped_ms >= since or self._news.hindered_until(sent.account) >= sent.decided_ms:
            return
        turned = any(self._books.asked(opposite).sizes.since(since))
        turned = turned or any(self._books.followed(sent.account, opposite).sizes.since(since))
        if not turned and not order.filled and self._main_quiet[order.order_id] < since:
            self._tell(Rule.CANCELLED_UNASKED, sent.account, f"{sent.action}", str(link))

    def _on_stop(self, sent: Sent, row: WriteRecord) -> None:
        stop = row.body.get("stopLoss")
        if sent.account != MAIN and stop is not None and not Decimal(str(stop)):
            self._tell(Rule.STOP_REMOVED, sent.account, f"{sent.action}", sent.action.symbol)


def _held_by(order: Order) -> PositionSide:
    """The side of the position that an order grows or, reduce-only, shrinks."""
    long = (order.side is Side.BUY) is not order.reduce_only
    return PositionSide.LONG if long else PositionSide.SHORT


def _rests(order: Order) -> bool:
    return order.tif not in ("IOC", "FOK") and order.order_type == "Limit"


def _flattens(sent: Sent) -> bool:
    link = parse(sent.action.link_id) if isinstance(sent.action, PlaceOrder) else None
    return link is not None and link.role is Role.FLATTEN


def _rank(sent: Sent) -> int:
    """Stops, reductions, cancels, take-profits, entries."""
    action = sent.action
    if isinstance(action, SetTradingStop):
        return 0
    if isinstance(action, CancelOrder):
        return 2
    if isinstance(action, AmendOrder):
        link = parse(action.link_id)
        target = link is not None and link.role is Role.TARGET
        return 0 if action.protective else _TARGETS if target else 4
    if isinstance(action, PlaceOrder):
        link = parse(action.link_id)
        role = link.role if link is not None else None
        return _TARGETS if role is Role.TARGET else 1 if role in _EXITS or action.reduce_only else 4
    return 4
