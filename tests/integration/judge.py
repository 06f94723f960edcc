"""What the exchange's own books say of a daemon's work: sizes, stops, ids, strangers. Not what the daemon thinks."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import requests

from mirrorctl.core.paper.fault_catalogue import at_once, find
from mirrorctl.core.paper.gateway import Gateway
from mirrorctl.core.paper.guards import guards_of
from mirrorctl.core.paper.model import Order, Position, Side, WriteRecord
from mirrorctl.core.paper.state import State
from tests.integration.stage import UIDS, Stage

CREATE = "/v5/order/create"
RATIOS = {"half": Decimal("0.5"), "quarter": Decimal("0.25")}
MIRRORS = tuple(RATIOS)

Held = dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class Sent:
    """One request to place an order that reached the exchange. `code` 0: it was accepted."""

    account: str
    symbol: str
    link_id: str
    code: int


class Judge:
    """Reads the books on the exchange's own thread."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def held(self, account: str) -> Held:
        """Signed size of every open position, by symbol."""
        return self._stage.server.run(lambda gateway, _: _held(gateway.exchange.state, UIDS[account]))

    def wanted(self, account: str) -> Held:
        """Main's positions times the account's ratio, floored to the step; what comes to nothing is left out."""
        return self._stage.server.run(lambda gateway, _: _wanted(gateway.exchange.state, RATIOS[account]))

    def in_step(self, *accounts: str) -> bool:
        """Whether mirrors hold what they should, each position under main's stop."""

        def look(gateway: Gateway, _: int) -> bool:
            state = gateway.exchange.state
            stops = _stops(state, UIDS["main"])
            return all(
                _held(state, UIDS[name]) == (wanted := _wanted(state, RATIOS[name]))
                and _stops(state, UIDS[name]) == {symbol: stops[symbol] for symbol in wanted}
                for name in accounts or MIRRORS
            )

        return self._stage.server.run(look)

    def traded(self, account: str) -> Held:
        """Everything an account ever bought and sold, in base coin, by symbol. Funding is no trade."""

        def look(gateway: Gateway, _: int) -> Held:
            sums: Held = {}
            for row in gateway.exchange.state.history[UIDS[account]].executions:
                if row.exec_type != "Funding":
                    sums[row.symbol] = sums.get(row.symbol, Decimal(0)) + row.qty
            return sums

        return self._stage.server.run(look)

    def sent(self) -> list[Sent]:
        """Every order that the daemon asked for, in the order of arrival."""
        names = {uid: name for name, uid in UIDS.items()}

        def look(gateway: Gateway, _: int) -> list[Sent]:
            return [
                Sent(names[row.uid], str(row.body["symbol"]), str(row.body["orderLinkId"]), row.ret_code)
                for row in gateway.exchange.state.writes
                if row.path == CREATE and not _by_hand(row)
            ]

        return self._stage.server.run(look)

    def touched(self, account: str) -> list[str]:
        """Paths of writes that the daemon sent to an account."""

        def look(gateway: Gateway, _: int) -> list[str]:
            rows = gateway.exchange.state.writes
            return [row.path for row in rows if row.uid == UIDS[account] and not _by_hand(row)]

        return self._stage.server.run(look)

    def stranger(self, account: str, symbol: str = "LTCUSDT") -> Stranger:
        """An order by hand, without a link id, that nobody may touch."""
        order_id = self._stage.order(account, "Buy", "1", price="70", symbol=symbol)
        return Stranger(self._stage, UIDS[account], order_id)

    def path(self, account: str, symbol: str) -> list[Decimal]:
        """The signed position after each execution, funding left out."""

        def look(gateway: Gateway, _: int) -> list[Decimal]:
            size, sizes = Decimal(0), []
            for row in gateway.exchange.state.history[UIDS[account]].executions:
                if row.symbol == symbol and row.exec_type != "Funding":
                    size += row.qty if row.side is Side.BUY else -row.qty
                    sizes.append(size)
            return sizes

        return self._stage.server.run(look)

    def limits(self) -> tuple[int, int]:
        """(requests over a bucket, bans of the address) so far."""
        return self._stage.server.run(lambda gateway, _: (gateway.rates.exceeded, gateway.rates.bans))


class Stranger:
    """Somebody else's order, as it was when it was placed."""

    def __init__(self, stage: Stage, uid: int, order_id: str) -> None:
        self._stage, self._uid, self._order_id = stage, uid, order_id
        self._before = self._shape()

    @property
    def untouched(self) -> bool:
        """Whether it still stands, unchanged."""
        return self._shape() == self._before

    def _shape(self) -> tuple[object, ...]:
        def look(gateway: Gateway, _: int) -> Order:
            return gateway.exchange.state.orders_by_uid[self._uid][self._order_id]

        order = self._stage.server.run(look)
        return order.status, order.price, order.qty, order.filled, order.updated_ms


def _legs(state: State, uid: int) -> list[Position]:
    return [leg for leg in state.positions[uid].values() if leg.size]


def _held(state: State, uid: int) -> Held:
    return {leg.symbol: leg.signed for leg in _legs(state, uid)}


def _stops(state: State, uid: int) -> Held:
    """The stop that is bound to every open position; 0 where there is none."""
    return {leg.symbol: guards_of(state, leg).stop_loss for leg in _legs(state, uid)}


def _wanted(state: State, ratio: Decimal) -> Held:
    sizes = {}
    for leg in _legs(state, UIDS["main"]):
        step = state.instruments[leg.symbol].step
        size = leg.size * ratio // step * step
        if size:
            sizes[leg.symbol] = size if leg.signed > 0 else -size
    return sizes


def fault(
    stage: Stage,
    kind: str,
    account: str | None = None,
    target: str = "",
    *,
    count: int | None = 1,
    for_ms: int | None = None,
    **args: Any,
) -> None:
    """What `mirrorctl paper fault KIND` does, by the same routes."""
    entry = find(kind)
    body: dict[str, Any] = {"kind": kind, "account": account, "target": target, "args": args}
    if for_ms is not None:
        body["for_ms"] = for_ms
    else:
        body["count"] = count
    if entry.route:
        body = at_once(entry, account, target, args)
    with requests.Session() as http:
        http.trust_env = False
        url = stage.server.rest_url + (entry.route or "/paper/fault")
        answer = http.post(url, json=body, timeout=5)
    assert answer.status_code == 200, answer.text


def _by_hand(row: WriteRecord) -> bool:
    """Tests place orders without a link id, which the daemon never does."""
    return row.path == CREATE and "orderLinkId" not in row.body


def accepted_once(sent: list[Sent]) -> bool:
    """Whether no link id was accepted twice, and none asked for again once the exchange had accepted it."""
    accepted: set[tuple[str, str]] = set()
    for row in sent:
        if (row.account, row.link_id) in accepted:
            return False
        if row.code == 0:
            accepted.add((row.account, row.link_id))
    return True
