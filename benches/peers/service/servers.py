"""Postgres, Redis and the image server that all services of a round share: own ports, own folder.

The standard library is enough for it: benches/origins uses it too."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    types {{ image/jpeg jpg; image/png png; image/gif gif; image/webp webp; }}
    access_log off;
    sendfile on;
    keepalive_requests 1000000;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; root {photos}; }}
}}
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(what: str, is_true, process: subprocess.Popen, seconds: float = 60) -> None:
    """Asks until it is true; ends loudly when the process died or the time is over."""
    end = time.monotonic() + seconds
    while not is_true():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {seconds} s, or its process ended")
        time.sleep(0.02)


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def postgres_program(name: str) -> str:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    found = shutil.which(name, path=os.pathsep.join([*map(str, reversed(folders)), os.environ["PATH"]]))
    if found is None:
        raise RuntimeError(f"{name} of Postgres is missing")
    return found


class Servers:
    """All three, with their defaults: Postgres syncs each commit to disk (`fsync = on`). Without
    photos there is no image server."""

    def __init__(self, photos: Path | None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="thumbforge-servers-"))
        self.folder.chmod(0o755)
        self.processes: dict[str, subprocess.Popen] = {}
        self.postgres_port, self.redis_port, self.nginx_port = (free_port() for _ in range(3))
        try:
            self._start_postgres()
            self._start("redis", ["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1",
                                  "--save", "", "--dir", str(self.folder)], self.redis_port)
            if photos is not None:
                self._start_nginx(photos)
        except BaseException:
            self.stop()
            raise

    def _start_postgres(self) -> None:
        # Postgres refuses to run as root.
        account = {}
        if os.getuid() == 0:
            names = {user.pw_name: user for user in pwd.getpwall()}
            user = names.get("postgres") or names["nobody"]
            account = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        data = self.folder / "postgres"
        subprocess.run(
            [postgres_program("initdb"), "--auth=trust", "--username=bench", "--encoding=UTF8",
             "--locale=C", "--no-sync", "--pgdata", data],
            check=True, cwd=self.folder, stdout=subprocess.DEVNULL, **account,
        )
        self._start(
            "postgres",
            [postgres_program("postgres"), "-D", str(data), f"--port={self.postgres_port}",
             "--listen_addresses=127.0.0.1", f"--unix_socket_directories={self.folder}"],
            self.postgres_port, **account,
        )

    def _start_nginx(self, photos: Path) -> None:
        configuration = self.folder / "nginx.conf"
        configuration.write_text(
            NGINX.format(folder=self.folder, port=self.nginx_port, photos=photos.resolve())
        )
        # -g: as root, its worker would be `nobody`, who may not enter the photos' folder.
        user = ["-g", "user root;"] if os.getuid() == 0 else []
        self._start("nginx", ["nginx", "-c", str(configuration), *user], self.nginx_port)

    def _start(self, name: str, command: list[str], port: int, **account) -> None:
        log = (self.folder / f"{name}.log").open("wb")
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **account)
        self.processes[name] = process
        wait_for(f"{name} listens", lambda: listens(port), process)

    def database_url(self, name: str) -> str:
        return f"postgres://bench@127.0.0.1:{self.postgres_port}/{name}"

    @property
    def redis_url(self) -> str:
        return f"redis://127.0.0.1:{self.redis_port}/0"

    def photo_url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.nginx_port}/{name}"

    def stop(self) -> None:
        # SIGINT: Postgres' fast shutdown; the others know it too.
        for process in self.processes.values():
            process.send_signal(2)
        for process in self.processes.values():
            process.wait(timeout=60)
        shutil.rmtree(self.folder)
