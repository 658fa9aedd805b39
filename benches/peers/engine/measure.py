"""The engines in turns: images/s in short slices, then quality and memory."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from engine import memory, quality
from engine.contenders import Engine, Running

PHOTOS = ("dragonfly", "nuthatch")
KINDS = {
    "12 MP JPEG 4:2:0": "12mp-420.jpg",
    "12 MP JPEG, dense (quality 95)": "12mp-dense.jpg",
    "12 MP JPEG 4:4:4": "12mp-444.jpg",
    "12 MP progressive JPEG": "12mp-progressive.jpg",
    "2 MP JPEG": "2mp-420.jpg",
    "640×480 JPEG": "vga-420.jpg",
    "12 MP PNG": "12mp.png",
    "2 MP PNG": "2mp.png",
    "2 MP PNG with alpha": "2mp-alpha.png",
    "2 MP GIF": "2mp.gif",
    "2 MP WebP": "2mp.webp",
}
MEMORY_KIND = "12 MP JPEG 4:2:0"


def files_of(photos: Path, kind: str) -> list[Path]:
    return [photos / f"{photo}-{KINDS[kind]}" for photo in PHOTOS]


def measure(engines: list[Engine], photos: Path, options, progress) -> dict:
    """What was found, by name of kind and engine.

    `rates[kind][engine][round][photo]`: images/s by the clock and by CPU time;
    `quality[kind][engine][photo]`; `memory[engine]`: idle and peak over idle.
    """
    kinds = [kind for kind in KINDS if not options.only or options.only in kind]
    with ExitStack() as stack:
        running = [stack.enter_context(Running(engine)) for engine in engines]
        found = {
            "quality": {kind: _quality(running, files_of(photos, kind)) for kind in kinds},
            "rates": {kind: {engine.name: [] for engine in engines} for kind in kinds},
        }
        for number in range(options.engine_rounds):
            progress(f"engine: round {number + 1} of {options.engine_rounds}")
            first = number % len(running)
            for kind in kinds:
                slices = {engine.name: [] for engine in engines}
                for file in files_of(photos, kind):
                    # Each round begins with another engine.
                    for contender in running[first:] + running[:first]:
                        rates = contender.rates(file, options.engine_seconds)
                        slices[contender.engine.name].append(rates)
                for name, rates in slices.items():
                    found["rates"][kind][name].append(rates)
    file = files_of(photos, MEMORY_KIND)[0]
    found["memory"] = {
        engine.name: memory.peak_over_idle(engine, file, options.engine_seconds) for engine in engines
    }
    return found


def _quality(running: list[Running], files: list[Path]) -> dict[str, list[dict]]:
    """What each engine makes of each photo; also warms the engine up."""
    result: dict[str, list[dict]] = {}
    with tempfile.TemporaryDirectory() as folder:
        thumbnail = Path(folder) / "thumbnail.jpg"
        for contender in running:
            for file in files:
                contender.ask(file=str(file), save=str(thumbnail), quality=85)
                delivered = quality.compare(file, thumbnail)["psnr"]
                contender.ask(file=str(file), save=str(thumbnail), quality=100)
                found = quality.compare(file, thumbnail) | {"delivered_psnr": delivered}
                result.setdefault(contender.engine.name, []).append(found)
    return result
