"""The image that all jobs download: 640 × 480 with the texture of a photo, as a JPEG of about 60 KB.

The standard library writes PNG; ThumbForge's own command makes the JPEG of it."""

import math
import random
import struct
import subprocess
import zlib
from pathlib import Path

WIDTH, HEIGHT = 640, 480
NOISE = 24


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png() -> bytes:
    rng = random.Random(7)
    rows = bytearray()
    for y in range(HEIGHT):
        rows.append(0)  # No filter.
        for x in range(WIDTH):
            wave = math.sin(x / 23) * math.cos(y / 31) + math.sin((x + y) / 97)
            light = 128 + 50 * wave + rng.randrange(-NOISE, NOISE)
            for tint in (0.9, 1.0, 0.8):
                rows.append(max(0, min(255, int(light * tint))))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header)
            + _chunk(b"IDAT", zlib.compress(bytes(rows), 1)) + _chunk(b"IEND", b""))


def make_picture(binary: Path, folder: Path) -> Path:
    png, jpeg = folder / "photo.png", folder / "photo.jpg"
    png.write_bytes(_png())
    subprocess.run([binary, "thumbnail", "--size", str(WIDTH), "--quality", "85", png, jpeg],
                   check=True, cwd=folder, stdout=subprocess.DEVNULL)
    return jpeg
