"""Where every command enters, and the one map from errors to exit codes.

The commands themselves are in `commands/root.py`. It is imported here when something is to be carried out: the version
is printed by an interpreter that has loaded next to nothing.
"""

from __future__ import annotations

import os
import sys

from mirrorctl import __version__
from mirrorctl.core.domain.errors import MirrorctlError, UsageError

TYPE_CHECKING = False  # as in typing, which would have to be loaded for it
if TYPE_CHECKING:
    from collections.abc import Sequence

    import typer

_LEFT_EARLY = 141  # 128 + SIGPIPE: who read the output closed it, as `head` does; a shell says 141 of others, too
_COMPLETION = {"--install-completion", "--show-completion"}


class Interrupted(MirrorctlError):
    """Ctrl-C."""

    kind = "interrupted"
    exit_code = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. No error leaves as a traceback on screen."""
    args = list(sys.argv[1:] if argv is None else argv)
    if args == ["--version"]:
        return _version()
    for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a character must not end a command half way
        if hasattr(stream, "reconfigure") and stream.encoding.lower() != "utf-8":
            stream.reconfigure(errors="replace")
    os.umask(0o077)  # logs, stores and what lies between are for their owner alone
    return _carried_out(args)


def _version() -> int:
    """What `--version` prints wherever it stands; alone it waits for nothing to be loaded."""
    try:
        sys.stdout.write(f"mirrorctl {__version__}\n")
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more at its end
        return _LEFT_EARLY if isinstance(error, BrokenPipeError) else _unexpected(False, error)
    return 0


def _carried_out(args: list[str]) -> int:
    import typer

    from mirrorctl.commands.root import app

    as_json = "--json" in args
    try:
        code = typer.main.get_command(app).main(args, prog_name="mirrorctl", standalone_mode=False)
        if code and _COMPLETION & set(args):
            hint = "run it inside bash, zsh, fish or PowerShell"
            return _fail(as_json, UsageError("your shell was not recognised", hint))
        if code == Interrupted.exit_code:
            return _fail(as_json, Interrupted("interrupted", "`mirrorctl status` shows what stands"))
        return code if isinstance(code, int) else 0
    except MirrorctlError as error:
        return _fail(as_json, error)
    except typer.TyperException as error:
        return _usage(as_json, error, args)
    except SystemExit as told:  # a command that said itself how it was interrupted, or that a shell was answered
        if isinstance(told.__context__, BrokenPipeError):
            return _LEFT_EARLY
        return told.code if isinstance(told.code, int) else 1
    except (typer.Abort, KeyboardInterrupt):
        return _fail(as_json, Interrupted("interrupted", "`mirrorctl status` shows what stands"))
    except Exception as error:  # noqa: BLE001 - outermost boundary: the traceback goes to the log, a line to the screen
        return _unexpected(as_json, error)


def _fail(as_json: bool, error: MirrorctlError) -> int:
    from contextlib import suppress

    from mirrorctl.commands.terminal import Terminal

    with suppress(OSError):  # nobody reads any more, or the disk is full: the exit code still tells
        Terminal(as_json=as_json).error(error)
    return error.exit_code


def _usage(as_json: bool, error: typer.TyperException, words: Sequence[str]) -> int:
    """What the parser found wrong; help that was printed for want of a command is no error to print again."""
    from mirrorctl.commands.root import every_command
    from mirrorctl.commands.usage_hints import explained

    found = explained(error, words, every_command)
    return UsageError.exit_code if found is None else _fail(as_json, found)


def _unexpected(as_json: bool, error: Exception) -> int:
    from mirrorctl.commands import logs
    from mirrorctl.core.profile.catalogue import find_home

    path = logs.crash(find_home(os.environ).log_root / "mirrorctl.log", error)
    hint = f"its details are in {path}; please report it" if path else "please report it"
    lines = str(error).strip().splitlines() or ["no details"]
    return _fail(as_json, MirrorctlError(f"unexpected error: {type(error).__name__}: {lines[0][:300]}", hint))
