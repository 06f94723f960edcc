"""Values that nobody changes, made cheaply.

`@value(frozen=True, slots=True)` is a frozen dataclass for whoever reads it and for the type checker, which refuses
every assignment to a field. At run time nothing is checked: a frozen dataclass makes its instances many times as slowly
as another, each field past its own lock, and an execution makes dozens of them on its way to the mirrors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:
    from dataclasses import dataclass

    def value(*, frozen, slots, order=False):
        """As `dataclass`: equal and hashed by its fields."""
        return dataclass(slots=slots, order=order, unsafe_hash=frozen)


__all__ = ["value"]
