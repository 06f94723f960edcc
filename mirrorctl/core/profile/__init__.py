"""Profiles: TOML files, validated into policy values."""
