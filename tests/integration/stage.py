"""A stage for tests over real sockets: a paper exchange in this process, real programs in others, one home for all."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from mirrorctl.core.paper.model import PaperAccount
from mirrorctl.core.paper.server import PaperServer
from tests import forkserver

UIDS = {"main": 501, "half": 502, "quarter": 503}
PROFILE = """
schema = 1
name = "stage"
environment = "paper"

[endpoints]
rest = "{rest}"
private_ws = "{private_ws}"
public_ws = "{public_ws}"

[main]
position_mode = "auto"

[mirror_defaults]
adopt = "all"

[mirror_defaults.follow]
grace_s = 2

[[mirrors]]
name = "half"
[mirrors.sizing]
value = "0.5"

[[mirrors]]
name = "quarter"
[mirrors.sizing]
value = "0.25"
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


@dataclass
class Stage:
    """Everything a test over real sockets touches. Programs are ended by their own pid."""

    server: PaperServer
    home: Path
    profile: Path
    running: list[forkserver.Process] = field(default_factory=list)

    @classmethod
    def open(cls, folder: Path) -> Stage:
        accounts = [PaperAccount(name, uid, f"paper-{name}", f"paper-{name}-secret") for name, uid in UIDS.items()]
        server = PaperServer(accounts, volatility=Decimal(0))
        server.start()
        server.set_price("BTCUSDT", Decimal(60000))
        profile = folder / "stage.toml"
        profile.write_text(
            PROFILE.format(rest=server.rest_url, private_ws=server.private_ws_url, public_ws=server.public_ws_url)
        )
        return cls(server, folder / "home", profile)

    def close(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            try:
                process.wait(6)
            except forkserver.TimedOutError:
                process.kill()
                process.wait(6)
        self.server.stop()

    # --- programs ------------------------------------------------------------------------------------------------

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "MIRRORCTL_HOME": str(self.home), "NO_COLOR": "1", "COLUMNS": "120"}

    def start(self, *arguments: str, module: str = "mirrorctl.cli") -> forkserver.Process:
        """A program that stays."""
        self.home.mkdir(exist_ok=True)
        process = forkserver.start(arguments, self.environ, None, self._log(len(self.running)), module)
        self.running.append(process)
        return process

    def start_daemon(self) -> forkserver.Process:
        """`mirrorctl run`, returned once it has said that it is ready."""
        process = self.start("run", "--profile", str(self.profile))
        log = self._log(len(self.running) - 1)
        while "ready" not in (log.read_text().splitlines() if log.exists() else ()):
            assert process.poll() is None, f"the daemon ended with {process.returncode} before it was ready"
            time.sleep(0.01)
        return process

    def _log(self, number: int) -> Path:
        return self.home / f"stderr-{number}"

    def run(self, *arguments: str, timeout_s: float = 30) -> Ended:
        """One command to its end."""
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder) / "out", Path(folder) / "err"
            process = forkserver.start([*arguments, "--profile", str(self.profile)], self.environ, out, err)
            try:
                code = process.wait(timeout_s)
            finally:
                process.kill()
            return Ended(code, out.read_text(), err.read_text())

    def json(self, *arguments: str) -> dict[str, Any]:
        """The document a command prints with --json."""
        done = self.run(*arguments, "--json")
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    # --- the exchange --------------------------------------------------------------------------------------------

    def call(self, account: str, method: str, path: str, **params: Any) -> dict[str, Any]:
        """A call as the account's own trader makes it in the phone app."""
        uid = UIDS[account]
        answer = self.server.run(lambda gateway, now: gateway.exchange.handle(uid, method, path, params, now))
        assert answer["retCode"] == 0, answer
        result: dict[str, Any] = answer["result"]
        return result

    def order(self, account: str, side: str, qty: str, **more: Any) -> str:
        """Place an order by hand; returns its id."""
        kind = "Limit" if "price" in more else "Market"
        fields = {"category": "linear", "symbol": "BTCUSDT", "side": side, "orderType": kind, "qty": qty, **more}
        return str(self.call(account, "POST", "/v5/order/create", **fields)["orderId"])

    def size(self, account: str) -> Decimal:
        """The signed BTCUSDT position."""
        rows = self.call(account, "GET", "/v5/position/list", category="linear", symbol="BTCUSDT")["list"]
        return sum((Decimal(r["size"]) * (1 if r["side"] == "Buy" else -1) for r in rows), Decimal(0))

    def stop_price(self, account: str) -> str:
        rows = self.call(account, "GET", "/v5/position/list", category="linear", symbol="BTCUSDT")["list"]
        return str(rows[0]["stopLoss"])

    def resting(self, account: str) -> list[tuple[str, str, str]]:
        """(side, price, qty) of resting orders that no position made."""
        rows = self.call(account, "GET", "/v5/order/realtime", category="linear", symbol="BTCUSDT")["list"]
        return sorted((r["side"], r["price"], r["qty"]) for r in rows if not r["stopOrderType"])

    def volume(self, account: str) -> tuple[Decimal, Decimal]:
        """(bought, sold) over all executions."""
        rows = self.call(account, "GET", "/v5/execution/list", category="linear", limit="100")["list"]
        total = {side: Decimal(0) for side in ("Buy", "Sell")}
        for row in rows:
            total[row["side"]] += Decimal(row["execQty"])
        return total["Buy"], total["Sell"]


def eventually(what: Callable[[], bool], within_s: float = 15.0) -> bool:
    """Whether something becomes true in time."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.02)
    return what()
