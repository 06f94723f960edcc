"""The pure domain: values, rules and decisions. Standard library only; no clock, no network, no store."""
