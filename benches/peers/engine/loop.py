"""What the Python contenders share: commands on stdin, answers on stdout, one JSON object a line."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path


def serve(thumbnail: Callable[[bytes, int], bytes]) -> None:
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        source = Path(command["file"]).read_bytes()
        until, quality = command.get("seconds", 0), command.get("quality", 85)
        begun, images, seconds = time.perf_counter(), 0, 0.0
        while images == 0 or seconds < until:
            made = thumbnail(source, quality)
            images += 1
            seconds = time.perf_counter() - begun
        if "save" in command:
            Path(command["save"]).write_bytes(made)
        print(json.dumps({"images": images, "seconds": seconds}), flush=True)
