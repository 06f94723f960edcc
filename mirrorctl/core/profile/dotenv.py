"""Reads a `.env` file: NAME=VALUE lines, as shells, Docker and systemd write them. No error shows a value."""

from __future__ import annotations

import re

from mirrorctl.core.domain.errors import ProfileError

_LINE = re.compile(r"(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>.*)")
_QUOTED = re.compile(r"""(?P<quote>["'])(?P<text>.*?)(?P=quote)\s*(?:#.*)?""")


def parse_dotenv(text: str, source: str) -> dict[str, str]:
    """The variables of a file; the last line of a name wins, as in a shell.

    Raises ProfileError with every line that is neither blank, a comment nor NAME=VALUE: by number alone, for it may
    hold a key. `source` names the file.
    """
    found: dict[str, str] = {}
    wrong = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE.fullmatch(stripped)
        if match is None:
            wrong.append(str(number))
        else:
            found[match["name"]] = _value(match["value"])
    if wrong:
        lines = "line" if len(wrong) == 1 else "lines"
        raise ProfileError(
            f"{source}: {lines} {', '.join(wrong[:10])}: found no NAME=VALUE",
            "each line is NAME=VALUE, a comment (#) or blank; what stands there is not shown, it may be a key",
        )
    return found


def _value(raw: str) -> str:
    """Without quotes, and without a comment behind them or behind a blank."""
    quoted = _QUOTED.fullmatch(raw)
    if quoted is not None:
        return quoted["text"]
    return re.split(r"\s+#", raw, maxsplit=1)[0].strip() if not raw.startswith("#") else ""
