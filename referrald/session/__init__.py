"""One IMAP connection: state, command table, handlers."""
