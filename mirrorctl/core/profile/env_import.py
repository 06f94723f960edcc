"""A draft out of the variables of a `.env` file. What the file says of accounts is taken; nothing in it is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mirrorctl.core.domain.errors import ProfileError
from mirrorctl.core.profile.draft import Draft, DraftMirror, Keys, default_limits
from mirrorctl.core.profile.load import MIRRORING_VARIABLE, NO, YES

KEY, SECRET, TESTNET = "BYBIT_API_KEY", "BYBIT_API_SECRET", "USE_TESTNET"
_MOST_ACCOUNTS = 50


@dataclass(frozen=True, slots=True)
class Imported:
    """The draft, and what somebody should know who reads it."""

    draft: Draft
    notes: tuple[str, ...]


def drafted(
    variables: Mapping[str, str], source: str, name: str, environment: str | None, value: str, *, store_keys: bool
) -> Imported:
    """The profile that a file's variables describe. `source` names the file; `environment` None: as the file says.

    Raises ProfileError with every variable that is missing, or whose word is neither yes nor no.
    """
    problems: list[str] = []
    ends = ["", *_mirror_ends(variables)]
    for end in ends:
        problems += [f"{half}{end}: missing or empty" for half in (KEY, SECRET) if not variables.get(f"{half}{end}")]
    problems += _same(variables, ends)
    enabled = _word(variables, MIRRORING_VARIABLE, problems)
    testnet = _word(variables, TESTNET, problems)
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise ProfileError(
            f"{source} has {count}:\n{lines}", "no value is shown, it may be a key; mend the file", tuple(problems)
        )
    notes = []
    if environment is None:
        environment = "mainnet" if testnet is False else "testnet"
        why = (
            f"{TESTNET} says so"
            if testnet is not None
            else "the file does not say; --environment mainnet is real money"
        )
        notes.append(f"environment: {environment} ({why})")
    mirrors = tuple(
        DraftMirror(_mirror_name(end), "proportion", value, _keys(variables, end, store_keys), enabled is not False)
        for end in ends[1:]
    )
    if not mirrors:
        notes.append(f"no mirror: {KEY}_2 is not in the file")
    elif enabled is False:
        notes.append(f"mirrors are disabled: {MIRRORING_VARIABLE} is false")
    draft = Draft(
        name=name,
        environment=environment,
        mirrors=mirrors,
        keys=_keys(variables, "", store_keys),
        limits=default_limits(environment),
        adopt="new-only",
    )
    return Imported(draft, tuple(notes))


def _mirror_ends(variables: Mapping[str, str]) -> Iterator[str]:
    """`_2`, `_3`, … of which one half at least is there: the other one missing is a problem."""
    for number in range(2, _MOST_ACCOUNTS):
        if any(variables.get(f"{half}_{number}") for half in (KEY, SECRET)):
            yield f"_{number}"


def _mirror_name(end: str) -> str:
    return "mirror" if end == "_2" else f"mirror-{end[1:]}"


def _keys(variables: Mapping[str, str], end: str, store_keys: bool) -> Keys:
    names = (f"{KEY}{end}", f"{SECRET}{end}")
    return Keys(variables[names[0]], variables[names[1]], literal=True) if store_keys else Keys(*names)


def _same(variables: Mapping[str, str], ends: list[str]) -> Iterator[str]:
    """Accounts with one key: one of them was copied from the other and never changed."""
    owners: dict[str, str] = {}
    for end in ends:
        value = variables.get(f"{KEY}{end}")
        owner = owners.setdefault(value, end) if value else end
        if owner != end:
            yield f"{KEY}{end}: the same as {KEY}{owner}; allowed: each account's own key"


def _word(variables: Mapping[str, str], name: str, problems: list[str]) -> bool | None:
    """A yes or a no; None where the file says neither. Any other word is a problem: a typo must not trade."""
    word = variables.get(name, "").strip().lower()
    if word and word not in (*YES, *NO):
        problems.append(f"{name}: neither a yes nor a no; allowed: true | false")
    return True if word in YES else False if word in NO else None
