"""Pillow as a contender: `pillow.py draft` reduces while decoding, `pillow.py whole` does not."""

import io
import sys

import pillow_heif
import pillow_jxl.JpegXLImagePlugin
from PIL import AvifImagePlugin, Image, ImageOps

from loop import serve

SIZE = (256, 256)
pillow_heif.register_heif_opener()
# Of one thread, as all contenders.
pillow_heif.options.DECODE_THREADS = 1
pillow_jxl.JpegXLImagePlugin.DECODE_THREADS = 0
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


def finish(image: Image.Image, quality: int) -> bytes:
    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA"):
        rgba = image.convert("RGBA")
        image = Image.new("RGB", rgba.size, "white")
        image.paste(rgba, mask=rgba.getchannel("A"))
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=quality, subsampling="4:2:0")
    return out.getvalue()


def opened(source: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(source))
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    return image


def draft(source: bytes, quality: int) -> bytes:
    """Image.thumbnail: libjpeg's reduced decoding, then box reduction, to at least twice the size."""
    image = opened(source)
    image.thumbnail(SIZE, Image.Resampling.LANCZOS, reducing_gap=2.0)
    return finish(image, quality)


def whole(source: bytes, quality: int) -> bytes:
    """All pixels decoded, and all of them seen by the Lanczos filter."""
    image = opened(source)
    image.load()
    image.thumbnail(SIZE, Image.Resampling.LANCZOS, reducing_gap=None)
    return finish(image, quality)


serve({"draft": draft, "whole": whole}[sys.argv[1]])
