"""Telegram for a profile: the bot, which alerts go to it, and the sender beside a running engine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mirrorctl.core.bybit.link import wall_ms
from mirrorctl.core.engine.channel import NOT_FOR_IT
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.loop import Call
from mirrorctl.core.engine.records import Store
from mirrorctl.core.profile.model import Profile
from mirrorctl.core.store.sqlite import SqliteStore
from mirrorctl.telegram_notify.choice import Choice
from mirrorctl.telegram_notify.client import BotClient, Checked
from mirrorctl.telegram_notify.errors import ChatRefused, TelegramError, TokenRefused
from mirrorctl.telegram_notify.messages import Words
from mirrorctl.telegram_notify.sender import Sender

TIMEOUT_S = 10.0
_SINCE = "telegram.since"


def bot_of(profile: Profile, *, timeout_s: float = TIMEOUT_S) -> BotClient:
    """The bot of a profile; nothing is sent. Raises TokenRefused where its token is not set, or cannot be one."""
    variable = profile.telegram.token_env
    token = profile.telegram_token()
    if not token:
        raise TokenRefused(
            f"the bot's token is not set: {variable}",
            f"set the environment variable {variable} to what @BotFather gave",
        )
    return BotClient(token, profile.telegram.api_base, timeout_s=timeout_s)


def check(profile: Profile, *, timeout_s: float = TIMEOUT_S) -> Checked:
    """Ask Telegram for the bot and its chat (A70). Raises TelegramError; the one for a wrong token or chat exits 2."""
    chat_id = chat_of(profile)
    bot = bot_of(profile, timeout_s=timeout_s)
    try:
        return bot.check(chat_id)
    finally:
        bot.close()


def chat_of(profile: Profile) -> int:
    """The chat that gets the alerts. Raises ChatRefused where the profile names none."""
    if not profile.telegram.chat_id:
        raise ChatRefused("the profile names no chat", f"set telegram.chat_id in {profile.path}")
    return profile.telegram.chat_id


def choice_of(profile: Profile) -> Choice:
    """Which alerts go to the chat, and when."""
    settings = profile.telegram
    return Choice(dict(settings.alerts), frozenset(settings.mirrors), settings.mute)


def count_waiting(profile: Profile, store: SqliteStore) -> int:
    """How many alerts the next daemon will deliver; 0 before the first that had a channel. For a look without one."""
    if not profile.telegram.enabled or not store.fact(_SINCE):
        return 0
    choice = choice_of(profile)
    return sum(choice.wants(alert) for alert in store.undelivered())


def open_sender(profile: Profile, engine: Engine, call: Callable[[Call], None]) -> Sender | None:
    """Deliver the engine's alerts from now on, after those that wait; None where the profile wants none sent.

    On the engine's thread. `call` runs something there, from any thread. What was told before there was a channel
    is not sent: nobody wants the alerts of the last month when they switch it on.
    """
    if not profile.telegram.enabled:
        if engine.store.fact(_SINCE):
            engine.store.set_fact(_SINCE, "")
        return None
    sender = Sender(
        _bot_or_why(profile),
        profile.telegram.chat_id,
        choice_of(profile),
        Words(profile.name),
        now_ms=wall_ms,
        settled=lambda: call(settle),
    )
    settle = partial(write_marks, sender, engine.store)
    if not engine.store.fact(_SINCE):
        _skip(engine.store)
    for alert in engine.store.undelivered():
        sender.offer(alert)
    engine.outbox.channel = sender
    sender.start()
    return sender


def close_sender(sender: Sender, store: Store, timeout_s: float) -> None:
    """Deliver what still can be, and write down what was. On the engine's thread."""
    sender.close(timeout_s)
    write_marks(sender, store)


def write_marks(sender: Sender, store: Store) -> None:
    """Mark in the store what the sender has done with. On the engine's thread."""
    with store.batch():
        for key, at_ms in sender.take_marks():
            store.mark_delivered(key, at_ms)


def _skip(store: Store) -> None:
    with store.batch():
        for alert in store.undelivered():
            store.mark_delivered(alert.key, NOT_FOR_IT)
        store.set_fact(_SINCE, str(wall_ms()))


def _bot_or_why(profile: Profile) -> BotClient | TelegramError:
    try:
        return bot_of(profile)
    except TelegramError as error:
        return error
