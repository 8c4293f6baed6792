"""Which requirement is proven by which tests: read from the list and from the tests' marks."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeGuard

import attrs

ROOT = Path(__file__).parents[2]
LIST = ROOT / "docs" / "reference" / "requirements.toml"
TESTS = ROOT / "tests"


@attrs.frozen(kw_only=True)
class Requirement:
    """One row. also: other spellings of the id. later: not yet asked for."""

    id: str
    source: str
    text: str
    also: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    later: bool = False


@attrs.frozen(kw_only=True)
class Group:
    """Rows that belong together, by the beginning of their ids."""

    prefix: str
    title: str
    text: str = ""


@attrs.frozen(kw_only=True)
class Proof:
    """A mark on a test: the id as it is spelt there, the file, and the test's name."""

    id: str
    file: str
    test: str


def read_list(path: Path = LIST) -> tuple[list[Group], list[Requirement]]:
    """Read the groups and the requirements."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    groups = [Group(**entry) for entry in document["group"]]
    return groups, [Requirement(**entry) for entry in document["requirement"]]


def read_proofs(folder: Path = TESTS) -> list[Proof]:
    """Find every ``@proves(…)`` below a folder, without importing anything."""
    found = []
    for path in sorted(folder.glob("**/test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        file = str(path.relative_to(folder.parent))
        for id_, test in _marks(tree, ()):
            found.append(Proof(id=id_, file=file, test=test))
    return found


def _marks(node: ast.AST, inherited: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Give (id, test) for all tests below a node; those on a class hold for all of its tests."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _marks(child, (*inherited, *_ids(child)))
        elif _is_test(child):
            for id_ in dict.fromkeys((*inherited, *_ids(child))):
                yield id_, child.name


def _is_test(node: ast.AST) -> TypeGuard[ast.FunctionDef | ast.AsyncFunctionDef]:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")


def _ids(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "proves":
            for argument in decorator.args:
                yield ast.literal_eval(argument)


def match(
    requirements: Iterable[Requirement], proofs: Iterable[Proof]
) -> tuple[dict[str, list[Proof]], list[Proof]]:
    """Give the proofs of each requirement by its id, and those of ids that are unknown."""
    requirements = list(requirements)
    spellings = {name: row.id for row in requirements for name in (row.id, *row.also)}
    proven: dict[str, list[Proof]] = {row.id: [] for row in requirements}
    unknown = []
    for proof in proofs:
        if proof.id in spellings:
            proven[spellings[proof.id]].append(proof)
        else:
            unknown.append(proof)
    return proven, unknown


def page() -> str:
    """Write the coverage page as MyST text."""
    groups, requirements = read_list()
    proven, _ = match(requirements, read_proofs())
    parts = []
    for group in groups:
        rows = [row for row in requirements if row.id.startswith(group.prefix)]
        parts += [f"## {group.title}", group.text, _table(group, rows, proven)]
    parts.append("## The tests")
    for group in groups:
        rows = [row for row in requirements if row.id.startswith(group.prefix) and proven[row.id]]
        if rows:
            parts.append(f"### Tests: {group.title.lower()}")
        parts += [_tests(group, row, proven[row.id]) for row in rows]
    return "\n\n".join(filter(None, parts)) + "\n"


def _name(group: Group, row: Requirement) -> str:
    """Shorten the ids of a group whose prefix is a word."""
    return row.id.removeprefix(group.prefix) if group.prefix.endswith(":") else row.id


def _table(group: Group, rows: Iterable[Requirement], proven: dict[str, list[Proof]]) -> str:
    lines = ["| | What is asked | Where it stands | Tests |", "|---|---|---|---|"]
    for row in rows:
        count = len(proven[row.id])
        cells = (_name(group, row), row.text, row.source, str(count) if count else "not yet")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _tests(group: Group, row: Requirement, proofs: list[Proof]) -> str:
    lines = [f"**{_name(group, row)}**", ""]
    files: dict[str, list[str]] = {}
    for proof in proofs:
        files.setdefault(proof.file, []).append(proof.test)
    for file, tests in files.items():
        names = "; ".join(test.removeprefix("test_").replace("_", " ") for test in tests)
        lines.append(f"- `{file}`: {names}")
    return "\n".join(lines)
