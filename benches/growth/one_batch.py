"""Jobs a second when all of them are of one batch, and when each is submitted by itself."""

import http.client
import json
import time
from statistics import median

from old_rows import ended
from submit import submit


def compare(bench, makers: dict, jobs: int, rounds: int) -> dict[str, tuple[float, float]]:
    """`makers`: of a deployment for single jobs, and of one for a batch; each begins anew."""
    found = {name: [] for name in makers}
    for number in range(rounds):
        for name in list(makers)[:: -1 if number % 2 else 1]:
            with makers[name]() as service:
                service.restart(*(("serve", "work") if service.servers else ("all",)))
                figures = ended(bench, service, jobs, {"single": submit, "batch": submit_batch}[name])
            shown = ", ".join(f"{value:.2f} {what}" for what, value in figures.items())
            bench.progress(f"round {number}, {name}: {shown}")
            found[name].append(figures)
    single, batch = found.values()
    return {
        what: tuple(median(each[what] for each in figures) for figures in (single, batch))
        for what in single[0]
    }


def submit_batch(port: int, urls: list[str], **labels) -> float:
    """As one stream of lines, each with `labels`. Returns the seconds that it took."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    lines = (json.dumps({"url": url, **labels}).encode() + b"\n" for url in urls)
    connection.request("POST", "/v1/batches", lines, {"Content-Type": "application/x-ndjson"}, encode_chunked=True)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    if response.status != 202 or answer["counts"]["total"] != len(urls):
        raise RuntimeError(f"the batch was answered {response.status}: {answer}")
    return time.monotonic() - begun
