"""IAccount over mailboxes that are here and routing."""
