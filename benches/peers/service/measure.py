"""The services, in turns: jobs/s and CPU for each set of files, and submissions/s."""

import asyncio
import json
import resource
import subprocess
import time
from pathlib import Path

import asyncpg
from PIL import Image

from service.contenders import Running, Service
from service.cpu_time import cpu_seconds
from service.servers import Servers

HERE = Path(__file__).parent
PHOTOS = ("dragonfly", "nuthatch")
SETS = {
    "JPEG mix": ["12mp-420.jpg", "2mp-420.jpg", "2mp-444.jpg", "vga-420.jpg"],
    "mixed": ["2mp-420.jpg", "2mp.png", "2mp.webp", "2mp.gif"],
    "640×480 JPEG": ["vga-420.jpg"],
}
CONNECTIONS = 32
WARM_UP_JOBS = 64


class Bench:
    def __init__(self, servers: Servers, load_generator: Path) -> None:
        self.servers, self.load_generator, self.databases = servers, load_generator, 0

    async def _with_service(self, service: Service, with_workers: bool, measure):
        """Runs `measure(running, database)` on an empty database and an empty Redis."""
        self.databases += 1
        name = f"bench_{self.databases}"
        admin = await asyncpg.connect(self.servers.database_url("postgres"))
        await admin.execute(f"CREATE DATABASE {name}")
        subprocess.run(["redis-cli", "-p", str(self.servers.redis_port), "flushall"],
                       check=True, stdout=subprocess.DEVNULL)
        database = await asyncpg.connect(self.servers.database_url(name))
        if not service.makes_own_table:
            await database.execute((HERE / "peers.sql").read_text())
        running = Running(service, self.servers, name, with_workers)
        try:
            # What came before is on disk, so that no contender pays for another's writes.
            await admin.execute("CHECKPOINT")
            return await measure(running, database)
        finally:
            running.stop()
            await database.close()
            await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
            await admin.close()
            # Its thumbnails stay until the end (`Servers.stop`): an ext4 without a journal passes
            # over names that were deleted a moment ago, and the next contender would pay for it.

    def _cpu_seconds(self, running: Running) -> tuple[float, float]:
        """Of the service, and of the servers that it uses."""
        servers = [process.pid for process in self.servers.processes.values()]
        return cpu_seconds(running.pids()), cpu_seconds(servers)

    async def _submit(self, running: Running, urls: list[str], *how: str) -> dict:
        process = await asyncio.create_subprocess_exec(
            self.load_generator, "--port", str(running.port), "--connections", str(CONNECTIONS),
            *how, *urls, stdout=subprocess.PIPE,
        )
        cpu = _client_cpu_seconds()
        output, _ = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"{running.service.name}: a submission was not accepted")
        report = json.loads(output)
        return report | {"client_cpu_ms": (_client_cpu_seconds() - cpu) / report["accepted"] * 1e3}

    async def _finish(
        self, running: Running, database, urls: list[str], jobs: int, before: int
    ) -> tuple[float, dict]:
        """Submits jobs and waits until all are completed: the seconds that took, the client's report."""
        begun = time.monotonic()
        submitting = asyncio.create_task(self._submit(running, urls, "--requests", str(jobs)))
        while True:
            done, failed = await database.fetchrow(
                "SELECT count(*) FILTER (WHERE status = 'completed'),"
                " count(*) FILTER (WHERE status = 'failed') FROM jobs"
            )
            if failed:
                error = await database.fetchval("SELECT error FROM jobs WHERE status = 'failed' LIMIT 1")
                raise RuntimeError(f"{running.service.name}: {failed} jobs failed: {error}")
            if done - before >= jobs:
                break
            if time.monotonic() - begun > 300:
                raise RuntimeError(f"{running.service.name}: {done - before} of {jobs} jobs in 300 s")
            await asyncio.sleep(0.04)
        seconds = time.monotonic() - begun
        return seconds, await submitting

    async def jobs(self, service: Service, files: str, seconds: float) -> dict:
        urls = [self.servers.photo_url(f"{photo}-{kind}") for kind in SETS[files] for photo in PHOTOS]

        async def measure(running: Running, database) -> dict:
            # Warms pools, caches and compilers up, and finds how many jobs fill the time.
            await self._finish(running, database, urls, WARM_UP_JOBS, 0)
            warm, _ = await self._finish(running, database, urls, WARM_UP_JOBS, WARM_UP_JOBS)
            before = 2 * WARM_UP_JOBS
            # Whole turns of the files.
            jobs = max(round(WARM_UP_JOBS / warm * seconds / len(urls)), 4) * len(urls)
            cpu = self._cpu_seconds(running)
            took, client = await self._finish(running, database, urls, jobs, before)
            cost = cost_of_each(jobs, cpu, self._cpu_seconds(running))
            check_thumbnails(running, jobs + before)
            return client | cost | {"jobs": jobs, "seconds": took, "rate": jobs / took}

        return await self._with_service(service, True, measure)

    async def submissions(self, service: Service, seconds: float, batch: int = 1) -> dict:
        how = ["--batch", str(batch)] if batch > 1 else []
        urls = [self.servers.photo_url("dragonfly-vga-420.jpg")]

        async def measure(running: Running, database) -> dict:
            await self._submit(running, urls, "--seconds", "1", *how)
            before = await database.fetchval("SELECT count(*) FROM jobs")
            cpu = self._cpu_seconds(running)
            report = await self._submit(running, urls, "--seconds", str(seconds), *how)
            cost = cost_of_each(report["accepted"], cpu, self._cpu_seconds(running))
            rows = await database.fetchval("SELECT count(*) FROM jobs") - before
            if rows != report["accepted"]:
                raise RuntimeError(f"{service.name}: {report['accepted']} accepted, {rows} rows")
            return report | cost | {"rate": rows / report["seconds"]}

        return await self._with_service(service, False, measure)


