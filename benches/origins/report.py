"""The figures as text."""


def _cell(value) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"
    return str(value)


def summary(rows: list[dict]) -> str:
    """One table for each kind of row, i.e. for each measurement. Times are seconds."""
    tables: dict[tuple, list[dict]] = {}
    for row in rows:
        tables.setdefault(tuple(row), []).append(row)
    return "\n\n".join(_table(list(heading), found) for heading, found in tables.items())


def _table(heading: list[str], rows: list[dict]) -> str:
    cells = [heading, *([_cell(row[name]) for name in heading] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(heading))]
    lines = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in cells]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(lines)
