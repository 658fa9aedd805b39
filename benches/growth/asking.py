"""How long answers take, from a table with few rows and from one with many."""

import time
from collections.abc import Iterator
from statistics import median

from client import Client
from questions import questions

WARM_UP = 20
# Seconds after which a slow question is asked no more, if it was asked often enough.
PATIENCE, LEAST = 30, 100


def ask(bench, services: dict[str, object], requests: int) -> Iterator[dict]:
    """Asks the services in turns, so that whatever else the machine does meets both."""
    image = bench.images.url()
    asked = {name: questions(service.store, image) for name, service in services.items()}
    clients = {name: Client(service.port) for name, service in services.items()}
    for index, (title, _) in enumerate(next(iter(asked.values()))):
        times, end = {name: [] for name in services}, time.monotonic() + PATIENCE
        for number in range(WARM_UP + requests):
            if number >= WARM_UP + LEAST and time.monotonic() > end:
                break
            for name in list(services)[:: -1 if number % 2 else 1]:
                took, _ = clients[name].ask(*asked[name][index][1](number))
                if number >= WARM_UP:
                    times[name].append(took * 1e3)
        yield row(title, times)
    for client in clients.values():
        client.close()


def row(title: str, times: dict[str, list[float]]) -> dict:
    """`times`: milliseconds with few rows, then with many."""
    few, many = (sorted(found) for found in times.values())
    figures = {"what": title, "few p50": median(few), "few p99": p99(few), "p50": median(many), "p99": p99(many)}
    return figures | {"ratio": figures["p99"] / figures["few p99"]}


def p99(times: list[float]) -> float:
    """Of sorted times: one in a hundred is longer."""
    return times[len(times) * 99 // 100 - 1]
