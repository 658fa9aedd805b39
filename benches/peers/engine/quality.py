"""How near a thumbnail is to the best that could be made: full decode, then Lanczos3 in floats.

At quality 85, as it is delivered, the loss of JPEG hides most of what decoder and filter do. The
luma at quality 100 shows it. SSIM after Wang et al. 2004 (11 × 11 Gaussian, sigma 1.5).
"""

from pathlib import Path

import numpy
import pillow_heif
import pillow_jxl  # noqa: F401  (registers JPEG XL)
from PIL import Image, ImageOps

pillow_heif.register_heif_opener()


def _channels(image: Image.Image) -> list[numpy.ndarray]:
    """Red, green and blue in 0–255 as floats, alpha laid on white."""
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    has_alpha = image.mode in ("RGBA", "LA")
    planes = numpy.asarray(image.convert("RGBA" if has_alpha else "RGB"), numpy.float32)
    if has_alpha:
        alpha = planes[..., 3:] / 255
        planes = planes[..., :3] * alpha + 255 * (1 - alpha)
    return [planes[..., channel] for channel in range(3)]


def reference(file: Path, size: tuple[int, int]) -> numpy.ndarray:
    image = ImageOps.exif_transpose(Image.open(file))
    resized = [Image.fromarray(channel).resize(size, Image.Resampling.LANCZOS)
               for channel in _channels(image)]
    return numpy.stack([numpy.asarray(channel) for channel in resized], axis=2).clip(0, 255)


def _blurred(plane: numpy.ndarray) -> numpy.ndarray:
    kernel = numpy.exp(-(numpy.arange(-5, 6) ** 2) / (2 * 1.5**2))
    kernel /= kernel.sum()
    for axis in (0, 1):
        plane = numpy.apply_along_axis(numpy.convolve, axis, plane, kernel, mode="valid")
    return plane


def _ssim(a: numpy.ndarray, b: numpy.ndarray) -> float:
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_a, mean_b = _blurred(a), _blurred(b)
    variance_a = _blurred(a * a) - mean_a**2
    variance_b = _blurred(b * b) - mean_b**2
    covariance = _blurred(a * b) - mean_a * mean_b
    similarity = ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2))
    return float(similarity.mean())


def _psnr(made: numpy.ndarray, wanted: numpy.ndarray) -> float:
    return float(10 * numpy.log10(255**2 / ((made - wanted) ** 2).mean()))


def compare(file: Path, thumbnail: Path) -> dict[str, float]:
    """PSNR in dB of all channels and of the luma, and SSIM of the luma, of a file's thumbnail."""
    with Image.open(thumbnail) as image:
        if image.format != "JPEG" or max(image.size) != 256:
            raise RuntimeError(f"{thumbnail}: {image.format}, {image.size}")
        made = numpy.stack(_channels(image), axis=2)
        wanted = reference(file, image.size)
    luma = numpy.array([0.299, 0.587, 0.114])
    made_luma, wanted_luma = made @ luma, wanted @ luma
    return {
        "psnr": _psnr(made, wanted),
        "luma_psnr": _psnr(made_luma, wanted_luma),
        "luma_ssim": _ssim(made_luma, wanted_luma),
    }
