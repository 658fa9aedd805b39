"""Makes the comparison set from photographs in Debian packages: photos.py SOURCES TARGET.

The same packages and the same Pillow give the same bytes. Nothing carries an ICC profile or
an EXIF orientation: what all contenders do with those is not part of the race.
"""

import sys
from pathlib import Path

import pillow_heif
import pillow_jxl  # noqa: F401  (registers JPEG XL)
from PIL import Image, ImageDraw, ImageOps

pillow_heif.register_heif_opener()

# Camera photographs of 13 and 20 MP, so that 12 MP is a reduction: real detail, real noise.
SOURCES = {
    "dragonfly": "Dragonfly_by_Bolly.jpg",
    "nuthatch": "Kleiber_by_Lukas_Baubkus.jpg",
}
MP12, MP2, VGA = (4000, 3000), (1632, 1224), (640, 480)
# As a camera or a phone writes it, as an editor exports it at its best, and as the web likes it.
JPEGS = {
    "12mp-420": (MP12, {"quality": 90, "subsampling": "4:2:0"}),
    "12mp-dense": (MP12, {"quality": 95, "subsampling": "4:2:0"}),
    "12mp-444": (MP12, {"quality": 90, "subsampling": "4:4:4"}),
    "12mp-progressive": (MP12, {"quality": 90, "subsampling": "4:2:0", "progressive": True}),
    "2mp-420": (MP2, {"quality": 90, "subsampling": "4:2:0"}),
    "2mp-444": (MP2, {"quality": 90, "subsampling": "4:4:4"}),
    "vga-420": (VGA, {"quality": 85, "subsampling": "4:2:0"}),
}

# Each as 12 MP and as 2 MP.
OTHERS = {
    "heic": {"quality": 75},
    "avif": {"quality": 70, "subsampling": "4:2:0", "speed": 8},
    "jxl": {"quality": 90},
    "jp2": {"irreversible": True, "quality_mode": "rates", "quality_layers": [12]},
    "raw.tiff": {},
    "lzw.tiff": {"compression": "tiff_lzw"},
    "deflate.tiff": {"compression": "tiff_adobe_deflate"},
    "jpeg.tiff": {"compression": "jpeg", "quality": 90},
}


def sized(photo: Image.Image, size: tuple[int, int]) -> Image.Image:
    return ImageOps.fit(photo, size, Image.Resampling.LANCZOS)


def with_vignette(photo: Image.Image) -> Image.Image:
    """Alpha as in a cut-out: opaque inside an ellipse, then a soft edge, then nothing."""
    mask = Image.new("L", (photo.width // 8, photo.height // 8), 0)
    ImageDraw.Draw(mask).ellipse((8, 8, mask.width - 8, mask.height - 8), fill=255)
    photo = photo.convert("RGBA")
    photo.putalpha(mask.resize(photo.size, Image.Resampling.BICUBIC))
    return photo


def make(sources: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for name, file in SOURCES.items():
        photo = ImageOps.exif_transpose(Image.open(sources / file)).convert("RGB")
        for kind, (size, options) in JPEGS.items():
            picture = sized(photo, size)
            picture.info.clear()
            picture.save(target / f"{name}-{kind}.jpg", **options)
        small = sized(photo, MP2)
        small.save(target / f"{name}-2mp.png")
        small.save(target / f"{name}-2mp.webp", quality=85)
        with_vignette(small).save(target / f"{name}-2mp-alpha.png")
        palette = small.quantize(256, dither=Image.Dither.FLOYDSTEINBERG)
        palette.save(target / f"{name}-2mp.gif")
        large = sized(photo, MP12)
        large.save(target / f"{name}-12mp.png")
        for kind, options in OTHERS.items():
            for size, picture in (("12mp", large), ("2mp", small)):
                picture.info.clear()
                picture.save(target / f"{name}-{size}.{kind}", **options)


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]))
