"""Puts a profile that was just written into the user's folder: checked, private, whole, and never over another one."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirrorctl.commands.session import SCHEMA, Session
from mirrorctl.core.domain.errors import ConfirmationMissing, ProfileError, UsageError
from mirrorctl.core.profile.catalogue import shipped_dir
from mirrorctl.core.profile.kinds import PROFILE_NAME
from mirrorctl.core.profile.load import parse_profile
from mirrorctl.core.profile.model import Profile
from mirrorctl.core.store.locks import LockDirectory

_YES = ("y", "yes")
_PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Place:
    """Where a profile of that name is kept. `taken`: a file is there already."""

    name: str
    path: Path
    taken: bool


def find_place(session: Session, name: str) -> Place:
    """The file of a name; UsageError for a name that no profile can have."""
    try:
        PROFILE_NAME.read(name)
    except ValueError as error:
        raise UsageError(
            f'NAME: found "{name[:64]}"; allowed: {PROFILE_NAME.allowed}', "the file is kept under that name"
        ) from error
    path = session.home.profiles_dir / f"{name}.toml"
    return Place(name, path, path.exists())


def check_free(session: Session, place: Place, force: bool) -> None:
    """Raise ConfirmationMissing unless the file may be written: it is new, or a yes was said or is said now."""
    if not place.taken or force:
        return
    if session.terminal.as_json or not session.terminal.can_ask:
        raise ConfirmationMissing(
            f"{place.path} is there already; nothing was written", "add --force to replace it, or choose another name"
        )
    if session.terminal.ask(f"{place.path} is there already: replace it? [y/N]").lower() not in _YES:
        raise ConfirmationMissing("not confirmed; nothing was written", "choose another name, or answer y")


def checked(session: Session, place: Place, text: str) -> Profile:
    """The profile as the text says; ProfileError with every problem, before anything is written."""
    try:
        return parse_profile(text.encode(), place.path, session.environ, private_file=True)
    except ProfileError as error:
        count = (
            "it would have a problem" if len(error.problems) == 1 else f"it would have {len(error.problems)} problems"
        )
        listed = "\n".join(f"  {line}" for line in error.problems)
        raise ProfileError(
            f"{place.path} was not written, {count}:\n{listed}" if error.problems else error.message,
            "give other answers; `mirrorctl profile new --help` lists the options",
            error.problems,
        ) from error


def write(place: Place, text: str) -> None:
    """The file whole or not at all, for its owner alone. ProfileError where the folder does not take it."""
    draft = place.path.with_name(f".{place.name}.{os.getpid()}")
    try:
        place.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(place.path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise ProfileError(
            f"{place.path} cannot be written: {error.strerror}", "see that the folder is yours and not full"
        ) from error


def finish(
    session: Session,
    place: Place,
    profile: Profile,
    *,
    use: bool,
    notes: Sequence[str] = (),
    source: Path | None = None,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Make it the default where that is wanted, and tell what was done and what comes next.

    `source` is a file with the variables, where there is one.
    """
    if use:
        session.home.choose(place.name)
    steps = next_steps(profile, in_use=use, source=source)
    told = [*notes, *_notes(session, place)]
    document = {
        "schema": SCHEMA,
        "profile": profile.name,
        "path": str(place.path),
        "environment": profile.environment,
        "accounts": [{"account": account.name, "enabled": account.enabled} for account in profile.accounts],
        "replaced": place.taken,
        "in_use": use,
        "warnings": list(profile.warnings),
        "notes": told,
        "next": steps,
        **(more or {}),
    }
    warnings = [f"warning: {warning}" for warning in profile.warnings]
    lines = [f"written: {place.path}", *warnings, *told, "next:", *(f"  {step}" for step in steps)]
    session.terminal.result(document, *lines)


def next_steps(profile: Profile, *, in_use: bool, source: Path | None = None) -> list[str]:
    """The commands that lead from a new profile to a running daemon."""
    flag = "" if in_use else f" -p {profile.name}"
    unset = unset_variables(profile)
    sets = [f"export {name}=…" for name in unset]
    if source is not None and unset:
        sets = [f"set -a; . {shlex.quote(str(source.absolute()))}; set +a"]
    checks = [f"mirrorctl doctor{flag}", f"mirrorctl run --dry-run{flag}"] if profile.real else []
    alerts = [f"mirrorctl telegram test{flag}"] if profile.telegram.enabled else []
    return [*sets, *alerts, *checks, f"mirrorctl run{flag}"]


def unset_variables(profile: Profile) -> list[str]:
    """Variables that the profile names and that hold nothing now, in the order of its accounts."""
    used = [account for account in profile.accounts if account.enabled and profile.real]
    named = [source.variable for account in used for source in (account.key, account.secret) if source.variable]
    if profile.telegram.enabled:
        named.append(profile.telegram.token_env)
    return [name for name in named if not profile.environ.get(name, "").strip()]


def _notes(session: Session, place: Place) -> list[str]:
    notes = []
    if not place.taken and (shipped_dir() / place.path.name).is_file():
        notes.append(f"it hides the example of the same name, {place.name}")
    holder = LockDirectory(session.home.locks_dir).profile_holder(place.name)
    if holder is not None:
        notes.append(f"process {holder.pid} runs with the profile as it was: start it again to use this one")
    return notes
