"""Alerts as messages of the Telegram Bot API. Pure.

Messages are plain text, sent without a parse mode: then no character of a symbol or an error text means anything to
Telegram, and none can make it refuse a message. The Bot API takes 1 to 4096 characters of a text (sendMessage) and
counts as it does for entities, in UTF-16 code units.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from mirrorctl.core.domain.values import Severity
from mirrorctl.core.engine.records import Alert

MOST_UNITS = 4096
_MARKS = {Severity.CRITICAL: "\N{LARGE RED CIRCLE} CRITICAL", Severity.WARNING: "\N{LARGE YELLOW CIRCLE} warning"}
_AGAIN = "\n(sent again: nobody knows whether the first one arrived)"
_ROOM = MOST_UNITS - len(_AGAIN)
_GAP = "\n\n"
_UNSHOWN = frozenset(("Cc", "Cs"))


@dataclass(frozen=True, slots=True)
class Words:
    """What every message names: the profile; and the clock of its times (None: this machine's)."""

    profile: str
    zone: tzinfo | None = None

    def one(self, alert: Alert) -> str:
        """The text of one alert, of any length."""
        foot = f"{self.profile} · {self._time(alert)}"
        return shown("\n".join(part for part in (_head(alert), alert.text, foot) if part))

    def several(self, alerts: Sequence[Alert]) -> tuple[str, int]:
        """One text for as many of the alerts as fit into a message, oldest first, and how many those are.

        0 when not even two do: then the first one is a message of its own.
        """
        entries: list[str] = []
        left = _ROOM - units(self._title(len(alerts)))
        for alert in alerts:
            entry = shown("\n".join(part for part in (self._line(alert), alert.text) if part))
            left -= units(entry) + len(_GAP)
            if left < 0:
                break
            entries.append(entry)
        if len(entries) < 2:
            return "", 0
        return _GAP.join((self._title(len(entries)), *entries)), len(entries)

    def _title(self, count: int) -> str:
        return f"{self.profile}: {count} alerts"

    def _line(self, alert: Alert) -> str:
        return " · ".join(part for part in (_head(alert), self._time(alert)) if part)

    def _time(self, alert: Alert) -> str:
        at = datetime.fromtimestamp(alert.at_ms / 1000, UTC).astimezone(self.zone)
        return f"{at:%Y-%m-%d %H:%M:%S %Z}"


def again(text: str) -> str:
    """A message that is sent a second time because the answer to the first was lost."""
    return text if text.endswith(_AGAIN) else text + _AGAIN


def units(text: str) -> int:
    """The length of a text in UTF-16 code units."""
    return len(text) + sum(char > "\uffff" for char in text)


def shown(text: str) -> str:
    """A text that every message can carry: no control characters but line breaks, nothing that is not Unicode."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    clean = "".join("\ufffd" if _is_unshown(char) else char for char in lines.replace("\t", " "))
    return clean.strip() or "\N{REPLACEMENT CHARACTER}"


def parts(text: str, most: int = _ROOM) -> list[str]:
    """A text cut into messages: at line breaks where that is possible, then at blanks, then anywhere.

    Each leaves room for the note of `again`. Blanks at the cuts go, as Telegram drops them itself; no part is empty.
    """
    found = []
    rest = text.strip()
    while units(rest) > most:
        cut = _cut(rest, most)
        found.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [*found, rest] if rest or not found else found


def _cut(text: str, most: int) -> int:
    """Where the first part ends: as far as `most` units reach, or at the last good place in the second half of it."""
    end = _reach(text, most)
    for sign in ("\n", " "):
        place = text.rfind(sign, end // 2, end + 1)
        if place > 0 and text[:place].strip():
            return place
    return end


def _reach(text: str, most: int) -> int:
    """How many characters `most` units hold; a pair of surrogates is never cut."""
    used = 0
    for index, char in enumerate(text):
        used += 2 if char > "\uffff" else 1
        if used > most:
            return index
    return len(text)


def _head(alert: Alert) -> str:
    """How bad, and where: the account first (A69)."""
    where = " ".join(part for part in (alert.account, alert.symbol) if part)
    return " · ".join(part for part in (_MARKS.get(alert.severity, ""), where) if part)


def _is_unshown(char: str) -> bool:
    return char != "\n" and unicodedata.category(char) in _UNSHOWN
