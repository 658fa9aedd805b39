"""What all measurements share: the binaries, the servers, the image, and how to wait."""

import shutil
import sys
import tempfile
import time
from pathlib import Path

from deployment import Deployment
from image_server import ImageServer, Origins
from picture import make_picture
from service.servers import Servers
from submit import submit

LOOK = 0.1


class Bench:
    def __init__(self, options) -> None:
        self.options = options
        self.binary: Path = options.binary
        self.folder = Path(tempfile.mkdtemp(prefix="thumbforge-origins-"))
        if options.image:
            self.image = Path(shutil.copy(options.image, self.folder / "photo.jpg"))
        else:
            self.image = make_picture(self.binary, self.folder)
        self.databases, self._servers, self._images = 0, None, None

    def progress(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    @property
    def servers(self) -> Servers:
        """Postgres and Redis, started when they are first asked for."""
        if self._servers is None:
            self._servers = Servers(None)
        return self._servers

    @property
    def images(self) -> ImageServer:
        if self._images is None:
            self._images = ImageServer(self.folder, self.image)
        return self._images

    def origins(self) -> Origins:
        return Origins(self.image)

    def all(self, binary: Path | None = None) -> Deployment:
        """`all` on SQLite."""
        return Deployment(binary or self.binary, None)

    def split(self, workers: int, binary: Path | None = None) -> Deployment:
        """`serve` and workers on Postgres and Redis."""
        self.databases += 1
        return Deployment(binary or self.binary, self.servers, f"bench_{self.databases}", workers)

    def deployments(self, workers: int):
        """The ways to run that were asked for, by name."""
        if "all" in self.options.modes:
            yield "all, SQLite", self.all()
        if "split" in self.options.modes:
            yield f"serve + {workers} work, Postgres", self.split(workers)

    def submit(self, service: Deployment, urls: list[str]) -> float:
        seconds = submit(service.port, urls)
        self.progress(f"{len(urls)} submitted in {seconds:.1f} s")
        return seconds

    def wait(self, is_over) -> bool:
        """Looks until it is over; false if that takes too long."""
        end = time.monotonic() + self.options.patience
        while time.monotonic() < end:
            if is_over():
                return True
            time.sleep(LOOK)
        return False

    def close(self) -> None:
        if self._images is not None:
            self._images.stop()
        if self._servers is not None:
            self._servers.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
