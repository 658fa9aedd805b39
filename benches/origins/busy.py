"""A host that serves 10 requests a second and answers 429 beyond, with and without Retry-After; it
counts by a token bucket or by a sliding window."""

from bench import Bench
from stores import ends

JOBS = 300
WORKERS = 3
KINDS = {
    "busy": "no Retry-After",
    "busy-1": "Retry-After: 1",
    "busy-10": "Retry-After: 10",
    "busy-window": "a window, no Retry-After",
    "busy-window-1": "a window, Retry-After: 1",
    "busy-window-10": "a window, Retry-After: 10",
}


def busy(bench: Bench):
    for kind, variant in KINDS.items():
        for mode, deployment in bench.deployments(WORKERS):
            with bench.origins() as origins, deployment as service:
                bench.submit(service, origins.urls(kind, JOBS))
                bench.wait(lambda: sum(ends(service.store)) >= JOBS)
                completed, failed = ends(service.store)
                begin, end = service.store.seconds("created_at"), service.store.seconds("updated_at")
                took = service.store.rows(f"SELECT max({end}) - min({begin}) FROM jobs"
                                          " WHERE status IN ('completed', 'failed')")[0][0]
                repeated = service.store.rows(
                    "SELECT count(*) FROM jobs WHERE status = 'completed' AND attempts > 1")[0][0]
                counts = origins.counts(kind)
            yield {
                "measured": f"{JOBS} jobs of a host that serves 10/s: {variant}",
                "mode": mode,
                "completed": completed,
                "failed": failed,
                "not ended": JOBS - completed - failed,
                "all ended after": float(took) if took else None,
                "completed with more attempts than one": int(repeated),
                "requests refused": counts["refused"],
            }
