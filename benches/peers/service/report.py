"""The service's tables from its rounds."""

from statistics import median

from document import table, verdict
from service.contenders import Service
from service.measure import BATCHES

US = "ThumbForge"
# The least multiple of the better peer.
GOALS = {"JPEG mix": 3, "mixed": 2, "640×480 JPEG": 4, "submissions": 3}


def ratio_to_the_better(by_service: dict[str, list[dict]]) -> tuple[float, float, float]:
    """Median, least and greatest of the rounds' ratios to the peer that was better in that round."""
    peers = [rounds for name, rounds in by_service.items() if name != US]
    ratios = sorted(
        ours["rate"] / max(peer[number]["rate"] for peer in peers)
        for number, ours in enumerate(by_service[US])
    )
    return median(ratios), ratios[0], ratios[-1]


def _median_of(rounds: list[dict], key: str) -> float:
    return median(result[key] for result in rounds)


def _rates(results: dict, names: list[str]) -> str:
    rows = []
    for measurement, by_service in results.items():
        value, least, greatest = ratio_to_the_better(by_service)
        goal = GOALS[measurement]
        rows.append([
            f"{measurement}/s" if measurement == "submissions" else f"{measurement}, jobs/s",
            *(f"{_median_of(by_service[name], 'rate'):,.0f}" for name in names),
            f"**{value:.2f} ×** ({least:.2f}–{greatest:.2f})",
            f"≥ {goal} ×",
            verdict(value, None, goal),
        ])
    return table(["files", *names, "to the better peer", "goal", ""], rows)


def _costs(results: dict, names: list[str]) -> str:
    rows = []
    for measurement, by_service in results.items():
        cells = [" + ".join(f"{_median_of(by_service[name], of):.2f}" for of in ("cpu_ms", "servers_cpu_ms"))
                 for name in names]
        client = max(_median_of(rounds, "client_cpu_ms") for rounds in by_service.values())
        rows.append([measurement, *cells, f"{client:.3f}"])
    return table(["CPU ms", *names, "the client"], rows)


def _batches(batches: dict[str, list[dict]], singles: dict[str, list[dict]]) -> str:
    """Ours to BullMQ's `addBulk`, and to its `add` of single submissions."""
    peer = next(name for name in batches if name != US)
    rows = []
    for what, theirs, goal in (("`addBulk`", batches, 2), ("`add`, one a request", singles, 20)):
        ratios = sorted(ours["rate"] / rate["rate"] for ours, rate in zip(batches[US], theirs[peer]))
        rows.append([
            f"{peer}, {what}",
            f"{_median_of(batches[US], 'rate'):,.0f}",
            f"{_median_of(theirs[peer], 'rate'):,.0f}",
            f"**{median(ratios):.2f} ×** ({ratios[0]:.2f}–{ratios[-1]:.2f})",
            f"≥ {goal} ×",
            verdict(median(ratios), None, goal),
        ])
    return table(["jobs/s submitted in batches of 100, to", US, "the peer", "ratio", "goal", ""], rows)


def report(results: dict[str, dict[str, list[dict]]], services: list[Service]) -> str:
    names = [service.name for service in services]
    results = dict(results)
    batches = results.pop(BATCHES, None)
    in_batches = [_batches(batches, results["submissions"])] if batches and "submissions" in results else []
    return "\n\n".join([
        _rates(results, names),
        *in_batches,
        "CPU time for each job or submission in milliseconds, user and system: of all processes of the service"
        " + of Postgres, Redis and the image server together. Beside it, what the client took for each"
        " submission, at most:",
        _costs(results, names),
        "Settings:",
        "\n".join(f"- **{service.name}**: {service.settings}." for service in services),
    ])
