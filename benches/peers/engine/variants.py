"""Three variants of one source: what they cost beside the dearest of them alone, and beside sharp,
which makes them from one pipeline."""

from pathlib import Path
from statistics import geometric_mean, median

from document import table, verdict
from engine.contenders import US, Engine, Running
from engine.measure import files_of

KIND = "12 MP JPEG 4:2:0"
OUTPUTS = ("256 inside JPEG", "320×320 cover WebP", "1024 inside WebP")
# The CPU time of all, at most so many times that of the dearest alone.
MOST = 1.15


def measure(engines: list[Engine], photos: Path, options, progress) -> dict:
    """CPU milliseconds a source: `found[engine][output or "all"][round]`, means over the photos."""
    kinds = {name: [name] for name in OUTPUTS} | {"all": list(OUTPUTS)}
    able = [engine for engine in engines if engine.name in (US, "sharp")]
    found = {engine.name: {kind: [] for kind in kinds} for engine in able}
    for number in range(options.engine_rounds):
        progress(f"variants: round {number + 1} of {options.engine_rounds}")
        for engine in able if number % 2 else able[::-1]:
            with Running(engine) as contender:
                for kind, outputs in kinds.items():
                    rates = [contender.rates(file, options.engine_seconds, outputs=outputs)[1]
                             for file in files_of(photos, KIND)]
                    found[engine.name][kind].append(1000 / geometric_mean(rates))
    return found


def report(found: dict) -> str:
    rows = []
    for name, times in found.items():
        dearest = max(OUTPUTS, key=lambda output: median(times[output]))
        shares = sorted(a / b for a, b in zip(times["all"], times[dearest], strict=True))
        met = verdict(median(shares), None, MOST, at_most=True) if name == US else ""
        cells = [f"{median(times[kind]):.1f}" for kind in (*OUTPUTS, "all")]
        rows.append([name, *cells, f"{median(shares):.2f} ({shares[0]:.2f}–{shares[-1]:.2f})", met])
    paired = sorted(a / b for a, b in zip(found["sharp"]["all"], found[US]["all"], strict=True))
    header = ["CPU ms a source", *OUTPUTS, "all three", "all to the dearest", f"≤ {MOST}"]
    return "\n\n".join([
        f"Three variants of one {KIND}, each alone and all at once; sharp makes them from clones of one pipeline:",
        table(header, rows),
        f"All three cost sharp {median(paired):.2f} × ({paired[0]:.2f}–{paired[-1]:.2f}) of what they cost ThumbForge.",
    ])
