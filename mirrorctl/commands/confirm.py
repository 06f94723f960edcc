"""Who asks (contract): orders on testnet, demo and mainnet need a yes; `flatten` needs the profile's name anywhere."""

from __future__ import annotations

from mirrorctl.commands.session import Session
from mirrorctl.core.domain.errors import ConfirmationMissing

_YES = ("y", "yes")


def check_askable(session: Session, yes: bool, *, has_dry_run: bool = False) -> None:
    """Refuse before anything is read when a yes will be needed and nobody can give it.

    `has_dry_run`: the command takes --dry-run, so the hint may name it.
    """
    profile = session.profile
    if profile.real and not yes and not session.terminal.can_ask:
        raise ConfirmationMissing(
            f"the profile {profile.name} trades on {profile.environment}: this needs a yes, and no terminal is there",
            "add --yes to say it now" + (", or --dry-run to see what would be done" if has_dry_run else ""),
        )


def confirm(session: Session, question: str, yes: bool) -> None:
    """Ask, unless it was said already or nothing leaves this machine. Anything but a yes is a no."""
    profile = session.profile
    if yes or not profile.real:
        return
    check_askable(session, yes)
    answer = session.terminal.ask(f"{question} on {profile.environment} (profile {profile.name})? [y/N]")
    if answer.lower() not in _YES:
        raise ConfirmationMissing("not confirmed; nothing was sent", "answer y to go on")


def confirm_by_name(session: Session, what: str, yes: bool, typed: str | None) -> None:
    """Two steps: type the profile's name, or `--yes --confirm PROFILE`."""
    name = session.profile.name
    if yes and typed is not None:
        if typed != name:
            raise ConfirmationMissing(
                f'--confirm says "{typed[:64]}", the profile is "{name}"; nothing was sent', f"--yes --confirm {name}"
            )
        return
    if not session.terminal.can_ask:
        raise ConfirmationMissing(
            f"not confirmed, and no terminal is there to ask: {what[0].lower()}{what[1:]}; nothing was sent",
            f"add --yes --confirm {name}",
        )
    answer = session.terminal.ask(f"{what}. Type the profile's name to go on:")
    if answer != name:
        raise ConfirmationMissing(f'found "{answer[:64]}", expected "{name}"; nothing was sent', "type it exactly")
