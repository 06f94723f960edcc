"""`audit` as cron runs it: beside a daemon, beside one that stands still, and without one; and `audit --fix`."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

from mirrorctl.commands import tables
from tests.cli.conftest import KEYS, Program, Running
from tests.cli.test_alone import buy_by_phone, port_of, post, requests_of
from tests.cli.test_tables import printed

STOP = "/v5/position/trading-stop"


def by_hand(exchange: Running, account: str, path: str, **params: Any) -> None:
    """A call as the account's own trader makes it."""
    params = {"category": "linear", "symbol": "BTCUSDT", **params}
    post(exchange, "/paper/call", {"account": account, "path": path, "params": params})


def take_stop_off(exchange: Running, account: str) -> None:
    by_hand(exchange, account, STOP, tpslMode="Full", positionIdx=0, stopLoss="0")


def codes(document: dict[str, Any]) -> list[tuple[str, str]]:
    """(code, account) of everything that is not clean."""
    return [(row["code"], row["account"]) for row in document["findings"] if row["severity"] != "info"]


def row(code: str, severity: str, account: str, *rest: str | None) -> dict[str, str | None]:
    return dict(zip(("symbol", "side", "expected", "actual", "remedy"), rest, strict=True)) | {
        "code": code,
        "severity": severity,
        "account": account,
    }


