CREATE TABLE homes (user, host, port, security, rank);
INSERT INTO homes VALUES ('nina', 'imap2.example.org', 143, 'starttls', 1);
INSERT INTO homes VALUES ('oskar', NULL, NULL, NULL, 1);
