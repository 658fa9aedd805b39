"""How long the statements of a worker take, from the server's own log (Postgres), or how long a job
waits to be claimed (SQLite)."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

from client import Client

# What tells a statement apart from all others.
STATEMENTS = {
    "claim (the statement)": "bells FROM jobs WHERE id = ANY",
    "end of an attempt (the statement)": "WITH ending AS MATERIALIZED",
    "new jobs (the statement)": "WITH made AS (INSERT INTO jobs",
}
DURATION = re.compile(r"\[(\d+)\] LOG:  duration: ([\d.]+) ms  (parse|bind|execute) \S+: (.*)")
# Claims of the first jobs plan their statements.
WARM_UP = 20
PAUSE = 0.02


def submit_one_by_one(bench, services: dict[str, object], requests: int) -> None:
    """In turns, and each after the work of the one before: else the second would share the
    processors with the first one's download and decoding."""
    clients = [Client(service.port) for service in services.values()]
    for number in range(WARM_UP + requests):
        body = f'{{"url":"{bench.images.url()}?claim={number}"}}'
        for client in clients[:: -1 if number % 2 else 1]:
            client.ask("POST", "/v1/images", body)
            time.sleep(PAUSE)
    for client in clients:
        client.close()


def logged(bench, services: dict[str, object], requests: int) -> Iterator[tuple[str, dict[str, list[float]]]]:
    """Milliseconds of each statement, by what it is: planning and execution."""
    log = Path(bench.servers.folder) / "postgres.log"
    next(iter(services.values())).store.rows("ALTER SYSTEM SET log_line_prefix = '%d [%p] '")
    next(iter(services.values())).store.rows("SELECT pg_reload_conf()")
    for service in services.values():
        service.store.rows(f"ALTER DATABASE {service.name} SET log_min_duration_statement = 0")
        # Connections that were opened before log nothing.
        service.restart("serve", "work")
    begin = log.stat().st_size
    submit_one_by_one(bench, services, requests)
    time.sleep(1)
    with log.open(errors="replace") as lines:
        lines.seek(begin)
        found = durations(lines)
    for service in services.values():
        service.store.rows(f"ALTER DATABASE {service.name} RESET ALL")
    for title in STATEMENTS:
        times = {name: found.get((service.name, title), []) for name, service in services.items()}
        if min(map(len, times.values())) < requests // 2:
            raise RuntimeError(f"the log has too few of: {title}")
        yield title, {name: each[WARM_UP:] for name, each in times.items()}


def durations(lines) -> dict[tuple[str, str], list[float]]:
    found, open_ones = {}, {}
    for line in lines:
        match = DURATION.search(line)
        if match is None:
            continue
        process, millis, phase, text = match.groups()
        # A plan is made when values are bound.
        millis = float(millis) + open_ones.pop(process, 0)
        if phase != "execute":
            open_ones[process] = millis
            continue
        for title, sign in STATEMENTS.items():
            if sign in text:
                found.setdefault((line.split(" ", 1)[0], title), []).append(millis)
    return found


def waited(bench, services: dict[str, object], requests: int) -> Iterator[tuple[str, dict[str, list[float]]]]:
    """Milliseconds from a job's submission to the claim of it."""
    begin = {name: service.store.moment(time.time_ns() // 1000) for name, service in services.items()}
    submit_one_by_one(bench, services, requests)
    time.sleep(2)
    times = {}
    for name, service in services.items():
        ended = service.store.rows("SELECT json_extract('[' || attempts_log || ']', '$[0].began')"
                                   " - created_at / 1000 FROM jobs WHERE status = 'completed'"
                                   f" AND created_at > {begin[name]} ORDER BY created_at")
        if len(ended) < requests:
            raise RuntimeError(f"only {len(ended)} jobs ended")
        times[name] = [float(took) for took, in ended[WARM_UP:]]
    yield "from submission to claim", times
