"""`profile`: list, show, check, choose and write profiles."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from mirrorctl.commands import choices, profile_draft, profile_import, tables
from mirrorctl.commands.help_pages import Commands
from mirrorctl.commands.options import JsonOption, ProfileOption
from mirrorctl.commands.session import SCHEMA, Session, now_text, open_session
from mirrorctl.core.domain.errors import ProfileError
from mirrorctl.core.profile.catalogue import default_reference, list_profiles
from mirrorctl.core.profile.load import load_profile, read_profile
from mirrorctl.core.profile.model import Profile

_HELP = """Profiles: which accounts, where, and by what rules.

Examples:
  mirrorctl profile new
  mirrorctl profile list
  mirrorctl profile show --resolved
  mirrorctl profile use live
"""

app = Commands(no_args_is_help=True, help=_HELP)

NameArgument = Annotated[
    str | None,
    typer.Argument(metavar="[NAME|PATH]", help="Default: the profile in use.", autocompletion=choices.profiles),
]


@app.command("list")
def list_(context: typer.Context, as_json: JsonOption = False, profile: ProfileOption = None) -> None:
    """The profiles there are; the one in use is marked.

    Example: mirrorctl profile list
    """
    session = open_session(context, profile, as_json)
    chosen = default_reference(session.reference, session.environ, session.home)
    rows = [
        {
            "name": listed.name,
            "path": str(listed.path),
            "shipped": listed.shipped,
            "chosen": chosen in (listed.name, str(listed.path)),
            "environment": _environment(session, listed.path),
        }
        for listed in list_profiles(session.home)
    ]
    session.terminal.result({"schema": SCHEMA, "profiles": rows}, tables.profiles(rows))


@app.command()
def show(
    context: typer.Context,
    name: NameArgument = None,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Every key that holds, defaults included, with its source.")
    ] = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """The settings of a profile; keys and secrets are never shown.

    Example: mirrorctl profile show paper --resolved
    """
    session = open_session(context, name or profile, as_json)
    found = session.profile
    rows = [
        {"key": row.key, "value": row.value, "source": row.source}
        for row in found.resolved()
        if resolved or row.source in ("file", "mirror_defaults")
    ]
    document = {"schema": SCHEMA, **_head(found), "settings": rows}
    session.terminal.result(document, f"{found.name} ({found.environment}): {found.path}", tables.settings(rows))


@app.command()
def check(
    context: typer.Context, name: NameArgument = None, as_json: JsonOption = False, profile: ProfileOption = None
) -> None:
    """Report every problem of a profile at once.

    Example: mirrorctl profile check live
    """
    session = open_session(context, name or profile, as_json)
    found = load_profile(session.reference, session.environ, session.home)
    missing = _missing_keys(found)
    document = {
        "schema": SCHEMA,
        **_head(found),
        "valid": True,
        "warnings": list(found.warnings),
        "missing_keys": missing,
    }
    notes = [f"warning: {warning}" for warning in found.warnings] + [f"not set yet: {text}" for text in missing]
    session.terminal.result(document, f"{found.path}: no problem found", *notes)


@app.command()
def use(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME|PATH", help="Which one.", autocompletion=choices.profiles)],
    repin: Annotated[
        bool, typer.Option("--repin", help="Accept whatever accounts its keys belong to at the next start.")
    ] = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Make a profile the default.

    Example: mirrorctl profile use live
    """
    session = open_session(context, name or profile, as_json)
    found = session.profile
    forgotten = _forget_pins(session, found) if repin else {}
    session.home.choose(name)
    notes = [f"{account}: UID {uid} is no longer pinned" for account, uid in forgotten.items()]
    if repin and not forgotten:
        notes = ["no UID was pinned"]
    session.terminal.result(
        {"schema": SCHEMA, **_head(found), "unpinned": forgotten}, f"in use: {found.name} ({found.environment})", *notes
    )


app.command("new")(profile_draft.new)
app.command("import-env")(profile_import.import_env)


def _head(found: Profile) -> dict[str, Any]:
    return {"profile": found.name, "path": str(found.path), "environment": found.environment}


def _environment(session: Session, path: Any) -> str | None:
    try:
        return read_profile(path, session.environ).environment.value
    except ProfileError:
        return None


def _missing_keys(found: Profile) -> list[str]:
    """Accounts in use whose keys are not in the environment: no fault of the file."""
    missing = []
    for account in found.accounts:
        if account.enabled:
            try:
                found.credentials(account.name)
            except ProfileError as error:
                missing.append(error.message)
    return missing


def _forget_pins(session: Session, found: Profile) -> dict[str, str]:
    """Needs the profile's lock: a daemon that runs trades with the accounts that are pinned."""
    from mirrorctl.bootstrap.accounts import forget_pins
    from mirrorctl.core.store.locks import Holder, LockDirectory
    from mirrorctl.core.store.sqlite import SqliteStore

    path = session.home.store_path(found.name)
    if not path.exists():
        return {}
    holder = Holder(pid=os.getpid(), profile=found.name, command="profile use --repin", since=now_text())
    with (
        LockDirectory(session.home.locks_dir).lock_profile(found.name, holder),
        SqliteStore(path) as store,
    ):
        return forget_pins(store, [account.name for account in found.accounts])
