"""How each service is started: the same database, queue and images, each at its best settings."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from service.servers import Servers, free_port, wait_for

HERE = Path(__file__).parent


@dataclass
class Service:
    """One contender: its commands by role, and whether it needs the peers' table made for it."""

    name: str
    settings: str
    api: list[str]
    workers: list[list[str]]
    environment: dict[str, str] = field(default_factory=dict)
    makes_own_table: bool = False
    takes_batches: bool = False


def services(cache: Path, program: Path) -> list[Service]:
    python = str(cache / "venv/bin/python")
    fastapi, bullmq = HERE / "fastapi_pillow", HERE / "bullmq_sharp"
    return [
        Service(
            "ThumbForge",
            "one `serve` and one `work` process, all settings at their defaults but `LOG_LEVEL=warn` and"
            " the sources allowed; with everything that it always does: SSRF guard, lease and fence,"
            " fsync of each thumbnail, SHA-256, EXIF, ThumbHash, dominant colour",
            [str(program), "serve"],
            [[str(program), "work"]],
            {
                "THUMBFORGE_ALLOWED_SOURCE_NETWORKS": "127.0.0.0/8",
                "THUMBFORGE_ALLOWED_SOURCE_PORTS": "*",
                "THUMBFORGE_LOG_LEVEL": "warn",
            },
            makes_own_table=True,
            takes_batches=True,
        ),
        Service(
            "FastAPI + Pillow",
            "two uvicorn processes (uvloop, httptools, no access log), asyncpg without an ORM, a Redis"
            " list; two worker processes, each with 8 jobs in flight (httpx, kept-alive) and one Pillow"
            " thread, draft mode on, thumbnail written without fsync",
            [python, "-m", "uvicorn", "--app-dir", str(fastapi), "--workers", "2", "--no-access-log",
             "--log-level", "warning", "--loop", "uvloop", "--http", "httptools", "api:app"],
            [[python, str(fastapi / "worker.py")]] * 2,
        ),
        Service(
            "BullMQ + sharp",
            "two fastify processes (node's cluster), pg with prepared statements, BullMQ with ioredis and"
            " auto-pipelining, finished jobs removed; two worker processes, each with 8 jobs in flight"
            " (undici) and `sharp.concurrency(1)`, no sharp cache,"
            " `optimiseCoding: false`, thumbnail written without fsync",
            ["node", str(bullmq / "cluster.cjs")],
            [["node", str(bullmq / "worker.cjs")]] * 2,
            {"NODE_PATH": str(cache / "node/node_modules"), "NODE_ENV": "production"},
            takes_batches=True,
        ),
    ]


class Running:
    """A service at work on a database of its own; `processes` are its own, not the servers'."""

    def __init__(self, service: Service, servers: Servers, database: str, with_workers: bool) -> None:
        self.service, self.port = service, free_port()
        self.storage = servers.folder / f"storage-{database}"
        self.storage.mkdir()
        self.log = (servers.folder / f"{database}.log").open("wb")
        variables = {
            "DATABASE_URL": servers.database_url(database),
            "REDIS_URL": servers.redis_url,
            "STORAGE_PATH": str(self.storage),
        }
        self.environment = os.environ | service.environment | variables | {"PORT": str(self.port)}
        self.environment |= {f"THUMBFORGE_{key}": value for key, value in variables.items()}
        self.environment["THUMBFORGE_BIND"] = f"127.0.0.1:{self.port}"
        self.processes: list[subprocess.Popen] = []
        try:
            port = ["--port", str(self.port)] if "uvicorn" in service.api else []
            api = self._start([*service.api, *port])
            wait_for(f"{service.name} answers", self._is_healthy, api)
            if with_workers:
                for command in service.workers:
                    self._start(command)
        except BaseException:
            self.stop()
            print((servers.folder / f"{database}.log").read_text(), file=sys.stderr)
            raise

    def _start(self, command: list[str]) -> subprocess.Popen:
        process = subprocess.Popen(
            command, env=self.environment, stdout=self.log, stderr=self.log, cwd=self.storage
        )
        self.processes.append(process)
        return process

    def _is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v1/healthz", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def pids(self) -> list[int]:
        return [process.pid for process in self.processes]

    def stop(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.log.close()
