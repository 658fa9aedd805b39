"""Good jobs that come after many of a host that stays silent, or that trickles."""

from bench import Bench
from stores import ends, waits

GOOD = 50
WORKERS = 4


def behind(bench: Bench, kind: str, count: int):
    for mode, deployment in bench.deployments(WORKERS):
        with bench.origins() as origins, deployment as service:
            bench.submit(service, origins.urls(kind, count))
            bench.submit(service, origins.urls("image", GOOD))
            good = f"url LIKE '{origins.url('image')}%'"
            bench.wait(lambda: sum(ends(service.store, good)) >= GOOD)
            completed, _ = ends(service.store, good)
            took = waits(service.store, good)
        yield {
            "measured": f"{count} jobs of a host: {kind}; then {GOOD} good ones",
            "mode": mode,
            "good ones completed": f"{completed} of {GOOD}",
            "first after": took[0] if took else None,
            "last after": took[-1] if completed == GOOD else None,
        }
