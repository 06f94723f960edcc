"""One request on its way through the API."""

from dataclasses import dataclass
from typing import Any

from mirrorctl.core.paper.floor import Floor
from mirrorctl.core.paper.model import Account
from mirrorctl.core.paper.params import instrument, text
from mirrorctl.core.paper.refusals import bad
from mirrorctl.core.paper.state import State


@dataclass(frozen=True, slots=True)
class Call:
    """The floor, the caller (None on public routes) and the parameters."""

    floor: Floor
    caller: Account | None
    params: dict[str, Any]

    @property
    def state(self) -> State:
        """The books."""
        return self.floor.state

    @property
    def account(self) -> Account:
        """The caller of a private route."""
        assert self.caller is not None
        return self.caller

    def scope(self, *, required: bool) -> frozenset[str] | None:
        """Symbols named by symbol, baseCoin or settleCoin, in that priority; None when none of them is given."""
        instruments = self.state.instruments
        if text(self.params, "symbol"):
            return frozenset((instrument(instruments, self.params).symbol,))
        if base := text(self.params, "baseCoin"):
            return frozenset(s for s, item in instruments.items() if item.base == base)
        if settle := text(self.params, "settleCoin"):
            return frozenset(instruments) if settle == "USDT" else frozenset()
        if required:
            raise bad("Missing some parameters that must be filled in, symbol or baseCoin or settleCoin")
        return None
