"""What the figures were measured on and with."""

import datetime
import importlib.metadata
import json
import os
import platform
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()


def _node_version(cache: Path, package: str) -> str:
    manifest = cache / "node/node_modules" / package / "package.json"
    return json.loads(manifest.read_text())["version"]


def versions(cache: Path) -> str:
    import pyvips

    python = [f"{name} {importlib.metadata.version(name)}" for name in
              ("pillow", "pillow-heif", "pillow-jxl-plugin", "pyvips", "fastapi", "uvicorn", "asyncpg", "httpx")]
    node = [f"{name} {_node_version(cache, name)}" for name in
            ("sharp", "bullmq", "fastify", "pg", "ioredis", "undici")]
    return ", ".join(
        [f"libvips {'.'.join(str(pyvips.version(part)) for part in range(3))} (pyvips)", *python, *node,
         f"Python {platform.python_version()}", f"node {_output('node', '--version').lstrip('v')}",
         _output("rustc", "--version").split(" (")[0],
         f"libvips {_sharp_vips(cache)} (sharp)"]
    )


def _sharp_vips(cache: Path) -> str:
    script = "console.log(require('sharp').versions.vips)"
    environment = os.environ | {"NODE_PATH": str(cache / "node/node_modules")}
    return subprocess.run(["node", "--eval", script], check=True, capture_output=True, text=True,
                          env=environment).stdout.strip()


def server_versions() -> str:
    from service.servers import postgres_program

    postgres = _output(postgres_program("postgres"), "--version").split()[2]
    redis = re.search(r"v=(\S+)", _output("redis-server", "--version")).group(1)
    nginx = subprocess.run(["nginx", "-v"], capture_output=True, text=True).stderr.strip().split("/")[1]
    return f"Postgres {postgres}, Redis {redis}, nginx {nginx}"


def heading() -> str:
    """One paragraph: when, of what, on what, and how busy that machine was with other things."""
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    processor = model.group(1) if model else platform.processor()
    memory = int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text()).group(1))
    commit = _output("git", "rev-parse", "--short=10", "HEAD")
    # What this very script writes does not count as a change.
    changed = _output("git", "status", "--porcelain", "--", ":!docs/BENCHMARKS.md")
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    load = os.getloadavg()[0]
    kernel = ".".join(platform.release().split(".")[:2])
    return (
        f"Measured {date} at commit `{commit}`{' with uncommitted changes' if changed else ''}, on"
        f" {processor}, {os.cpu_count()} cores, {memory / 2**20:.0f} GiB, Linux {kernel};"
        f" load before the run: {load:.2f}{' (**not quiet**)' if load > 0.5 else ''}."
    )
