"""How much of the past a store keeps beside its age limit, so that a file stays bounded whatever is traded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retention:
    """What a prune goes by. It always lets go what is too old; beyond these numbers the oldest go however young.

    `rows_of_journal`: writes of intents, about four for each of them, some 250 bytes a row. `alerts`: rows of the
    outbox. `rows`: ended cycles, copies of them, measured copies, closed positions, naked times and holds, of each.
    `samples`: of equity, one a minute for each account, some 100 bytes a row. `step`: how many rows of
    the journal one prune lets go, for the decision thread waits meanwhile. `slack`: those that are too old wait until
    there are so many, for a prune adds a row of its own.
    """

    rows_of_journal: int = 100_000
    alerts: int = 20_000
    rows: int = 50_000
    samples: int = 200_000
    step: int = 2_000
    slack: int = 500
