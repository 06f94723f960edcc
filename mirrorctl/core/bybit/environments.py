"""Where each environment lives (Bybit guide, websocket/wss-authentication, demo), and what may override it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from mirrorctl.core.domain.errors import ProfileError


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses of one environment. `trade_ws` None: it has no order entry over a socket (demo)."""

    rest: str
    private_ws: str
    public_ws: str
    trade_ws: str | None = None


# Demo serves no public streams of its own: its prices are mainnet's (demo).
_KNOWN = {
    "mainnet": Endpoints(
        rest="https://api.bybit.com",
        private_ws="wss://stream.bybit.com/v5/private",
        public_ws="wss://stream.bybit.com/v5/public/linear",
        trade_ws="wss://stream.bybit.com/v5/trade",
    ),
    "testnet": Endpoints(
        rest="https://api-testnet.bybit.com",
        private_ws="wss://stream-testnet.bybit.com/v5/private",
        public_ws="wss://stream-testnet.bybit.com/v5/public/linear",
        trade_ws="wss://stream-testnet.bybit.com/v5/trade",
    ),
    "demo": Endpoints(
        rest="https://api-demo.bybit.com",
        private_ws="wss://stream-demo.bybit.com/v5/private",
        public_ws="wss://stream.bybit.com/v5/public/linear",
    ),
}


def endpoints_for(
    environment: str,
    *,
    rest: str | None = None,
    private_ws: str | None = None,
    public_ws: str | None = None,
    trade_ws: str | None = None,
) -> Endpoints:
    """The addresses of `environment` with the given ones in their place.

    The paper exchange has no address of its own: all but `trade_ws` must be given. Raises ProfileError, with one line
    for each fault: an unknown environment, a missing address, a scheme that does not fit, plain text beyond loopback.
    """
    known = _KNOWN.get(environment)
    if known is None and environment != "paper":
        raise ProfileError(f"unknown environment {environment!r}", f"one of: paper, {', '.join(sorted(_KNOWN))}")
    values = {
        "rest": rest or (known.rest if known else None),
        "private_ws": private_ws or (known.private_ws if known else None),
        "public_ws": public_ws or (known.public_ws if known else None),
        "trade_ws": trade_ws or (known.trade_ws if known else None),
    }
    problems = tuple(
        f"endpoints.{key}: {fault}" for key, value in values.items() if (fault := _fault(key, value)) is not None
    )
    if problems:
        raise ProfileError("endpoints cannot be used: " + "; ".join(problems), "fix [endpoints]", problems)
    return Endpoints(
        rest=(values["rest"] or "").rstrip("/"),
        private_ws=values["private_ws"] or "",
        public_ws=values["public_ws"] or "",
        trade_ws=values["trade_ws"],
    )


def is_loopback(host: str) -> bool:
    """Whether `host` can only be this machine: localhost, 127.0.0.0/8 or ::1."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _fault(key: str, value: str | None) -> str | None:
    if value is None:
        return None if key == "trade_ws" else "missing; the paper environment has no address of its own"
    secure, plain = ("https", "http") if key == "rest" else ("wss", "ws")
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return f"{value!r} is not an address"
    if not host or parts.scheme not in (secure, plain):
        return f"{value!r} must start with {secure}://, or with {plain}:// for this machine"
    if parts.username or parts.password or parts.query or parts.fragment:
        return "no user, query or fragment is allowed in an address"
    if parts.scheme == plain and not is_loopback(host):
        return f"{value!r} is not encrypted; {plain}:// is allowed to this machine only"
    return None
