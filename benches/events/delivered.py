"""How long after its commit an event is delivered, while jobs end at a steady rate."""

import time

from document import table, verdict
from receiver import Receiver
from stores import ends
from submit import submit
from webhooks import add_webhook, allow

MOST_SECONDS = 1.0
# Submissions come in so many groups a second.
GROUPS = 10


def delivered(bench):
    options = bench.options
    rows = []
    for mode, deployment in bench.deployments(1):
        allow(deployment)
        with deployment as service, Receiver() as receiver:
            add_webhook(service.port, receiver.url)
            jobs = options.rate * options.seconds
            took = steadily(bench, service, jobs)
            if not bench.wait(lambda: receiver.count() >= jobs):
                raise RuntimeError(f"{receiver.count()} of {jobs} events were delivered")
            completed, failed = ends(service.store)
            delays = sorted(receiver.delays())
        if (completed, failed) != (jobs, 0):
            raise RuntimeError(f"{completed} of {jobs} jobs completed, {failed} failed")
        p50, p99 = (delays[int(len(delays) * share)] for share in (0.5, 0.99))
        rows.append([mode, f"{jobs / took:.0f}", *(f"{value * 1e3:.0f}" for value in (p50, p99, delays[-1])),
                     f"p99 ≤ {MOST_SECONDS:.0f} s: {verdict(p99, None, MOST_SECONDS, at_most=True)}"])
    yield table([f"{options.seconds} s", "jobs/s", "p50, ms", "p99", "the latest", ""], rows)


def steadily(bench, service, jobs: int) -> float:
    """Submits at the rate that was asked for; returns the seconds that it took."""
    group = bench.options.rate // GROUPS
    begun = time.monotonic()
    for number in range(jobs // group):
        time.sleep(max(0.0, begun + number / GROUPS - time.monotonic()))
        submit(service.port, [f"{bench.images.url()}?n={number * group + n}" for n in range(group)], 4)
    return time.monotonic() - begun
