"""Commands from Telegram for a running engine: who is heard, and what they are answered from."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from mirrorctl.bootstrap.figures import read_figures
from mirrorctl.bootstrap.telegram import bot_of
from mirrorctl.core.bybit.link import wall_ms
from mirrorctl.core.bybit.rest import BybitRest
from mirrorctl.core.domain.errors import ExchangeError, MirrorctlError, Refused
from mirrorctl.core.domain.statistics import Figures
from mirrorctl.core.engine import service
from mirrorctl.core.engine.engine import Engine
from mirrorctl.core.engine.loop import Call
from mirrorctl.core.profile.model import Profile
from mirrorctl.telegram_notify.answers import Answers
from mirrorctl.telegram_notify.errors import TelegramError
from mirrorctl.telegram_notify.inbound import Args, Done, Inbound
from mirrorctl.telegram_notify.inbox import CODE_LENGTH, CODE_SIGNS, Inbox
from mirrorctl.telegram_notify.pace import Pace

_DAY_MS = 86_400_000

Rests = Callable[[], Mapping[str, BybitRest]]


class EngineDesk:
    """Answers commands from the engine of this process (telegram_notify.inbound.Desk)."""

    def __init__(
        self,
        engine: Engine,
        call: Callable[[Call], None],
        rests: Rests,
        names: list[str],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`call` runs something on the engine's thread. `rests`: the clients of the accounts that were read."""
        self._engine = engine
        self._call = call
        self._rests = rests
        self._names = names
        self._now_s = now_s

    def ask(self, name: str, args: Args, done: Done, until_s: float | None) -> None:
        """As a client of the command socket would."""
        self._call(partial(self._start, name, args, done, until_s))

    def _start(self, name: str, args: Args, done: Done, until_s: float | None) -> None:
        if until_s is not None and self._now_s() > until_s:
            done(None, Refused("nothing was done: the daemon was busy until the code was too old", "ask for another"))
            return
        try:
            steps = service.steps(self._engine, name, args, _unheard)
        except MirrorctlError as error:
            done(None, error)
            return
        self._engine.tasks.start(steps, lambda result, error: done(None if result is None else dict(result), error))

    def figures(self, days: int) -> list[tuple[str, Figures | str]]:
        """Read over connections of their own, within the budgets of the account's other ones."""
        return list(self._figures(wall_ms() - days * _DAY_MS))

    def _figures(self, since_ms: int) -> Iterator[tuple[str, Figures | str]]:
        rests = self._rests()

        def read(name: str) -> Figures | str:
            if name not in rests:
                return "it cannot be read"
            rest = rests[name].sibling()
            try:
                return read_figures(rest, since_ms)
            except ExchangeError as error:
                return error.message
            finally:
                rest.close()

        with ThreadPoolExecutor(max_workers=len(self._names)) as pool:
            yield from zip(self._names, pool.map(read, self._names), strict=True)


def open_inbound(
    profile: Profile, engine: Engine, call: Callable[[Call], None], rests: Rests, pace: Pace
) -> Inbound | None:
    """Hear the commands of `telegram.allowed_chats` from now on; None where the profile allows no chat.

    None too where the bot has no token that could be one: the sender tells of it. `pace` is that of `telegram.chat_id`.
    """
    settings = profile.telegram
    if not settings.enabled or not settings.allowed_chats:
        return None
    names = [account.name for account in profile.accounts if account.enabled]
    try:
        listener, talker = bot_of(profile), bot_of(profile)
    except TelegramError:
        return None
    inbound = Inbound(
        listener,
        talker,
        EngineDesk(engine, call, rests, names),
        Answers(profile.name),
        partial(Inbox, settings.allowed_chats, names, make_code),
        {settings.chat_id: pace},
    )
    inbound.start()
    return inbound


def make_code() -> str:
    """A code that nobody guesses."""
    return "".join(secrets.choice(CODE_SIGNS) for _ in range(CODE_LENGTH))


def _unheard(_event: dict[str, object]) -> None:
    return None
