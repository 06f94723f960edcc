"""The durable store: one SQLite file (WAL) per profile, and the locks that keep one writer."""
