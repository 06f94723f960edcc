"""Reads a profile: TOML text, schema, rules, then values. All problems of a file are reported at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from mirrorctl.core.domain.alert_types import AlertType
from mirrorctl.core.domain.errors import ProfileError
from mirrorctl.core.profile import alerting, approaches, lenses, rules, selecting, unbuilt
from mirrorctl.core.profile.catalogue import Home, default_reference, find_profile
from mirrorctl.core.profile.check import Problem, Tree, check_tree
from mirrorctl.core.profile.kinds import PROFILE_NAME
from mirrorctl.core.profile.model import Endpoints, Environment, Profile, TelegramSettings
from mirrorctl.core.profile.resolve import accounts_of, effective, policy_of, rows_of
from mirrorctl.core.profile.schema import ProfileFile

MIRRORING_VARIABLE = "ENABLE_MIRROR_TRADING"
_LARGEST_FILE = 1_000_000
_OTHERS = 0o077
_MIRROR_INDEX = re.compile(r"mirrors\[(\d+)\]")
YES, NO = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


def load_profile(flag: str | None, environ: Mapping[str, str], home: Home) -> Profile:
    """The profile that a command works with: the flag's, the environment's, the chosen one, or `paper`."""
    return read_profile(find_profile(default_reference(flag, environ, home), home), environ)


def read_profile(path: Path, environ: Mapping[str, str]) -> Profile:
    """The profile in a file. ProfileError carries every problem, each as one line with the key's path."""
    try:
        raw = path.read_bytes()[: _LARGEST_FILE + 1]
        private = not path.stat().st_mode & _OTHERS
    except OSError as error:
        raise ProfileError(
            f"the profile {path} cannot be read: {error.strerror}",
            "`mirrorctl profile list` names the profiles there are",
        ) from error
    return parse_profile(raw, path, environ, private_file=private)


def parse_profile(raw: bytes, path: Path, environ: Mapping[str, str], *, private_file: bool) -> Profile:
    """`raw` is the TOML; `path` only names it. `private_file`: nobody but the owner can read it."""
    tree = _parse_toml(raw, path)
    problems: list[Problem] = []
    newer = rules.newer_schema(tree.get("schema"))
    if newer is not None:
        raise _refusal(path, [newer], tree)
    clean = check_tree(ProfileFile, tree, problems.append)
    file = effective(clean)
    problems += unbuilt.refused(clean)
    problems += rules.broken(file, tree, private_file)
    problems += approaches.broken(file, tree)
    problems += selecting.broken(file, tree)
    problems += lenses.broken(file)
    problems += alerting.broken(file, tree)
    mirroring = _read_switch(environ, problems)
    name = _read_name(file, path, problems)
    if problems or file.environment is None:
        raise _refusal(path, problems, tree)
    return Profile(
        name=name,
        path=path,
        environment=Environment(file.environment),
        endpoints=Endpoints(
            file.endpoints.rest, file.endpoints.private_ws, file.endpoints.trade_ws, file.endpoints.public_ws
        ),
        policy=policy_of(file, name, mirroring),
        accounts=accounts_of(file),
        order_entry=file.daemon.order_entry,
        telegram=_telegram(file),
        warnings=(*rules.warnings(file), *lenses.warnings(file), *alerting.warnings(file)),
        rows=tuple(rows_of(file, clean)),
        environ=environ,
    )


def _parse_toml(raw: bytes, path: Path) -> Tree:
    if len(raw) > _LARGEST_FILE:
        raise ProfileError(f"the profile {path} is larger than {_LARGEST_FILE} bytes", "is it a profile?")
    try:
        return tomllib.loads(raw.decode(), parse_float=Decimal)
    except UnicodeDecodeError as error:
        raise ProfileError(f"the profile {path} is not UTF-8 text (byte {error.start})", "save it as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ProfileError(
            f"the profile {path} is not TOML: {error}", "texts need quotes, tables look like [main] and [[mirrors]]"
        ) from error


def _read_name(file: ProfileFile, path: Path, problems: list[Problem]) -> str:
    """The key `name`, or the file's own name where that can be one."""
    name = file.name or path.stem
    try:
        PROFILE_NAME.read(name)
    except ValueError:
        problems.append(
            Problem("name", f"missing, and the file's own name cannot stand for it; allowed: {PROFILE_NAME.allowed}")
        )
    return name


def _read_switch(environ: Mapping[str, str], problems: list[Problem]) -> bool:
    """Whether mirrors may trade at all. A word that is neither yes nor no is a problem: a typo must not trade."""
    word = environ.get(MIRRORING_VARIABLE, "").strip().lower()
    if word and word not in (*YES, *NO):
        problems.append(Problem(MIRRORING_VARIABLE, f'found "{word[:20]}" in the environment; allowed: true | false'))
    return word not in NO


def _refusal(path: Path, problems: list[Problem], tree: Tree) -> ProfileError:
    lines = tuple(_with_name(problem, tree).line for problem in problems)
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    return ProfileError(
        f"the profile {path} has {count}:\n" + "\n".join(f"  {line}" for line in lines),
        f"edit {path}, then run `mirrorctl profile check {path}`",
        lines,
    )


def _with_name(problem: Problem, tree: Tree) -> Problem:
    """Adds the mirror's name to a path that counts mirrors by position."""
    found = _MIRROR_INDEX.match(problem.path)
    if found is None:
        return problem
    try:
        name = tree["mirrors"][int(found[1])]["name"]
    except (KeyError, IndexError, TypeError):
        return problem
    return Problem(f'{problem.path} (mirror "{name}")', problem.text) if isinstance(name, str) else problem


def _telegram(file: ProfileFile) -> TelegramSettings:
    table = file.telegram
    return TelegramSettings(
        enabled=table.enabled,
        token_env=table.token_env,
        chat_id=table.chat_id,
        allowed_chats=tuple(table.allowed_chats),
        mute=table.mute,
        api_base=table.api_base,
        alerts={AlertType(word): on for word, on in table.alerts.items()},
        mirrors=tuple(mirror.name for mirror in file.mirrors if mirror.alerts),
    )
