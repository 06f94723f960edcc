"""What a refusal of an entry means for the next pass: wait and try again, or park the symbol (A57).

Codes are Bybit's (docs/v5/error). The codec decides what is a refusal at all; this table says what may heal by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from mirrorctl.core.domain.ours import IntentState, OurOrder

MARGIN = frozenset((110004, 110006, 110007, 110012, 110044, 110045, 110051, 110052, 110053))
PASSING = frozenset(
    (110003, 110005, 110020, 110021, 110063, 110066, 110094, 110079, 110118, 110120, 110121, 30208, 30209)
)
CONDITIONAL_CAP = 110009
# 10001 has many meanings; this one heals as soon as the position was read again and shows its legs.
WRONG_MODE = "positionIdx does not fit the position mode"
_FIRST_MS = 1_000
_LONGEST_MS = 60_000


def heals(code: int, message: str = "") -> bool:
    """Whether the same entry may succeed later without anybody's hand. `message` as the codec words a refusal."""
    return code in MARGIN or code in PASSING or message.startswith(WRONG_MODE)


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
