"""What every copier is told: where its exchange is, how many mirrors it has, and its core."""

from __future__ import annotations

import argparse
import threading
from dataclasses import dataclass
from typing import NoReturn

from benchmarks.cores import pin

SYMBOL = "BTCUSDT"


@dataclass(frozen=True, slots=True)
class Arguments:
    """`entry`: "http" or "ws", the way orders take. `profile`, `stamps`: where such records go; "" for none."""

    port: int
    mirrors: int
    entry: str
    profile: str = ""
    stamps: str = ""

    @property
    def rest(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def private(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v5/private"

    @property
    def trade(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v5/trade"

    @property
    def names(self) -> list[str]:
        return [f"m{number}" for number in range(1, self.mirrors + 1)]


def arguments() -> Arguments:
    """From the command line; the process is on its core from now on."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--mirrors", type=int, default=1)
    parser.add_argument("--entry", choices=("http", "ws"), default="http")
    parser.add_argument("--core", type=int, default=-1)
    parser.add_argument("--profile", default="")
    parser.add_argument("--stamps", default="")
    given = parser.parse_args()
    pin(given.core if given.core >= 0 else None)
    return Arguments(given.port, given.mirrors, given.entry, given.profile, given.stamps)


def stay() -> NoReturn:
    """Let the threads work until a signal ends the process."""
    while True:
        threading.Event().wait(3600)


def order(qty: str, side: str = "Buy") -> dict[str, str]:
    """The least that Bybit takes for an order at market."""
    return {"category": "linear", "symbol": SYMBOL, "side": side, "orderType": "Market", "qty": qty}
