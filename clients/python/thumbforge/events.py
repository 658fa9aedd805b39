"""Server-Sent Events, as far as ThumbForge sends them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Iterable, Iterator


@dataclass(frozen=True)
class Event:
    """`type` is e.g. `image.completed`, `snapshot` or `reset`; `data` is the decoded JSON. `id` is
    where to go on after it."""

    type: str
    id: str
    data: Any
    # Seconds after which the server asks to come back.
    retry: float | None = None


def read_events(lines: Iterable[bytes]) -> Iterator[Event]:
    """The events of one stream. A block without data, which asks for a pause, has no type."""
    name, last, data, retry = "", "", [], None
    for raw in lines:
        # The stream broke off within a line, perhaps within a character.
        if not raw.endswith(b"\n"):
            return
        line = raw.decode().rstrip("\r\n")
        if line:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "id":
                last = value
            elif field == "data":
                data.append(value)
            elif field == "retry" and value.isascii() and value.isdigit():
                retry = int(value) / 1000
            continue
        if data or name:
            yield Event(name or "message", last, json.loads("\n".join(data) or "null"), retry)
        elif retry is not None:
            yield Event("", last, None, retry)
        name, data, retry = "", [], None
