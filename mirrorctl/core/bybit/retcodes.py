"""Bybit's retCodes and what each one asks of us, as data (docs/v5/error; the digest's section E).

The table names the codes that matter for linear contracts. `lookup` is total: a code that is not in the table falls to
its family. Trading refusals (110xxx, 30xxx and above) are final refusals even when Bybit adds new ones; anything else
unknown is a question to be settled by asking, because whatever is ambiguous is in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mirrorctl.core.domain.refusals import WRONG_MODE


class Reaction(Enum):
    """What to do about a code."""

    DONE = "done"  # what was asked for already stands; verify by reading
    AGAIN = "again"  # refused before it was looked at: the same request may go again, later
    QUERY = "query"  # outcome unknown: ask for the link id before anything else
    CLOCK = "clock"  # refused for its timestamp: measure the clock, then the same request may go again
    ACCOUNT = "account"  # keys, permissions or set-up: a human must act
    REJECT = "reject"  # final for this request
    RESYNC = "resync"  # refused because our picture of the account is old: read, decide again


@dataclass(frozen=True, slots=True)
class RetCode:
    """One row: what the exchange means, in our words, and a hint for the user."""

    reaction: Reaction
    meaning: str
    hint: str = ""


_KEYS = "check the API key, its secret, and that they belong to the profile's environment"
_MARGIN = "add margin, or lower the leverage or the size"
_PRICE = "the price is outside the exchange's band; choose one nearer to the market"
_SLOTS = "cancel orders that are not needed"
_LEVERAGE = "lower the leverage or the size"
_MODE = "check position mode and margin mode of the account"
_CLOSED = "the contract takes no opening orders now"
_LATER = "try again in a moment"

_A, _Q, _J, _S = Reaction.AGAIN, Reaction.QUERY, Reaction.REJECT, Reaction.RESYNC
_C, _D = Reaction.ACCOUNT, Reaction.DONE

TABLE: dict[int, RetCode] = {
    -1: RetCode(Reaction.CLOCK, "timestamp outside the exchange's window", "set the computer's clock (NTP)"),
    10002: RetCode(Reaction.CLOCK, "timestamp outside the exchange's window", "set the computer's clock (NTP)"),
    # keys, permissions, account set-up
    -2015: RetCode(_C, "the API key has expired", _KEYS),
    33004: RetCode(_C, "the API key has expired", _KEYS),
    10003: RetCode(_C, "the API key is not valid here", _KEYS),
    10004: RetCode(_C, "the signature is wrong", _KEYS),
    10005: RetCode(_C, "the API key lacks a permission", "give the key Contract Orders and Positions, read and write"),
    10007: RetCode(_C, "authentication failed", _KEYS),
    10008: RetCode(_C, "the account is banned", "ask Bybit's support"),
    10009: RetCode(_C, "no service in this region", "Bybit does not serve this region"),
    10010: RetCode(_C, "this IP address is not bound to the API key", "add this machine's IP address to the key"),
    10017: RetCode(_C, "no such route", "check [endpoints] and the environment"),
    10024: RetCode(_C, "stopped by compliance rules", "ask Bybit's support"),
    10027: RetCode(_C, "trading is banned for this account", "ask Bybit's support"),
    10028: RetCode(_C, "a unified account is needed", "upgrade the account to the Unified Trading Account"),
    10029: RetCode(_C, "the symbol is not on the key's whitelist", "allow the symbol for this key"),
    110029: RetCode(_C, "hedge mode is not offered for this symbol", _MODE),
    110036: RetCode(_C, "leverage is fixed by cross margin", _MODE),
    110038: RetCode(_C, "leverage is fixed by portfolio margin", _MODE),
    110088: RetCode(_C, "a unified account is needed", "upgrade the account to the Unified Trading Account"),
    110123: RetCode(_C, "the trading terms are not accepted", "accept them on Bybit's site"),
    110124: RetCode(_C, "a cooling-off period is active", "wait until it ends"),
    110125: RetCode(_C, "this contract's terms are not accepted", "accept them on Bybit's site"),
    110132: RetCode(_C, "the product is not offered in this region"),
    # refused before it was looked at
    10006: RetCode(_A, "too many requests of this kind for the account", _LATER),
    110079: RetCode(_A, "the order is being worked on", _LATER),
    # unknown outcome
    429: RetCode(_Q, "the exchange is overloaded", _LATER),
    10000: RetCode(_Q, "the exchange timed out inside", _LATER),
    10014: RetCode(_Q, "taken for a duplicate request", _LATER),
    10016: RetCode(_Q, "internal error of the exchange, or it is restarting", _LATER),
    10018: RetCode(_Q, "too many requests from this address", _LATER),
    10019: RetCode(_Q, "the trade service is restarting", _LATER),
    10403: RetCode(_Q, "too many requests from this address", _LATER),
    10429: RetCode(_Q, "system protection of the exchange", _LATER),
    20003: RetCode(_Q, "too many requests in this session", _LATER),
    20006: RetCode(_Q, "the request id was used before", _LATER),
    110072: RetCode(_Q, "the order link id was used before", "the order is looked up by its link id"),
    170001: RetCode(_Q, "internal error of the exchange", _LATER),
    170005: RetCode(_Q, "too many new orders", _LATER),
    170007: RetCode(_Q, "the exchange timed out inside", _LATER),
    170032: RetCode(_Q, "network error inside the exchange", _LATER),
    170141: RetCode(_Q, "the order link id was used before", "the order is looked up by its link id"),
    170146: RetCode(_Q, "order creation timed out", _LATER),
    170147: RetCode(_Q, "order cancellation timed out", _LATER),
    500000: RetCode(_Q, "internal error of the exchange", _LATER),
    # already so
    34036: RetCode(_D, "leverage is already that"),
    34040: RetCode(_D, "stop and target are already that, or a parameter was missing"),
    110025: RetCode(_D, "position mode is already that"),
    110026: RetCode(_D, "margin mode is already that"),
    110027: RetCode(_D, "margin is already that"),
    110043: RetCode(_D, "leverage is already that"),
    # our picture is old
    40004: RetCode(_S, "the order changed while it was being replaced"),
    110001: RetCode(_S, "the order does not exist, or it is too late to change it"),
    110005: RetCode(_S, "the position is being liquidated or deleveraged"),
    110008: RetCode(_S, "the order is filled or cancelled already"),
    110010: RetCode(_S, "the order is cancelled already"),
    110017: RetCode(_S, "a reduce-only order cannot reduce anything, or its quantity is below the step"),
    110033: RetCode(_S, "there is no position for the margin"),
    110034: RetCode(_S, "there is no position"),
    110058: RetCode(_S, "the remaining position is too small for the stop or target"),
    110059: RetCode(_S, "stop and target of a partly filled order cannot change"),
    110064: RetCode(_S, "the new quantity is not above what has filled"),
    170213: RetCode(_S, "the order does not exist"),
    # final refusals
    10001: RetCode(_J, "a parameter is wrong"),
    30208: RetCode(_J, "the price is above the highest allowed", _PRICE),
    30209: RetCode(_J, "the price is below the lowest allowed", _PRICE),
    30228: RetCode(_J, "the contract is being delisted: only reducing is allowed", _CLOSED),
    10404: RetCode(_J, "the exchange knows no such operation or category", "check [endpoints]"),
    110003: RetCode(_J, "the price is outside the allowed range", _PRICE),
    110004: RetCode(_J, "the wallet balance is too small", _MARGIN),
    110006: RetCode(_J, "the assets do not cover the position's margin", _MARGIN),
    110007: RetCode(_J, "the available balance is too small", _MARGIN),
    110009: RetCode(_J, "too many conditional orders", _SLOTS),
    110011: RetCode(_J, "it would liquidate at once", _LEVERAGE),
    110012: RetCode(_J, "the available balance is too small", _MARGIN),
    110013: RetCode(_J, "the risk tier does not allow this leverage", _LEVERAGE),
    110015: RetCode(_J, "not possible under cross margin", _MODE),
    110020: RetCode(_J, "too many active orders", _SLOTS),
    110021: RetCode(_J, "the open-interest limit is reached", "wait, or trade another symbol"),
    110022: RetCode(_J, "the quantity may not be raised now", _CLOSED),
    110023: RetCode(_J, "only reducing is allowed on this contract", _CLOSED),
    110024: RetCode(_J, "position mode cannot change with an open position", _MODE),
    110028: RetCode(_J, "position mode cannot change with open orders", _MODE),
    110039: RetCode(_J, "the maintenance margin rate is too high", _MARGIN),
    110040: RetCode(_J, "the order would liquidate the position", _LEVERAGE),
    110042: RetCode(_J, "only reducing is allowed before delivery", _CLOSED),
    110044: RetCode(_J, "the available margin is too small", _MARGIN),
    110045: RetCode(_J, "the wallet balance is too small", _MARGIN),
    110046: RetCode(_J, "it would liquidate at once", _LEVERAGE),
    110049: RetCode(_J, "a price or quantity is not a number"),
    110051: RetCode(_J, "the balance does not cover the lowest market price", _MARGIN),
    110052: RetCode(_J, "the balance does not cover this price", _MARGIN),
    110053: RetCode(_J, "the balance does not cover the current market price", _MARGIN),
    110057: RetCode(_J, "stop or target parameters do not fit this order"),
    110060: RetCode(_J, "stop and target cannot change in this mode"),
    110061: RetCode(_J, "too many partial stops and targets", _SLOTS),
    110063: RetCode(_J, "settlement is in progress", _CLOSED),
    110066: RetCode(_J, "trading is not allowed now", _CLOSED),
    110074: RetCode(_J, "the contract is not live", _CLOSED),
    110076: RetCode(_J, "only possible under isolated margin", _MODE),
    110086: RetCode(_J, "leverage is above the risk tier's", _LEVERAGE),
    110089: RetCode(_J, "the highest risk tier is exceeded", _LEVERAGE),
    110090: RetCode(_J, "the position would exceed its limit at this leverage", _LEVERAGE),
    110092: RetCode(_J, "the trigger must be above the current price"),
    110093: RetCode(_J, "the trigger must be below the current price"),
    110094: RetCode(_J, "the order's value is below the minimum", "raise the size"),
    110118: RetCode(_J, "no market price for lack of liquidity", "use a limit order"),
    110120: RetCode(_J, "the price is below the lowest allowed", _PRICE),
    110121: RetCode(_J, "the price is above the highest allowed", _PRICE),
    3400045: RetCode(_J, "margin mode could not be set", _MODE),
    3400139: RetCode(_J, "the risk limit is exceeded", _LEVERAGE),
}

# 10001 is overloaded: the reason stands in the text only (websocket/trade/guideline sample; field reports).
_ZERO_POSITION = RetCode(_S, "there is no position for the stop or target", "it is set once the position is seen")
_WRONG_MODE = RetCode(_C, WRONG_MODE, _MODE)
_UNCHANGED = RetCode(_D, "the order is already that")

_OK = RetCode(_D, "accepted")
_NEW_REFUSAL = RetCode(_J, "refused for a reason this version does not know", "see Bybit's list of error codes")
_UNKNOWN = RetCode(_Q, "an answer this version does not know", "see Bybit's list of error codes")

# Codes after which every signed call of the account fails the same way.
ACCOUNT_WIDE = frozenset((-2015, 33004, 10003, 10004, 10007, 10008, 10009, 10010, 10024, 10027, 10028))


def lookup(code: int, message: str = "") -> RetCode:
    """The row for `code`; `message` (Bybit's retMsg) tells the meanings of 10001 apart. Never fails."""
    if code == 0:
        return _OK
    if code == 10001:
        return _parameter_error(message.lower())
    found = TABLE.get(code)
    if found is not None:
        return found
    return _NEW_REFUSAL if _is_business(code) else _UNKNOWN


def _parameter_error(text: str) -> RetCode:
    if "zero position" in text:
        return _ZERO_POSITION
    if "position idx" in text or "positionidx" in text or "position mode" in text:
        return _WRONG_MODE
    if "remains unchanged" in text or "not modified" in text:
        return _UNCHANGED
    return TABLE[10001]


def _is_business(code: int) -> bool:
    """Families in which Bybit reports trading refusals, as opposed to gateway and server trouble."""
    return 30_000 <= code < 40_000 or 110_000 <= code < 200_000 or 3_000_000 <= code < 4_000_000
