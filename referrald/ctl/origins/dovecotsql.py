"""Dovecot's SQL passdb (``dovecot-sql.conf.ext``): its query, in a backend over the same database.

The query stays as it is, inside another one that gives its columns the names that they have here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from referrald.backends.passwdfields import CLOSED, PASSED_OVER, PASSED_OVER_PREFIXES, REFUSED
from referrald.backends.servers import Wrong, show
from referrald.ctl.origins.found import Found, Section, Wishes, text_of

DRIVERS = {"sqlite": "sqlite", "pgsql": "postgresql"}
TAKEN = (
    "host", "port", "ssl", "starttls", "destuser", "user", "nologin", "reason", "proxy",
    "proxy_maybe",
)  # fmt: skip
WHOLE_NAME = ("username", "domain")
"""Two columns that Dovecot makes one name of."""
RENAMED = "is another name for the user, with which Dovecot goes on"
SCHEME = "default_pass_scheme"
UNUSED = ("user_query", "iterate_query")
VARIABLES = {
    "u": ":user", "n": ":local", "d": ":domain", "user": ":user", "username": ":local",
    "domain": ":domain", "s": "'imap'", "service": "'imap'",
}  # fmt: skip

_SETTING = re.compile(r"\s*([a-z_]+)\s*=\s*(.*)", re.DOTALL)
_STRING = re.compile(r"'((?:[^']|'')*)'")
_VARIABLE = re.compile(r"%(?P<case>[LU]?)(?:(?P<short>[a-zA-Z%])|\{(?P<long>[\w:]*)\})", re.ASCII)
_NAME = re.compile(r"[\"`\[]?(\w+)[\"`\]]?\s*$", re.ASCII)
_SELECT = re.compile(r"\s*SELECT\s+(?:DISTINCT\s+)?", re.IGNORECASE)
_WORD = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|[(),;]|\bFROM\b", re.IGNORECASE)


def read(data: bytes, path: str, wishes: Wishes) -> Found:
    """Make a section of the settings."""
    found = Found(path=path)
    try:
        settings = {name: (number, value) for number, name, value in _settings(text_of(data))}
        found.section = _section(found, settings, wishes)
    except Wrong as error:
        found.wrong(0, "file", error)
    return found


def _settings(text: str) -> Iterator[tuple[int, str, str]]:
    """Give settings with their lines; a backslash at the end of a line joins the next one."""
    held, start = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip()
        if not held and (not line.strip() or line.lstrip().startswith("#")):
            continue
        start = start if held else number
        if line.endswith("\\"):
            held += line[:-1] + " "
            continue
        match = _SETTING.fullmatch(held + line)
        held = ""
        if match is None:
            raise Wrong(f"line {start} is no setting", "name = value")
        yield start, match[1], match[2].strip()


Settings = dict[str, tuple[int, str]]


def _section(found: Found, settings: Settings, wishes: Wishes) -> Section | None:
    number, driver = settings.get("driver", (0, ""))
    if driver not in DRIVERS:
        right = "sqlite and pgsql are known; copy the users into one of these"
        found.wrong(number, "driver", Wrong(f'"{show(driver)}" has no backend here', right))
        return None
    number, query = settings.get("password_query", (0, ""))
    if not query:
        found.wrong(0, "password_query", Wrong("is missing", "Dovecot's own does not say homes"))
        return None
    try:
        home, password, renames = queries_of(query, wishes.obey)
    except Wrong as error:
        found.wrong(number, "password_query", error)
        return None
    if renames:
        right = "here it is the name to use at the home server; at home here the name stays"
        found.note(number, renames, RENAMED, right)
    keys = {"type": DRIVERS[driver], **_place(found, settings, driver), "home_query": home}
    if password:
        keys["password_query"] = password
        keys["scheme"] = settings.get(SCHEME, (0, "CRYPT"))[1]
    keys["security"] = wishes.security.value if wishes.security else "auto"
    keys["without_host"] = "here"
    _tell(found, settings)
    return Section(keys=keys, remarks=(f"From {found.path}.",))


def _place(found: Found, settings: Settings, driver: str) -> dict[str, str]:
    number, connect = settings.get("connect", (0, ""))
    if not connect:
        found.wrong(number, "connect", Wrong("is missing", "where the database is"))
    words = [word for word in connect.split() if word]
    if driver == "pgsql":
        hosts = [word.removeprefix("host=") for word in words if word.startswith("host=")]
        kept = [word for word in words if not word.startswith(("host=", "maxconns="))]
        return {"dsn": " ".join([f"host={','.join(hosts)}"] * bool(hosts) + kept)}
    return {"database": connect}


def _tell(found: Found, settings: Settings) -> None:
    for name, (number, _) in settings.items():
        if name in UNUSED:
            found.note(number, name, "is for the home servers, and stays there")
        elif name not in ("driver", "connect", "password_query", SCHEME):
            wrong = Wrong("is not understood", "look whether it changes the answer")
            found.wrong(number, name, wrong)


def queries_of(query: str, obey: bool = False) -> tuple[str, str, str]:
    """Give a query for homes and one for passwords, and the column that renames users.

    The last two are empty where there are none. Raises `Wrong`.
    """
    text = " ".join(translated(query).strip().rstrip(";").split())
    names = set(columns_of(text))
    whole = names >= set(WHOLE_NAME)
    for column in sorted(names - set(WHOLE_NAME) if whole else names):
        _check_column(column)
    given = ", ".join(_given(names, obey))
    home = f"SELECT {given or 'NULL AS host'} FROM ({text}) AS passdb"
    password = f"SELECT password FROM ({text}) AS passdb" if "password" in names else ""
    return home, password, "user" if "user" in names else " and ".join(WHOLE_NAME) * whole


def _check_column(column: str) -> None:
    if column in REFUSED:
        why = REFUSED[column]
        raise Wrong(f"gives a column {column}: {why}", "leave it out, or the users who need it")
    known = column in ("password", *TAKEN, *PASSED_OVER)
    if not known and not column.startswith(PASSED_OVER_PREFIXES):
        raise Wrong(f"gives a column {show(column)}, which is not understood", "leave it out")


def _given(names: set[str], obey: bool) -> Iterator[str]:
    """Write the columns that make a home."""
    yield from (name for name in ("host", "port") if name in names)
    if there := _name_there(names):
        yield f"{there} AS name"
    tls = [
        f"WHEN {name} IS NOT NULL THEN '{word}'"
        for name, word in (("ssl", "tls"), ("starttls", "starttls"))
        if name in names
    ]
    if tls:
        yield f"CASE {' '.join(tls)} END AS security"
    if "nologin" in names:
        reason = f"COALESCE(reason, '{CLOSED}')" if "reason" in names else f"'{CLOSED}'"
        nowhere = " AND host IS NULL" if "host" in names else ""
        yield f"CASE WHEN nologin IS NOT NULL{nowhere} THEN {reason} END AS closed"
    if obey:
        yield from _login(names)


def _name_there(names: set[str]) -> str:
    """Write the name to use at a home server, nothing where it is the user's."""
    found = ["destuser"] if "destuser" in names else []
    if "user" in names:
        # PostgreSQL has a word of its own that is written so.
        found.append('passdb."user"')
    elif names >= set(WHOLE_NAME):
        found.append("username || '@' || domain")
    return found[0] if len(found) == 1 else f"COALESCE({', '.join(found)})" if found else ""


