"""What must never be, judged from the exchange's own books while a schedule plays.

Nothing here asks the engine what it thinks: requests, orders, executions, positions and stops are the exchange's. Only
at rest its `status` and an audit are looked at as well, for they have to agree with the books then.

watch = Watch(stage)
stage.world.after_step = watch.look
...
watch.at_rest()
assert not watch.breaches
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import TypeVar

from mirrorctl.core.domain.actions import PlaceOrder
from mirrorctl.core.domain.ids import Role, parse
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.paper.model import Execution, WriteRecord
from mirrorctl.core.simulation.stage import Stage
from mirrorctl.core.simulation.watch_books import Books, Leg, is_final
from mirrorctl.core.simulation.watch_following import Following
from mirrorctl.core.simulation.watch_news import News
from mirrorctl.core.simulation.watch_orders import AMEND, CREATE, Orders
from mirrorctl.core.simulation.watch_rest import Rest
from mirrorctl.core.simulation.watch_rules import Breach as Breach
from mirrorctl.core.simulation.watch_rules import Breaches
from mirrorctl.core.simulation.watch_rules import Rule as Rule
from mirrorctl.core.simulation.watch_stops import Stops

_TWICE = (Rule.DUPLICATE, Rule.OVERBOUGHT)
_SPARE_STEPS = 2
_SETTLE_MS = 30_000
_Row = TypeVar("_Row", Execution, WriteRecord)


class Watch:
    """Looks at a stage after every step of its world, from when nothing has happened on it yet.

    Cheap where nothing happened: a look compares two counters then.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._world = world = stage.world
        self._state = world.exchange.state
        self._found = Breaches(world)
        self._following = Following(world)
        self._news = News(world)
        self._books = Books(world, self._following.loose)
        self._stops = Stops(world, self._books, self._news, self._found, self._following)
        self._orders = Orders(world, self._books, self._news, self._stops, self._found, self._following)
        self._rest = Rest(stage, self._books, self._stops, self._found, self._following)
        self._names = {uid: name for name, uid in world.uids.items()}
        self._counter = 0
        self._sent = 0
        self._write = 0
        self._execution = dict.fromkeys(world.uids, 0)
        self._decided: dict[str, int] = {}
        self._store = world.store
        self.look()

    @property
    def breaches(self) -> list[Breach]:
        """What was broken so far, each once."""
        return self._found.rows

    @property
    def duplicates(self) -> int:
        """How many orders were sent twice, or for what was there already."""
        return sum(breach.rule in _TWICE for breach in self.breaches)

    @property
    def worst_naked_ms(self) -> int | None:
        """The longest that a mirror's position stood without the stop that main's had; None: none had to have one."""
        return self._stops.worst_naked_ms

    def look(self) -> None:
        """Take in what happened since the last look."""
        self._news.look()
        self._orders.look()
        if self._world.store is not self._store:
            self._store = self._world.store
            self._books.loosen()
        if self._state.counter != self._counter or len(self._world.sent) != self._sent:
            self._counter = self._state.counter
            self._take_in()
            self._stops.look()
        self._stops.pass_time()

    def at_rest(self, *, audited: bool = True) -> None:
        """Nothing goes wrong any more: sizes, stops and orders are what they should be, and nobody sends any more.

        Unless `audited` the exchange's books and `status` are looked at and no audit is made, which is dear.

        What was lost on the way is found by the next relist, and a twin that lags gives way after the grace time; so
        much time goes by before anything is judged.
        """
        world = self._world
        before, world.after_step = world.after_step, self.look
        world.run(self._following.late_ms)
        world.run(_SETTLE_MS, self._stage.converged)
        self._rest.check(audited=audited)
        sent = len(world.sent)
        world.run(self._following.late_ms)
        world.after_step = before
        self._rest.check_silence(world.sent[sent:])

    # --- what happened -------------------------------------------------------------------------------------------

    def _take_in(self) -> None:
        """Requests and fills in the order in which they happened on the exchange, then what was sent."""
        world = self._world
        sent, self._sent = world.sent[self._sent :], len(world.sent)
        self._decided |= {row.action.link_id: row.decided_ms for row in sent if isinstance(row.action, PlaceOrder)}
        rows: list[Execution | WriteRecord] = list(_newer(self._state.writes, self._write))
        self._write = rows[-1].n if rows else self._write
        writes = {row.n: row for row in rows if isinstance(row, WriteRecord)}
        for name, uid in world.uids.items():
            fills = _newer(self._state.history[uid].executions, self._execution[name])
            self._execution[name] = fills[-1].n if fills else self._execution[name]
            rows += (fill for fill in fills if fill.exec_type != "Funding")
        for row in sorted(rows, key=lambda each: each.n):
            if isinstance(row, Execution):
                self._on_execution(row)
            elif not row.ret_code and row.uid == world.uids[MAIN] and row.path in (CREATE, AMEND):
                self._books.on_main_order(row)
                self._orders.on_main_order(row)
        if rows:
            self._books.settle()
        for each in sent:
            uid = world.uids[each.account]
            own = (row for n, row in writes.items() if each.first < n <= each.last and row.uid == uid)
            self._news.note_sent(each)
            self._orders.on_sent(each, next(own, None))
        for name, leg in self._books.touched:
            self._judge(name, leg)
        self._books.touched.clear()

    def _on_execution(self, row: Execution) -> None:
        name = self._names[row.uid]
        if name == MAIN:
            self._books.on_main_execution(row)
            self._orders.on_main_fill(row.order_id)
            return
        self._check_flip(name, row)
        self._check_final(name, row)
        self._books.on_mirror_execution(name, row)

    def _check_flip(self, name: str, row: Execution) -> None:
        """A flip is two orders: no entry closes what was known to stand when it was placed (A17)."""
        link, order = parse(row.link_id), self._state.order(row.uid, row.order_id)
        if not row.closed_size or link is None or order is None or order.reduce_only:
            return
        if link.role in (Role.TWIN, Role.CORRECTION):
            leg = (row.symbol, self._books.side_closed(row))
            decided_ms = self._decided.get(row.link_id, 0)
            since = decided_ms - self._news.age_ms(name, decided_ms)
            if self._books.followed(name, leg).sizes.left(since, decided_ms) > 0:
                self._found.tell(Rule.FLIP, name, f"{link} closed {row.closed_size} {leg}", row.order_id)

    def _check_final(self, name: str, row: Execution) -> None:
        """Only what stands without its stop, or is out already, is closed for good while main holds it (A24, A26)."""
        link = parse(row.link_id)
        leg = (row.symbol, self._books.side_closed(row))
        followed = self._books.followed(name, leg)
        if not is_final(link) or link is None or link.role is Role.FLATTEN or followed.out_ms is not None:
            return
        decided_ms = self._decided.get(row.link_id, 0)
        since = decided_ms - self._news.age_ms(name, decided_ms)
        held = min(self._books.asked(leg).sizes.since(since))
        if held and not followed.loose and not followed.stopped_ms and not self._stops.is_naked(name, leg):
            self._found.tell(Rule.OVERSOLD, name, f"{link} closed {row.closed_size} {leg} for good", row.order_id)

    def _judge(self, name: str, leg: Leg) -> None:
        """Sums of a mirror against sums of main."""
        followed, asked = self._books.followed(name, leg), self._books.asked(leg)
        if followed.loose:
            return
        ratio, step = self._following.ratio(name, leg[0]), self._state.instruments[leg[0]].step
        spare = step * (_SPARE_STEPS + asked.turns - followed.turns_before)
        bought = followed.grown + self._books.entries(name, leg)
        most = ratio * (asked.raised - followed.raised_before) + followed.cut_otherwise + spare
        if bought > most:
            self._tell(Rule.OVERBOUGHT, name, leg, bought, most)
        most = ratio * (asked.lowered - followed.lowered_before) + followed.grown_in_vain + spare
        if followed.reduced > most:
            self._tell(Rule.OVERSOLD, name, leg, followed.reduced, most)

    def _tell(self, rule: Rule, name: str, leg: Leg, done: Decimal, most: Decimal) -> None:
        self._found.tell(rule, name, f"{done} {leg[0]} {leg[1]}, at most {most}", f"{leg}")


def _newer(rows: deque[_Row], after: int) -> list[_Row]:
    """Rows with a higher number, oldest first; the newest are looked at first, and no others."""
    found = []
    for row in reversed(rows):
        if row.n <= after:
            break
        found.append(row)
    return found[::-1]
