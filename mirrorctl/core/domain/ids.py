"""Order link ids as functions: the same decision in the same state always yields the same id (rule 3).

    m1-<account>-<trade>-<role><leg>-<step>-<attempt>

At most 36 characters of [a-z0-9-] (A59). The account tag is made from the UID, so a renamed mirror keeps its ids.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b

from mirrorctl.core.domain.frozen import value

_PREFIX = "m1"
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_PATTERN = re.compile(
    r"m1-(?P<account>[a-z2-7]{5})-(?P<trade>[a-z2-7]{7})-(?P<role>[a-z])(?P<leg>\d{1,2})"
    r"-(?P<step>[a-z2-7]{8})-(?P<attempt>\d{1,5})"
)
_REMEMBERED = 4096  # a pass asks for the same few ids again and again
_PAIRS = tuple(low + high for high in _ALPHABET for low in _ALPHABET)
"""Two characters for ten bits, the lowest first."""


OUT_LEG = 1
"""The leg of a reduction whose mirror is out of its cycle: the id says so where nothing else remembers it."""


class Role(StrEnum):
    """What an order of ours is for; the letter stands in the link id."""

    ENTRY = "e"  # an entry of a trade on main
    TWIN = "w"  # stands on a mirror for one order on main
    CORRECTION = "c"  # grows a mirror to its target
    REDUCTION = "r"  # shrinks a position: a mirror to its target, main by `trade reduce|close`
    TARGET = "t"  # a take-profit rung
    FLATTEN = "f"  # closes by `flatten`


@value(frozen=True, slots=True)
class LinkId:
    """A link id taken apart."""

    account: str
    trade: str
    role: Role
    leg: int
    step: str
    attempt: int

    def __str__(self) -> str:
        return f"{_PREFIX}-{self.account}-{self.trade}-{self.role}{self.leg}-{self.step}-{self.attempt}"

    def next_attempt(self) -> LinkId:
        """The id after an earlier attempt was seen terminal."""
        return LinkId(self.account, self.trade, self.role, self.leg, self.step, self.attempt + 1)

    @property
    def intent(self) -> tuple[str, Role, int, str]:
        """What all attempts of one decision share."""
        return (self.account, self.role, self.leg, self.step)


@lru_cache(_REMEMBERED)
def parse(text: str) -> LinkId | None:
    """The parts of one of our link ids; None for every other text."""
    found = _PATTERN.fullmatch(text)
    if found is None or found["role"] not in _ROLES:
        return None
    return LinkId(
        found["account"],
        found["trade"],
        Role(found["role"]),
        int(found["leg"]),
        found["step"],
        int(found["attempt"]),
    )


def account_tag(uid: int) -> str:
    """Five characters that stand for an account's UID."""
    return _digest("account", str(uid), length=5)


def trade_tag(uid: int, symbol: str, side: str, origin: str) -> str:
    """Seven characters for a trade or cycle. `origin` is what opened it: an execution, an order, or a client id."""
    return _digest("trade", str(uid), symbol, side, origin, length=7)


def step_tag(*parts: str) -> str:
    """Eight characters for one decision: of a twin main's order id, of a correction (mirror position seq, want)."""
    return _digest("step", *parts, length=8)


@lru_cache(_REMEMBERED)
def _digest(*parts: str, length: int) -> str:
    number = int.from_bytes(blake2b("\0".join(parts).encode(), digest_size=8).digest())
    first, second = _PAIRS[number & 1023], _PAIRS[number >> 10 & 1023]
    third, fourth = _PAIRS[number >> 20 & 1023], _PAIRS[number >> 30 & 1023]
    return (first + second + third + fourth)[:length]


_ROLES = frozenset(role.value for role in Role)
