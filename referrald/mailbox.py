"""IMailbox over an open mailbox of a store."""
