CREATE TABLE virtual_domains (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE virtual_users (
    id INTEGER PRIMARY KEY,
    domain_id INTEGER NOT NULL REFERENCES virtual_domains (id),
    local TEXT NOT NULL,
    password TEXT,
    active INTEGER NOT NULL DEFAULT 1,
    imap_host TEXT,
    imap_port INTEGER
);
INSERT INTO virtual_domains VALUES (1, 'example.org');
INSERT INTO virtual_users (domain_id, local, password, active, imap_host, imap_port) VALUES
    (1, 'alice', '{PLAIN}wonderland', 1, 'imap-a.example.org', 993),
    (1, 'bob', '{PLAIN}builder', 1, NULL, NULL),
    (1, 'gone', '{PLAIN}gone', 0, 'imap-a.example.org', 993);
