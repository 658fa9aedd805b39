"""Jobs a second with events that nobody reads, against a version without events, in turns."""

from document import table, verdict
from old_rows import compare

LEAST = 0.99


def unused(bench):
    """Nothing without a version to compare with."""
    options = bench.options
    if not options.baseline:
        return
    for mode, makers in pairs(bench):
        with makers[0] as without, makers[1] as with_events:
            found = compare(bench, {"without": without, "with": with_events},
                            options.slices, options.submitted)
        yield shares([f"{mode}, {options.slices} slices", "without events", "with events, nobody reads"],
                     found, LEAST)


def pairs(bench):
    options = bench.options
    if "all" in options.modes:
        yield "SQLite", [bench.all(options.baseline), bench.all()]
    if "split" in options.modes:
        yield "Postgres", [bench.split(1, options.baseline), bench.split(1)]


def shares(header: list[str], found: dict, least: float) -> str:
    """What `compare` found."""
    cells = []
    for what, row in found.items():
        share = f"**{row['ratio']:.3f}** ({row['least']:.3f}–{row['greatest']:.3f})"
        goal = f"≥ {least}: {verdict(row['ratio'], None, least)}" if what == "jobs/s" else ""
        cells.append([what, f"{row['none']:,.2f}", f"{row['old']:,.2f}", share, goal])
    return table([*header, "share", ""], cells)
