"""Addresses of environments, what may override them, and what is refused."""

from __future__ import annotations

import pytest

from mirrorctl.core.bybit.environments import endpoints_for, is_loopback
from mirrorctl.core.domain.errors import ProfileError

PAPER = {
    "rest": "http://127.0.0.1:8790/",
    "private_ws": "ws://localhost:8790/v5/private",
    "public_ws": "ws://[::1]:8790/v5/public/linear",
}


@pytest.mark.parametrize("environment", ["testnet", "demo", "mainnet"])
def test_every_real_environment_is_encrypted_and_bybits(environment: str) -> None:
    endpoints = endpoints_for(environment)
    assert endpoints.rest.startswith("https://api")
    assert endpoints.private_ws.startswith("wss://stream")
    assert all(".bybit.com" in address for address in (endpoints.rest, endpoints.private_ws, endpoints.public_ws))


def test_demo_takes_prices_from_mainnet_and_has_no_order_socket() -> None:
    assert endpoints_for("demo").public_ws == endpoints_for("mainnet").public_ws
    assert endpoints_for("demo").trade_ws is None


def test_paper_lives_where_it_is_told() -> None:
    endpoints = endpoints_for("paper", **PAPER)
    assert endpoints.rest == "http://127.0.0.1:8790"
    with pytest.raises(ProfileError) as caught:
        endpoints_for("paper", rest=PAPER["rest"])
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "endpoints.private_ws",
        "endpoints.public_ws",
    ]


def test_an_override_replaces_one_address() -> None:
    endpoints = endpoints_for("mainnet", rest="https://api.bytick.com")
    assert endpoints.rest == "https://api.bytick.com"
    assert endpoints.private_ws == endpoints_for("mainnet").private_ws


@pytest.mark.parametrize(
    "address",
    [
        "http://api.bybit.com",
        "http://10.0.0.1:80",
        "http://127.0.0.1.example.org",
        "http://localhost.example.org",
        "ws://127.0.0.1",
        "ftp://127.0.0.1",
        "https://user:word@api.bybit.com",
        "https://api.bybit.com?x=1",
        "https://api.bybit.com:port",
        "api.bybit.com",
        "https://",
    ],
)
def test_what_could_leak_or_mislead_is_refused(address: str) -> None:
    with pytest.raises(ProfileError) as caught:
        endpoints_for("mainnet", rest=address)
    assert caught.value.exit_code == 2
    assert "endpoints.rest" in caught.value.problems[0]


def test_an_unknown_environment_is_named() -> None:
    with pytest.raises(ProfileError, match="'live'"):
        endpoints_for("live")


def test_loopback_is_this_machine_only() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST")))
    assert not any(map(is_loopback, ("0.0.0.0", "10.0.0.1", "example.org", "")))
