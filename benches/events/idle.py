"""Memory of many idle streams, each of a job that waits, and what they cost clients that submit and
poll meanwhile."""

import datetime
import http.client
import json
import time

from document import table, verdict
from readers import Readers

MOST_MB = 200
REQUESTS = 500


def idle(bench):
    """On SQLite, where one process has all."""
    streams = bench.options.streams
    deployment = bench.all()
    # Half of the connections may be streams.
    deployment.settings["MAX_CONNECTIONS"] = str(2 * streams + 100)
    with deployment as service:
        before, memory = asked(bench, service), megabytes(service)
        with Readers(service.port, streams, f"/v1/images/{waiting(bench, service)}/events"):
            grown, beside = megabytes(service) - memory, asked(bench, service)
    bound = MOST_MB / 10_000 * streams
    cells = [["memory of the streams, MB", "", f"{grown:.0f}",
              f"≤ {bound:.0f}: {verdict(grown, None, bound, at_most=True)}"]]
    for what in before:
        cells.append([f"{what}, ms", f"{before[what]:.2f}", f"{beside[what]:.2f}", ""])
    yield table(["SQLite", "no streams", f"{streams:,} idle streams", ""], cells)


def waiting(bench, service) -> str:
    """The id of a job whose time has not come: nothing is told of it."""
    client = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    body = json.dumps({"url": bench.images.url(), "not_before": later.isoformat()})
    job = timed(client, [], "POST", "/v1/images", body)
    client.close()
    return job["id"]


def megabytes(service) -> float:
    with open(f"/proc/{service.processes[0].pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1e3


def asked(bench, service) -> dict[str, float]:
    """p50 and p99 of submissions and of polls."""
    client = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    times = {"submit": [], "poll": []}
    for number in range(REQUESTS):
        body = json.dumps({"url": f"{bench.images.url()}?n={number}"})
        job = timed(client, times["submit"], "POST", "/v1/images", body)
        timed(client, times["poll"], "GET", f"/v1/images/{job['id']}")
    client.close()
    return {f"{what}, p{share}": sorted(found)[REQUESTS * share // 100]
            for what, found in times.items() for share in (50, 99)}


def timed(client, times: list[float], method: str, path: str, body: str | None = None) -> dict:
    begun = time.perf_counter()
    client.request(method, path, body, {"Content-Type": "application/json"})
    answer = client.getresponse()
    data = answer.read()
    times.append((time.perf_counter() - begun) * 1e3)
    if answer.status not in (200, 202):
        raise RuntimeError(f"{method} {path}: {answer.status} {data!r}")
    return json.loads(data)
