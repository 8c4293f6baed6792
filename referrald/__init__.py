"""An IMAP front door: authenticate a user, find the home server, refer the client there."""

__version__ = "0.1.0"
