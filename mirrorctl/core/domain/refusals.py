"""What a refusal of an entry means for the next pass: wait and try again, do without, or park the symbol (A57).

Codes are Bybit's (docs/v5/error). The codec decides what is a refusal at all; this table says what may heal by itself,
and what is about one resting order alone. Everything else cannot succeed on a retry.
"""

from __future__ import annotations

from collections.abc import Sequence

from mirrorctl.core.domain.ours import IntentState, OurOrder

MARGIN = frozenset((110004, 110006, 110007, 110012, 110044, 110045, 110051, 110052, 110053))
PASSING = frozenset(
    (110003, 110005, 110020, 110021, 110063, 110066, 110094, 110079, 110118, 110120, 110121, 30208, 30209)
)
# About one resting order alone, which is then followed by main's fills: no slot (10 conditionals a symbol), or its
# trigger is passed.
OF_THE_ORDER = frozenset((110009, 110092, 110093))
# 10001 has many meanings; this one heals as soon as the position was read again and shows its legs.
WRONG_MODE = "positionIdx does not fit the position mode"
RATE_LIMIT = "rate limit"  # begins the reason of what waits for its turn, not for anybody's decision
_FIRST_MS = 1_000
_LONGEST_MS = 60_000
# Of an exit: there was no position when it came. One that is wanted later is another one's, and may be placed.
NOTHING_TO_REDUCE = 110017
FORGIVEN = "nowhere; tried again after `resume`"
"""What an attempt that was lost says when it counts no longer."""
NO_ANSWER = "sent without an answer"
_LOST_MS = 10_000
_MOST_LOST = 5


def heals(code: int, message: str = "") -> bool:
    """Whether the same entry may succeed later without anybody's hand. `message` as the codec words a refusal."""
    return code in MARGIN or code in PASSING or message.startswith(WRONG_MODE)


def parks(code: int, message: str = "") -> bool:
    """Whether no retry of an entry can succeed and the symbol is parked."""
    return not heals(code, message) and code not in OF_THE_ORDER


def refused_text(order: OurOrder) -> str:
    """A refusal as people are told of it."""
    return f"refused by the exchange ({order.code}): {order.message}"


def lost(attempts: Sequence[OurOrder]) -> int:
    """How many of the last attempts in a row were in doubt, then nowhere or still not found; the newest may live."""
    count = 0
    for order in reversed(attempts):
        if order.is_live:
            count += order.overdue
            continue
        if order.state is not IntentState.ABSENT or order.code or order.filled or order.message == FORGIVEN:
            break
        count += 1
    return count


def lost_text(attempts: Sequence[OurOrder]) -> str:
    """Why a decision is given up that the exchange never took: it parks the symbol; "" while it may be tried on."""
    times = lost(attempts)
    return f"{NO_ANSWER} {times} times, and never on the exchange" if times >= _MOST_LOST else ""


def lost_until_ms(attempts: Sequence[OurOrder]) -> int:
    """When a decision may be sent again that went missing more than once; 0: at once."""
    times = lost(attempts)
    return attempts[-1].ended_ms + min(_LOST_MS << (times - 2), _LONGEST_MS) if times > 1 else 0


def retry_at_ms(attempts: Sequence[OurOrder], longest_ms: int = _LONGEST_MS) -> int:
    """When the next attempt may go: doubled after each attempt that brought nothing, capped."""
    barren = 0
    for order in reversed(attempts):
        if order.filled:
            break
        barren += 1
    if not barren:
        return 0
    return attempts[-1].ended_ms + min(_FIRST_MS << min(barren - 1, 10), longest_ms)


def last_refusal(attempts: Sequence[OurOrder]) -> OurOrder | None:
    """The last attempt when the exchange refused it."""
    return attempts[-1] if attempts and attempts[-1].state is IntentState.REJECTED else None
