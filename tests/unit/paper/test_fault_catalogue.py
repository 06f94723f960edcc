"""The catalogue of faults: it knows every kind, takes what the kind takes, and says what is allowed of the rest."""

from typing import Any

import pytest

from mirrorctl.core.paper.fault_catalogue import BY_KIND, CATALOGUE, Lasts, at_once, check, find
from mirrorctl.core.paper.faults import FaultKind
from mirrorctl.core.paper.refusals import Refusal

CREATE = "/v5/order/create"


def test_every_kind_of_the_board_is_in_it_and_all_else_happens_at_once() -> None:
    assert {entry.kind for entry in CATALOGUE if entry.lasts is not Lasts.NOW} == set(FaultKind)
    assert all(bool(entry.route) is (entry.lasts is Lasts.NOW) for entry in CATALOGUE)
    assert len(BY_KIND) == len(CATALOGUE)


@pytest.mark.parametrize(
    ("kind", "account", "target", "args", "taken"),
    [
        ("hang", None, "", {"ms": "100"}, {"ms": 100}),
        ("ret-code", "main", CREATE, {"code": "10006", "reset_ms": -50}, {"code": 10006, "reset_ms": -50}),
        ("http-status", None, "", {"after": "true", "body": "late"}, {"after": True, "body": "late"}),
        ("push-drop", None, "tickers.BTCUSDT", {}, {}),
        ("clock-skew", None, "", {"ms": "-3000"}, {"ms": -3000}),
        ("funding", None, "", {"symbol": "BTCUSDT", "rate": "-0.0001"}, {"symbol": "BTCUSDT", "rate": "-0.0001"}),
        ("call", "main", CREATE, {"qty": "1", "reduceOnly": "true"}, {"qty": "1", "reduceOnly": True}),
    ],
)
def test_arguments_come_out_as_the_exchange_takes_them(
    kind: str, account: str | None, target: str, args: dict[str, Any], taken: dict[str, Any]
) -> None:
    assert check(find(kind), account, target, args) == taken


@pytest.mark.parametrize(
    ("kind", "account", "target", "args", "said"),
    [
        ("melt", None, "", {}, 'KIND: found "melt"; allowed: lose-reply | '),
        ("hang", None, "", {"s": "1"}, 'argument: found "s"; allowed: ms'),
        ("refuse", None, "", {"ms": "1"}, "allowed: none, refuse takes none"),
        ("hang", None, "", {"ms": "soon"}, 'ms: found "soon"; allowed: a whole number, not negative'),
        ("hang", None, "", {"ms": "-1"}, "not negative"),
        ("hang", None, "", {"ms": True}, "a whole number"),
        ("http-status", None, "", {"after": "yes"}, "allowed: true or false"),
        ("adl", "main", "", {"symbol": "BTCUSDT", "qty": "0"}, "allowed: a decimal number above 0"),
        ("ret-code", None, "", {}, "argument: ret-code needs code: retCode"),
        ("refuse", None, "/v5/ordr/create", {}, "allowed: /v5/account/fee-rate | "),
        ("push-drop", None, "orders", {}, "allowed: execution | order | position | wallet"),
        ("stream-silent", None, "order", {}, "allowed: none, stream-silent takes no target"),
        ("liquidation", None, "", {}, "account: liquidation needs one"),
        ("clock-skew", "main", "", {"ms": 1}, 'account: found "main"; clock-skew is for every account'),
        ("call", "main", "", {}, "target: call needs the path"),
    ],
)
def test_what_cannot_be_is_refused_with_what_is_allowed(
    kind: str, account: str | None, target: str, args: dict[str, Any], said: str
) -> None:
    with pytest.raises(Refusal) as caught:
        check(find(kind), account, target, args)
    assert said in caught.value.message


def test_what_happens_at_once_is_a_body_for_its_route() -> None:
    params = {"method": "GET", "symbol": "BTCUSDT"}
    assert at_once(find("call"), "main", "/v5/position/list", params) == {
        "account": "main",
        "method": "GET",
        "path": "/v5/position/list",
        "params": {"symbol": "BTCUSDT"},
    }
    assert at_once(find("stream-reset"), None, "", {}) == {"how": "rst"}
    assert at_once(find("liquidation"), "main", "", {}) == {"account": "main"}
