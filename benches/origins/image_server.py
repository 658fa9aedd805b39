"""Where images come from: nginx if it is installed, since the origin must cost little; else our own."""

import json
import os
import resource
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

from service.servers import free_port, listens, wait_for

NGINX = """
worker_processes 1;
worker_rlimit_nofile {files};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections {connections}; }}
http {{
    types {{ image/jpeg jpg; }}
    access_log off;
    sendfile on;
    keepalive_requests 1000000;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen 0.0.0.0:{port} backlog=4096; root {folder}; }}
}}
"""


class Origins:
    """A process with all kinds of origins, with fresh buckets."""

    def __init__(self, image: Path) -> None:
        script = Path(__file__).parent / "origin_server.py"
        self.process = subprocess.Popen([sys.executable, script, image],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ports = json.loads(self.process.stdout.readline())

    def url(self, kind: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.ports[kind]}/photo.jpg"

    def urls(self, kind: str, count: int) -> list[str]:
        return [f"{self.url(kind)}?n={n}" for n in range(count)]

    def counts(self, kind: str) -> dict[str, int]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[kind]}/counts", timeout=10) as answer:
            return json.load(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.process.communicate()


class ImageServer:
    """Serves the image on every loopback address."""

    def __init__(self, folder: Path, image: Path) -> None:
        self.own = None
        program = shutil.which("nginx", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))
        if program is None:
            self.own = Origins(image)
            self.port = self.own.ports["image"]
            return
        self.port = free_port()
        files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 100_000)
        text = NGINX.format(folder=folder, port=self.port, files=files, connections=files // 2)
        configuration = folder / "nginx.conf"
        configuration.write_text(text)
        user = ["-g", "user root;"] if os.getuid() == 0 else []
        self.process = subprocess.Popen([program, "-c", configuration, *user], cwd=folder,
                                        stderr=subprocess.DEVNULL)
        wait_for("nginx listens", lambda: listens(self.port), self.process)

    def url(self, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/photo.jpg"

    def stop(self) -> None:
        if self.own is not None:
            self.own.__exit__()
            return
        self.process.terminate()
        self.process.wait()


def loopback_host(n: int) -> str:
    """The n-th of many hosts, none of them 127.0.x.y."""
    return f"127.{1 + n // 65536}.{n // 256 % 256}.{n % 256}"
