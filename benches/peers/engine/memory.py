"""The memory that an engine takes for an image, over what its process takes when idle."""

from pathlib import Path

from engine.contenders import Engine, Running


def _status_mib(pid: int, field: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/{pid}/status has no {field}")


def peak_over_idle(engine: Engine, file: Path, seconds: float) -> tuple[float, float]:
    """MiB: the resident memory of the idle process, and its peak over that, the file included."""
    with Running(engine) as running:
        pid = running.process.pid
        idle = _status_mib(pid, "VmRSS")
        # Forgets the peak of the start. See proc(5), clear_refs.
        Path(f"/proc/{pid}/clear_refs").write_text("5")
        running.rates(file, seconds)
        return idle, _status_mib(pid, "VmHWM") - idle
