"""Measurements that anyone can repeat: `make bench`. What they say and how they are made: docs/performance.md."""
