"""Which alerts go to Telegram, and when. Pure.

    type switched off in [telegram.alerts]     never
    severity critical                          always, at any hour
    a mirror without `alerts = true`           never (A71)
    mute hours                                 when they are over; nothing is lost
    everything else                            now

Alerts that are about no account (the store, the daemon) count as main's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mirrorctl.core.domain.alert_types import AlertType, type_of
from mirrorctl.core.domain.policy import MAIN
from mirrorctl.core.domain.values import Severity
from mirrorctl.core.domain.windows import is_open, next_edge_ms
from mirrorctl.core.engine.records import Alert


@dataclass(frozen=True, slots=True)
class Choice:
    """`types`: what the profile switches, all others are on. `mirrors`: those whose alerts are on.

    `mute`: the window of domain/windows.py in which only critical alerts are sent; "" for none.
    """

    types: Mapping[AlertType, bool] = field(default_factory=dict)
    mirrors: frozenset[str] = frozenset()
    mute: str = ""

    def wants(self, alert: Alert) -> bool:
        """Whether it is ever sent."""
        if not self.types.get(type_of(alert.kind), True):
            return False
        return alert.severity is Severity.CRITICAL or alert.account in ("", MAIN) or alert.account in self.mirrors

    def is_due(self, alert: Alert, now_ms: int) -> bool:
        """Whether one that is wanted is sent now. `now_ms`: the local clock."""
        return alert.severity is Severity.CRITICAL or not self.is_mute(now_ms)

    def is_mute(self, now_ms: int) -> bool:
        return bool(self.mute) and is_open((self.mute,), now_ms)

    def next_change_ms(self, now_ms: int) -> int | None:
        """When the mute hours begin or end next; None when there are none."""
        return next_edge_ms((self.mute,), now_ms) if self.mute else None
