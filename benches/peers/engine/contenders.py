"""The engines, each a long-lived process that works on one image at a time, with one thread.

A command is `{"file": …, "seconds": …}`, answered by `{"images": n, "seconds": s}`, or
`{"file": …, "save": …, "quality": …}`, which makes one thumbnail and saves it. The file is read
before the clock starts; the thumbnail stays in memory. ThumbForge and sharp also know
`{"outputs": […]}`: several files of one source (see `variants.py`).
"""

import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
US = "ThumbForge"


@dataclass(frozen=True)
class Engine:
    name: str
    settings: str
    command: list[str] = field(hash=False)
    environment: dict[str, str] = field(default_factory=dict, hash=False)


def engines(cache: Path, release: Path) -> list[Engine]:
    python = str(cache / "venv/bin/python")
    return [
        Engine(US, "`make` of `crates/imaging` with its default limits: beside the thumbnail it reads EXIF and the"
               " profile's name and makes ThumbHash and dominant colour, which the peers don't",
               [str(release / "examples/peer_engine"), str(release / "thumbforge")]),
        Engine("sharp", "`sharp.concurrency(1)`, `sharp.cache(false)`, autoOrient, resize `inside`, flatten on"
               " white, jpeg quality 85 with `optimiseCoding: false` (12 % faster on small files; the others don't"
               " optimise either); all else at its defaults (Lanczos3, shrink on load)",
               ["node", str(HERE / "sharp.cjs")], {"NODE_PATH": str(cache / "node/node_modules")}),
        Engine("libvips", "pyvips, `VIPS_CONCURRENCY=1`, no operation cache, `thumbnail_buffer` with"
               " `size=\"down\"`, flatten where there is alpha, `jpegsave_buffer` with Q 85",
               [python, str(HERE / "vips.py")], {"VIPS_CONCURRENCY": "1"}),
        Engine("Pillow, draft", "`Image.thumbnail` with Lanczos and `reducing_gap=2.0` (its default): draft mode"
               " for JPEG, box reduction for all", [python, str(HERE / "pillow.py"), "draft"]),
        Engine("Pillow, whole", "all pixels decoded, Lanczos over all of them",
               [python, str(HERE / "pillow.py"), "whole"]),
    ]


class Running:
    """An engine's process; use it in `with`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.process = subprocess.Popen(
            engine.command, env=os.environ | engine.environment, text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        self._read()

    def _read(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.engine.name} ended with {self.process.wait()}")
        return json.loads(line)

    def ask(self, **command) -> dict:
        self.process.stdin.write(json.dumps(command) + "\n")
        return self._read()

    def rates(self, file: Path, seconds: float, **command) -> tuple[float, float]:
        """Images a second by the clock, and by the CPU time that the whole process took."""
        before = self._cpu_seconds()
        answer = self.ask(file=str(file), seconds=seconds, **command)
        cpu = self._cpu_seconds() - before
        return answer["images"] / answer["seconds"], answer["images"] / cpu

    def _cpu_seconds(self) -> float:
        # Linux's clock of another process, all its threads: MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED).
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()
