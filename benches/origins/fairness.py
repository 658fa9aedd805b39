"""A flood of one origin, and then a few jobs of each of a thousand others."""

from bench import Bench
from image_server import loopback_host
from stores import ends, waits

FLOOD = 50_000
OTHERS = 999
WORKERS = 2


def fairness(bench: Bench):
    images = bench.images
    flood = [f"{images.url()}?n={n}" for n in range(bench.options.flood)]
    others = [f"{images.url(loopback_host(n))}?n={turn}" for turn in range(3)
              for n in range(OTHERS) if turn <= n % 3]
    for mode, deployment in bench.deployments(WORKERS):
        with deployment as service:
            bench.submit(service, flood)
            bench.submit(service, others)
            beside = f"NOT url LIKE '{images.url()}%'"
            bench.wait(lambda: sum(ends(service.store, beside)) >= len(others))
            took = waits(service.store, beside)
            done, _ = ends(service.store, f"url LIKE '{images.url()}%'")
        is_complete = len(took) == len(others)
        yield {
            "measured": f"{len(flood)} jobs of one origin, then {len(others)} of {OTHERS} others",
            "mode": mode,
            "others completed": f"{len(took)} of {len(others)}",
            "half within": took[len(took) // 2] if took else None,
            "99 % within": took[len(took) * 99 // 100] if took else None,
            "all within": took[-1] if is_complete else None,
            "done of the flood": done,
        }
