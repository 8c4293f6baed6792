"""Mailboxes that live here."""
