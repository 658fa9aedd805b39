"""A deployment whose schema is made before it starts, so that its table can be filled."""

import os
import subprocess
from pathlib import Path

from deployment import Deployment
from service.servers import Servers
from stores import Postgres


class Grown(Deployment):
    """Leaving it kills the processes, as with any deployment, and drops the database."""

    queues = 0

    def __init__(self, binary: Path, servers: Servers | None, name: str) -> None:
        self.name = name
        # Of Redis' sixteen: what rings for one deployment does not ring for another.
        Grown.queues = (Grown.queues + 1) % 16
        super().__init__(binary, servers, name)
        if servers is not None:
            self.settings["REDIS_URL"] = f"{servers.redis_url.rpartition('/')[0]}/{Grown.queues}"
        environment = {f"THUMBFORGE_{key}": value for key, value in self.settings.items()}
        subprocess.run([binary, "init-db"], check=True, cwd=self.folder, stdout=subprocess.DEVNULL,
                       env={"PATH": os.environ["PATH"], **environment})

    def __enter__(self):
        """What is started is up to the caller."""
        return self

    def restart(self, *commands: str) -> None:
        """Kills what runs and starts these instead."""
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes, self.workers = [], []
        for command in commands:
            self.start(command)

    def __exit__(self, *_) -> None:
        super().__exit__()
        if self.servers is not None:
            admin = Postgres(self.servers.database_url("postgres"))
            admin.rows(f"DROP DATABASE {self.name} WITH (FORCE)")
            admin.close()
