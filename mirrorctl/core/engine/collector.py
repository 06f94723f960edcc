"""Python's collector of cyclic garbage, kept out of decisions: it runs while nothing happens.

Left to itself it stops the process for milliseconds whenever enough was made, which is while a burst is decided on.
What stands once everything is up is never looked through again.
"""

from __future__ import annotations

import gc

_THRESHOLDS = (100_000, 20, 20)  # of new objects: where nothing is ever quiet it runs all the same
_WORTHWHILE = 1_000
_WHOLE_EVERY = 600


class Collector:
    """Of the whole process, for a daemon that lasts; `release` leaves it as it was found."""

    def __init__(self) -> None:
        self._before = gc.get_threshold()
        self._rests = 0
        gc.set_threshold(*_THRESHOLDS)

    def rest(self) -> None:
        """Nothing came for a while: the next moment may be used."""
        self._rests += 1
        if self._rests == 1:
            gc.collect()
            gc.freeze()
        elif not self._rests % _WHOLE_EVERY:
            gc.collect()
        elif gc.get_count()[0] > _WORTHWHILE:
            gc.collect(1)

    def release(self) -> None:
        """The daemon ends."""
        gc.set_threshold(*self._before)
        gc.unfreeze()
