"""libvips, through pyvips, as a contender. VIPS_CONCURRENCY=1 comes with the environment."""

import pyvips

from loop import serve

# Else it would answer the second time from its cache of operations.
pyvips.cache_set_max(0)


def thumbnail(source: bytes, quality: int) -> bytes:
    """Shrinks on load, turns upright; Lanczos3 and sRGB are what it does unasked."""
    image = pyvips.Image.thumbnail_buffer(source, 256, height=256, size="down")
    if image.hasalpha():
        image = image.flatten(background=255)
    return image.jpegsave_buffer(Q=quality, subsample_mode="on", keep="none")


serve(thumbnail)
