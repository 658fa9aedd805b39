"""The figures as sections of docs/BENCHMARKS.md."""

from document import table, verdict

MOST_RATIO, MOST_MILLIS, LEAST_SHARE, LEAST_OF_BATCH = 2, 5, 0.95, 0.9


def answers(database: str, few: int, many: int, rows: list[dict]) -> str:
    cells = [
        [row["what"], *(f"{row[name]:.2f}" for name in ("few p50", "few p99", "p50", "p99")),
         f"{row['first p99']:.2f}" if "first p99" in row else "", f"{row['ratio']:.2f} ×", _verdict(row)]
        for row in rows
    ]
    header = [f"{database}, ms", f"{few:,} p50", "p99", f"{many:,} p50", "p99", "p99, first time", "p99 to p99", ""]
    return table(header, cells)


def _verdict(row: dict) -> str:
    return "goal met" if row["ratio"] <= MOST_RATIO and row["p99"] <= MOST_MILLIS else "**goal missed**"


def throughput(database: str, old: int, slices: int, found: dict) -> str:
    cells = []
    for what, row in found.items():
        share = f"**{row['ratio']:.3f}** ({row['least']:.3f}–{row['greatest']:.3f})"
        goal = f"≥ {LEAST_SHARE}: {verdict(row['ratio'], None, LEAST_SHARE)}" if what == "jobs/s" else ""
        cells.append([what, f"{row['none']:,.2f}", f"{row['old']:,.2f}", share, goal])
    return table([f"{database}, {slices} slices", "no old rows", f"{old:,} old rows", "share", ""], cells)


def one_batch(database: str, jobs: int, found: dict[str, tuple[float, float]]) -> str:
    cells = []
    for what, (single, batch) in found.items():
        share = batch / single
        goal = f"≥ {LEAST_OF_BATCH}: {verdict(share, None, LEAST_OF_BATCH)}" if what == "jobs/s" else ""
        cells.append([what, f"{single:,.2f}", f"{batch:,.2f}", f"**{share:.3f}**", goal])
    return table([f"{database}, {jobs:,} jobs", "submitted singly", "in one batch", "share", ""], cells)
