"""How long answers take, from a table with few rows and from one with many."""

import json
import time
from collections.abc import Iterator
from statistics import median

from client import Client
from questions import questions

# Seconds after which a slow question is asked no more, if it was asked often enough.
PATIENCE, LEAST = 30, 100


def ask(bench, services: dict[str, object], requests: int, works: bool) -> Iterator[dict]:
    """Asks the services in turns, so that whatever else the machine does meets both. All is asked
    twice: the first time rows may come from the disk, which few rows never do. `works`: the services
    have workers, which are paused while jobs are submitted."""
    image = bench.images.url()
    asked = {name: questions(service.store, image) for name, service in services.items()}
    clients = {name: Client(service.port) for name, service in services.items()}
    for index, (title, _) in enumerate(next(iter(asked.values()))):
        is_paused = works and title == "submit"
        if is_paused:
            tell(clients, "/v1/queue/pause")
        first, number_of = in_turns(clients, asked, index, requests)
        times, _ = in_turns(clients, asked, index, number_of)
        if is_paused:
            tell(clients, "/v1/queue/resume")
            wait_for_workers(bench, clients)
        yield row(title, times) | {"first p99": p99(sorted(list(first.values())[-1]))}
    for client in clients.values():
        client.close()


def tell(clients: dict, path: str) -> None:
    for client in clients.values():
        client.ask("POST", path)


def wait_for_workers(bench, clients: dict) -> None:
    """Until all jobs have ended but those that wait for their time."""
    end = time.monotonic() + bench.options.patience
    for client in clients.values():
        while json.loads(client.ask("GET", "/v1/metrics")[1])["oldest_pending_seconds"] is not None:
            if time.monotonic() > end:
                raise RuntimeError("the jobs that were submitted do not end")
            time.sleep(0.1)


def in_turns(clients: dict, asked: dict, index: int, requests: int) -> tuple[dict[str, list[float]], int]:
    """Milliseconds of each answer, and how many there are of each service."""
    times, end = {name: [] for name in clients}, time.monotonic() + PATIENCE
    for number in range(requests):
        if number >= LEAST and time.monotonic() > end:
            return times, number
        for name in list(clients)[:: -1 if number % 2 else 1]:
            took, _ = clients[name].ask(*asked[name][index][1](number))
            times[name].append(took * 1e3)
    return times, requests


def row(title: str, times: dict[str, list[float]]) -> dict:
    """`times`: milliseconds with few rows, then with many."""
    few, many = (sorted(found) for found in times.values())
    figures = {"what": title, "few p50": median(few), "few p99": p99(few), "p50": median(many), "p99": p99(many)}
    return figures | {"ratio": figures["p99"] / figures["few p99"]}


def p99(times: list[float]) -> float:
    """Of sorted times: one in a hundred is longer."""
    return times[len(times) * 99 // 100 - 1]
