"""ThumbForge's processes: `all` on SQLite, or `serve` and some `work` on Postgres and Redis."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from service.servers import Servers, free_port, wait_for
from stores import Postgres, Sqlite

# Everything else is at its default.
SETTINGS = {
    "ALLOWED_SOURCE_NETWORKS": "127.0.0.0/8",
    "ALLOWED_SOURCE_PORTS": "*",
    "LOG_LEVEL": "warn",
}
QUEUE = "thumbforge:image_jobs"


class Deployment:
    """On an empty database of its own. Leaving it kills the processes: nothing more is asked of them."""

    def __init__(self, binary: Path, servers: Servers | None, name: str = "", workers: int = 0) -> None:
        """Without servers it is `all`; else `name` is the database's."""
        self.binary, self.servers, self.count = binary, servers, workers
        self.folder = Path(tempfile.mkdtemp(prefix="thumbforge-origins-"))
        self.processes: list[subprocess.Popen] = []
        self.workers: list[subprocess.Popen] = []
        own = {"STORAGE_PATH": str(self.folder / "thumbnails")}
        if servers is None:
            self.store = Sqlite(self.folder / "thumbforge.db")
        else:
            admin = Postgres(servers.database_url("postgres"))
            admin.rows(f"CREATE DATABASE {name}")
            admin.close()
            self.store = Postgres(servers.database_url(name))
            own["REDIS_URL"] = servers.redis_url
            with socket.create_connection(("127.0.0.1", servers.redis_port)) as redis:
                redis.sendall(b"FLUSHALL\r\n")
                redis.recv(100)
        own["DATABASE_URL"] = self.store.url
        self.settings = {**SETTINGS, **own}

    def start(self, command: str) -> subprocess.Popen:
        """Starts a process and waits until it says that it is ready."""
        port = free_port()
        bind = "WORKER_BIND" if command == "work" else "BIND"
        settings = {**self.settings, bind: f"127.0.0.1:{port}"}
        environment = {f"THUMBFORGE_{key}": value for key, value in settings.items()}
        log = self.folder / f"{command}-{len(self.processes)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [self.binary, command], cwd=self.folder, stdout=output, stderr=output,
                env={"PATH": os.environ["PATH"], **environment},
            )
        self.processes.append(process)
        if command != "serve":
            self.workers.append(process)
        if command != "work":
            self.port = port
        try:
            wait_for(f"{command} is ready", lambda: _is_ready(port), process)
        except RuntimeError:
            print(log.read_text(), file=sys.stderr)
            raise
        return process

    def start_workers(self, count: int) -> None:
        for _ in range(count):
            self.start("work")

    def __enter__(self):
        try:
            self.start("all" if self.servers is None else "serve")
            self.start_workers(self.count)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
        for process in self.processes:
            process.wait()
        self.store.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False
