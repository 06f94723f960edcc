"""What every command has at hand: the terminal, the home and the profile."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from mirrorctl.commands.terminal import Terminal
from mirrorctl.core.domain.errors import UsageError
from mirrorctl.core.profile.catalogue import Home, find_home

if TYPE_CHECKING:
    from mirrorctl.core.profile.model import Profile

SCHEMA = 1


@dataclass(slots=True)
class Session:
    """One invocation. `profile` is read when it is first asked for."""

    terminal: Terminal
    home: Home
    reference: str | None
    environ: Mapping[str, str]
    _profile: Profile | None = field(default=None)

    @property
    def profile(self) -> Profile:
        if self._profile is None:
            from mirrorctl.core.profile.load import load_profile

            self._profile = load_profile(self.reference, self.environ, self.home)
        return self._profile

    def account_names(self, only: str | None) -> list[str]:
        """The accounts in use, main first, or the one that is named."""
        self.check_account(only)
        if only is None:
            return [account.name for account in self.profile.accounts if account.enabled]
        if not self.profile.account(only).enabled:
            raise UsageError(f"{only} is disabled in the profile", f"set enabled = true in {self.profile.path}")
        return [only]

    def check_account(self, name: str | None) -> None:
        """Raise UsageError for an account that the profile does not have, in use or not."""
        known = [account.name for account in self.profile.accounts]
        if name is not None and name not in known:
            raise UsageError(f'the profile {self.profile.name} has no account "{name}"', f"it has: {', '.join(known)}")


def open_session(context: typer.Context, profile: str | None, as_json: bool) -> Session:
    """The session of a command. A profile given after the command wins over one given before it.

    Raises UsageError for an empty one: `-p "$UNSET"` must not fall back to another profile.
    """
    before = context.find_root().obj
    given = profile if profile is not None else before if isinstance(before, str) else None
    if given is not None and not given.strip():
        raise UsageError("--profile: found an empty name", "`mirrorctl profile list` shows the names")
    return Session(
        terminal=Terminal(as_json=as_json),
        home=find_home(os.environ),
        reference=given,
        environ=os.environ,
    )


def now_text() -> str:
    """Now as the contract writes times."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
