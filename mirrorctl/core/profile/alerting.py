"""Rules about where alerts go."""

from __future__ import annotations

from collections.abc import Iterator

from mirrorctl.core.profile.check import Problem, Tree
from mirrorctl.core.profile.schema import ProfileFile


def broken(file: ProfileFile, written: Tree) -> Iterator[Problem]:
    """A problem for alerts that could reach nobody. `written` is the tree as it came."""
    if file.telegram.enabled and not file.telegram.chat_id and not _names_chat(written):
        allowed = "allowed: the id of the chat that gets the alerts; it is negative for a group"
        yield Problem("telegram.chat_id", f"missing with enabled = true; {allowed}")


def warnings(file: ProfileFile) -> Iterator[str]:
    """What is said of alerts while none is sent."""
    if file.telegram.enabled:
        return
    if file.telegram.alerts or file.telegram.mute or file.telegram.allowed_chats:
        yield "telegram: enabled is false, so its other keys do nothing: set enabled = true to get alerts"
    for index, mirror in enumerate(file.mirrors):
        if mirror.alerts:
            yield f"mirrors[{index}].alerts: telegram.enabled is false, so nothing is sent"


def _names_chat(written: Tree) -> bool:
    """Whether another chat than 0 was written: one with a fault has its own problem."""
    table = written.get("telegram")
    return isinstance(table, dict) and table.get("chat_id", 0) != 0
