"""What was found, written as referrald reads it: a list of homes, a table file, or a section."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from referrald.backends.homespec import Spec
from referrald.backends.jsonhomes import write_home
from referrald.backends.servers import Wrong
from referrald.config.writing import toml_key, toml_value
from referrald.ctl.homefiles import HomeWriter
from referrald.ctl.origins.found import Found, Section

Form = Literal["csv", "json", "table", "section"]
FORMS: tuple[Form, ...] = ("csv", "json", "table", "section")


def write(found: Found, form: Form) -> str:
    """Write what was found; what has no place in this form is left out, and said to be."""
    _sort_out(found, form)
    if form == "table":
        return "\n".join(_table(found))
    if form == "section":
        return "" if found.section is None else _section(found.section)
    out = io.StringIO()
    writer = HomeWriter(out, form)
    writer.write(found.homes.items())
    writer.finish()
    return out.getvalue()


def _sort_out(found: Found, form: Form) -> None:
    kept = {"table": ("homes", "rules", "mailboxes"), "section": ("section",)}.get(form, ("homes",))
    for name, what in (
        ("homes", found.homes), ("rules", found.rules), ("mailboxes", found.mailboxes),
        ("section", found.section),
    ):  # fmt: skip
        if what and name not in kept:
            count = f"{len(what)} {name}" if not isinstance(what, Section) else "a section"
            right = "section" if name == "section" else "table" if name != "homes" else "csv"
            found.wrong(0, name, Wrong(f"{form} has no place for {count}", f"say --to {right}"))


def _table(found: Found) -> Iterator[str]:
    yield f"# From {toml_value(found.path)[1:-1]}."
    if found.homes:
        yield "\n[users]"
    for user, home in found.homes.items():
        yield f"{toml_key(user)} = {_inline(write_home(home))}"
    for rule in found.rules:
        yield f"\n[[patterns]]\nmatch = {toml_value(list(rule.globs))}"
        yield f"home = {_inline(_of_spec(rule.spec))}"
    for entry in found.mailboxes:
        yield "\n[[mailboxes]]"
        yield from (f"{key} = {toml_value(value)}" for key, value in entry.items())
    yield ""


def _of_spec(spec: Spec) -> dict[str, Any]:
    """Write a home whose name there may be a template."""
    table = write_home(spec.home)
    if spec.user is not None:
        table["user"] = spec.user if spec.is_template else spec.user.replace("%", "%%")
    return table


def _inline(table: Mapping[str, Any]) -> str:
    """Write a home on one line; one that is a server alone is a word."""
    if table.keys() == {"server"}:
        servers = table["server"]
        one = isinstance(servers, list) and len(servers) == 1
        return toml_value(servers[0] if one else servers)
    pairs = ", ".join(f"{key} = {toml_value(value)}" for key, value in table.items())
    return f"{{ {pairs} }}"


def _section(section: Section) -> str:
    lines = [f"# {remark}" for remark in section.remarks]
    lines.append("[[backend]]")
    lines += [f"{toml_key(key)} = {_value(value)}" for key, value in section.keys.items()]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    """Write a list with a line for each word."""
    if not isinstance(value, list):
        return toml_value(value)
    return "[\n" + "".join(f"    {toml_value(each)},\n" for each in value) + "]"
