"""The statistics of accounts, read from the exchange's own records: for `stats`, and for the bot beside the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mirrorctl.core.domain.account import ClosedPnl, Execution, Position
from mirrorctl.core.domain.statistics import CycleResult, Figures, cycles_of, figures


class RecordReader(Protocol):
    """What statistics may ask of an account; nothing here can trade."""

    def closed_pnl(self, start_ms: int) -> Sequence[ClosedPnl]: ...
    def positions(self) -> Sequence[Position]: ...
    def executions_since(self, start_ms: int) -> Sequence[Execution]: ...


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the records of one account and one span of time come to."""

    figures: Figures
    cycles: Sequence[CycleResult]


def read_ledger(reader: RecordReader, since_ms: int) -> Ledger:
    """The statistics of one account since a time (exchange clock), and the cycles that they are made of.

    Records are read first and executions last: what happens meanwhile is then a cycle whose record is still to come,
    never a record without its cycle.
    """
    records, standing = reader.closed_pnl(since_ms), reader.positions()
    executions = reader.executions_since(since_ms)
    cycles = cycles_of(executions, records, standing)
    return Ledger(figures(cycles, executions), cycles)


def read_figures(reader: RecordReader, since_ms: int) -> Figures:
    """The statistics of one account since a time (exchange clock)."""
    return read_ledger(reader, since_ms).figures
