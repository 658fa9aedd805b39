"""A hundred thousand origins with ten jobs each, beside as many jobs of one origin."""

import subprocess
import time
from pathlib import Path

from bench import Bench
from deployment import QUEUE, Deployment
from service.cpu_time import cpu_seconds
from service.servers import postgres_program
from stores import ends

JOBS_EACH = 10

# The n-th host is `image_server.loopback_host(n)`. The jobs of all origins are mixed.
INSERT = """
INSERT INTO jobs (id, url, url_hash, exclusive, created_at, updated_at, due_at{columns})
SELECT id, url, encode(sha256(url::bytea), 'hex'), false, born, born, born{values}
FROM (
    SELECT gen_random_uuid() AS id, born, origin, origin || '/photo.jpg?n=' || n AS url
    FROM (
        SELECT n, now() - interval '1 hour' + n * interval '1 millisecond' AS born,
            'http://127.' || 1 + n % {origins} / 65536 || '.' || n % {origins} / 256 % 256
            || '.' || n % {origins} % 256 || ':{port}' AS origin
        FROM generate_series(0, {jobs} - 1) AS n
    ) AS numbers
) AS made ORDER BY born
"""
NEWER = ", origin, rank", ", origin, (extract(epoch FROM born) * 1000)::bigint + 5 * 60000"


def many(bench: Bench):
    options, rates = bench.options, {}
    jobs = options.origins * JOBS_EACH
    for binary in filter(None, (options.binary, options.baseline)):
        for origins in (options.origins, 1):
            with bench.split(0, binary) as service:
                insert(bench, service, origins, jobs)
                rate, usage = measure(bench, service, jobs)
            name = "baseline" if binary == options.baseline else "binary"
            rates[name, origins] = rate
            bench.progress(f"{name}: {origins} origins: {rate:.1f} jobs/s")
            yield {"measured": f"{jobs} jobs of {origins} origin(s), {options.seconds} s",
                   "mode": "1 work, Postgres", "of": name, "jobs/s": rate,
                   "many to one": rates[name, options.origins] / rate if origins == 1 else None,
                   **usage}


def insert(bench: Bench, service: Deployment, origins: int, jobs: int) -> None:
    """Past the API, which would take minutes; their ids are in the queue as after submissions."""
    store = service.store
    has_origins = store.rows("SELECT 1 FROM information_schema.columns"
                             " WHERE table_name = 'jobs' AND column_name = 'origin'")
    columns, values = NEWER if has_origins else ("", "")
    bench.progress(f"inserting {jobs} jobs of {origins} origin(s)")
    store.rows(INSERT.format(columns=columns, values=values, origins=origins, jobs=jobs,
                             port=bench.images.port))
    words = f"COPY (SELECT 'LPUSH {QUEUE} ' || id FROM jobs ORDER BY created_at) TO STDOUT"
    reading = subprocess.Popen([postgres_program("psql"), "-qX", "-c", words, store.url],
                               stdout=subprocess.PIPE)
    subprocess.run(["redis-cli", "-p", str(bench.servers.redis_port), "--pipe"],
                   stdin=reading.stdout, stdout=subprocess.DEVNULL, check=True)
    reading.wait()
    store.rows("VACUUM ANALYZE jobs")
    store.rows("CHECKPOINT")


def measure(bench: Bench, service: Deployment, jobs: int) -> tuple[float, dict]:
    """Jobs a second from the first that completed on, and what the worker holds at most."""
    service.start_workers(1)
    worker, store = service.workers[0], service.store
    if not bench.wait(lambda: sum(ends(store)) > 0):
        raise RuntimeError("no job ended")
    processes = {"worker": [worker.pid], "Postgres": [bench.servers.processes["postgres"].pid]}
    cpu = {name: cpu_seconds(pids) for name, pids in processes.items()}
    begun, before = time.monotonic(), sum(ends(store))
    memory = files = 0
    while time.monotonic() < begun + bench.options.seconds:
        time.sleep(0.5)
        status = Path(f"/proc/{worker.pid}/status").read_text()
        memory = max(memory, int(status.partition("VmRSS:")[2].split()[0]))
        files = max(files, len(list(Path(f"/proc/{worker.pid}/fd").iterdir())))
    completed, failed = ends(store)
    seconds, done = time.monotonic() - begun, completed - before
    costs = {f"{name} CPU ms a job": (cpu_seconds(pids) - cpu[name]) / done * 1e3
             for name, pids in processes.items()}
    if failed:
        raise RuntimeError(f"{failed} jobs failed")
    if completed == jobs:
        raise RuntimeError("all jobs were done before the time was over: more --origins")
    return done / seconds, {**costs, "worker MB": memory / 1024, "worker files": files}
