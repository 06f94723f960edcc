"""`python -m mirrorctl`."""

from __future__ import annotations

import sys

from mirrorctl.cli import main

if __name__ == "__main__":
    sys.exit(main())
