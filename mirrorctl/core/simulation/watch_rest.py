"""What has to be so when everything is at rest: sizes, stops, orders, `status` and an audit."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_DOWN, Decimal

from mirrorctl.core.domain.actions import RejectedOutcome, SetTradingStop
from mirrorctl.core.domain.audit.findings import Code, Finding
from mirrorctl.core.domain.ids import Role, parse
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.domain.twins import twin_step
from mirrorctl.core.domain.values import PositionSide, Severity
from mirrorctl.core.simulation.ports import Sent
from mirrorctl.core.simulation.stage import Stage
from mirrorctl.core.simulation.watch_books import ZERO, Books, Followed, Leg
from mirrorctl.core.simulation.watch_following import Following
from mirrorctl.core.simulation.watch_rules import Breaches, Rule
from mirrorctl.core.simulation.watch_stops import Stops

_TWICE_MS = 1_500
_BY_HAND = (Code.FOREIGN_ORDER, Code.UNEXPECTED_POSITION, Code.PARKED)


class Rest:
    """Judges one stage that came to rest."""

    def __init__(self, stage: Stage, books: Books, stops: Stops, breaches: Breaches, following: Following) -> None:
        self._stage = stage
        self._state = stage.world.exchange.state
        self._books = books
        self._stops = stops
        self._tell = breaches.tell
        self._following = following
        self._held: set[tuple[str, str]] = set()

    def check(self, *, audited: bool = True) -> None:
        """Look at everything once."""
        if self._stage.world.engine is None:
            return
        status = self._stage.status()
        if status["in_doubt"]:
            self._tell(Rule.CONVERGENCE, "", f"{status['in_doubt']} in doubt", "in doubt")
        self._note_held()
        excused = {(row["account"], row["symbol"]): row["reason"] for row in (*status["held"], *status["parked"])}
        for name, legs in self._books.mirrors.items():
            for leg, followed in list(legs.items()):
                if name in self._following.exact and not followed.is_foreign:
                    self._check_size(name, leg, followed, excused.get((name, leg[0]), ""))
                if name in self._following.same and not followed.is_foreign:
                    self._check_stop(name, leg, followed)
            self._check_orders(name)
        if audited:
            self._check_audit()

    def check_silence(self, sent: Iterable[Sent]) -> None:
        """Nothing was sent since `check`, but for what is tried again: growth that is held, stops that are refused."""
        self._note_held()
        for row in sent:
            about = (row.account, row.action.symbol)
            if isinstance(row.outcome, RejectedOutcome) and isinstance(row.action, SetTradingStop):
                continue  # what price has passed is tried ever more rarely
            keeps = isinstance(row.action, SetTradingStop) or getattr(row.action, "reduce_only", False)
            if keeps or about not in self._held or row.account in self._following.free:
                self._tell(Rule.SILENCE, row.account, f"{row.action}", row.action.symbol)

    def _note_held(self) -> None:
        if self._stage.world.engine is not None:
            self._held |= {(row["account"], row["symbol"]) for row in self._stage.status()["held"]}

    def _check_size(self, name: str, leg: Leg, followed: Followed, excuse: str) -> None:
        """What a plain mirror holds is its ratio of what main holds; more only as far as twins filled first."""
        asked, step = self._books.asked(leg), self._state.instruments[leg[0]].step
        ratio, main, have = self._following.ratio(name, leg[0]), asked.sizes.now, followed.sizes.now
        lead = self._books.resting(leg)
        most = _floor(ratio * (main + lead), step) + (step if lead else ZERO)
        text = f"{have} {leg[0]} {leg[1]}, main {main} and {lead} resting, sold {followed.sold} itself: {excuse}"
        if followed.loose:
            if have and not main and not lead and not excuse:
                self._tell(Rule.SIZE, name, text, f"{leg}")
            return
        if have > most:
            self._tell(Rule.SIZE, name, text, f"{leg}")
        own = followed.sold + (step if followed.sold else ZERO)
        least = ZERO if followed.out_ms is not None or excuse else _floor(ratio * main, step) - own
        if have < least:
            self._tell(Rule.SIZE, name, text, f"{leg}")

    def _check_stop(self, name: str, leg: Leg, followed: Followed) -> None:
        """Main's stop stands on every mirror that holds anything of it."""
        stop = self._stops.of("main", leg)
        if stop is None or not followed.sizes.now or not self._books.asked(leg).sizes.now:
            return
        standing = self._stops.of(name, leg)
        better = standing is not None and (standing - stop) * leg[1].sign >= 0
        if not (standing == stop if name in self._following.exact else better):
            self._tell(Rule.STOP, name, f"{leg[0]} {leg[1]}: {standing}, main has {stop}", f"{leg}")

    def _check_orders(self, name: str) -> None:
        """Every order of ours stands for something: a twin for main's order, targets for no more than is held (A62)."""
        uid, main = self._stage.world.uids[name], self._stage.world.uids["main"]
        twinned = {twin_step(order.order_id) for order in self._state.live(main) if order.is_open}
        targets: dict[Leg, Decimal] = {}
        for order in self._state.live(uid):
            link = parse(order.link_id)
            if link is None or not order.is_open:
                continue
            if link.role is Role.TARGET:
                leg = (order.symbol, PositionSide.SHORT if order.side == "Buy" else PositionSide.LONG)
                targets[leg] = targets.get(leg, ZERO) + order.leaves
            elif link.role is Role.TWIN and link.step not in twinned and name in self._following.exact:
                self._tell(Rule.ORPHAN, name, f"{link} stands for no order of main", str(link))
        for leg, resting in targets.items():
            held = self._books.followed(name, leg).sizes.now
            if resting > held:
                self._tell(Rule.ORPHAN, name, f"targets of {resting} on {held} {leg[0]} {leg[1]}", f"{leg}")

    def _check_audit(self) -> None:
        """What two audits find, one shortly after the other, as the command looks twice."""
        found = self._findings()
        if found:
            self._stage.run(_TWICE_MS)
            again = self._findings()
            for key in found.keys() & again.keys():
                finding = again[key]
                text = f"{finding.code} {finding.symbol}: {finding.expected} / {finding.actual}"
                self._tell(Rule.FINDING, finding.account, text, f"{finding.code} {finding.symbol}")

    def _findings(self) -> dict[object, Finding]:
        """What is found and should not be; what was made by hand, or waits for the trader, should."""
        found = (finding for finding in self._stage.audit() if finding.severity is not Severity.INFO)
        lost = bool(self._stage.world.stores_lost)
        return {finding.key: finding for finding in found if not _is_known(finding, lost)}


def _is_known(finding: Finding, lost: bool) -> bool:
    """What was made by hand; a better stop that price has passed, so that the standing one stays (A24).

    And the ladder on main of a trade whose intent was `lost` with the store: it is the trader's own now.
    """
    if finding.account == MAIN and finding.code is Code.TARGET_QTY and lost:
        return True
    return finding.code in _BY_HAND or (finding.code is Code.NO_STOP and finding.severity is Severity.WARNING)


def _floor(qty: Decimal, step: Decimal) -> Decimal:
    return (qty / step).to_integral_value(ROUND_DOWN) * step
