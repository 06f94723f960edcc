"""Checking signatures over the bytes that arrived (docs v5/guide, v5/websocket/wss-authentication)."""

import hmac
from collections.abc import Mapping

from mirrorctl.core.paper.model import PaperAccount
from mirrorctl.core.paper.refusals import Refusal

CLOCK_LEAD_MS = 1000
DEFAULT_WINDOW_MS = "5000"


def sign(secret: str, message: bytes) -> str:
    """HMAC-SHA256, lower-case hex."""
    return hmac.new(secret.encode(), message, "sha256").hexdigest()


def authenticate(
    headers: Mapping[str, str], payload: bytes, keys: Mapping[str, PaperAccount], now_ms: int
) -> PaperAccount | None:
    """The caller of a signed request; None when there are no credentials at all.

    `payload` is the raw query string or the raw body. Refuses with 10003 (key), 10002 (clock), 10004 (signature).
    """
    key, stamp, given = (headers.get(f"X-BAPI-{name}", "") for name in ("API-KEY", "TIMESTAMP", "SIGN"))
    window = headers.get("X-BAPI-RECV-WINDOW", "")
    if not (key and stamp and given):
        return None
    account = keys.get(key)
    if account is None:
        raise Refusal(10003, "API key is invalid.")
    check_clock(stamp, window or DEFAULT_WINDOW_MS, now_ms)
    expected = sign(account.api_secret, f"{stamp}{key}{window}".encode() + payload)
    if not hmac.compare_digest(expected, given):
        origin = f"{stamp}{key}{window}{payload.decode(errors='replace')}"  # field reports: the key stands in it
        raise Refusal(10004, f"error sign! origin_string[{origin}]")
    return account


def check_clock(stamp: str, window: str, now_ms: int) -> None:
    """server - window <= timestamp < server + 1000 ms: a fast clock fails whatever the window."""
    if not (stamp.isdigit() and window.isdigit()):
        raise Refusal(10001, "params error: timestamp or recv_window invalid")
    if not now_ms - int(window) <= int(stamp) < now_ms + CLOCK_LEAD_MS:
        raise Refusal(
            10002,
            "invalid request, please check your server timestamp or recv_window param. "
            f"req_timestamp[{stamp}],server_timestamp[{now_ms}],recv_window[{window}]",
        )


def authenticate_stream(args: object, keys: Mapping[str, PaperAccount], now_ms: int) -> PaperAccount:
    """The account of a WebSocket `auth` frame: [key, expires in ms, HMAC of "GET/realtime" + expires]."""
    if not isinstance(args, list) or len(args) != 3:
        raise Refusal(10001, "Params Error")
    key, expires, given = (str(part) for part in args)
    if not expires.isdigit() or int(expires) <= now_ms:
        raise Refusal(10001, "Params Error")
    account = keys.get(key)
    if account is None:
        raise Refusal(10003, "API key is invalid.")
    if not hmac.compare_digest(sign(account.api_secret, f"GET/realtime{expires}".encode()), given):
        raise Refusal(10004, "error sign! please check your signature generation algorithm.")
    return account