def test_what_people_see(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    sync = "`mirrorctl sync`"
    findings = [
        row("NO_STOP", "critical", "mirror", "BTCUSDT", "long", "stop 57000", "no stop", sync),
        row("NO_STOP", "critical", "second", "BTCUSDT", "long", "stop 57000", "no stop", sync),
        row("ACCOUNT_UNREADABLE", "critical", "third", None, None, "read", "unknown: timed out", "check the network"),
        row("FOREIGN_ORDER", "info", "second", "BTCUSDT", "short", "not ours", "sell 0.3 at 9000", "none needed"),
    ]
    assert printed(tables.audit({"clean": False, "findings": findings}), capsys) == SEEN.strip("\n")
    assert printed(tables.audit({"clean": True, "findings": []}), capsys) == "clean: nothing found"


SEEN = """
severity   code                 account   position        expected     actual
─────────────────────────────────────────────────────────────────────────────────────────
critical   NO_STOP              mirror    BTCUSDT long    stop 57000   no stop
critical   NO_STOP              second    BTCUSDT long    stop 57000   no stop
critical   ACCOUNT_UNREADABLE   third     -               read         unknown: timed out
info       FOREIGN_ORDER        second    BTCUSDT short   not ours     sell 0.3 at 9000
NO_STOP: `mirrorctl sync`
ACCOUNT_UNREADABLE: check the network
"""


@pytest.mark.proves("A64")
def test_an_audit_beside_a_daemon_is_clean_and_sees_what_the_daemon_cannot_mend(
    program: Program, exchange: Running
) -> None:
    daemon = program.start("run")
    assert program("trade", "open", "BTCUSDT", "long", "--qty", "0.02", "--stop", "57000").code == 0
    sent = len(requests_of(exchange))
    done = program("audit", "--json")
    assert (done.code, done.document["clean"], done.document["findings"]) == (0, True, [])
    assert (done.document["schema"], done.document["profile"]) == (1, "paper")
    assert len(requests_of(exchange)) == sent
    take_stop_off(exchange, "mirror")  # the daemon puts it back
    assert codes(program("audit", "--json").document) == []
    daemon.process.send_signal(signal.SIGSTOP)
    take_stop_off(exchange, "mirror")
    sent = len(requests_of(exchange))
    try:
        done = program("audit", "--json")
        assert len(requests_of(exchange)) == sent
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    assert (done.code, done.document["clean"]) == (3, False)
    assert done.document["findings"] == [
        {
            "code": "NO_STOP",
            "severity": "critical",
            "account": "mirror",
            "symbol": "BTCUSDT",
            "side": "long",
            "expected": "stop 57000 by last price",
            "actual": "no stop",
            "remedy": "`mirrorctl sync`; on main `mirrorctl trade stop`",
        }
    ]
    until = time.monotonic() + 8
    while len(requests_of(exchange)) == sent and time.monotonic() < until:
        time.sleep(0.05)
    assert program("audit").code == 0, "it was mended when the daemon went on"
    assert {row["path"] for row in requests_of(exchange)[sent:]} == {STOP}
    assert daemon.end() == 0


def written(program: Program) -> dict[str, bytes]:
    """The store, and who held which lock last."""
    files = [program.home / "state" / "paper" / "store.sqlite", *(program.home / "state" / "locks").iterdir()]
    return {path.name: path.read_bytes() for path in files}


@pytest.mark.proves("A65", "A64")
def test_fixing_carries_out_the_plan_of_sync_and_ends_clean(program: Program, exchange: Running) -> None:
    assert program("trade", "open", "BTCUSDT", "long", "--qty", "0.02", "--stop", "57000").code == 0
    take_stop_off(exchange, "mirror")
    by_hand(exchange, "second", "/v5/order/create", side="Sell", orderType="Market", qty="0.002", reduceOnly=True)
    expected = [("NO_STOP", "mirror"), ("RATIO_DRIFT", "second")]
    sent, kept = len(requests_of(exchange)), written(program)
    looked = program("audit", "--json")
    assert (looked.code, codes(looked.document)) == (3, expected)
    assert (len(requests_of(exchange)), written(program)) == (sent, kept), "it changes nothing and takes no lock"
    planned = program("sync", "--dry-run", "--json")
    assert [(row["account"], row["action"]) for row in planned.document["plan"]] == [
        ("mirror", "set-stop"),
        ("second", "place"),
    ]
    assert len(requests_of(exchange)) == sent
    fixed = program("audit", "--fix", "--json")
    assert (fixed.code, fixed.document["clean"], codes(fixed.document)) == (0, True, [])
    assert codes({"findings": fixed.document["before"]}) == expected
    steps = [
        [(row["account"], row["action"], row["qty"]) for row in d["plan"]] for d in (planned.document, fixed.document)
    ]
    assert steps[0] == steps[1]
    assert {row["path"] for row in requests_of(exchange)[sent:]} == {STOP, "/v5/order/create"}
    assert len(requests_of(exchange)) == sent + 2, "only the plan was carried out"
    plain = program("audit", "--fix")
    assert (plain.code, plain.out.strip()) == (0, "clean: nothing found")


@pytest.mark.proves("A60", "A65")
def test_fixing_names_what_it_must_not_touch(program: Program, exchange: Running) -> None:
    assert program("trade", "open", "BTCUSDT", "long", "--qty", "0.02", "--stop", "57000").code == 0
    by_hand(exchange, "mirror", "/v5/order/create", symbol="ETHUSDT", side="Buy", orderType="Market", qty="0.1")
    done = program("audit", "--fix")
    assert done.code == 3
    assert "left after the fix: 2" in done.out
    assert "UNEXPECTED_POSITION" in done.out


@pytest.mark.proves("A45")
def test_accounts_that_cannot_be_read(program: Program, exchange: Running) -> None:
    assert program("trade", "open", "BTCUSDT", "long", "--qty", "0.02", "--stop", "57000").code == 0
    take_stop_off(exchange, "mirror")
    for account in ("second", "main"):
        post(exchange, "/paper/fault", {"kind": "refuse", "account": account, "count": None})
    done = program("audit", "--json")
    assert (done.code, done.document["clean"]) == (3, False)
    assert codes(done.document) == [
        ("ACCOUNT_UNREADABLE", "main"),
        ("NO_STOP", "mirror"),
        ("ACCOUNT_UNREADABLE", "second"),
    ]
    post(exchange, "/paper/fault", {"kind": "refuse", "account": "mirror", "count": None})
    done = program("audit", "--json")
    assert (done.code, done.error["kind"]) == (4, "unavailable")


def test_disabled_mirrors_are_named_with_what_they_hold(program: Program, exchange: Running) -> None:
    assert program("trade", "open", "BTCUSDT", "long", "--qty", "0.02").code == 0
    take_stop_off(exchange, "mirror")
    buy_by_phone(exchange, "0.02")
    done = program("audit", "--json", env={"ENABLE_MIRROR_TRADING": "false"})
    assert (done.code, done.document["clean"]) == (0, True)
    named = [(row["code"], row["account"], row["actual"]) for row in done.document["findings"]]
    assert ("UNEXPECTED_POSITION", "mirror", "0.01, no stop") in named


def test_fixing_asks_on_real_accounts_and_looking_does_not(program: Program, exchange: Running) -> None:
    program.write_profile("live", port_of(exchange))
    done = program("audit", "--fix", "-p", "live", "--json", env=KEYS)
    assert (done.code, done.error["kind"]) == (6, "confirmation")
    assert program("audit", "-p", "live", "--json", env=KEYS).code == 0
    assert requests_of(exchange) == []
