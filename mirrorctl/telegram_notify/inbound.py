"""Commands from Telegram: one thread listens, one answers. Nothing that goes wrong here reaches the engine.

The listener fetches messages and confirms them with its next question, so none is heard twice; what was not confirmed
when the process ended is heard again by the next one, whose codes are others. The other thread decides (inbox.py), asks
the engine by the names of its commands, and sends the answers at the pace that Telegram allows.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from mirrorctl.core.domain.errors import MirrorctlError
from mirrorctl.core.domain.statistics import Figures
from mirrorctl.telegram_notify.answers import Answers
from mirrorctl.telegram_notify.client import BotClient, Update
from mirrorctl.telegram_notify.errors import Conflict, TelegramError, TokenRefused, TooMany, Unreachable
from mirrorctl.telegram_notify.inbox import Act, Heard, Help, Inbox, Look, Propose, Say, Silence, Step, TooOld
from mirrorctl.telegram_notify.messages import parts
from mirrorctl.telegram_notify.messages import shown as sendable
from mirrorctl.telegram_notify.pace import Pace

log = logging.getLogger(__name__)

_POLL_S = 25
_REFUSED_S, _CONFLICT_S = 300.0, 15.0
_FIRST_S, _LONGEST_S = 1.0, 60.0
_ANSWER_S = 120.0  # an answer that could not be sent for so long is of no use any more
_MOST_ASKED = 5  # commands of one chat that the engine has not answered yet
_YOUNG_S = 5  # how old the figures of an answer may be
_MOST_WAITING = 20  # messages to one chat that are still to be sent
_DAYS, _MOST_DAYS = 7, 90
_NOT_YET = "Telegram was not reached yet"

Args = dict[str, Any]
Done = Callable[[Args | None, MirrorctlError | None], None]


class Desk(Protocol):
    """What answers the commands; every call may be made on any thread."""

    def ask(self, name: str, args: Args, done: Done, until_s: float | None) -> None:
        """Have the engine carry out a command; `done` hears its result or error on the engine's thread.

        After `until_s` (monotonic clock) it is refused instead.
        """

    def figures(self, days: int) -> Sequence[tuple[str, Figures | str]]:
        """The statistics of every account by the exchange's records, or why it could not be read. Takes its time."""
        ...


@dataclass(slots=True)
class _Part:
    """One message that is still to be sent."""

    text: str
    until_s: float


