"""Jobs and submissions a second with one origin, two binaries in turns."""

from statistics import median

from bench import Bench
from stores import ends, moments

# Of the jobs that end first: the worker starts, connections are made.
WARM_UP = 0.1


def throughput(bench: Bench):
    options, rounds = bench.options, {}
    binaries = {"binary": options.binary, "baseline": options.baseline}
    binaries = {name: path for name, path in binaries.items() if path}
    for number in range(options.rounds):
        # Each round begins with the other one.
        names = list(binaries)[:: -1 if number % 2 else 1]
        for name in names:
            rates = one_round(bench, binaries[name], options.jobs)
            rounds.setdefault(name, []).append(rates)
            bench.progress(f"round {number + 1}: {name:<8} {rates['jobs']:7.1f} jobs/s"
                           f" {rates['submissions']:8.1f} submissions/s")
    for what in ("jobs", "submissions"):
        row = {"measured": f"{what}/s, {options.jobs} jobs of one origin, {options.rounds} rounds",
               "mode": "serve + 1 work, Postgres"}
        for name, found in rounds.items():
            row[f"{name} (median)"] = median(rates[what] for rates in found)
        if options.baseline:
            pairs = zip(rounds["binary"], rounds["baseline"], strict=True)
            ratios = sorted(ours[what] / theirs[what] for ours, theirs in pairs)
            row |= {"ratio": median(ratios), "least": ratios[0], "greatest": ratios[-1]}
        yield row


def one_round(bench: Bench, binary, jobs: int) -> dict[str, float]:
    """First all are submitted, then a worker begins."""
    urls = [f"{bench.images.url()}?n={n}" for n in range(jobs)]
    with bench.split(0, binary) as service:
        submitting = bench.submit(service, urls)
        service.store.rows("CHECKPOINT")
        service.start_workers(1)
        if not bench.wait(lambda: sum(ends(service.store)) >= jobs):
            raise RuntimeError(f"not all of {jobs} jobs ended: {ends(service.store)}")
        ended = moments(service.store, "1 = 1")
        if len(ended) < jobs:
            raise RuntimeError(f"{jobs - len(ended)} jobs failed")
    first = int(jobs * WARM_UP)
    return {"jobs": (jobs - 1 - first) / (ended[-1] - ended[first]), "submissions": jobs / submitting}
