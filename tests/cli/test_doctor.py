"""`doctor`: the accounts, and what each mirror copies, from the exchange itself; nothing is ever sent."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from mirrorctl import cli
from tests.cli.conftest import KEYS, Program, Running
from tests.cli.test_alone import port_of, post, requests_of


def problems(document: dict[str, Any]) -> list[tuple[str | None, str, str]]:
    """(account, check, severity) of every check that is no mere information."""
    found = [(row["account"], row["check"], row["severity"]) for row in document["checks"]]
    return [each for each in found if each[2] != "info"]


def states(document: dict[str, Any], account: str | None) -> dict[str, str]:
    """What was looked at of an account, and how it stands; None: of the machine."""
    return {row["check"]: row["state"] for row in document["checks"] if row["account"] == account}


def rows(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The only symbol of every mirror."""
    return {mirror["account"]: mirror["symbols"][0] for mirror in document["mirrors"]}


def test_a_healthy_profile_and_what_its_mirrors_copy(program: Program, exchange: Running) -> None:
    """At 60000 and a step of 0.001: half needs 0.002 of main, a quarter 0.004; 5% of it are 0.04 and 0.08."""
    nothing = program("doctor", "--json")
    assert (nothing.code, [mirror["symbols"] for mirror in nothing.document["mirrors"]]) == (0, [[], []])
    done = program("doctor", "BTCUSDT", "--json")
    document = done.document
    assert (done.code, document["healthy"], problems(document)) == (0, True, [])
    own = ("keys", "uid", "account-type", "permission", "wallet", "clock", "stream", "position-mode", "margin-mode")
    assert states(document, "main") == dict.fromkeys(own, "ok")
    assert states(document, "second") == dict.fromkeys((*own, "leverage", "minimums"), "ok")
    machine = states(document, None)
    assert [machine.pop(name) for name in ("daemon", "store")] == ["note", "note"], "neither is there yet"
    assert machine == {**dict.fromkeys(("ring", "public-stream", "disk", "address"), "ok"), "telegram": "note"}
    assert {row["margin_mode"] for row in document["accounts"]} == {"cross"}
    assert [
        (row["account"], row["can_trade"], row["can_withdraw"], row["unified"], row["equity"])
        for row in document["accounts"]
    ] == [(name, True, False, True, "10000") for name in ("main", "mirror", "second")]
    assert len({row["uid"] for row in document["accounts"]}) == 3
    found = rows(document)
    assert [found[name]["smallest_main_qty"] for name in ("mirror", "second")] == ["0.002", "0.004"]
    assert found["second"]["formula"] == "proportion: r = 0.25"
    assert (found["second"]["copied_qty"], found["second"]["rounding_pct"]) == (None, None)
    assert [
        (fit["approach"], fit["joined_targets"], fit["whole_from"], fit["requests"], fit["seconds"], fit["ip_pct"])
        for fit in found["second"]["approaches"]
    ] == [("fast", None, "0.004", 4, "0.2", "1.3"), ("conservative", None, "0.08", 9, "0.7", "3")]
    assert requests_of(exchange) == []


def test_what_main_holds_is_judged_and_a_problem_exits_3(program: Program, exchange: Running) -> None:
    """Half of 0.015 is 0.0075, copied as 0.007; a quarter is 0.00375, copied as 0.003, which leaves out a fifth."""
    assert program("trade", "open", "BTCUSDT", "long", "--qty", "0.015", "--stop", "57000").code == 0
    sent = len(requests_of(exchange))
    done = program("doctor", "--json")
    assert (done.code, done.document["healthy"]) == (3, False)
    found = rows(done.document)
    assert [(found[name]["copied_qty"], found[name]["rounding_pct"]) for name in ("mirror", "second")] == [
        ("0.007", "6.67"),
        ("0.003", "20"),
    ]
    assert found["second"]["notes"] == [
        {"severity": "warning", "text": "rounding leaves out 20% of what the ratio asks for"}
    ]
    assert [fit["joined_targets"] for fit in found["second"]["approaches"]] == [[], [2, 3]]
    assert problems(done.document) == [(None, "daemon", "warning")], "positions stand and nobody follows main"
    alone = program("doctor", "--mirror", "second", "ETHUSDT", "--json")
    assert (alone.code, list(rows(alone.document)), len(alone.document["accounts"])) == (3, ["second"], 2)
    assert program("trade", "close", "BTCUSDT").code == 0
    assert program("run", "--once").code == 0
    lately = program("doctor", "--json")
    assert (lately.code, [row["symbol"] for row in rows(lately.document).values()]) == (0, ["BTCUSDT"] * 2)
    assert len(requests_of(exchange)) > sent, "only the close"


def test_a_stream_that_does_not_come_up_and_accounts_that_cannot_be_read(program: Program, exchange: Running) -> None:
    post(exchange, "/paper/fault", {"kind": "stream-refuse", "account": "second", "count": None})
    done = program("doctor", "--json")
    assert (done.code, problems(done.document)) == (3, [("second", "stream", "critical")])
    assert [row["stream_ms"] is None for row in done.document["accounts"]] == [False, False, True]
    [told] = [row for row in done.document["checks"] if row["state"] == "error"]
    assert told["text"].startswith("the private stream does not come up: connection reset")
    assert told["hint"]
    post(exchange, "/paper/fault/clear", {})
    post(exchange, "/paper/fault", {"kind": "refuse", "account": "second", "count": None})
    done = program("doctor", "BTCUSDT", "--json")
    assert (done.code, done.document["healthy"], list(rows(done.document))) == (5, False, ["mirror"])
    assert problems(done.document) == [("second", "keys", "critical")]
    for account in ("main", "mirror"):
        post(exchange, "/paper/fault", {"kind": "refuse", "account": account, "count": None})
    done = program("doctor", "--json")
    assert (done.code, done.error["kind"]) == (4, "unavailable")
    exchange.end()
    assert program("doctor", "--json").code == 4


