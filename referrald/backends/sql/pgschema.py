"""Tables of our own in PostgreSQL; triggers tell those who listen who has changed."""

from __future__ import annotations

from collections.abc import Sequence

CHANNEL = "referrald"

LOCK = "SELECT pg_advisory_xact_lock(7224437413)"
MARK = "SELECT to_regclass('referrald_schema') IS NOT NULL AS there"
NOBODY_ELSE = "LOCK TABLE homes IN SHARE ROW EXCLUSIVE MODE"

TELL_EVERYBODY = (
    "SET LOCAL referrald.told = 'everybody'",
    f"SELECT pg_notify('{CHANNEL}', '')",
)
"""In a transaction that changes many: they are told of once, and not one by one."""
UNLESS_TOLD = "IF current_setting('referrald.told', true) = 'everybody' THEN RETURN NULL; END IF;"


def _telling(create: str, unless: str = "") -> Sequence[str]:
    return (
        f"""{create} referrald_tell() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            {unless}
            IF TG_OP <> 'INSERT' THEN PERFORM pg_notify('{CHANNEL}', OLD.username); END IF;
            IF TG_OP <> 'DELETE' THEN PERFORM pg_notify('{CHANNEL}', NEW.username); END IF;
            RETURN NULL;
        END $$""",
    )


def _triggers(table: str) -> Sequence[str]:
    return tuple(
        f"CREATE TRIGGER {table}_{name} AFTER {when} ON {table} FOR EACH {each} "
        f"EXECUTE FUNCTION {function}()"
        for name, when, each, function in (
            ("told", "INSERT OR UPDATE OR DELETE", "ROW", "referrald_tell"),
            ("emptied", "TRUNCATE", "STATEMENT", "referrald_tell_all"),
        )
    )


STEPS: Sequence[Sequence[str]] = (
    (
        "CREATE TABLE referrald_schema (version INTEGER NOT NULL)",
        """CREATE TABLE homes (
            username TEXT COLLATE "C" NOT NULL PRIMARY KEY,
            servers TEXT COLLATE "C" NOT NULL,
            name TEXT,
            auth TEXT,
            public_here BOOLEAN,
            login TEXT,
            spread BOOLEAN,
            closed TEXT,
            held BOOLEAN,
            ttl DOUBLE PRECISION
        )""",
        "CREATE INDEX homes_by_servers ON homes (servers)",
        """CREATE TABLE passwords (
            username TEXT COLLATE "C" NOT NULL PRIMARY KEY,
            scheme TEXT COLLATE "C" NOT NULL,
            hash TEXT COLLATE "C" NOT NULL
        )""",
        "CREATE INDEX passwords_by_scheme ON passwords (scheme)",
        """CREATE TABLE history (
            seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            time DOUBLE PRECISION NOT NULL,
            who TEXT NOT NULL,
            why TEXT NOT NULL,
            username TEXT COLLATE "C" NOT NULL,
            before TEXT,
            after TEXT
        )""",
        "CREATE INDEX history_by_user ON history (username, seq)",
        *_telling("CREATE FUNCTION"),
        f"""CREATE FUNCTION referrald_tell_all() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_notify('{CHANNEL}', ''); RETURN NULL; END $$""",
        *_triggers("homes"),
        *_triggers("passwords"),
    ),
    (
        """CREATE TABLE mailboxes (
            username TEXT COLLATE "C" NOT NULL,
            mailbox TEXT COLLATE "C" NOT NULL,
            rank INTEGER NOT NULL DEFAULT 0,
            servers TEXT COLLATE "C",
            remote_name TEXT,
            remote_user TEXT,
            delimiter TEXT,
            auth TEXT,
            attributes TEXT,
            subscribed BOOLEAN,
            selectable BOOLEAN,
            moving BOOLEAN,
            ttl DOUBLE PRECISION,
            PRIMARY KEY (username, mailbox, rank)
        )""",
        "CREATE INDEX mailboxes_by_servers ON mailboxes (servers)",
        *_triggers("mailboxes"),
        *_telling("CREATE OR REPLACE FUNCTION", UNLESS_TOLD),
    ),
)
