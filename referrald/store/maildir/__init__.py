"""Mailboxes that last: messages as files of Maildir++, and what is known of them in SQLite.

Layers, each knowing only those before it: names and files (`naming`, `filenames`, `disk`), the
index (`schema`, `index`, `folders`, `messages`), what is done with both (`pending`, `delivery`,
`trees`, `scanning`, `mirroring`, `described`), one account for many sessions (`keeper`), and what
they see of it (`store`, `account`, `folder`).
"""
