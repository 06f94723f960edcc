"""A paper server for clients nobody here wrote: stock pybit and ccxt."""

from collections.abc import Iterator
from decimal import Decimal, getcontext, setcontext

import pytest

from mirrorctl.core.paper.desk import Switches
from mirrorctl.core.paper.model import PaperAccount
from mirrorctl.core.paper.server import PaperServer

MAIN = PaperAccount("main", 101, "key-main", "secret-main")
MIRROR = PaperAccount("mirror", 102, "key-mirror", "secret-mirror", balance=Decimal(5000))


@pytest.fixture
def server() -> Iterator[PaperServer]:
    """Main and one mirror, prices standing still. Stock pybit sends an order before it notes that it waits for an
    answer, and loses one that comes too fast."""
    with PaperServer([MAIN, MIRROR], volatility=Decimal(0), switches=Switches(trade_ms=50)) as running:
        yield running


@pytest.fixture(autouse=True)
def _own_rounding() -> Iterator[None]:
    """ccxt changes how this thread rounds decimals; no other test shall see it."""
    before = getcontext().copy()
    yield
    setcontext(before)