@pytest.mark.proves("A80")
def test_keys_in_the_wrong_role_and_profiles_in_a_ring_are_found(program: Program, exchange: Running) -> None:
    for name in ("one", "two"):
        program.write_profile(name, port_of(exchange))
    swapped = dict(zip(KEYS, [*list(KEYS.values())[2:], *list(KEYS.values())[:2]], strict=True))
    assert program("run", "--once", "-p", "one", env=KEYS).code == 0
    assert program("doctor", "-p", "one", "--json", env=KEYS).code == 0
    done = program("doctor", "-p", "one", "--json", env=swapped)
    assert done.code == 3
    assert problems(done.document) == [("main", "uid", "critical"), ("mirror", "uid", "critical")]
    done = program("doctor", "-p", "two", "--json", env=swapped)
    assert problems(done.document) == [(None, "ring", "critical")]
    same = {**KEYS, "MIRROR_KEY": "paper-main", "MIRROR_SECRET": "paper-main-secret"}
    done = program("doctor", "-p", "two", "--json", env=same)
    assert any("main and mirror are the same account" in row["text"] for row in done.document["checks"])


def key_information(uid: int, **more: Any) -> dict[str, Any]:
    """A fault that answers for a key as Bybit's user/query-api does, with what is wrong with it."""
    permissions = {"ContractTrade": ["Order", "Position"], "Wallet": ["AccountTransfer"], **more.pop("permissions", {})}
    result = {"userID": uid, "readOnly": 0, "permissions": permissions, "ips": ["203.0.113.7"], "deadlineDay": -2}
    answer = {"retCode": 0, "retMsg": "", "result": {**result, **more}, "time": 1}
    return {
        "kind": "http-status",
        "target": "/v5/user/query-api",
        "count": None,
        "args": {"status": 200, "body": json.dumps(answer)},
    }


def test_a_key_that_may_too_much_or_not_for_long_is_told(program: Program, exchange: Running) -> None:
    """Nothing here needs the right to withdraw; a key without an address serves whoever finds it, until it expires."""
    program.write_profile("live", port_of(exchange))
    uids = {
        row["account"]: row["uid"] for row in program("doctor", "-p", "live", "--json", env=KEYS).document["accounts"]
    }
    for account, faults in (
        ("main", {"permissions": {"Wallet": ["AccountTransfer", "Withdraw"]}}),
        ("mirror", {"ips": ["*"], "deadlineDay": 2}),
    ):
        post(exchange, "/paper/fault", {"account": account, **key_information(uids[account], **faults)})
    done = program("doctor", "-p", "live", "--json", env=KEYS)
    assert (done.code, done.document["healthy"]) == (3, False)
    assert problems(done.document) == [
        ("main", "withdrawal", "warning"),
        ("mirror", "ip", "warning"),
        ("mirror", "expiry", "critical"),
    ]
    told = {row["account"]: row for row in done.document["accounts"]}
    assert (told["main"]["can_withdraw"], told["main"]["ip_bound"], told["main"]["expires_in_days"]) == (
        True,
        True,
        None,
    )
    assert (told["mirror"]["ip_bound"], told["mirror"]["expires_in_days"]) == (False, 2)
    text = program("doctor", "-p", "live", env=KEYS).out
    for words in ("its key may withdraw", "its key is bound to no IP address", "expires in 2 days"):
        assert words in text


@pytest.mark.proves("A74")
@pytest.mark.parametrize(
    ("profile", "code", "kind", "words"),
    [("testnet", 2, "profile", "are not set: BYBIT_API_KEY"), ("paper", 4, "unavailable", "is not running")],
)
def test_where_no_account_can_be_read_the_rest_is_told_all_the_same(
    profile: str,
    code: int,
    kind: str,
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
) -> None:
    monkeypatch.setenv("MIRRORCTL_HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("BYBIT_")]:
        monkeypatch.delenv(name)
    assert cli.main(["doctor", "-p", profile, "--json"]) == code
    document = json.loads(capsys.readouterr().out)
    assert (document["error"]["kind"], document["error"]["exit_code"], document["healthy"]) == (kind, code, False)
    unread = [row for row in document["checks"] if row["check"] == "keys"]
    assert {row["account"]: row["state"] for row in unread} == {row["account"]: "error" for row in document["accounts"]}
    assert words in unread[0]["text"]
    assert unread[0]["hint"]
    assert {"daemon", "store", "disk", "telegram"} <= states(document, None).keys()
    assert cli.main(["doctor", "-p", profile]) == code
    assert "not healthy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--mirror", "nobody"], 'has no account "nobody"'),
        (["--mirror", "main"], "main is no mirror"),
        (["BTC/USDT"], '"BTC/USDT" is not a symbol'),
    ],
)
def test_wrong_words(
    args: list[str], expected: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("MIRRORCTL_HOME", str(tmp_path))
    monkeypatch.delenv("MIRRORCTL_PROFILE", raising=False)
    assert cli.main(["doctor", *args]) == 2
    assert expected in capsys.readouterr().err


def test_a_symbol_that_the_exchange_does_not_have(program: Program, exchange: Running) -> None:
    done = program("doctor", "NOSUCHUSDT", "BTCUSDT", "--json")
    assert (done.code, done.error["kind"]) == (2, "usage")
    assert "NOSUCHUSDT: the exchange has no such contract" in done.error["message"]
