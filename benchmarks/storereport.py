"""How the figures of a large mailbox compare, in lines of text."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.storeops import FIRST, OPERATIONS, Operation

FASTER: Final = 10.0
"""Times that pymap has to be slower."""

HOLD_MS, SESSION_MIB = 20.0, 8.0


def report(found: dict[str, Any]) -> None:
    """Print the figures, and how they compare."""
    figures = found["figures"]
    ours = figures.get("referrald")
    if ours is None:
        return
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    print(f"{found['messages']} messages, {found['rounds']} rounds; {versions}")
    print("ms of CPU (wall), medians; x: of Dovecot's CPU; hold: ms that another session waits")
    for operation in (*FIRST, *OPERATIONS):
        if operation.name in ours:
            print(_line(operation, figures, found["deadline"]))
    for name, memory in found["memory"].items():
        print(f"a session more, {name}: {_memory(name, memory)}")


def _line(operation: Operation, figures: dict[str, Any], deadline: float) -> str:
    mine = figures["referrald"][operation.name]
    cells = [f"{operation.name:22}{mine['cpu'] * 1e3:9.1f} ({mine['wall'] * 1e3:.1f})"]
    if "Dovecot" in figures:
        cells.append(_beside(mine, figures["Dovecot"][operation.name], operation.limit))
    if "pymap" in figures:
        cells.append(_faster(mine, figures["pymap"][operation.name], deadline))
    if "hold" in mine:
        hold = mine["hold"] * 1e3
        verdict = "good" if hold <= HOLD_MS else "MISSED"
        cells.append(f"hold {hold:.1f} (most {mine['longest'] * 1e3:.1f}) {verdict}")
    return "  ".join(cells)


def _beside(mine: dict[str, Any], other: dict[str, Any], limit: float) -> str:
    """Compare CPU; what is below the clock's tick is taken for a tick."""
    ratio = mine["cpu"] / max(other["cpu"], 1e-4)
    verdict = "good" if ratio <= limit else "MISSED"
    cpu, wall = other["cpu"] * 1e3, other["wall"] * 1e3
    return f"Dovecot {cpu:.1f} ({wall:.1f}) x {ratio:.2f} of {limit:g} {verdict}"


def _faster(mine: dict[str, Any], other: dict[str, Any], deadline: float) -> str:
    if "late" in other:
        times = deadline / max(mine["wall"], 1e-4)
        said = f"pymap did not end within {deadline:.0f} s, over {times:.0f} times our wall time"
    else:
        times = other["cpu"] / max(mine["cpu"], 1e-4)
        said = f"pymap {other['cpu'] * 1e3:.1f} ({other['wall'] * 1e3:.1f}), {times:.1f} times"
    return f"{said} {'good' if times >= FASTER else 'MISSED'}"


def _memory(name: str, memory: tuple[float, float] | None) -> str:
    if memory is None:
        return "not measured, it did not answer in time"
    told = f"{memory[0]:.2f} MiB at rest, {memory[1]:.2f} MiB in a FETCH that is not read"
    if name != "referrald":
        return told
    verdict = "good" if max(memory) <= SESSION_MIB else "MISSED"
    return f"{told} ({verdict}, must be {SESSION_MIB:.0f})"
