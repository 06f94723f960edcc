"""The kinds of single values a profile holds: how each is read from TOML, and what to say when it cannot be.

A kind is a type annotated with a `Kind`; `check` finds it there. Numbers may be written as TOML integers, as TOML
floats (taken by their literal text, never through a binary float) or as strings.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from msgspec import Meta

from mirrorctl.core.domain.alert_types import AlertType
from mirrorctl.core.domain.windows import parse_window

_PLAIN = re.compile(r"-?\d{1,18}(\.\d{1,18})?")
_LOOPBACK_NAMES = frozenset(("localhost",))


@dataclass(frozen=True, slots=True)
class Kind:
    """`read` turns a TOML value into the typed one or raises ValueError; `allowed` says in words what it takes."""

    read: Callable[[object], Any]
    allowed: str
    secret: bool = False  # what was found is never shown
    required: bool = False


def _kind(read: Callable[[object], Any], allowed: str, *, secret: bool = False, required: bool = False) -> Meta:
    return Meta(extra={"kind": Kind(read, allowed, secret, required)})


def kind_of(extra: dict[str, Any] | None) -> Kind | None:
    """The Kind in the extra of an annotation."""
    found = (extra or {}).get("kind")
    return found if isinstance(found, Kind) else None


# --- numbers ------------------------------------------------------------------------------------------------------


def read_decimal(found: object) -> Decimal:
    """A plain decimal: no exponent, no infinity, at most 18 digits on each side of the point."""
    if isinstance(found, bool) or not isinstance(found, int | str | Decimal):
        raise ValueError(found)  # noqa: TRY004 - one error for one meaning
    text = str(found).strip()
    if not _PLAIN.fullmatch(text):
        raise ValueError(found)
    return Decimal(text)


def read_factor(found: object) -> Decimal:
    """A decimal, or a percentage: "50%" is 0.5."""
    if isinstance(found, str) and found.strip().endswith("%"):
        return read_decimal(found.strip()[:-1].strip()) / 100
    return read_decimal(found)


def _bounded(
    read: Callable[[object], Decimal], above: Decimal | None, least: Decimal | None, most: Decimal | None
) -> Callable[[object], Decimal]:
    def bounded(found: object) -> Decimal:
        number = read(found)
        too_small = (above is not None and number <= above) or (least is not None and number < least)
        if too_small or (most is not None and number > most):
            raise ValueError(found)
        return number

    return bounded


def _whole(least: int, most: int) -> Callable[[object], int]:
    def whole(found: object) -> int:
        if isinstance(found, bool) or not isinstance(found, int) or not least <= found <= most:
            raise ValueError(found)
        return found

    return whole


_ZERO, _ONE = Decimal(0), Decimal(1)

Positive = Annotated[Decimal, _kind(_bounded(read_decimal, _ZERO, None, None), 'a number above 0, such as "0.5"')]
NotNegative = Annotated[Decimal, _kind(_bounded(read_decimal, None, _ZERO, None), "a number, 0 or more")]
SecondsOfADay = Annotated[
    Decimal, _kind(_bounded(read_decimal, None, _ZERO, Decimal(86_400)), "seconds from 0 to 86400 (a day)")
]
AtLeastOne = Annotated[Decimal, _kind(_bounded(read_decimal, None, _ONE, None), "a number, 1 or more")]
Factor = Annotated[Decimal, _kind(_bounded(read_factor, _ZERO, None, None), 'a factor above 0, such as "0.5" or "50%"')]
BasisPoints = Annotated[
    Decimal, _kind(_bounded(read_decimal, None, _ZERO, Decimal(10_000)), "basis points from 0 to 10000 (100 is 1%)")
]
Percent = Annotated[
    Decimal, _kind(_bounded(read_decimal, None, _ZERO, Decimal(100)), "a percentage from 0 to 100, as a number")
]
Share = Annotated[
    Decimal, _kind(_bounded(read_decimal, _ZERO, None, Decimal(100)), "a percentage above 0 and up to 100, as a number")
]
Count = Annotated[int, _kind(_whole(0, 1_000_000), "a whole number, 0 or more")]
CountFromOne = Annotated[int, _kind(_whole(1, 1_000_000), "a whole number, 1 or more")]
Schema = Annotated[int, _kind(_whole(1, 2**31), "1", required=True)]
ChatId = Annotated[int, _kind(_whole(-(2**62), 2**62), "a whole number")]


# --- words --------------------------------------------------------------------------------------------------------


def _matching(pattern: str) -> Callable[[object], str]:
    compiled = re.compile(pattern)

    def matching(found: object) -> str:
        if not isinstance(found, str) or not compiled.fullmatch(found):
            raise ValueError(found)
        return found

    return matching


def _read_window(found: object) -> str:
    """A window of the week, as written; the domain knows its form."""
    if not isinstance(found, str):
        raise ValueError(found)  # noqa: TRY004 - one error for one meaning
    parse_window(found)
    return found


def _read_mute(found: object) -> str:
    """A window, or "" for none. One that never ends is refused: what it holds back would never be told."""
    if found == "":
        return ""
    text = _read_window(found)
    if parse_window(text).is_always:
        raise ValueError(found)
    return text


def _read_url(schemes: tuple[str, str]) -> Callable[[object], str]:
    """`schemes` is (encrypted, plain); the plain one only to loopback, never with a user name or password inside."""

    def read(found: object) -> str:
        if not isinstance(found, str):
            raise ValueError(found)  # noqa: TRY004 - one error for one meaning
        parts = urlsplit(found)
        if parts.scheme not in schemes or not parts.hostname or parts.username is not None:
            raise ValueError(found)
        if parts.scheme == schemes[1] and not _is_loopback(parts):
            raise ValueError(found)
        _ = parts.port  # raises ValueError outside 0-65535
        return found.rstrip("/")

    return read


def _is_loopback(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if host in _LOOPBACK_NAMES:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


Name = Annotated[str, _kind(_matching(r"[a-z0-9][a-z0-9-]{0,31}"), "1 to 32 of [a-z0-9-]", required=True)]
PROFILE_NAME = Kind(
    _matching(r"(?!locks$)[A-Za-z0-9][A-Za-z0-9_-]{0,63}"),  # a folder of that name holds the locks
    '1 to 64 letters, digits, - or _, and not "locks"',
)
ProfileName = Annotated[str, Meta(extra={"kind": PROFILE_NAME})]
ApproachName = Annotated[
    str,
    _kind(
        _matching(r"(?!(main|adopted|followed)$)[A-Za-z0-9][A-Za-z0-9_-]{0,31}"),
        '1 to 32 letters, digits, - or _, and not "main", "adopted" or "followed"',
    ),
]
Symbol = Annotated[str, _kind(_matching(r"[A-Z0-9]{2,30}"), "a symbol such as BTCUSDT")]
Coin = Annotated[str, _kind(_matching(r"[A-Z0-9]{2,12}"), "a coin such as USDT")]
Glob = Annotated[str, _kind(_matching(r"[A-Z0-9*?\[\]!-]{1,40}"), 'a symbol or glob such as "*USDT"')]
WeekWindow = Annotated[str, _kind(_read_window, 'a window such as "Mon-Fri 08:00-20:00 Europe/Berlin"')]
MuteWindow = Annotated[
    str, _kind(_read_mute, 'a window that ends, such as "22:00-07:00 Europe/Berlin", or "" for none')
]
AlertWord = Annotated[str, _kind(_matching("|".join(AlertType)), " | ".join(AlertType))]
Text = Annotated[str, _kind(_matching(r"[^\x00-\x1f]{0,200}"), "a text in quotes")]
Variable = Annotated[
    str,
    _kind(
        _matching(r"[A-Z_][A-Z0-9_]*"),
        "the name of an environment variable in capitals (the name, not the key itself)",
        secret=True,  # people paste the key here
    ),
]
Secret = Annotated[str, _kind(_matching(r"[\x21-\x7e]{1,256}"), "the key itself in quotes", secret=True)]
HttpUrl = Annotated[str, _kind(_read_url(("https", "http")), "an https:// address; http:// only to this machine")]
SocketUrl = Annotated[str, _kind(_read_url(("wss", "ws")), "a wss:// address; ws:// only to this machine")]
