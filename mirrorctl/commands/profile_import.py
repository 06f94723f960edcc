"""`profile import-env`: a profile out of the `.env` file of a bot that traded before."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mirrorctl.commands import choices
from mirrorctl.commands.options import JsonOption, ProfileOption
from mirrorctl.commands.profile_draft import ForceOption, UseOption, WhereOption
from mirrorctl.commands.session import open_session
from mirrorctl.core.domain.errors import UsageError

_VALUE = "50%"
_LARGEST = 1_000_000


def import_env(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar=".env", help="File of NAME=VALUE lines.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What the profile is called.")] = "imported",
    environment: WhereOption = None,
    value: Annotated[
        str, typer.Option("--value", metavar="FACTOR", help="Size of each mirror, as a part of main's quantity.")
    ] = _VALUE,
    store_keys: Annotated[
        bool, typer.Option("--store-keys", help="Put the keys themselves into the file, which only you can read.")
    ] = False,
    use: UseOption = False,
    force: ForceOption = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Write a profile from the keys of a `.env` file; no key is ever printed.

    It reads BYBIT_API_KEY and BYBIT_API_SECRET (main), the same with _2, _3, … (mirrors), and ENABLE_MIRROR_TRADING:
    false writes mirrors that are disabled. Nothing else in the file counts, but USE_TESTNET where --environment is left
    out. The profile names the variables; with --store-keys it holds the keys.

    Examples:
      mirrorctl profile import-env .env --name live --environment mainnet
      mirrorctl profile import-env old-bot/.env --environment testnet --store-keys
    """
    from mirrorctl.commands import profile_place
    from mirrorctl.core.profile.dotenv import parse_dotenv
    from mirrorctl.core.profile.draft import written
    from mirrorctl.core.profile.env_import import drafted

    session = open_session(context, profile, as_json)
    if environment is not None and environment not in choices.ENVIRONMENTS:
        allowed = " | ".join(choices.ENVIRONMENTS)
        raise UsageError(f'--environment: found "{environment}"; allowed: {allowed}')
    place = profile_place.find_place(session, name)
    source = Path(file).expanduser()
    found = drafted(parse_dotenv(_read(source), file), file, name, environment, value, store_keys=store_keys)
    text = written(found.draft)
    parsed = profile_place.checked(session, place, text)
    profile_place.check_free(session, place, force)
    profile_place.write(place, text)
    notes = [*found.notes, *_readers(source)]
    profile_place.finish(session, place, parsed, use=use, notes=notes, source=source, more={"keys_stored": store_keys})


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            raise UsageError(f"{path} is larger than {_LARGEST} bytes", "is it a .env file?")
        return raw.decode()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "give the path of a .env file") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start})", "is it a .env file?") from error


def _readers(path: Path) -> list[str]:
    """A word about a file of keys that others can read."""
    return [f"others can read {path}: chmod 600 {path}"] if path.stat().st_mode & 0o077 else []