def _login(names: set[str]) -> Iterator[str]:
    words = [
        f"WHEN {name} IS NOT NULL THEN '{word}'"
        for name, word in (("proxy", "relay"), ("proxy_maybe", "relay"), ("nologin", "refer"))
        if name in names
    ]
    if words:
        yield f"CASE {' '.join(words)} END AS login"


def translated(query: str) -> str:
    """Write ``'%u'`` as ``:user``; raises `Wrong` for variables that there are not."""
    parts: list[str] = []
    end = 0
    for match in _STRING.finditer(query):
        parts.append(_bare(query[end : match.start()]))
        parts.append(_filled(match[1]))
        end = match.end()
    return "".join(parts) + _bare(query[end:])


def _bare(text: str) -> str:
    if any(match["short"] != "%" for match in _VARIABLE.finditer(text)):
        raise Wrong("has a variable outside of quotes", "such as '%u'")
    if re.search(r"(?<!:):[A-Za-z_]", text):
        raise Wrong("has a colon before a name", "parameters begin so here")
    return text.replace("%%", "%")


def _filled(text: str) -> str:
    """Write what stands in quotes as a value, or as several that are joined."""
    parts: list[str] = []
    end = 0
    for match in _VARIABLE.finditer(text):
        name = match["short"] or match["long"]
        if match.start() > end:
            parts.append(f"'{text[end : match.start()]}'")
        end = match.end()
        if name == "%":
            parts.append("'%'")
            continue
        if name not in VARIABLES or match["case"] == "U":
            raise Wrong(f"has a variable {show(match[0])}", "%u, %n, %d and %s are known")
        parts.append(VARIABLES[name])
    if end < len(text) or not parts:
        parts.append(f"'{text[end:]}'")
    if parts == [":local", "'@'", ":domain"]:
        return ":user"
    return parts[0] if len(parts) == 1 else f"({' || '.join(parts)})"


def columns_of(query: str) -> list[str]:
    """Name the columns of a SELECT in lower case; raises `Wrong` for names that cannot be seen."""
    match = _SELECT.match(query)
    if match is None:
        raise Wrong("is no SELECT", "SELECT … AS host …")
    items, depth, start, end = [], 0, match.end(), len(query)
    for token in _WORD.finditer(query, match.end()):
        word = token[0].upper()
        depth += (word == "(") - (word == ")")
        if depth == 0 and word == ",":
            items.append(query[start : token.start()])
            start = token.end()
        elif depth == 0 and word == "FROM":
            end = token.start()
            break
        elif word == ";":
            raise Wrong("is more than one statement", "one SELECT")
    return [_column(item) for item in [*items, query[start:end]]]


def _column(item: str) -> str:
    match = _NAME.search(item)
    if match is None:
        raise Wrong(f'has a column without a name: "{show(item.strip())}"', "name it with AS")
    return match[1].lower()
