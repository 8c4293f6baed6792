"""Mailboxes that last: messages as files of Maildir++, and what is known of them in SQLite.

Layers, each knowing only those before it: names and files (`naming`, `filenames`, `disk`), the index
(`schema`, `index`, `folders`, `messages`), what is done with both (`delivery`, `trees`, `scanning`,
`described`), and what sessions see (`store`, `account`, `folder`).
"""
