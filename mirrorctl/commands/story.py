"""The demo's story: one trade on main from open to close, and what was observed on each mirror meanwhile.

Every line is a fact that was read: from the exchange's own books, from the daemon's `status`, or from the result of a
command. A chapter that does not come to its end in time ends the story: it says what the daemon says about it, and the
demo has not converged.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from mirrorctl.commands.stage import Stage
from mirrorctl.core.domain.instruments import plain
from mirrorctl.core.domain.policy import MAIN

SYMBOL = "BTCUSDT"
_STOP, _ADD, _DIP = "57000", "59500", "59480"
_ADD_QTY = "0.04"
_STEP_S = 8.0
_DOWN_S = 5.0
_BLIND_S = 1.0
_POLL_S = 0.05

Say = Callable[[str, str], None]
"""(account or "exchange", what was observed)"""


class Unsettled(Exception):
    """A chapter did not come to its end in time."""


class Story:
    """`tell` plays it. `failed` names the chapter that did not come to its end; "" when all did."""

    def __init__(self, stage: Stage, say: Say, *, pace_s: float = 0.0) -> None:
        self.failed = ""
        self._stage = stage
        self._say = say
        self._pace_s = pace_s
        self._mirrors = [name for name in stage.accounts if name != MAIN]

    def tell(self) -> None:
        """The whole story, in order."""
        try:
            self._open()
            self._add()
            self._dip()
            self._reduce()
            if self._mirrors:
                self._lose(self._mirrors[-1])
            self._close()
        except Unsettled as unsettled:
            self.failed = str(unsettled)
            self._say("demo", f"{self.failed}: not every account was in step within {_STEP_S:g} s")
            self._explain()

    def rows(self) -> list[dict[str, Any]]:
        """Where every account stands: want by the daemon, have by the exchange's books."""
        status = self._stage.status()
        rows = []
        for name in self._stage.accounts:
            want = self._want(status, name)
            have = self._have(name)
            in_step = None if name == MAIN else self._is_known(status, name) and want == have
            role = MAIN if name == MAIN else "mirror"
            rows.append({"account": name, "role": role, "want_qty": want, "have_qty": have, "in_step": in_step})
        return rows

    # --- chapters --------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._begin(MAIN, f"opens {SYMBOL} long at market: margin 1000 USDT, leverage 5, stop {_STOP}")
        self._trade("trade.open", side="long", margin="1000", leverage="5", stop=_STOP)
        self._settle("the opening")

    def _add(self) -> None:
        self._begin(MAIN, f"adds a limit buy: {_ADD_QTY} at {_ADD}")
        self._trade("trade.open", side="long", qty=_ADD_QTY, entries=[_ADD], stop=_STOP)
        reached = self._wait(lambda: all(self._stage.resting(name) == 1 for name in self._stage.accounts))
        for name in self._mirrors:
            self._say(name, f"{self._stage.resting(name)} limit order rests")
        if not reached:
            raise Unsettled("the limit add")

    def _dip(self) -> None:
        self._begin("exchange", f"{SYMBOL} trades down to {_DIP}")
        self._stage.exchange.set_price(SYMBOL, Decimal(_DIP))
        self._wait(lambda: not self._stage.resting(MAIN))
        self._settle("the limit fill")

    def _reduce(self) -> None:
        self._begin(MAIN, "reduces by half")
        self._trade("trade.reduce", amount="50", percent=True)
        self._settle("the reduction")

    def _lose(self, name: str) -> None:
        self._begin("exchange", f"refuses every connection of {name} and resets its streams")
        fault = self._stage.cut_off(name)
        if self._wait(lambda: self._account(name)["stream"] == "down", _DOWN_S):
            self._say(name, f"stream down: {self._account(name)['error']}")
        self._say(MAIN, "reduces by half again")
        self._trade("trade.reduce", amount="50", percent=True, wait_s="0")
        others = [other for other in self._mirrors if other != name]
        if not self._wait(lambda: all(self._in_step(self._stage.status(), other) for other in others)):
            raise Unsettled("the reduction without " + name)
        for account in [MAIN, *others, name]:
            self._say(account, self._holding(account))
        time.sleep(_BLIND_S)
        self._begin("exchange", f"accepts {name} again")
        self._stage.restore(fault)
        began = time.monotonic()
        if self._wait(lambda: self._in_step(self._stage.status(), name)):
            self._say(name, f"back in step after {time.monotonic() - began:.1f} s: {self._holding(name)}")
        else:
            raise Unsettled(f"the return of {name}")

    def _close(self) -> None:
        self._begin(MAIN, "closes at market")
        self._trade("trade.close")
        self._settle("the close")

    def _begin(self, who: str, what: str) -> None:
        """A chapter begins: what is about to be done."""
        time.sleep(self._pace_s)
        self._say(who, what)

    # --- acting and looking ----------------------------------------------------------------------------------------

    def _trade(self, name: str, **args: Any) -> None:
        self._stage.command(name, {"symbol": SYMBOL, "wait_s": "5", **args}, lambda _event: None)

    def _settle(self, chapter: str) -> None:
        """Wait until every account is in step, and say what each holds."""

        def settled() -> bool:
            status = self._stage.status()
            return bool(status["in_sync"]) and all(self._in_step(status, name) for name in self._mirrors)

        reached = self._wait(settled)
        for name in self._stage.accounts:
            self._say(name, self._holding(name))
        if not reached:
            raise Unsettled(chapter)

    def _explain(self) -> None:
        """What the daemon says about accounts that are not in step."""
        status = self._stage.status()
        for row in status["accounts"]:
            if row["state"] != "fresh" or row["error"]:
                self._say(row["account"], f"{row['state']}: {row['error']}")
        for row in status["drift"]:
            self._say(row["account"], f"{row['symbol']} holds {row['have']}, should hold {row['want']}")
        for row in [*status["held"], *status["parked"]]:
            self._say(row["account"], f"{row['symbol']} is held back: {row['reason']}")

    def _wait(self, ready: Callable[[], bool], within_s: float = _STEP_S) -> bool:
        until = time.monotonic() + within_s
        while not ready():
            if time.monotonic() >= until:
                return False
            time.sleep(_POLL_S)
        return True

    def _account(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(row for row in self._stage.status()["accounts"] if row["account"] == name)
        return found

    def _in_step(self, status: dict[str, Any], name: str) -> bool:
        return self._is_known(status, name) and self._want(status, name) == self._have(name)

    @staticmethod
    def _is_known(status: dict[str, Any], name: str) -> bool:
        return any(row["account"] == name and row["state"] == "fresh" for row in status["accounts"])

    @staticmethod
    def _want(status: dict[str, Any], name: str) -> Decimal:
        """A side that follows no cycle is wanted flat."""
        wants = status["wants"].get(name, {})
        return Decimal(wants.get(f"{SYMBOL} long", "0"))

    def _have(self, name: str) -> Decimal:
        return sum((Decimal(row["size"]) for row in self._stage.positions(name)), Decimal(0))

    def _holding(self, name: str) -> str:
        """What an account holds on the exchange's own books."""
        rows = self._stage.positions(name)
        if not rows:
            return f"flat, {self._stage.resting(name)} open orders"
        held = []
        for row in rows:
            side = "long" if row["side"] == "Buy" else "short"
            stop = f"stop {plain(Decimal(row['stopLoss']))}" if Decimal(row["stopLoss"] or 0) else "no stop"
            held.append(f"{side} {plain(Decimal(row['size']))} {row['symbol']} from {_price(row['avgPrice'])}, {stop}")
        return "; ".join(held)


def _price(text: str) -> str:
    return plain(Decimal(text).quantize(Decimal("0.01")))
