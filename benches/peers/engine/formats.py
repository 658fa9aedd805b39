"""The formats beyond the web's five: the time of a thumbnail beside the peers that read the format.

Nobody reads them all: each row names who does. All contenders are held to one processor, because
some of their decoders start threads of their own.
"""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import geometric_mean, median

from document import table, verdict
from engine import quality
from engine.contenders import US, Engine, Running
from engine.measure import PHOTOS

PILLOW = "Pillow, draft"
# By file name: what a row is called, who reads it beside us, the peer of the goal, and at most so
# many times the peer's time.
ROWS = {
    "{}.heic": ("{} HEIC", [PILLOW], PILLOW, 1.4),
    "{}.avif": ("{} AVIF", ["sharp", "libvips", PILLOW], "libvips", 1.3),
    "{}.jxl": ("{} JPEG XL", [PILLOW], PILLOW, 1),
    "{}.raw.tiff": ("{} TIFF", ["sharp", "libvips", PILLOW], PILLOW, 1.3),
    "{}.lzw.tiff": ("{} TIFF, LZW", ["sharp", "libvips", PILLOW], PILLOW, 2),
    "{}.deflate.tiff": ("{} TIFF, Deflate", ["sharp", "libvips", PILLOW], PILLOW, 1.3),
    "{}.jpeg.tiff": ("{} TIFF, JPEG", ["sharp", "libvips", PILLOW], PILLOW, 1.3),
    "{}.jp2": ("{} JPEG 2000", [PILLOW], PILLOW, 1.1),
}
SIZES = {"12mp": "12 MP", "2mp": "2 MP"}
# Never worse than the peer of the goal by more than this, in dB.
PSNR_MARGIN = 0.3


def rows(options) -> dict[str, tuple[str, list[str], str, float]]:
    """By the end of the files' names."""
    found = {file.format(size): (kind.format(name), *rest)
             for file, (kind, *rest) in ROWS.items() for size, name in SIZES.items()}
    return {file: row for file, row in found.items() if not options.only or options.only in row[0]}


def measure(engines: list[Engine], photos: Path, options, progress) -> dict:
    """`found[file][engine]`: `ms[round]`, the mean over the photos; `psnr[photo]`, as delivered."""
    found: dict[str, dict[str, dict]] = {}
    with ExitStack() as stack:
        running = {engine.name: stack.enter_context(Running(engine)) for engine in engines}
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for contender in running.values():
            os.sched_setaffinity(contender.process.pid, {min(os.sched_getaffinity(0))})
        for file, (kind, peers, *_) in rows(options).items():
            progress(f"formats: {kind}")
            files = [photos / f"{photo}-{file}" for photo in PHOTOS]
            names = [US, *peers]
            found[file] = {
                name: {"ms": [], "psnr": [delivered(running[name], photo, folder) for photo in files]}
                for name in names
            }
            for number in range(options.engine_rounds):
                first = number % len(names)
                for name in names[first:] + names[:first]:
                    rates = [running[name].rates(photo, options.engine_seconds)[0] for photo in files]
                    found[file][name]["ms"].append(1000 / geometric_mean(rates))
    return found


def delivered(contender: Running, photo: Path, folder: Path) -> float:
    """PSNR of the thumbnail at quality 85; also warms the engine up."""
    thumbnail = folder / "thumbnail.jpg"
    contender.ask(file=str(photo), save=str(thumbnail), quality=85)
    return quality.compare(photo, thumbnail)["psnr"]


def report(found: dict, options) -> str:
    lines = []
    for file, (kind, _, peer, most) in rows(options).items():
        by_engine = found[file]
        cells = [f"{median(by_engine[name]['ms']):,.1f}" if name in by_engine else "–"
                 for name in (US, PILLOW, "libvips", "sharp")]
        pairs = zip(by_engine[US]["ms"], by_engine[peer]["ms"], strict=True)
        shares = sorted(ours / theirs for ours, theirs in pairs)
        share = median(shares)
        worst = min(ours - theirs for ours, theirs in
                    zip(by_engine[US]["psnr"], by_engine[peer]["psnr"], strict=True))
        lines.append([
            kind, *cells, f"**{share:.2f}** ({shares[0]:.2f}–{shares[-1]:.2f}) of {peer.split(',')[0]}",
            f"≤ {most:g}: {verdict(share, None, most, at_most=True)}",
            f"{worst:+.2f}: {verdict(worst, -PSNR_MARGIN, None)}",
        ])
    header = ["ms a picture", US, "Pillow", "libvips", "sharp", "our time to a peer's", "goal",
              "worst photo to it, dB"]
    return table(header, lines)