def _client_cpu_seconds() -> float:
    """Of the children that ended, i.e. while a service runs of the load generator alone."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def cost_of_each(jobs: int, before: tuple[float, float], after: tuple[float, float]) -> dict:
    service, servers = (later - earlier for earlier, later in zip(before, after, strict=True))
    return {"cpu_ms": service / jobs * 1e3, "servers_cpu_ms": servers / jobs * 1e3}


def check_thumbnails(running: Running, jobs: int) -> None:
    """Every job has its file, and files taken from among them are what was asked for."""
    files = sorted(running.storage.glob("*.jpg"))
    if len(files) != jobs:
        raise RuntimeError(f"{running.service.name}: {len(files)} thumbnails of {jobs} jobs")
    for file in files[:: max(len(files) // 16, 1)]:
        with Image.open(file) as image:
            image.load()
            if image.format != "JPEG" or max(image.size) != 256:
                raise RuntimeError(f"{running.service.name}: {file} is {image.format} {image.size}")


# Items of a batch, and the name of that measurement.
BATCH = 100
BATCHES = f"submissions in batches of {BATCH}"


def run_rounds(bench: Bench, services: list[Service], options, progress) -> dict:
    """`{measurement: {service: [result of each round]}}`; the services take turns in each round."""
    results: dict[str, dict[str, list]] = {}
    seconds = options.service_seconds
    for number in range(options.service_rounds):
        for files in [*SETS, "submissions", BATCHES]:
            if options.only and options.only not in files:
                continue
            # Each round begins with another one: none has always the quiet or the warm place.
            first = number % len(services)
            for service in services[first:] + services[:first]:
                if files == BATCHES:
                    if not service.takes_batches:
                        continue
                    result = asyncio.run(bench.submissions(service, seconds / 2, BATCH))
                elif files == "submissions":
                    result = asyncio.run(bench.submissions(service, seconds / 2))
                else:
                    result = asyncio.run(bench.jobs(service, files, seconds))
                results.setdefault(files, {}).setdefault(service.name, []).append(result)
                progress(f"round {number + 1}: {files:<14} {service.name:<18}"
                         f" {result['rate']:8.1f} /s  {result['cpu_ms']:6.2f} ms of CPU each")
    return results