class Inbound:
    """Listens while it runs. `make_inbox` gets the bot's name once Telegram has told it."""

    def __init__(
        self,
        listener: BotClient,
        talker: BotClient,
        desk: Desk,
        answers: Answers,
        make_inbox: Callable[[str], Inbox],
        paces: dict[int, Pace] | None = None,
    ) -> None:
        """Two clients of one bot, for each thread one. `paces`: of chats to which others send too."""
        self._listener = listener
        self._talker = talker
        self._desk = desk
        self._answers = answers
        self._make_inbox = make_inbox
        self._inbox: Inbox | None = None
        self._paces: dict[int, Pace] = {} if paces is None else dict(paces)
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._out: dict[int, deque[_Part]] = {}
        self._asked: Counter[int] = Counter()
        self._ignored: set[int] = set()
        self._closed = threading.Event()
        self._trouble = _NOT_YET
        self._threads = [
            threading.Thread(target=self._guarded, args=(self._listen,), name="telegram-listener", daemon=True),
            threading.Thread(target=self._guarded, args=(self._work,), name="telegram-answers", daemon=True),
        ]

    def start(self) -> None:
        """Begin to listen."""
        for thread in self._threads:
            thread.start()

    def close(self, timeout_s: float) -> None:
        """Take no more commands. The listener may wait for Telegram a while longer; what it hears then is dropped."""
        self._closed.set()
        self._queue.put(_nothing)
        until = time.monotonic() + timeout_s
        for thread in self._threads[::-1]:
            thread.join(max(until - time.monotonic(), 0))

    def trouble(self) -> str:
        """Why no command is heard now; "" while they are."""
        return self._trouble

    def _guarded(self, what: Callable[[], None]) -> None:
        while not self._closed.is_set():
            try:
                what()
            except Exception:  # thread boundary: a bug in one answer must not end the others
                log.exception("unexpected error in the commands from Telegram")
                self._closed.wait(_FIRST_S)

    # --- the listener ----------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        offset, tries = 0, 0
        while not self._closed.is_set():
            try:
                if self._inbox is None:
                    self._inbox = self._make_inbox(self._listener.name())
                updates = self._listener.updates(offset, 0 if self._trouble else _POLL_S)  # hear at once that it works
            except TelegramError as error:
                self._turned(error.message)
                self._closed.wait(_pause_s(error, tries))
                tries += 1
                continue
            tries = 0
            self._turned("")
            if updates and not self._closed.is_set():
                offset = updates[-1].update_id + 1
                self._queue.put(partial(self._hear, self._inbox, updates, time.monotonic()))

    def _turned(self, trouble: str) -> None:
        """Note what keeps commands away; the log hears what is new."""
        before, self._trouble = self._trouble, trouble
        if trouble and trouble != before:
            log.warning("telegram: no command is heard: %s", trouble)
        elif before and not trouble:
            log.info("telegram: commands are heard")

    # --- the other thread ------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._closed.is_set():
            try:
                self._queue.get(timeout=self._send_due())()
            except queue.Empty:
                continue

    def _hear(self, inbox: Inbox, updates: Sequence[Update], at_s: float) -> None:
        """Take messages that were fetched together: of those that came too late one answer tells."""
        old: Counter[int] = Counter()
        for update in updates:
            heard = Heard(update.update_id, update.chat_id, update.text, update.age_s, at_s)
            step = inbox.take(heard, time.monotonic())
            if isinstance(step, TooOld):
                old[heard.chat_id] += 1
            else:
                self._carry_out(inbox, heard.chat_id, step)
        for chat_id, count in old.items():
            self._say(chat_id, self._answers.too_old(count))

    def _carry_out(self, inbox: Inbox, chat: int, step: Step) -> None:
        if isinstance(step, Silence):
            self._note(chat, step.reason)
        elif isinstance(step, Help):
            self._say(chat, self._answers.help())
        elif isinstance(step, Say):
            self._say(chat, step.text)
        elif self._asked[chat] >= _MOST_ASKED:
            self._note(chat, f"more than {_MOST_ASKED} commands at once from chat {chat}")
        elif isinstance(step, Look):
            self._look(chat, step)
        elif isinstance(step, Propose):
            self._propose(inbox, chat, step)
        elif isinstance(step, Act):
            self._act(chat, step)

    def _note(self, chat: int, reason: str) -> None:
        """Tell the log, once for each chat: nobody fills it from outside."""
        if reason and chat not in self._ignored and len(self._ignored) < 100:
            self._ignored.add(chat)
            log.warning("telegram: ignored: %s", reason)

    def _look(self, chat: int, step: Look) -> None:
        if step.command == "stats":
            days = int(step.word) if step.word.isdecimal() and len(step.word) < 4 else _DAYS
            self._stats(chat, min(max(days, 1), _MOST_DAYS))
        elif step.command == "monitors":
            self._ask(chat, "monitors", "monitors", {}, self._answers.monitors)
        else:
            write = {"positions": self._answers.positions, "status": self._answers.status}
            self._published(chat, step.command, write.get(step.command, self._answers.dashboard))

    def _published(self, chat: int, command: str, write: Callable[[Args], str]) -> None:
        self._ask(chat, command, "published", {"max_age_s": _YOUNG_S}, write)

    def _stats(self, chat: int, days: int) -> None:
        """Records are read on a thread of their own: a pause need not wait for them."""
        self._asked[chat] += 1

        def read() -> None:
            try:
                found = self._desk.figures(days)
            finally:
                self._queue.put(partial(self._asked.subtract, [chat]))
            self._queue.put(lambda: self._published(chat, "stats", lambda doc: self._answers.stats(days, found, doc)))

        threading.Thread(target=read, name="telegram-stats", daemon=True).start()

    def _propose(self, inbox: Inbox, chat: int, step: Propose) -> None:
        def write(plan: Args | None) -> str:
            code = inbox.issue(chat, step.command, step.account, time.monotonic())
            return self._answers.proposal(step.command, step.account, code, plan)

        if step.command == "flatten":
            args = {"account": step.account, "all": False, "dry_run": True}
            self._ask(chat, step.command, "flatten", args, write)
        else:
            self._say(chat, write(None))

    def _act(self, chat: int, step: Act) -> None:
        log.info("telegram: /%s of %s confirmed by chat %d", step.command, step.account or "every account", chat)
        if step.command == "flatten":
            self._say(chat, self._answers.begun(step.command, step.account))
        write = {
            "pause": self._answers.paused,
            "resume": self._answers.resumed,
            "flatten": self._answers.flattened,
        }[step.command]
        rest: Args = {"all": False} if step.command == "flatten" else {"symbol": None}
        args = {"account": step.account, **rest}
        self._ask(chat, step.command, step.command, args, write, step.until_s)

    def _ask(
        self,
        chat: int,
        command: str,
        name: str,
        args: Args,
        write: Callable[[Args], str],
        until_s: float | None = None,
    ) -> None:
        """Ask the engine, and answer with what `write` makes of its result."""
        self._asked[chat] += 1

        def answered(result: Args | None, error: MirrorctlError | None) -> None:
            self._asked[chat] -= 1
            self._say(chat, write(result or {}) if error is None else self._answers.failed(command, error))

        self._desk.ask(name, args, lambda result, error: self._queue.put(partial(answered, result, error)), until_s)

    # --- sending ---------------------------------------------------------------------------------------------------

    def _say(self, chat: int, text: str) -> None:
        until_s = time.monotonic() + _ANSWER_S
        waiting = self._out.setdefault(chat, deque())
        if len(waiting) >= _MOST_WAITING:
            self._note(chat, f"more than {_MOST_WAITING} answers at once to chat {chat}")
            return
        waiting.extend(_Part(part, until_s) for part in parts(sendable(text)))

    def _send_due(self) -> float:
        """Send what may be sent now; seconds until the next may be."""
        wait_s = _LONGEST_S
        for chat, waiting in list(self._out.items()):
            pace = self._paces.setdefault(chat, Pace(chat))
            while waiting and not pace.wait_s(time.monotonic()):
                self._send(chat, waiting, pace)
            if waiting:
                wait_s = min(wait_s, max(pace.wait_s(time.monotonic()), 0.001))
            else:
                del self._out[chat]
        return wait_s

    def _send(self, chat: int, waiting: deque[_Part], pace: Pace) -> None:
        part = waiting[0]
        now_s = time.monotonic()
        if now_s > part.until_s:
            waiting.popleft()
            log.warning("telegram: an answer to chat %d could not be sent in time", chat)
            return
        pace.begin(now_s)
        try:
            self._talker.send(chat, part.text)
            waiting.popleft()
        except TooMany as error:
            pace.hold(now_s, error.retry_after_s)
        except Unreachable:
            pace.hold(now_s, _FIRST_S * 2)
        except TelegramError as error:
            waiting.popleft()
            log.warning("telegram: an answer was not taken: %s", error.message)
        finally:
            pace.sent(time.monotonic())


def _pause_s(error: TelegramError, tries: int) -> float:
    """How long to wait before Telegram is asked again."""
    if isinstance(error, TooMany):
        return error.retry_after_s
    if isinstance(error, TokenRefused):
        return _REFUSED_S
    if isinstance(error, Conflict):
        return _CONFLICT_S
    return min(_FIRST_S * (1 << min(tries, 10)), _LONGEST_S)


def _nothing() -> None:
    return None
