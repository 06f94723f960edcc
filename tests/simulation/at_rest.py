"""What has to be so whenever everything is at rest, by the exchange's books and the words of `status`."""

from __future__ import annotations

from decimal import Decimal

from mirrorctl.core.domain.policy import Direction, Hedge, SizingMode
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.simulation.stage import Stage
from tests.simulation.books import Books, Cycle, Span
from tests.simulation.draws import NAMES, SYMBOLS
from tests.simulation.main_books import ZERO, Leg, floor, step_of

DUST = Decimal("1e-12")  # what a ratio that never ends loses when it is cut


class AtRest:
    """The checks of one stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.books = Books(stage)
        self.books.look()
        self.policies = self.books.policies

    def frozen(self) -> bool:
        """Whether a mirror refuses two legs: status says that it lacks something, for as long as both stand (A14)."""
        return any(self.books.effective(name, leg) is None for name in NAMES for leg in self.books.cycles)

    def check(self) -> None:
        """Nothing was broken on the way, every mirror is where its policy wants it, and everybody is silent."""
        assert not self.books.broken, "; ".join(self.books.broken[:5])
        assert not self.stage.sent("main"), "nothing is ours on main"
        for name in NAMES:
            for symbol in SYMBOLS:
                for side in PositionSide:
                    self.check_side(name, (symbol, side))
        sent = len(self.stage.sent())
        self.books.run(45_000)
        more = [row.action for row in self.stage.sent()[sent:]]
        assert not more, f"not silent: {more}"

    def check_side(self, name: str, here: Leg) -> None:
        symbol, side = here
        have = max(self.books.position(name, symbol, side) * side.sign, ZERO)
        cycles = list(self.books.sources(name, here))
        about = f"{name} {symbol} {side}: {have}"
        if not cycles:
            assert not have, f"{about} and main is flat"
            return
        [cycle] = cycles
        size, ratio = self.books.effective(name, cycle.leg), cycle.sized.get(name)
        if size is None:
            assert self.stage.parked(name) or self.excuses(name, symbol), f"{about}: both legs, and nothing said"
            return
        if name in cycle.out:
            assert have <= cycle.late.get(name, ZERO), f"{about} after {cycle.out[name]}"
            return
        if ratio is None:
            assert not have, f"{about} without a ratio"
            assert not size or self.excuses(name, symbol), f"{about}: no ratio and no reason"
            return
        lead = self.books.resting(name, cycle.leg)
        most, least = floor(symbol, ratio.high * (size + lead) + DUST), floor(symbol, ratio.low * size)
        sold = cycle.own_sales.get(name, ZERO)
        assert have <= most + (step_of(symbol) if lead else ZERO), f"{about} over {most}"
        if have < least - (sold + step_of(symbol) if sold else ZERO):
            reasons = self.excuses(name, symbol)
            assert reasons, f"{about} under {least} of main's {size}, and nothing said"
            wrong = [reason for reason in reasons if not self.holds(name, cycle, here, reason, most - have)]
            assert len(wrong) < len(reasons), f"{about} under {least}: {wrong} is not so"
        elif size and not sold and not lead and not self.excuses(name, symbol):
            kept = ratio.cut(Span((have - DUST) / size, (have + step_of(symbol)) / size))
            assert kept, f"{about}: no ratio of {ratio} gives it of {size}"
            cycle.sized[name] = kept

    def excuses(self, name: str, symbol: str) -> list[str]:
        """Why growth is held, in the words of `status`."""
        rows = self.stage.status()["held"]
        return [row["reason"] for row in rows if (row["account"], row["symbol"]) == (name, symbol)]

    def holds(self, name: str, cycle: Cycle, here: Leg, reason: str, lacking: Decimal) -> bool:
        """Whether a reason for which growth is held is true by the exchange's books."""
        policy, leg, (symbol, _) = self.policies[name], cycle.leg, here
        kind, _, rest = reason.partition(":")
        dear = Decimal("1.06")  # all is weighed at the worst price that an entry may pay: 500 bps and what prices moved
        worth = {symbol: value * dear for symbol, value in self.books.notionals(name).items()}
        price = self.stage.world.exchange.state.markets[symbol].last * dear
        match kind.split(" ")[0]:
            case "filter":
                return self.books.filtered(policy, leg)
            case "no":
                return policy.follow.direction is Direction.REVERSE and not self.books.aimed(leg)
            case "sizing":
                return policy.sizing.mode is SizingMode.RISK
            case "hedge":
                return policy.follow.hedge is not Hedge.NET or self.books.policies[name].follow.hedge is Hedge.REFUSE
            case "map":
                return any(to.symbol == symbol for to in policy.map.values())
            case "below":
                return lacking < 2 * step_of(symbol)
            case "limit" if "max_position_notional" in reason:
                return worth.get(symbol, ZERO) + lacking * price > (policy.limits.max_position_notional or ZERO)
            case "limit" if "max_total_notional" in reason:
                return sum(worth.values()) + lacking * price > (policy.limits.max_total_notional or ZERO)
            case "limit" if "max_open_positions" in reason:
                return symbol not in worth and len(worth) >= (policy.limits.max_open_positions or 0)
            case "own":
                return bool(rest) and name in cycle.out
        return False
