"""A trader's hand on a stage: one trade on main, told in the words of a long.

For a short every price is mirrored at 60000 and every side is the other one, so one script with one table of what must
stand tells both. What an account shows is written in one line:

    size | targets price:qty, nearest first | resting entries price:qty, nearest first | stop | phase
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, Decimal
from typing import Any

from mirrorctl.core.domain.ids import LinkId, Role, step_tag
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.trade import Target, Trade
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.engine.monitors import monitors
from mirrorctl.core.simulation.stage import Stage
from mirrorctl.core.simulation.trader import SYMBOL, Trader

MIDDLE = Decimal(60_000)
TICK = Decimal("0.1")
TAG = "lifetag"
TOLD_MS = 11_000  # a close waits for its record before it is told
TAKER, MARGIN = Decimal("0.00055"), Decimal("0.0002")


class Hand:
    """Main's trader. Quantities and prices are decimal strings, prices those of a long."""

    def __init__(self, stage: Stage, side: PositionSide = PositionSide.LONG, *, hedged: bool = False) -> None:
        self.stage = stage
        self.side = side
        self.idx = side.hedge_idx if hedged else 0

    # --- prices -----------------------------------------------------------------------------------------------

    def at(self, price: str | Decimal) -> str:
        """A price of the script as it is on this side."""
        return plain(MIDDLE + self.side.sign * (Decimal(price) - MIDDLE))

    def market(self, price: str) -> None:
        """The price moves there, trading through what stands on the way."""
        self.stage.price(self.at(price))

    # --- orders -----------------------------------------------------------------------------------------------

    def enter(self, qty: str, price: str = "", *, stop: str = "", leg: int | None = None) -> str:
        """An entry at market or at a price. `leg`: as an entry that mirrorctl itself placed for its trade."""
        more: dict[str, Any] = {"idx": self.idx}
        if stop:
            more["stop"] = self.at(stop)
        if leg is not None:
            more["orderLinkId"] = str(self.entry_link(leg))
        return self._order(self.side.sign > 0, qty, price, more)

    def reduce(self, qty: str, price: str = "") -> str:
        """A reduce-only order, at market or resting at a price."""
        return self._order(self.side.sign < 0, qty, price, {"idx": self.idx, "reduceOnly": True})

    def protect(self, stop: str = "", **more: str) -> None:
        """Set or move the stop of main's position by trading-stop."""
        self.stage.main.protect(stop=self.at(stop) if stop else "", idx=self.idx, **more)

    def move(self, order_id: str, price: str = "", qty: str = "") -> None:
        """Amend an order of main's."""
        changes = {"price": self.at(price)} if price else {}
        self.stage.main.amend(order_id, **changes, **({"qty": qty} if qty else {}))

    def entry_link(self, leg: int) -> LinkId:
        return LinkId(self.stage.engine.main.tag, TAG, Role.ENTRY, leg, step_tag("entry", TAG), 0)

    def trade(self, targets: str, **terms: Any) -> Trade:
        """The trade that mirrorctl manages on main, as `trade open` writes it down. `targets`: "61000:50 62000:50"."""
        pairs = [part.split(":") for part in targets.split()]
        rungs = tuple(Target(Decimal(self.at(price)), Decimal(percent)) for price, percent in pairs)
        if "stop" in terms:
            terms["stop"] = Decimal(self.at(terms["stop"]))
        after = {"breakeven_after": 1, "cancel_entries_after": 1}
        made = Trade(SYMBOL, self.side, TAG, "custom", self.stage.world.now_ms(), rungs, **{**after, **terms})
        world = self.stage.world
        crash_at, world.crash_at = world.crash_at, 0  # a kill here would be one of the script, not of the daemon
        self.stage.engine.trades.save(made)
        world.crash_at = crash_at
        return made

    # --- what stands ------------------------------------------------------------------------------------------

    def of(self, name: str) -> Trader:
        return self.stage.main if name == "main" else self.stage.of(name)

    def leg(self, name: str) -> int:
        return self.idx if name == "main" else 0

    def size(self, name: str) -> Decimal:
        """Positive on the side of the trade."""
        return self.of(name).position(idx=self.leg(name)) * self.side.sign

    def stop(self, name: str) -> Decimal | None:
        stop = self.of(name).stop(idx=self.leg(name))
        return None if stop is None else Decimal(self.at(stop))

    def targets(self, name: str) -> list[tuple[Decimal, Decimal]]:
        """(price, open quantity) of the reduce-only orders, nearest first."""
        return self._resting(name, lambda row: bool(row["reduceOnly"]), 1)

    def entries(self, name: str) -> list[tuple[Decimal, Decimal]]:
        """(price, open quantity) of what would grow the position, nearest first."""
        return self._resting(name, lambda row: not row["reduceOnly"], -1)

    def rung(self, name: str, price: str) -> str:
        """The id of the resting exit at a price."""
        rows = [row for row in self.of(name).orders() if row["reduceOnly"]]
        return str(next(row["orderId"] for row in rows if Decimal(row["price"]) == Decimal(self.at(price))))

    def entry(self, name: str, price: str) -> dict[str, Any]:
        """The row of the resting entry at a price."""
        rows = [row for row in self.of(name).orders() if not row["reduceOnly"]]
        return next(row for row in rows if Decimal(row["price"]) == Decimal(self.at(price)))

    def phase(self, name: str) -> str:
        found = [m for m in monitors(self.stage.engine) if (m.account, m.side) == (name, self.side)]
        return found[0].phase.value if found else "closed"

    def shown(self, name: str) -> str:
        """What stands on an account, in one line."""
        stop = self.stop(name)
        parts = (
            plain(self.size(name)),
            _listed(self.targets(name)),
            _listed(self.entries(name)),
            "no stop" if stop is None else plain(stop),
            self.phase(name),
        )
        return " | ".join(parts)

    def breakeven(self, name: str = "main") -> str:
        """Average entry, the fees its entries cost, an exit at the taker rate and 2 basis points, on the safe side.

        From what the exchange recorded, counted since the position was last flat.
        """
        leg = self.stage.world.exchange.state.position(self.stage.world.uids[name], SYMBOL, self.leg(name))
        entry = leg.entry_value / leg.size
        bought = [row for row in self.of(name).fills(SYMBOL) if not Decimal(row["closedSize"])]
        qty = sum((Decimal(row["execQty"]) for row in bought), Decimal(0))
        fees = sum((Decimal(row["execFee"]) for row in bought), Decimal(0)) / qty
        away = fees + entry * TAKER + entry * MARGIN
        above = entry + away if self.side.sign > 0 else MIDDLE + MIDDLE - (entry - away)
        return plain((above / TICK).to_integral_value(rounding=ROUND_CEILING) * TICK)

    # --- silence ----------------------------------------------------------------------------------------------

    def silent(self) -> None:
        """Settle; then a further sync, and the relist after it, send nothing and tell nothing (A36)."""
        stage = self.stage
        stage.settle()
        stage.run(TOLD_MS)
        sent, told = len(stage.sent()), len(stage.alerts())
        stage.command("sync")
        stage.run(21_000)
        stage.settle()
        said = [row.action for row in stage.sent()[sent:]], [alert.text for alert in stage.alerts()[told:]]
        assert said == ([], []), f"not silent: {said}"

    # --- inside -----------------------------------------------------------------------------------------------

    def _order(self, buys: bool, qty: str, price: str, more: dict[str, Any]) -> str:
        main = self.stage.main
        if price:
            return (main.bid if buys else main.offer)(qty, self.at(price), **more)
        return (main.buy if buys else main.sell)(qty, **more)

    def _resting(self, name: str, chosen: Callable[[dict[str, Any]], bool], sign: int) -> list[tuple[Decimal, Decimal]]:
        rows = [row for row in self.of(name).orders() if chosen(row) and int(row["positionIdx"]) == self.leg(name)]
        found = [(Decimal(self.at(row["price"])), Decimal(row["leavesQty"])) for row in rows]
        return sorted(found, key=lambda pair: pair[0] * sign)


def _listed(pairs: list[tuple[Decimal, Decimal]]) -> str:
    return " ".join(f"{plain(price)}:{plain(qty)}" for price, qty in pairs) or "-"
