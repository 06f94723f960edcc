"""The rules that a watch judges by, and the list of what broke them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mirrorctl.core.simulation.world import World


class Rule(StrEnum):
    """What must never be. Each member says what is seen when it is broken."""

    DUPLICATE = "duplicate order"
    """A decision was sent again while an earlier order of it still stood, or after it had filled (A43, A47)."""
    IDENTITY = "id that stands for nothing"
    """A link id that is not made from the account and, of a twin, from main's order (rule 3)."""
    OVERBOUGHT = "more bought than main asked for"
    """All that a mirror bought and has resting exceeds its ratio times all that main ever asked for (A78, A85)."""
    OVERSOLD = "more sold than main gave up"
    """All that was taken off a mirror exceeds its ratio times all that main ever gave up (A45, A86)."""
    NOT_REDUCE_ONLY = "exit that is not reduce-only"
    EXIT_ABOVE_HOLDING = "exit above the holding"
    FLIP = "flip by mistake"
    """An entry closed a position that had been known when the entry was decided (A17)."""
    NAKED = "naked beyond the bound"
    """A position stood without main's stop for longer than the bound, with nothing in the way (A21)."""
    ENTRY_WITHOUT_STOP = "entry without main's stop"
    STOP_REMOVED = "stop removed"
    REENTRY = "entry after an own exit"
    """A mirror was stopped out, liquidated or deleveraged, and entered again while main's position stood (A76)."""
    ACTED_ON_UNKNOWN = "acted while main was unknown"
    FOREIGN_ORDER = "foreign order touched"
    FOREIGN_POSITION = "order on a parked symbol"
    MAIN_TOUCHED = "main touched without a trade"
    UNJOURNALED = "sent without being journaled"
    ORDER_OF_WORK = "entry sent before protection"
    CANCELLED_UNASKED = "twin cancelled while its order stands"
    CONVERGENCE = "convergence"
    """Accounts are not in step some time after the last fault."""
    SIZE = "size at rest"
    STOP = "stop at rest"
    ORPHAN = "orphan at rest"
    FINDING = "finding at rest"
    SILENCE = "not silent at rest"


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that was broken: when (ms since the world began), on which account, and what was seen."""

    rule: Rule
    at_ms: int
    account: str
    text: str

    def __str__(self) -> str:
        return f"{self.at_ms} ms {self.account}: {self.rule}: {self.text}"


class Breaches:
    """Breaches in their order; what goes on is told once."""

    def __init__(self, world: World) -> None:
        self.rows: list[Breach] = []
        self._world = world
        self._told: set[tuple[Rule, str, str]] = set()

    def tell(self, rule: Rule, account: str, text: str, about: str) -> None:
        """Note a breach; `about` names what it is about: a leg, an order."""
        key = (rule, account, about)
        if key not in self._told:
            self._told.add(key)
            self.rows.append(Breach(rule, self._world.elapsed_ms(), account, text))
