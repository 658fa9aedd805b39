"""Changes of many jobs by one action, while clients submit others."""

import datetime
import json
import threading
import time
from itertools import count
from pathlib import Path

from client import Client
from one_batch import submit_batch

CLIENTS, LOOK = 4, 0.1
# Of each client while jobs are cancelled: the others' jobs are worked on, but don't fill the machine.
PAUSE = 0.05
MISTAKE = "mistake"
# Seconds of a window in which submissions and deletions are counted, and how many there are.
WINDOW, WINDOWS = 12, 3


class Submitting:
    """Clients that submit one job after the other, until the block is left."""

    def __init__(self, port: int, body: str, pause: float = 0) -> None:
        """`body`: of a submission; `{}` stands for a number. `pause`: seconds after each."""
        self.port, self.body, self.pause = port, body, pause
        self.numbers, self.accepted = count(), 0
        self.lock, self.is_over, self.faults = threading.Lock(), False, []
        self.threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]

    def _run(self) -> None:
        client = Client(self.port)
        try:
            while not self.is_over:
                client.ask("POST", "/v1/images", self.body.replace("{}", str(next(self.numbers))))
                with self.lock:
                    self.accepted += 1
                time.sleep(self.pause)
        except Exception as fault:
            self.faults.append(fault)
        finally:
            client.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.is_over = True
        for thread in self.threads:
            thread.join()
        if self.faults:
            raise self.faults[0]


def _ask(port: int, method: str, path: str, body: dict | None = None) -> dict:
    """Over a connection of its own: one that idles is closed."""
    client = Client(port)
    try:
        return json.loads(client.ask(method, path, json.dumps(body) if body else "")[1])
    finally:
        client.close()


def _begun(port: int, kind: str, **chosen: str) -> str:
    """Begins an action on the jobs that a filter lets through; returns its path."""
    return f"/v1/actions/{_ask(port, 'POST', '/v1/actions', {'action': kind, 'filter': chosen})['id']}"


def cancelled(bench, service, jobs: int) -> dict[str, float]:
    """Of a batch that was a mistake, while others are submitted and completed. The service runs, and
    has no jobs."""
    urls = [f"{bench.images.url()}?mistake={number}" for number in range(jobs)]
    submit_batch(service.port, urls, tags=[MISTAKE])
    body = json.dumps({"url": f"{bench.images.url()}?n={{}}", "priority": 0})
    with Submitting(service.port, body, PAUSE) as others:
        begun, before = time.monotonic(), others.accepted
        path = _begun(service.port, "cancel", tag=MISTAKE)
        while (action := _ask(service.port, "GET", path))["status"] == "running":
            time.sleep(LOOK)
        took, accepted = time.monotonic() - begun, others.accepted - before
    ended = "status = 'completed' AND tags IS NULL"
    wanted = others.accepted
    if not bench.wait(lambda: int(service.store.rows(f"SELECT count(*) FROM jobs WHERE {ended}")[0][0]) >= wanted):
        raise RuntimeError("the jobs that were no mistake did not all complete")
    left = int(service.store.rows("SELECT count(*) FROM jobs WHERE status IN ('pending', 'processing')")[0][0])
    if action["status"] != "done" or left:
        raise RuntimeError(f"{left} jobs are left: {action}")
    return {"seconds": took, "cancelled": action["counts"]["done"], "submissions/s meanwhile": accepted / took}


def deleted(bench, service, folder: Path) -> dict[str, float]:
    """Of the completed old jobs, each with its file: jobs deleted a second, and submissions a second
    meanwhile and without. New jobs wait for their time: nothing else works."""
    with_files(service, folder)
    later = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)).isoformat()
    body = json.dumps({"url": f"{bench.images.url()}?n={{}}", "not_before": later})
    rates = {"alone": [], "beside": [], "deleted": []}

    def is_tidy() -> bool:
        return int(service.store.rows("SELECT count(*) FROM doomed_files")[0][0]) == 0

    with Submitting(service.port, body) as others:
        # The first opens connections and plans statements.
        _window(others, lambda: 0)
        for number in range(WINDOWS):
            rates["alone"].append(_window(others, lambda: 0)[0])
            path = _begun(service.port, "delete", status="completed")
            beside, rate = _window(others, lambda at=path: _ask(service.port, "GET", at)["counts"]["done"])
            _ask(service.port, "POST", f"{path}/abort")
            rates["beside"].append(beside)
            rates["deleted"].append(rate)
            bench.progress(f"window {number}: " + ", ".join(f"{name} {each[-1]:.0f}/s" for name, each in rates.items()))
            if not bench.wait(is_tidy):
                raise RuntimeError("files of deleted jobs are left")
    mean = {name: sum(each) / len(each) for name, each in rates.items()}
    return {"deleted/s": mean["deleted"], "alone": mean["alone"], "beside": mean["beside"]}


def _window(others: Submitting, done) -> tuple[float, float]:
    """Submissions a second, and how much `done` grows in one."""
    begun, accepted, before = time.monotonic(), others.accepted, done()
    time.sleep(WINDOW)
    took = time.monotonic() - begun
    return (others.accepted - accepted) / took, (done() - before) / took


def with_files(service, folder: Path) -> None:
    """Writes the files of completed jobs, of a few bytes each."""
    folder.mkdir(exist_ok=True)
    for (job,) in service.store.rows("SELECT id FROM jobs WHERE status = 'completed'"):
        (folder / f"{job}.jpg").write_bytes(b"\xff\xd8\xff\xd9")
