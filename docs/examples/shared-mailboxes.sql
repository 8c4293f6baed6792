-- Everybody's: a tree that is on another server under another name, and one exception in it.
INSERT INTO mailboxes (username, mailbox, servers, remote_name) VALUES
    ('*', 'Shared/', 'imap-b.example.org', 'Public/'),
    ('*', 'Shared/Help', 'here', NULL);
-- Names below the tree that lists show.
INSERT INTO mailboxes (username, mailbox, subscribed) VALUES
    ('*', 'Shared/Minutes', 1),
    ('*', 'Shared/Plans', NULL);
-- For all of a domain, on two servers.
INSERT INTO mailboxes (username, mailbox, servers) VALUES
    ('*@example.org', 'Team', 'imap-a.example.org,imap-c.example.org');
-- For one user, with another name for the login there.
INSERT INTO mailboxes (username, mailbox, servers, remote_user) VALUES
    ('alice@example.org', 'Archive', 'archive.example.org:993', 'alice');
