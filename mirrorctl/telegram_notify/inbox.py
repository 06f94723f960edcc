"""What becomes of a message to the bot. Pure: the clock (seconds that never go back) and the codes are arguments.

Only chats of `telegram.allowed_chats` are heard; to every other one the bot is silent. What changes something takes two
messages: the first is answered with a code, the second brings it back, from the same chat, once, within 60 seconds.
A message that was sent more than 60 seconds ago is never carried out: it was meant for another moment.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass

LOOKS = ("positions", "status", "dashboard", "monitors", "stats")
ACTS = ("pause", "resume", "flatten")
HELP = ("help", "start")
CODE_SIGNS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # none that reads like another
CODE_LENGTH = 6
CODE_S = 60.0
TOO_OLD_S = 60.0
_REMEMBERED = 500
_ASKED = re.compile(r"/(\w+)(?:@(\w+))?(?:\s+(.*))?", re.DOTALL)
_CODE = re.compile(f"[{CODE_SIGNS}]{{{CODE_LENGTH}}}")


@dataclass(frozen=True, slots=True)
class Heard:
    """One message. `age_s` is how long ago it was sent when it was fetched, at `at_s` of our clock."""

    update_id: int
    chat_id: int
    text: str
    age_s: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing is done and nothing is said. `reason` is for the log, "" where there is nothing to tell."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Say:
    """An answer that needs nobody else."""

    text: str


@dataclass(frozen=True, slots=True)
class TooOld:
    """A command that comes too late to be carried out."""


@dataclass(frozen=True, slots=True)
class Help:
    """The list of commands."""


@dataclass(frozen=True, slots=True)
class Look:
    """Show something; nothing changes. `word` is what followed the command."""

    command: str
    word: str


@dataclass(frozen=True, slots=True)
class Propose:
    """The first half of a change: say what it would do, and ask for the code that `Inbox.issue` makes."""

    command: str
    account: str | None


@dataclass(frozen=True, slots=True)
class Act:
    """The second half: carry it out, not after `until_s`."""

    command: str
    account: str | None
    until_s: float


Step = Silence | Say | TooOld | Help | Look | Propose | Act


@dataclass(frozen=True, slots=True)
class _Open:
    """A change that waits for its code."""

    code: str
    account: str | None
    until_s: float


class Inbox:
    """Hears messages in the order in which they came. `accounts`: the names a command may be limited to."""

    def __init__(
        self, allowed: Collection[int], accounts: Collection[str], make_code: Callable[[], str], bot: str = ""
    ) -> None:
        """`bot` is the bot's own "@name": what is addressed to another bot of a group is not for this one."""
        self._allowed = frozenset(allowed)
        self._accounts = tuple(accounts)
        self._make_code = make_code
        self._bot = bot.lstrip("@").lower()
        self._open: dict[tuple[int, str], _Open] = {}
        self._seen: deque[int] = deque(maxlen=_REMEMBERED)

    def take(self, heard: Heard, now_s: float) -> Step:
        """What is to be done about a message now."""
        if heard.update_id in self._seen:
            return Silence()
        self._seen.append(heard.update_id)
        if heard.chat_id not in self._allowed:
            return Silence(f"a message from chat {heard.chat_id}, which telegram.allowed_chats does not name")
        asked = _ASKED.fullmatch(heard.text.strip())
        if asked is None or (asked[2] and self._bot and asked[2].lower() != self._bot):
            return Silence()
        if heard.age_s + (now_s - heard.at_s) > TOO_OLD_S:
            return TooOld()
        command, words = asked[1].lower(), (asked[3] or "").split()
        if command in HELP:
            return Help()
        if command in LOOKS:
            return Look(command, words[0] if words else "")
        if command not in ACTS:
            if heard.chat_id < 0 and not asked[2]:
                return Silence()  # a group may have other bots
            return Say(f"/{command[:20]} is no command of this bot; /help lists them")
        return self._act(heard.chat_id, command, words, now_s)

    def issue(self, chat_id: int, command: str, account: str | None, now_s: float) -> str:
        """A code for a change, good for 60 seconds from now; an earlier one of the same command is void."""
        code = self._make_code()
        self._open[chat_id, command] = _Open(code, account, now_s + CODE_S)
        return code

    def _act(self, chat_id: int, command: str, words: list[str], now_s: float) -> Step:
        if not words:
            return Propose(command, None)
        word = words[0]
        waiting = self._open.get((chat_id, command))
        if len(words) == 1 and waiting is not None and word.upper() == waiting.code:
            del self._open[chat_id, command]
            if now_s <= waiting.until_s:
                return Act(command, waiting.account, waiting.until_s)
            return Say(f"nothing was done: the code is older than {CODE_S:.0f} s; send /{command} for another")
        if len(words) == 1 and word in self._accounts:
            return Propose(command, word)
        self._open.pop((chat_id, command), None)  # a guess is free only once
        if _CODE.fullmatch(word.upper()):
            return Say(f"nothing was done: that code does not hold, or was used; send /{command} for another")
        return Say(f"nothing was done: /{command} takes one of {', '.join(self._accounts)}, or nothing for all of them")
