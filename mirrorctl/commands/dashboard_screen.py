"""What the keys of the dashboard do: a pure step from one state of the screen to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from rich.text import Text

from mirrorctl.commands.dashboard_frame import names

Document = Mapping[str, Any]

_PAGE = 10
_SCROLLS = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -_PAGE, "page down": _PAGE}


class Do(StrEnum):
    """What a key asks for beyond the screen."""

    QUIT = "quit"
    RELIST = "relist"
    PAUSE = "pause"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question on the last line: whether to pause or resume `account`, None for every one."""

    do: Do
    account: str | None


@dataclass(frozen=True, slots=True)
class Screen:
    """What is shown. `account` None is the overview; `message` answers the last key."""

    account: str | None = None
    skip: int = 0
    help: bool = False
    asked: Asked | None = None
    message: str = ""


def pressed(screen: Screen, key: str, document: Document) -> tuple[Screen, Do | Asked | None]:
    """The screen after a key, and what has to be done: an Asked that got its yes, or what needs no question."""
    if screen.asked is not None:
        if key in ("y", "Y"):
            return replace(screen, asked=None, message=f"{screen.asked.do}: sent"), screen.asked
        return replace(screen, asked=None, message=f"{screen.asked.do}: not done"), None
    screen = replace(screen, message="")
    if key in ("q", "Q"):
        return screen, Do.QUIT
    if screen.help:
        return replace(screen, help=False), None
    if key in ("r", "R"):
        return replace(screen, message="reading every account"), Do.RELIST
    if key in ("p", "P"):
        return _asked(screen, document), None
    return _moved(screen, key, document), None


def footer(screen: Screen) -> Text:
    """The last line: a question, an answer, or which keys there are."""
    if screen.asked is not None:
        return Text(f"{_question(screen.asked)} y/n", "bold reverse")
    keys = "any key: back" if screen.help else "q quit  p pause/resume  r relist  tab account  ? help"
    if not screen.message:
        return Text(keys, "dim")
    return Text.assemble((screen.message, "bold"), ("   " + keys, "dim"))


def _moved(screen: Screen, key: str, document: Document) -> Screen:
    if key in ("?", "h"):
        return replace(screen, help=True)
    if key in _SCROLLS:
        return replace(screen, skip=min(max(0, screen.skip + _SCROLLS[key]), _last(screen, document)))
    if key in ("tab", "shift-tab"):
        views = [None, *names(document)]
        at = views.index(screen.account) if screen.account in views else 0
        return replace(screen, account=views[(at + (1 if key == "tab" else -1)) % len(views)], skip=0)
    return screen


def _last(screen: Screen, document: Document) -> int:
    """How far the positions can be scrolled: to the last one."""
    desks = [desk for name, desk in document["desk"].items() if screen.account in (None, name)]
    return max(0, sum(len(desk["positions"] or ()) for desk in desks) - 1)


def _asked(screen: Screen, document: Document) -> Screen:
    """Pausing asks, and so does resuming where just that is paused."""
    pauses = [row for row in document["pauses"] or () if row["symbol"] is None]
    if any(row["account"] == screen.account for row in pauses):
        return replace(screen, asked=Asked(Do.RESUME, screen.account))
    if any(row["account"] is None for row in pauses):
        return replace(screen, message="every account is paused: go to [all] with tab to resume")
    if document["pauses"] is None:
        return replace(screen, message="whether it is paused is unknown: `mirrorctl pause` and `resume` say so")
    return replace(screen, asked=Asked(Do.PAUSE, screen.account))


def _question(asked: Asked) -> str:
    what = asked.account or "every account"
    if asked.do is Do.PAUSE:
        return f"pause {what}? Entries stop; stops and reductions go on."
    return f"resume {what}? It ends every pause, halt and park there is."
