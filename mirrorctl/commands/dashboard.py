"""`dashboard`: every account, position and trouble on one screen, live, as one frame, or as a picture."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorctl.commands.options import JsonOption, ProfileOption, YesOption
from mirrorctl.commands.session import Session, open_session
from mirrorctl.core.domain.errors import ConfirmationMissing, UsageError

if TYPE_CHECKING:
    from rich.text import Text

_FORMATS = (".svg", ".html")
_EXPORT_WIDTH = 120
_MAX_AGE_S = Decimal(0)  # a single frame is of now; the screen that follows has its own pace

Document = dict[str, Any]

OnceOption = Annotated[bool, typer.Option("--once", help="Print one frame and end.")]
ExportOption = Annotated[
    Path | None,
    typer.Option("--export", metavar="FILE.svg|FILE.html", help="Write one frame as a picture or a page and end."),
]


def dashboard(
    context: typer.Context,
    once: OnceOption = False,
    export: ExportOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
    profile: ProfileOption = None,
) -> None:
    """Every account, position and trouble on one live screen.

    Example: mirrorctl dashboard --export desk.svg
    """
    if as_json and not once and export is None:
        raise UsageError("--json needs --once: a live screen is no document", "add --once")
    session = open_session(context, profile, as_json)
    if export is not None:
        _check_export(session, export, yes)
    from mirrorctl.commands.dashboard_source import read_dashboard, unread_code

    with session.terminal.progress("reading every account"):
        document = read_dashboard(session, _MAX_AGE_S)
    if export is not None:
        _export(session, document, export)
    elif once or not _is_screen(session):
        session.terminal.result(document, *_frame(session, document))
    else:
        raise SystemExit(_show(session, document))
    code = unread_code(document)
    if code:
        raise typer.Exit(code)


def _is_screen(session: Session) -> bool:
    """Whether there is a terminal that can be drawn on; says so where there is none."""
    out = session.terminal.out
    if out.is_terminal and not out.is_dumb_terminal:
        return True
    session.terminal.tell("no terminal to draw on: one frame, as with --once")
    return False


def _show(session: Session, document: Document) -> int:
    from mirrorctl.commands import hold, logs
    from mirrorctl.commands.dashboard_live import show
    from mirrorctl.commands.dashboard_source import read_dashboard
    from mirrorctl.commands.terminal import Terminal

    logs.to_nowhere()
    silent = replace(session, terminal=Terminal(as_json=True))
    return show(
        session.terminal.out,
        document,
        lambda max_age_s: read_dashboard(silent, max_age_s),
        lambda name, account: hold.carried_out(silent, name, account),
    )


def _frame(session: Session, document: Document, width: int | None = None) -> list[Text]:
    from mirrorctl.commands.dashboard_frame import View, frame

    out = session.terminal.out
    ascii_only = width is None and out.options.ascii_only
    return frame(document, View(width or out.width, datetime.now(UTC), ascii_only=ascii_only))


def _check_export(session: Session, path: Path, yes: bool) -> None:
    """Refuse before anything is read: a format that there is not, or a file that stands there and may be another's."""
    if path.suffix.lower() not in _FORMATS:
        raise UsageError(f'--export: found "{path.name}", expected a name that ends in .svg or .html', "name it so")
    if not path.parent.is_dir():
        raise UsageError(f"--export: there is no folder {path.parent}", "make it first")
    if path.is_dir():
        raise UsageError(f"--export: {path} is a folder", "name a file")
    if yes or not path.exists():
        return
    if not session.terminal.can_ask:
        raise ConfirmationMissing(f"{path} exists, and no terminal is there to ask", "add --yes to overwrite it")
    if session.terminal.ask(f"{path} exists. Overwrite it? [y/N]").lower() not in ("y", "yes"):
        raise ConfirmationMissing(f"{path} is left as it was", "answer y, or name another file")


def _export(session: Session, document: Document, path: Path) -> None:
    from mirrorctl.commands.dashboard_export import html, svg

    lines = _frame(session, document, _EXPORT_WIDTH)
    text = (svg if path.suffix.lower() == ".svg" else html)(lines, _EXPORT_WIDTH)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", "choose a folder that can be written"
        ) from error
    session.terminal.result({**document, "export": str(path)}, f"written: {path}")
