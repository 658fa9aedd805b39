"""The figures as sections of docs/BENCHMARKS.md."""

from document import table, verdict

MOST_RATIO, MOST_MILLIS, LEAST_SHARE, LEAST_OF_BATCH = 2, 5, 0.95, 0.9
MOST_SECONDS, LEAST_DELETED, LEAST_BESIDE = 10, 1000, 0.9


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


def changes(database: str, old: int, cancelled: dict[str, float], deleted: dict[str, float]) -> str:
    share = deleted["beside"] / deleted["alone"]
    cells = [
        [f"{cancelled['cancelled']:,} jobs cancelled, s", f"{cancelled['seconds']:.1f}",
         f"≤ {MOST_SECONDS}: {verdict(cancelled['seconds'], None, MOST_SECONDS, at_most=True)}"],
        ["submissions/s meanwhile", f"{cancelled['submissions/s meanwhile']:,.0f}", ""],
        [f"of {old:,} old jobs, deleted/s", f"{deleted['deleted/s']:,.0f}",
         f"≥ {LEAST_DELETED:,}: {verdict(deleted['deleted/s'], None, LEAST_DELETED)}"],
        ["submissions/s alone", f"{deleted['alone']:,.0f}", ""],
        ["submissions/s meanwhile", f"{deleted['beside']:,.0f}", ""],
        ["share", f"**{share:.3f}**", f"≥ {LEAST_BESIDE}: {verdict(share, None, LEAST_BESIDE)}"],
    ]
    return table([f"{database}, one action", "", ""], cells)
