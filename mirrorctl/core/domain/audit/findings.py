"""What an audit finds: codes, how grave each is, what it means and what mends it.

The codes are stable (contract). `TABLE` is the reference page docs/audit.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from mirrorctl.core.domain.values import PositionSide, Severity


class Code(StrEnum):
    """What is wrong, or worth to be known."""

    ACCOUNT_UNREADABLE = "ACCOUNT_UNREADABLE"
    NO_STOP = "NO_STOP"
    STOP_QTY = "STOP_QTY"
    DUPLICATE_STOP = "DUPLICATE_STOP"
    TARGET_QTY = "TARGET_QTY"
    NOT_MIRRORED = "NOT_MIRRORED"
    RATIO_DRIFT = "RATIO_DRIFT"
    UNEXPECTED_POSITION = "UNEXPECTED_POSITION"
    ORPHAN_ORDER = "ORPHAN_ORDER"
    MISSING_MONITOR = "MISSING_MONITOR"
    ORPHAN_MONITOR = "ORPHAN_MONITOR"
    IN_DOUBT = "IN_DOUBT"
    PARKED = "PARKED"
    LEVERAGE_MISMATCH = "LEVERAGE_MISMATCH"
    MODE_MISMATCH = "MODE_MISMATCH"
    DUST = "DUST"
    HELD = "HELD"
    FOREIGN_ORDER = "FOREIGN_ORDER"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found on one account (A64). `symbol` "" and `side` None where it is about neither.

    `expected` and `actual` are for people: quantities in base coin, prices in the settle coin. `subject` tells findings
    of one code on one side apart: the id of an order, of an intent.
    """

    code: Code
    severity: Severity
    account: str
    symbol: str
    side: PositionSide | None
    expected: str
    actual: str
    remedy: str
    subject: str = ""

    @property
    def key(self) -> tuple[Code, str, str, PositionSide | None, str]:
        """What it is about, whatever its figures: the same key in two looks is the same finding."""
        return (self.code, self.account, self.symbol, self.side, self.subject)


@dataclass(frozen=True, slots=True)
class Meaning:
    """One row of the reference page. `otherwise`: the other severities of this code, and when it has them."""

    severity: Severity
    meaning: str
    remedy: str
    otherwise: Mapping[Severity, str] = field(default_factory=dict)


_SYNC = "`mirrorctl sync`"

TABLE: Mapping[Code, Meaning] = MappingProxyType(
    {
        Code.ACCOUNT_UNREADABLE: Meaning(
            Severity.CRITICAL,
            "the account could not be read: everything about it is unknown, and nothing else is said of it",
            "check keys, network and the exchange's status; then audit again",
            {Severity.INFO: "the mirror is disabled"},
        ),
        Code.NO_STOP: Meaning(
            Severity.CRITICAL,
            "a position stands without the stop that its trade has",
            f"{_SYNC}; on main `mirrorctl trade stop`",
            {
                Severity.WARNING: "a stop stands, but not that of its trade; or main's cannot be mirrored",
                Severity.INFO: "its trade has none: nothing is invented; or a better one has to wait",
            },
        ),
        Code.STOP_QTY: Meaning(
            Severity.WARNING,
            "the stops of a position close less than all of it",
            f"{_SYNC}; on main `mirrorctl trade stop` sets one for the whole position",
            {Severity.INFO: "on main where mirrorctl does not manage it; a partial stop that is not mirrored"},
        ),
        Code.DUPLICATE_STOP: Meaning(
            Severity.WARNING,
            "more than one of our stops would close the same position",
            f"{_SYNC}; what is left is cancelled with `mirrorctl trade cancel SYMBOL ORDER` or by hand",
        ),
        Code.TARGET_QTY: Meaning(
            Severity.WARNING,
            "the take-profits that stand are not those of the ladder, or would sell more than is held",
            _SYNC,
            {Severity.INFO: "every target is filled and something is left"},
        ),
        Code.NOT_MIRRORED: Meaning(
            Severity.WARNING,
            "main has a position or a resting entry that this mirror follows and has nothing of",
            _SYNC,
        ),
        Code.RATIO_DRIFT: Meaning(
            Severity.WARNING,
            "the mirror's position or entry is not main's times its ratio; neither lead, lag nor a hold explains it",
            _SYNC,
        ),
        Code.UNEXPECTED_POSITION: Meaning(
            Severity.WARNING,
            "a mirror holds what no open trade of main explains",
            f"of ours: {_SYNC} closes it; foreign: close it by hand, it is never touched",
            {Severity.CRITICAL: "it is ours", Severity.INFO: "the mirror is disabled"},
        ),
        Code.ORPHAN_ORDER: Meaning(
            Severity.WARNING,
            "an order of ours stands without a live trade, or its trade wants it no more",
            f"{_SYNC} cancels it",
            {Severity.INFO: "the mirror is disabled"},
        ),
        Code.MISSING_MONITOR: Meaning(
            Severity.WARNING,
            "a position that nothing has on record: no daemon has seen it yet",
            f"start `mirrorctl run`, or {_SYNC}",
        ),
        Code.ORPHAN_MONITOR: Meaning(
            Severity.WARNING,
            "a trade is on record whose position is gone, with no entry resting",
            f"start `mirrorctl run`, or {_SYNC}",
        ),
        Code.IN_DOUBT: Meaning(
            Severity.WARNING,
            "something was sent and its outcome is unknown, or a fact is missing without which nothing can be judged",
            "do not repeat it: the daemon, or the next `mirrorctl sync`, settles it by asking the exchange",
        ),
        Code.PARKED: Meaning(
            Severity.WARNING,
            "the symbol is parked on this mirror: it is not followed there until somebody says so; never drift",
            "end the reason; what the exchange refused for good then needs `mirrorctl resume`, the rest ends by itself",
        ),
        Code.LEVERAGE_MISMATCH: Meaning(
            Severity.INFO,
            "the mirror's leverage is not main's times its factor, within its limit",
            "the next entry sets it first",
            {Severity.WARNING: "an entry waits for it"},
        ),
        Code.MODE_MISMATCH: Meaning(
            Severity.WARNING,
            "a symbol is in another position mode than the profile says",
            "switch it on Bybit while it is flat, or set `position_mode` in the profile",
        ),
        Code.DUST: Meaning(
            Severity.WARNING,
            "what is left of a position is under the contract's minimum",
            f"{_SYNC} closes it reduce-only",
            {Severity.INFO: "the exchange takes no order for it"},
        ),
        Code.HELD: Meaning(
            Severity.INFO,
            "growth that policy keeps back, with its reason; never drift",
            "none needed; what holds it back says what ends it",
        ),
        Code.FOREIGN_ORDER: Meaning(
            Severity.INFO,
            "an order on a mirror that is not ours; it is never touched and counts nowhere",
            "none needed",
        ),
    }
)


def found(
    code: Code,
    account: str,
    symbol: str = "",
    side: PositionSide | None = None,
    *,
    expected: str,
    actual: str,
    severity: Severity | None = None,
    remedy: str = "",
    subject: str = "",
) -> Finding:
    """A finding with severity and remedy of its code, where they are not given."""
    row = TABLE[code]
    return Finding(
        code, severity or row.severity, account, symbol, side, expected, actual, remedy or row.remedy, subject
    )
