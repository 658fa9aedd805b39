"""Jobs a second with many old rows in the table, and with none. Two deployments take turns in short
slices, so that whatever else the machine does meets both."""

import time
from collections.abc import Callable
from statistics import median

from service.cpu_time import cpu_seconds
from submit import submit

LOOK = 0.1
# Bytes of Postgres' write-ahead log.
WRITTEN = "SELECT pg_current_wal_lsn() - '0/0'"


def compare(bench, services: dict[str, object], slices: int, jobs: int) -> dict:
    """`services`: the one without rows, then that with them."""
    found = {name: [] for name in services}
    for number in range(1 + slices):
        for name in list(services)[:: -1 if number % 2 else 1]:
            figures = ended(bench, services[name], jobs, submit)
            shown = ", ".join(f"{value:.2f} {what}" for what, value in figures.items())
            bench.progress(f"slice {number}, {name}: {shown}")
            # The first opens connections and plans statements.
            if number > 0:
                found[name].append(figures)
    none, old = found.values()
    ratios = {what: sorted(b[what] / a[what] for a, b in zip(none, old, strict=True)) for what in none[0]}
    return {
        what: {"none": median(each[what] for each in none), "old": median(each[what] for each in old),
               "ratio": median(found), "least": found[0], "greatest": found[-1]}
        for what, found in ratios.items()
    }


def ended(bench, service, jobs: int, submitting: Callable[[int, list[str]], float]) -> dict[str, float]:
    """From the first submission to the last end. CPU time is that of ThumbForge."""
    store, urls = service.store, [f"{bench.images.url()}?n={number}" for number in range(jobs)]
    processes = [process.pid for process in service.processes]
    begin, cpu = time.time_ns() // 1000, cpu_seconds(processes)
    written = int(store.rows(WRITTEN)[0][0]) if service.servers else None
    mine = f"status IN ('completed', 'failed') AND created_at >= {store.moment(begin)}"
    took_submitting = submitting(service.port, urls)

    def is_over() -> bool:
        return int(store.rows(f"SELECT count(*) FROM jobs WHERE {mine}")[0][0]) >= jobs

    if not bench.wait(is_over):
        raise RuntimeError(f"not all of {jobs} jobs ended")
    cpu = cpu_seconds(processes) - cpu
    first, last = store.seconds("min(created_at)"), store.seconds("max(updated_at)")
    took, completed = store.rows(f"SELECT {last} - {first}, sum(CASE WHEN status = 'completed'"
                                 f" THEN 1 ELSE 0 END) FROM jobs WHERE {mine}")[0]
    if int(completed) < jobs:
        raise RuntimeError(f"{jobs - int(completed)} jobs failed")
    figures = {"jobs/s": jobs / float(took), "submissions/s": jobs / took_submitting, "CPU ms a job": cpu / jobs * 1e3}
    if written is not None:
        written = int(store.rows(WRITTEN)[0][0]) - written
        figures["KB of write-ahead log a job"] = written / jobs / 1e3
    return figures
