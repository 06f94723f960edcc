"""The commands: parse, one engine call, render."""
