"""CPU time of a process with all its descendants, from /proc. Unit: seconds."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def _processes() -> dict[int, tuple[int, float]]:
    """Parent and CPU time of every process, with the time of children that it saw ending."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # It ended while we looked.
        # The name, in brackets, may hold anything; the fields begin after it. See proc(5).
        fields = text[text.rindex(")") + 2 :].split()
        found[int(stat.parent.name)] = (int(fields[1]), sum(map(int, fields[11:15])) / TICKS)
    return found


def cpu_seconds(roots: list[int]) -> float:
    processes = _processes()
    total, waiting = 0.0, list(roots)
    while waiting:
        pid = waiting.pop()
        if pid in processes:
            total += processes[pid][1]
            waiting += [child for child, (parent, _) in processes.items() if parent == pid]
    return total
