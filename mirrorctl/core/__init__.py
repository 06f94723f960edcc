"""The core: a pure domain, an engine around ports, and the adapters that serve it."""
