"""Jobs a second with many old rows in the table, and with none: rounds in turns."""

import time
from statistics import median

from grown import Grown
from service.cpu_time import cpu_seconds
from submit import submit

WARM_UP = 0.1
LOOK = 0.25
# Bytes of Postgres' write-ahead log.
WRITTEN = "SELECT pg_current_wal_lsn() - '0/0'"


def compare(bench, servers, templates: dict[str, str], rounds: int, jobs: int) -> dict:
    """`templates`: the database without rows, then that with them."""
    found = {name: [] for name in templates}
    for number in range(rounds):
        for name in list(templates)[:: -1 if number % 2 else 1]:
            figures = one_round(bench, servers, templates[name], jobs, f"round_{number}_{len(found[name])}_{name}")
            found[name].append(figures)
            shown = ", ".join(f"{value:.2f} {what}" for what, value in figures.items())
            bench.progress(f"round {number + 1}, {name}: {shown}")
    none, old = found.values()
    ratios = {what: sorted(b[what] / a[what] for a, b in zip(none, old, strict=True)) for what in none[0]}
    return {
        what: {"none": median(each[what] for each in none), "old": median(each[what] for each in old),
               "ratio": median(ratios[what]), "least": ratios[what][0], "greatest": ratios[what][-1]}
        for what in ratios
    }


def one_round(bench, servers, template: str, jobs: int, name: str) -> dict[str, float]:
    """All are submitted first; on Postgres the worker begins after that, with SQLite at once."""
    urls = [f"{bench.images.url()}?n={number}" for number in range(jobs)]
    with Grown(bench.binary, servers, name, template) as service:
        begin = service.store.moment(time.time_ns() // 1000)
        mine = f"status IN ('completed', 'failed') AND created_at > {begin}"
        if servers:
            postgres = servers.processes["postgres"].pid
            written, worked_before = int(service.store.rows(WRITTEN)[0][0]), cpu_seconds([postgres])
        service.start("serve" if servers else "all")
        submitting = submit(service.port, urls)
        if servers:
            service.store.rows("CHECKPOINT")
            service.start_workers(1)

        def is_over() -> bool:
            time.sleep(LOOK)
            return int(service.store.rows(f"SELECT count(*) FROM jobs WHERE {mine}")[0][0]) >= jobs

        if not bench.wait(is_over):
            raise RuntimeError(f"not all of {jobs} jobs ended")
        worked = cpu_seconds([service.workers[0].pid])
        if servers:
            of_database = {
                "Postgres' CPU ms a job": (cpu_seconds([postgres]) - worked_before) / jobs * 1e3,
                "KB of log a job": (int(service.store.rows(WRITTEN)[0][0]) - written) / jobs / 1e3,
            }
        seconds = service.store.seconds("updated_at")
        rows = service.store.rows(f"SELECT status, {seconds} FROM jobs WHERE {mine}")
        ended = sorted(float(row[1]) for row in rows if row[0] == "completed")
        if len(ended) < jobs:
            raise RuntimeError(f"{jobs - len(ended)} jobs failed")
    first = int(jobs * WARM_UP)
    return {
        "jobs/s": (jobs - 1 - first) / (ended[-1] - ended[first]),
        "submissions/s": jobs / submitting,
        "the worker's CPU ms a job": worked / jobs * 1e3,
        **(of_database if servers else {}),
    }
