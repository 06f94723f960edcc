"""What the doctor says of the machine: daemon, store, disk, the address it sends from, Telegram."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import mirrorctl
from mirrorctl.bootstrap import telegram
from mirrorctl.bootstrap.accounts import silence_of
from mirrorctl.bootstrap.examined import Recorded
from mirrorctl.core.bybit.environments import Endpoints
from mirrorctl.core.domain.account_checks import Check, State
from mirrorctl.core.domain.errors import MirrorctlError
from mirrorctl.core.domain.values import PositionSide
from mirrorctl.core.domain.view import AccountView
from mirrorctl.core.engine.command_client import call
from mirrorctl.core.profile.catalogue import Home
from mirrorctl.core.profile.model import Profile
from mirrorctl.core.store.locks import LockDirectory
from mirrorctl.telegram_notify.errors import ChatRefused, TelegramError, TokenRefused

_ANSWER_S, _TELEGRAM_S = 2.0, 3.0
_LITTLE_BYTES, _LEAST_BYTES = 500_000_000, 50_000_000
_GIGA, _MEGA, _KILO = 1_000_000_000, 1_000_000, 1_000


def checks(profile: Profile, home: Home, endpoints: Endpoints | None, recorded: Recorded) -> Iterator[Check]:
    """Store, disk, address and Telegram. `endpoints` None: there is no exchange to send to."""
    yield _store(home.store_path(profile.name), recorded)
    yield _disk(home)
    if endpoints is not None:
        yield _address(endpoints, home)
    yield _telegram(profile)


def daemon(profile: Profile, home: Home, views: Sequence[AccountView]) -> Check:
    """Whether one runs, answers, and is of this version. `views`: of the accounts, for what stands unwatched."""
    holder = LockDirectory(home.locks_dir).profile_holder(profile.name)
    if holder is None:
        held = sum(view.size(symbol, side) > 0 for view in views for symbol in view.symbols() for side in PositionSide)
        if held:
            text = f"none runs, and {held} position{'s stand' if held > 1 else ' stands'}: nobody follows main"
            return Check("daemon", State.WARNING, "", text, f"start it: `mirrorctl run -p {profile.name}`")
        return Check("daemon", State.NOTE, "", "none runs: nothing is followed until `mirrorctl run`")
    who = f"`mirrorctl {holder.command}`, process {holder.pid}"
    if holder.socket is None:
        return Check("daemon", State.NOTE, "", f"{who} holds the profile and takes no commands (yet)")
    began = time.monotonic()
    try:
        call(Path(holder.socket), "status", {}, timeout_s=_ANSWER_S, result_timeout_s=_ANSWER_S)
    except MirrorctlError as error:
        hint = f"see its log {home.log_path(profile.name)}; if it hangs, end it (kill {holder.pid}) and start it again"
        return Check("daemon", State.ERROR, "", f"{who} does not answer: {error.message}", hint)
    took = f"answers after {round((time.monotonic() - began) * 1000)} ms"
    if holder.version and holder.version != mirrorctl.__version__:
        text = f"{who} is version {holder.version}, this is {mirrorctl.__version__}"
        return Check("daemon", State.WARNING, "", text, "restart it: what stands is found again, stops stay")
    return Check("daemon", State.OK, "", f"{who}, {took}")


def _store(path: Path, recorded: Recorded) -> Check:
    if recorded.error:
        return Check("store", State.ERROR, "", recorded.error, recorded.hint or f"it is {path}")
    if not recorded.exists:
        return Check("store", State.NOTE, "", f"none yet: the first start makes {path}")
    if recorded.fault:
        hint = "`mirrorctl history --verify` shows where; what the daemon does next does not depend on it"
        return Check("store", State.WARNING, "", f"its journal was changed: {recorded.fault}", hint)
    locked = next((each for each in (path, path.parent) if not os.access(each, os.W_OK)), None)
    if locked is not None:
        hint = "make the file and its folder writable for the user who runs mirrorctl"
        return Check("store", State.ERROR, "", f"{locked} is not writable", hint)
    text = f"{_size(path.stat().st_size)}, sound, journal of {recorded.rows} rows intact: {path}"
    if recorded.is_older:
        return Check("store", State.NOTE, "", f"of an older version: the next start brings it up to date; {path}")
    return Check("store", State.OK, "", text)


def _disk(home: Home) -> Check:
    folder = next(path for path in (home.state_root, *home.state_root.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    text = f"{_size(free)} are left on the disk of {folder}"
    if free >= _LITTLE_BYTES:
        return Check("disk", State.OK, "", text)
    state = State.ERROR if free < _LEAST_BYTES else State.WARNING
    return Check("disk", state, "", text, "without room nothing can be journaled, so nothing can be sent")


def _address(endpoints: Endpoints, home: Home) -> Check:
    """A silence that the exchange asked of this machine (HTTP 403, rate-limit/rate-limit)."""
    left_s = silence_of(endpoints, home).left_s(time.monotonic())
    if left_s:
        text = f"the exchange takes no requests from this machine for another {left_s:.0f} s (HTTP 403)"
        hint = "wait; whatever else sends from this address shares the limit"
        return Check("address", State.ERROR, "", text, hint)
    return Check("address", State.OK, "", "the exchange has asked no silence of this machine")


def _telegram(profile: Profile) -> Check:
    """Token, chat and the right to write there, as `run` looks at its start (A70)."""
    if not profile.telegram.enabled:
        return Check("telegram", State.NOTE, "", "off: alerts stand in `mirrorctl status` and the log alone")
    try:
        found = telegram.check(profile, timeout_s=_TELEGRAM_S)
    except (TokenRefused, ChatRefused) as error:
        return Check("telegram", State.ERROR, "", error.message, error.hint)
    except TelegramError as error:
        return Check("telegram", State.WARNING, "", f"{error.message}: alerts wait", error.hint)
    return Check("telegram", State.OK, "", f"{found.bot} may write to {found.chat}")


def _size(count: int) -> str:
    for unit, name in ((_GIGA, "GB"), (_MEGA, "MB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count // _KILO} kB"
