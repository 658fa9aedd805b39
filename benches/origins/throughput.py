"""Jobs and submissions a second with one origin, and their CPU time; two binaries in turns.

CPU time means more than the rates where the machine does other things too."""

from pathlib import Path
from statistics import median

from bench import Bench
from service.cpu_time import cpu_seconds
from stores import ends, moments

# Of the jobs that end first: the worker starts, connections are made.
WARM_UP = 0.1


def throughput(bench: Bench):
    options, rounds = bench.options, {}
    binaries = {"binary": options.binary, "baseline": options.baseline}
    binaries = {name: path for name, path in binaries.items() if path}
    for number in range(options.rounds):
        # Each round begins with the other one.
        for name in list(binaries)[:: -1 if number % 2 else 1]:
            found = one_round(bench, binaries[name], options.jobs)
            rounds.setdefault(name, []).append(found)
            figures = ", ".join(f"{value:.2f} {what}" for what, value in found.items())
            bench.progress(f"round {number + 1}: {name:<8} {figures}")
    for what in rounds["binary"][0]:
        row = {"measured": f"{options.jobs} jobs of one origin, {options.rounds} rounds", "figure": what}
        for name, found in rounds.items():
            row[f"{name} (median)"] = median(figures[what] for figures in found)
        if options.baseline:
            pairs = zip(rounds["binary"], rounds["baseline"], strict=True)
            ratios = sorted(ours[what] / theirs[what] for ours, theirs in pairs)
            row |= {"ratio (median)": median(ratios), "least": ratios[0], "greatest": ratios[-1]}
        yield row


def one_round(bench: Bench, binary: Path, jobs: int) -> dict[str, float]:
    """First all are submitted, then a worker begins. CPU time is that of ThumbForge alone."""
    urls = [f"{bench.images.url()}?n={n}" for n in range(jobs)]
    with bench.split(0, binary) as service:
        serve = [service.processes[0].pid]
        before = cpu_seconds(serve)
        submitting = bench.submit(service, urls)
        submitted = cpu_seconds(serve) - before
        service.store.rows("CHECKPOINT")
        service.start_workers(1)
        if not bench.wait(lambda: sum(ends(service.store)) >= jobs):
            raise RuntimeError(f"not all of {jobs} jobs ended: {ends(service.store)}")
        worked = cpu_seconds([service.workers[0].pid])
        ended = moments(service.store, "1 = 1")
        if len(ended) < jobs:
            raise RuntimeError(f"{jobs - len(ended)} jobs failed")
    first = int(jobs * WARM_UP)
    return {
        "jobs/s": (jobs - 1 - first) / (ended[-1] - ended[first]),
        "submissions/s": jobs / submitting,
        "CPU ms a job": worked / jobs * 1e3,
        "CPU ms a submission": submitted / jobs * 1e3,
    }
