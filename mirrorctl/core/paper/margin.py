"""Cross margin of one account: what it is worth, what is reserved, what an order would cost."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mirrorctl.core.paper.decimals import ZERO, money
from mirrorctl.core.paper.instruments import Instrument
from mirrorctl.core.paper.model import Account, Order, Position, Side
from mirrorctl.core.paper.state import State


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over an account, in USDT (taken as USD)."""

    wallet: Decimal
    unrealised: Decimal
    position_margin: Decimal
    order_margin: Decimal
    maintenance: Decimal

    @property
    def equity(self) -> Decimal:
        """Wallet balance plus unrealised PnL; also the margin balance under cross margin."""
        return self.wallet + self.unrealised

    @property
    def available(self) -> Decimal:
        """Margin balance less all initial margin (docs v5/account/wallet-balance)."""
        return self.equity - self.position_margin - self.order_margin

    @property
    def underwater(self) -> bool:
        """Maintenance margin is no longer covered: liquidation."""
        return self.maintenance > ZERO and self.equity <= self.maintenance


def order_cost(value: Decimal, leverage: Decimal, taker_rate: Decimal) -> Decimal:
    """Initial margin of an opening order of that value plus the fees to open and to close it."""
    return value / leverage + value * taker_rate * 2


def opening_qty(order: Order, leg: Position | None) -> Decimal:
    """The part of what is left of an order that would add exposure."""
    if order.reduce_only or closes_hedge_leg(order):
        return ZERO
    if leg is None or leg.side is not order.side.opposite:
        return order.leaves
    return max(ZERO, order.leaves - leg.size)


def closes_hedge_leg(order: Order) -> bool:
    """A hedge-mode order against its leg can only reduce."""
    return (order.idx == 1 and order.side is Side.SELL) or (order.idx == 2 and order.side is Side.BUY)


def totals(state: State, uid: int, without: Order | None = None) -> Totals:
    """Sums of the account at current mark prices, leaving out one order if asked to."""
    account = state.accounts[uid]
    unrealised = margin = maintenance = ZERO
    for leg in state.positions[uid].values():
        if leg.size:
            mark = state.markets[leg.symbol].mark_price
            value = leg.size * mark
            unrealised += leg.unrealised(mark)
            margin += value / account.leverage_of(leg.symbol)
            maintenance += value * state.instruments[leg.symbol].maintenance_rate
    return Totals(account.wallet, unrealised, margin, _order_margin(state, account, without), maintenance)


def _order_margin(state: State, account: Account, without: Order | None) -> Decimal:
    total = ZERO
    credit: dict[tuple[str, int, Side], Decimal] = {}
    for order in state.orders_by_uid[account.uid].values():
        if order is without or not order.resting or order.reduce_only or closes_hedge_leg(order):
            continue
        key = (order.symbol, order.idx, order.side)
        if key not in credit:
            credit[key] = state.held(account.uid, order.symbol, order.idx, order.side)
        free = min(credit[key], order.leaves)
        credit[key] -= free
        value = (order.leaves - free) * order.price
        total += order_cost(value, account.leverage_of(order.symbol), account.taker_rate)
    return total


def affordable(state: State, order: Order, price: Decimal, without: Order | None = None) -> bool:
    """Whether the account can pay for an order at that price, counted in place of `without`."""
    leg = state.positions[order.uid].get((order.symbol, order.idx))
    opening = opening_qty(order, leg)
    if not opening:
        return True
    account = state.accounts[order.uid]
    cost = order_cost(opening * price, account.leverage_of(order.symbol), account.taker_rate)
    return cost <= totals(state, order.uid, without).available


def liquidation_price(leg: Position, item: Instrument, mark: Decimal, sums: Totals) -> str:
    """Estimated price at which the account's equity meets its maintenance margin, "" when out of range."""
    if not leg.size:
        return ""
    others = sums.maintenance - leg.size * mark * item.maintenance_rate
    if leg.side is Side.BUY:
        price = (leg.size * mark - sums.equity + others) / (leg.size * (1 - item.maintenance_rate))
    else:
        price = (leg.size * mark + sums.equity - others) / (leg.size * (1 + item.maintenance_rate))
    return item.price(price) if item.min_price < price < item.max_price else ""


def wallet_row(state: State, uid: int) -> dict[str, Any]:
    """The one list entry of account/wallet-balance, also the data of the wallet topic."""
    sums = totals(state, uid)
    initial = money(sums.position_margin + sums.order_margin)
    maintenance = money(sums.maintenance)
    equity = money(sums.equity)
    im_rate = _rate(sums.position_margin + sums.order_margin, sums.equity)
    mm_rate = _rate(sums.maintenance, sums.equity)
    return {
        "accountType": "UNIFIED",
        "accountIMRate": im_rate,
        "accountIMRateByMp": im_rate,
        "accountMMRate": mm_rate,
        "accountMMRateByMp": mm_rate,
        "accountLTV": "0",
        "totalEquity": equity,
        "totalWalletBalance": money(sums.wallet),
        "totalMarginBalance": equity,
        "totalAvailableBalance": money(max(ZERO, sums.available)),
        "totalPerpUPL": money(sums.unrealised),
        "totalInitialMargin": initial,
        "totalInitialMarginByMp": initial,
        "totalMaintenanceMargin": maintenance,
        "totalMaintenanceMarginByMp": maintenance,
        "coin": [
            {
                "coin": "USDT",
                "equity": equity,
                "usdValue": equity,
                "walletBalance": money(sums.wallet),
                "availableToWithdraw": "",
                "availableToBorrow": "",
                "borrowAmount": "0",
                "accruedInterest": "0",
                "totalOrderIM": money(sums.order_margin),
                "totalPositionIM": money(sums.position_margin),
                "totalPositionMM": maintenance,
                "unrealisedPnl": money(sums.unrealised),
                "cumRealisedPnl": money(state.accounts[uid].realised),
                "bonus": "0",
                "collateralSwitch": True,
                "marginCollateral": True,
                "colRes": "0",
                "locked": "0",
                "spotHedgingQty": "0",
                "spotBorrow": "0",
            }
        ],
    }


def _rate(part: Decimal, whole: Decimal) -> str:
    return money((part / whole).quantize(Decimal("0.0001"))) if whole > ZERO else "0"
