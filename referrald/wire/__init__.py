"""Bytes to values and back: commands, arguments, status lines, names. No reactor, no policy."""
