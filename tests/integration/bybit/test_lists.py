"""Rules and fees of many symbols are read in one list: a start with 200 positions costs pages, not symbols (A50)."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from mirrorctl.core.bybit.reader import AccountReader
from mirrorctl.core.domain.instruments import Instrument
from mirrorctl.core.engine.ports import (
    Answer,
    Event,
    FeeRateAnswer,
    Query,
    ReadDone,
    ReadFailed,
    ReadFeeRate,
    ReadInstrument,
    ReadTicker,
)
from mirrorctl.core.paper.faults import Fault, FaultKind
from mirrorctl.core.paper.instruments import CATALOGUE
from mirrorctl.core.paper.server import PaperServer
from tests.integration.bybit.conftest import ACCOUNT, connect

MANY = 200
CONTRACTS = tuple(replace(CATALOGUE[1], symbol=f"C{n:03}USDT", symbol_id=1_000 + n) for n in range(MANY))
RULES, FEES, TICKERS = "/v5/market/instruments-info", "/v5/account/fee-rate", "/v5/market/tickers"


class Reads:
    """A reader of an exchange with 200 contracts, whose first answer waits until everything was asked."""

    def __init__(self, server: PaperServer) -> None:
        self.paths: Counter[str] = Counter()
        self._server = server
        self._told: queue.Queue[Event] = queue.Queue()
        self.reader = AccountReader(connect(server, timeout_s=5), self._deliver)
        self._asked = threading.Event()
        server.run(lambda gateway, _now: self._count(gateway))

    def _count(self, gateway: object) -> None:
        plain = gateway.carry  # type: ignore[attr-defined]  # the server's gateway

        def counted(uid: int, method: str, path: str, *more: object) -> object:
            self.paths[path] += 1
            return plain(uid, method, path, *more)

        gateway.carry = counted  # type: ignore[attr-defined]  # counts, and passes on

    def _deliver(self, event: Event) -> None:
        self._asked.wait(5)
        self._told.put(event)

    def fault(self, path: str) -> None:
        """Every list or row of a path is refused once."""
        self._server.run(lambda gateway, _now: gateway.faults.add(Fault(FaultKind.HTTP_STATUS, None, path, 1, {})))

    def answers(self, *queries: Query) -> dict[Query, Answer]:
        """What was answered to a first question that waits for the others, and to those."""
        self.reader.ask(ReadTicker(CONTRACTS[0].symbol))
        for query in queries:
            self.reader.ask(query)
        self._asked.set()
        events = [self._told.get(timeout=10) for _ in range(len(queries) + 1)]
        return {event.query: event.answer for event in events[1:] if isinstance(event, ReadDone)}


@pytest.fixture
def reads() -> Iterator[Reads]:
    with PaperServer([ACCOUNT], volatility=Decimal(0), instruments=CONTRACTS) as server:
        opened = Reads(server)
        yield opened
        assert opened.reader.close()


@pytest.mark.proves("A50")
def test_rules_and_fees_of_two_hundred_symbols_are_one_request_each(reads: Reads) -> None:
    symbols = [contract.symbol for contract in CONTRACTS]
    found = reads.answers(*map(ReadInstrument, symbols), *map(ReadFeeRate, symbols))
    assert (reads.paths[RULES], reads.paths[FEES]) == (1, 1)
    for symbol in symbols:
        rules, fees = found[ReadInstrument(symbol)], found[ReadFeeRate(symbol)]
        assert isinstance(rules, Instrument)
        assert isinstance(fees, FeeRateAnswer)
        assert (rules.symbol, fees.symbol) == (symbol, symbol)


def test_a_few_are_read_by_themselves(reads: Reads) -> None:
    few = [ReadInstrument(contract.symbol) for contract in CONTRACTS[:3]]
    assert all(isinstance(answer, Instrument) for answer in reads.answers(*few).values())
    assert reads.paths[RULES] == 3


def test_a_symbol_that_the_list_lacks_is_refused_alone(reads: Reads) -> None:
    asked = [ReadInstrument(symbol) for symbol in ("NOSUCHUSDT", *(contract.symbol for contract in CONTRACTS[:5]))]
    found = reads.answers(*asked)
    refused = found.pop(asked[0])
    assert isinstance(refused, ReadFailed)
    assert refused.refused
    assert all(isinstance(answer, Instrument) for answer in found.values())
    assert reads.paths[RULES] == 2


def test_where_the_list_fails_each_is_read_by_itself(reads: Reads) -> None:
    reads.fault(RULES)
    asked = [ReadInstrument(contract.symbol) for contract in CONTRACTS[:5]]
    assert all(isinstance(answer, Instrument) for answer in reads.answers(*asked).values())
