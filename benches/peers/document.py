"""The measured sections of docs/BENCHMARKS.md: each stands between its markers."""

import textwrap
from pathlib import Path

COLUMNS = 100
DOCUMENT = Path(__file__).resolve().parents[2] / "docs/BENCHMARKS.md"


def write_section(name: str, text: str, script: str = "benches/peers/run") -> None:
    begin, end = f"<!-- {name}: written by {script} -->", f"<!-- end of {name} -->"
    document = DOCUMENT.read_text()
    if document.count(begin) != 1 or document.count(end) != 1:
        raise RuntimeError(f"{DOCUMENT} has not its markers for {name}")
    head, rest = document.split(begin)
    _, tail = rest.split(end)
    DOCUMENT.write_text(f"{head}{begin}\n{_wrapped(text.strip())}\n{end}{tail}")


def _wrapped(text: str) -> str:
    """Each line of prose or of a list broken as the rest of the document is; tables as they are."""
    return "\n".join(line if line.startswith("|") else _broken(line) for line in text.split("\n"))


def _broken(line: str) -> str:
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(
        line, COLUMNS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def table(header: list[str], rows: list[list[str]], left: int = 1) -> str:
    """A Markdown table; all columns after the first `left` stand to the right."""
    rule = ["---"] * left + ["---:"] * (len(header) - left)
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, rule, *rows])


def verdict(value: float, floor: float | None, goal: float | None, at_most: bool = False) -> str:
    """Whether a floor and a goal are met. `at_most`: the smaller the better."""
    meets = (lambda bound: value <= bound) if at_most else (lambda bound: value >= bound)
    if goal is not None and meets(goal):
        return "goal met"
    if floor is not None and not meets(floor):
        return "**floor missed**"
    held = ["floor held"] if floor is not None else []
    return ", ".join([*held, *(["goal missed"] if goal is not None else [])])
