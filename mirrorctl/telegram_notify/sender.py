"""Delivers alerts to one Telegram chat, on a thread of its own: in order, each once, over outages (A69).

Nothing of it reaches the engine but keys of alerts that were delivered, which the engine's thread fetches. An alert is
marked as delivered after Telegram took it, so a crash in that moment sends it a second time rather than never.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from mirrorctl.core.engine.channel import NOT_FOR_IT, ChannelHealth, ChannelState
from mirrorctl.core.engine.records import Alert
from mirrorctl.telegram_notify.choice import Choice
from mirrorctl.telegram_notify.client import BotClient
from mirrorctl.telegram_notify.delivery import Delivery, Draft
from mirrorctl.telegram_notify.errors import ChatRefused, MessageRefused, TelegramError, TokenRefused, TooMany
from mirrorctl.telegram_notify.errors import Unreachable as NotReached
from mirrorctl.telegram_notify.messages import Words
from mirrorctl.telegram_notify.pace import Pace

log = logging.getLogger(__name__)

_REFUSED_S = 300.0
_FIRST_S, _LONGEST_S = 2.0, 60.0
_BUG_S = 60.0
_FOREVER_S = 3600.0

Marks = list[tuple[str, int]]


class Sender:
    """Implements engine.channel.Channel for one bot and one chat.

    `settled` is called, on any thread, when `take_marks` has something for the store, and with the first answer.
    `bot` may be the error that says why there is none: then alerts wait, and the health says so.
    """

    def __init__(
        self,
        bot: BotClient | TelegramError,
        chat_id: int,
        choice: Choice,
        words: Words,
        *,
        now_ms: Callable[[], int],
        settled: Callable[[], None],
    ) -> None:
        self._bot = bot
        self._chat_id = chat_id
        self._now_ms = now_ms
        self._settled = settled
        self._changed = threading.Condition()
        self._stirred = False
        self._delivery = Delivery(choice, words)
        self._pace = Pace(chat_id)
        self.commands: Callable[[], str | None] = _no_commands
        self._marks: Marks = []
        self._health = ChannelHealth()
        self._delivered = 0
        self._known = False
        self._tries = 0
        self._again_s = 0.0
        self._until: float | None = None
        self._heard = threading.Event()
        self._thread = threading.Thread(target=self._run, name="telegram-sender", daemon=True)
        if isinstance(bot, TelegramError):
            self._turned(ChannelState.REFUSED, bot)
            self._heard.set()

    # --- the engine's side, any thread ---------------------------------------------------------------------------

    def start(self) -> None:
        """Ask who the bot is and whether it may write to the chat (A70), then deliver."""
        if isinstance(self._bot, BotClient):
            self._thread.start()

    def offer(self, alert: Alert) -> None:
        """One row of the outbox."""
        with self._changed:
            wanted = self._delivery.add(alert)
            self._stir()
        if not wanted:
            self._mark([(alert.key, NOT_FOR_IT)])

    def health(self) -> ChannelHealth:
        with self._changed:
            found, waiting, delivered = self._health, self._delivery.waiting, self._delivered
        commands = self.commands()
        return ChannelHealth(found.state, found.error, found.hint, found.since_ms, delivered, waiting, commands)

    @property
    def is_checked(self) -> bool:
        """Whether something was heard of bot and chat, good or bad."""
        return self._heard.is_set()

    @property
    def pace(self) -> Pace:
        """The pace of its chat: answers to commands go there too."""
        return self._pace

    def take_marks(self) -> Marks:
        """(key, when it was delivered) of alerts that the store is to mark; 0 for one that was never to be sent."""
        with self._changed:
            found, self._marks = self._marks, []
        return found

    def close(self, timeout_s: float) -> None:
        """Deliver what is due, as far as that goes in the time, and end. Afterwards `take_marks` has the last ones."""
        with self._changed:
            self._until = time.monotonic() + timeout_s
            self._stir()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if isinstance(self._bot, BotClient) and not self._thread.is_alive():
            self._bot.close()

    # --- its own thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        wait_s: float | None = 0.0
        while wait_s is not None:
            if wait_s:
                self._sleep(wait_s)
            try:
                wait_s = self._step()
            except Exception:  # thread boundary: the alerts of the next hours must not end with this one
                log.exception("unexpected error while alerts are delivered")
                self._heard.set()
                wait_s = None if self._until is not None else _BUG_S

    def _stir(self) -> None:
        """Make it look again. It may be between its look and its sleep: then it does not sleep."""
        self._stirred = True
        self._changed.notify()

    def _sleep(self, wait_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stirred, wait_s)
            self._stirred = False

    def _step(self) -> float | None:
        """Do what can be done now. Seconds until the next look, None at the end."""
        now_s = time.monotonic()
        wait_s = max(self._pace.wait_s(now_s), self._again_s - now_s)
        if wait_s > 0:
            return self._unless_late(wait_s)
        if not self._known:
            self._tried(self._check)
            return self._unless_late(0.0)
        now_ms = self._now_ms()
        with self._changed:
            draft = self._delivery.next(now_ms, closing=self._until is not None)
            change_ms = self._delivery.next_change_ms(now_ms)
        if draft is not None:
            self._tried(lambda: self._send(draft))
            return self._unless_late(0.0)
        if self._until is not None:
            return None
        return _FOREVER_S if change_ms is None else min(max((change_ms - now_ms) / 1000, 0.001), _FOREVER_S)

    def _unless_late(self, wait_s: float) -> float | None:
        """The wait, or None when it is time to end before it is over."""
        if self._until is not None and time.monotonic() + wait_s >= self._until:
            return None
        return wait_s

    def _tried(self, what: Callable[[], None]) -> None:
        """Do something with the bot; what goes wrong decides when it is tried again."""
        try:
            what()
        except TooMany as error:
            self._pace.hold(time.monotonic(), error.retry_after_s)
            log.info("telegram: %s", error.message)
        except (TokenRefused, ChatRefused) as error:
            self._known = False
            self._again_s = time.monotonic() + _REFUSED_S
            self._turned(ChannelState.REFUSED, error)
        except TelegramError as error:
            self._again_s = time.monotonic() + min(_FIRST_S * 2**self._tries, _LONGEST_S)
            self._tries = min(self._tries + 1, 10)
            self._turned(ChannelState.UNREACHABLE, error)
        else:
            self._tries = 0
            self._turned(ChannelState.OK, None)
        finally:
            if not self._heard.is_set():
                self._heard.set()
                self._settled()  # whoever waits for it looks again

    def _check(self) -> None:
        bot = self._client()
        found = bot.check(self._chat_id)
        self._known = True
        log.info("telegram: %s writes to %s", found.bot, found.chat)

    def _send(self, draft: Draft) -> None:
        refusal = None
        self._pace.begin(time.monotonic())
        try:
            self._client().send(self._chat_id, draft.text)
        except NotReached as error:
            if error.maybe_taken:
                with self._changed:
                    self._delivery.doubted()
            raise
        except MessageRefused as error:
            refusal = error
        finally:
            self._pace.sent(time.monotonic())
        if refusal is not None:
            self._refused(draft, refusal)
            return
        at_ms = self._now_ms()
        with self._changed:
            keys = self._delivery.taken()
            self._delivered += len(keys)
        self._mark([(key, at_ms) for key in keys])

    def _refused(self, draft: Draft, refusal: MessageRefused) -> None:
        with self._changed:
            lost = self._delivery.refused()
        log.error("telegram: the message of %s: %s", ", ".join(draft.keys), refusal.message)
        for key in lost:
            log.error("telegram: the alert %s cannot be delivered; it stays in the outbox", key)

    def _client(self) -> BotClient:
        assert isinstance(self._bot, BotClient)
        return self._bot

    def _mark(self, marks: Marks) -> None:
        with self._changed:
            first = not self._marks
            self._marks += marks
        if first and marks:
            self._settled()

    def _turned(self, state: ChannelState, error: TelegramError | None) -> None:
        """Note the state; a new one goes to the log."""
        before = self._health
        message, hint = ("", "") if error is None else (error.message, error.hint)
        if state is before.state and message == before.error:
            return
        since_ms = before.since_ms if state is before.state else self._now_ms()
        with self._changed:
            self._health = ChannelHealth(state, message, hint, since_ms)
        if state is ChannelState.REFUSED:
            log.error("telegram: %s; %s", message, hint)
        elif state is ChannelState.UNREACHABLE:
            log.warning("telegram: %s; alerts wait and are sent later", message)
        elif before.state is not None:
            log.info("telegram: alerts are delivered again")


def _no_commands() -> None:
    """Nobody is to give commands, unless somebody listens for them."""
