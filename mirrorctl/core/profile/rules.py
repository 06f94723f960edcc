"""Rules between the keys of a profile: names, keys of accounts, endpoints; and what is allowed but worth a word."""

from __future__ import annotations

from collections.abc import Iterator

from mirrorctl.core.profile import sizing
from mirrorctl.core.profile.check import Problem, Tree, shown
from mirrorctl.core.profile.schema import KeysTable, ProfileFile

SCHEMA = 1
_ENVIRONMENTS = "paper | testnet | demo | mainnet"
_KEY_PAIR = ("api_key", "api_secret")


def broken(file: ProfileFile, written: Tree, private_file: bool) -> Iterator[Problem]:
    """A problem for each rule that `file` breaks. `private_file`: only its owner can read it (mode 0600).

    `written` is the tree as it came: a key with a fault stands in it, and is not missing.
    """
    if "environment" not in written:
        yield Problem("environment", f"missing; allowed: {_ENVIRONMENTS}")
    yield from _names(file)
    yield from _keys(file, written, private_file)
    yield from _endpoints(file)
    yield from _entry(file)
    yield from sizing.broken(file, written)


def newer_schema(schema: object) -> Problem | None:
    """The problem of a file made for another mirrorctl; nothing else in it can be judged then."""
    if isinstance(schema, bool) or not isinstance(schema, int) or schema <= SCHEMA:
        return None
    return Problem("schema", f"found {schema}; allowed: {SCHEMA}; made for a newer mirrorctl: update mirrorctl")


def warnings(file: ProfileFile) -> Iterator[str]:
    """What is allowed and probably not meant."""
    yield from sizing.warnings(file)
    one, other = file.endpoints.rest, file.endpoints.private_ws
    if file.environment != "paper" and (one is None) != (other is None):
        yield "endpoints: rest and private_ws do not come from the same place; set both or neither"
    by_socket, trade = file.daemon.order_entry == "ws", file.endpoints.trade_ws
    if by_socket and file.environment in ("testnet", "mainnet") and (trade is None) != (other is None):
        yield "endpoints: private_ws and trade_ws do not come from the same place; set both or neither"


def roles(file: ProfileFile) -> Iterator[tuple[str, KeysTable]]:
    """(key path, table) of main and of each mirror."""
    yield "main", file.main
    for index, mirror in enumerate(file.mirrors):
        yield f"mirrors[{index}]", mirror


def _names(file: ProfileFile) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, mirror in enumerate(file.mirrors):
        path = f"mirrors[{index}].name"
        if mirror.name == "main":
            yield Problem(path, 'found "main"; allowed: any other name, "main" is the main account')
        elif mirror.name in seen:
            first = seen[mirror.name]
            yield Problem(
                path, f"found {shown(mirror.name)}, already the name of mirrors[{first}]; allowed: a new name"
            )
        elif mirror.name:
            seen[mirror.name] = index


def _keys(file: ProfileFile, written: Tree, private_file: bool) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for path, table in roles(file):
        for key in _KEY_PAIR:
            yield from _one_key(table, path, key, private_file)
            if file.environment not in (None, "paper") and not _key_written(written, path, key):
                yield Problem(f"{path}.{key}_env", "missing; allowed: the name of the environment variable with it")
            variable, literal = _pair(table, key)
            for value, name in ((variable, f"{key}_env"), (literal, key)):
                if value is None:
                    continue
                here = f"{path}.{name}"
                owner = owners.setdefault(value, here)
                if owner != here:
                    yield Problem(here, f"the same as {owner}; allowed: each account's own key")


def _one_key(table: KeysTable, path: str, key: str, private_file: bool) -> Iterator[Problem]:
    variable, literal = _pair(table, key)
    if variable is not None and literal is not None:
        yield Problem(f"{path}.{key}", f"found beside {key}_env; allowed: one of the two")
    if literal is not None and not private_file:
        yield Problem(
            f"{path}.{key}",
            f"found a key in a file that others can read; allowed: {key}_env, or a file of mode 0600 (chmod 600)",
        )


def _key_written(written: Tree, path: str, key: str) -> bool:
    """Whether one of the two ways to give a key stands in the table at `path`, right or wrong."""
    table = written.get("main", {}) if path == "main" else written["mirrors"][int(path[len("mirrors[") : -1])]
    return not isinstance(table, dict) or key in table or f"{key}_env" in table


def _pair(table: KeysTable, key: str) -> tuple[str | None, str | None]:
    if key == "api_key":
        return table.api_key_env, table.api_key
    return table.api_secret_env, table.api_secret


def _endpoints(file: ProfileFile) -> Iterator[Problem]:
    if file.environment != "paper":
        return
    given = {name: getattr(file.endpoints, name) for name in ("rest", "private_ws", "trade_ws", "public_ws")}
    if not any(given.values()):
        return
    for name in ("rest", "private_ws"):
        if given[name] is None:
            yield Problem(
                f"endpoints.{name}", "missing; paper has no address of its own: name it too, or leave [endpoints] out"
            )


def _entry(file: ProfileFile) -> Iterator[Problem]:
    """Order entry over WebSocket has to exist where the profile trades (websocket/trade/guideline, demo)."""
    if file.daemon.order_entry != "ws":
        return
    if file.environment == "demo":
        yield Problem("daemon.order_entry", 'found "ws"; allowed: "http"; demo trading takes no orders over WebSocket')
    elif file.environment == "paper" and file.endpoints.rest is not None and file.endpoints.trade_ws is None:
        yield Problem("endpoints.trade_ws", 'missing; daemon.order_entry = "ws" needs it')
