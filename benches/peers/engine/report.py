"""The engine's tables from its rounds."""

from statistics import fmean, geometric_mean, median

from document import table, verdict
from engine.contenders import US, Engine
from engine.measure import MEMORY_KIND

# Multiples of sharp, floor and goal; None where there is neither.
TIMES_SHARP = {
    "12 MP JPEG 4:2:0": (2.5, 3),
    "12 MP JPEG, dense (quality 95)": (2, 2.5),
    "12 MP JPEG 4:4:4": (2, 2.5),
    "12 MP progressive JPEG": (20, 30),
    "2 MP JPEG": (2, 2.4),
    "640×480 JPEG": (2, 2.5),
    "12 MP PNG": (1.2, 1.3),
    "2 MP PNG": (1.2, 1.4),
    "2 MP PNG with alpha": (1.2, 1.7),
    "2 MP GIF": (1.5, 2),
    "2 MP WebP": (None, None),
}
TIMES_LIBVIPS = {"12 MP JPEG 4:2:0": (None, 3.3)}
MEMORY_MIB = (24, 16)
# Never worse than libvips by more than this, in dB.
PSNR_MARGIN = 0.3


BY_CLOCK, BY_CPU_TIME = 0, 1


def ratios(rates: dict[str, list], peer: str, by: int) -> list[float]:
    """ThumbForge to the peer in each round, ascending; the mean over the photos is geometric."""
    return sorted(
        geometric_mean([a[by] / b[by] for a, b in zip(ours, theirs, strict=True)])
        for ours, theirs in zip(rates[US], rates[peer], strict=True)
    )


def _speed(found: dict, names: list[str]) -> str:
    rows = []
    for kind, rates in found["rates"].items():
        cells = [f"{median(geometric_mean(photo[BY_CLOCK] for photo in photos) for photos in rates[name]):,.1f}"
                 for name in names]
        for peer, bounds in (("sharp", TIMES_SHARP), ("libvips", TIMES_LIBVIPS)):
            paired = ratios(rates, peer, BY_CLOCK)
            value = median(paired)
            floor, goal = bounds.get(kind, (None, None))
            cells.append(f"**{value:.2f} ×** ({paired[0]:.2f}–{paired[-1]:.2f})")
            if peer == "sharp":
                asked = f"{floor:g} / {goal:g} ×" if goal else ""
                by_cpu_time = median(ratios(rates, peer, BY_CPU_TIME))
                cells += [f"{by_cpu_time:.2f} ×", asked, verdict(value, floor, goal)]
            elif goal:
                cells[-1] += f" of ≥ {goal:g}: {verdict(value, floor, goal)}"
        rows.append([kind, *cells])
    header = ["images/s", *names, "to sharp", "by CPU time", "floor / goal", "", "to libvips"]
    return table(header, rows)


def _quality(found: dict, names: list[str]) -> str:
    rows = []
    for kind, by_engine in found["quality"].items():
        cells = []
        for name in names:
            mean = {key: fmean(photo[key] for photo in by_engine[name]) for key in by_engine[name][0]}
            cells.append(f"{mean['delivered_psnr']:.2f} · {mean['luma_psnr']:.2f} · {mean['luma_ssim']:.4f}")
        worst, worst_luma = (
            min(ours[key] - theirs[key]
                for ours, theirs in zip(by_engine[US], by_engine["libvips"], strict=True))
            for key in ("delivered_psnr", "luma_psnr")
        )
        held = verdict(worst, -PSNR_MARGIN, None)
        rows.append([kind, *cells, f"{worst:+.2f}: {held} · {worst_luma:+.2f}"])
    return table(["PSNR · luma at 100 · SSIM", *names, "worst photo to libvips, dB"], rows)


def _memory(found: dict, names: list[str]) -> str:
    idle = [f"{found['memory'][name][0]:.1f}" for name in names]
    over = [f"{found['memory'][name][1]:.1f}" for name in names]
    floor, goal = MEMORY_MIB
    met = verdict(found["memory"][US][1], floor, goal, at_most=True)
    rows = [["idle", *idle, "", ""], ["peak over idle", *over, f"{floor} / {goal}", met]]
    return table([f"MiB, {MEMORY_KIND}", *names, "floor / goal", ""], rows)


def report(found: dict, engines: list[Engine]) -> str:
    names = [engine.name for engine in engines]
    return "\n\n".join([
        _speed(found, names),
        "Quality against full decode and Lanczos3 in floating point, means over the photos: PSNR in dB of the"
        " JPEG as delivered (quality 85, so mostly the JPEG's own loss); PSNR and SSIM of the luma at quality 100,"
        f" which show decoder and filter. Floor, as delivered: not more than {PSNR_MARGIN} dB under libvips (after it: the luma).",
        _quality(found, names),
        "Memory, each engine in a process of its own, the file included:",
        _memory(found, names),
        "Settings:",
        "\n".join(f"- **{engine.name}**: {engine.settings}." for engine in engines),
    ])
