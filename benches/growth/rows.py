"""What years of work leave in the table `jobs`: rows that look like real ones, oldest first.

The same number of rows is the same rows, but for their moments: the newest are from now."""

import hashlib
import math
import random
import time
from collections.abc import Iterator

SPREAD_MICROS = 180 * 86_400 * 1_000_000
HOSTS, TAGS, BATCH = 200, 50, 1000
SUBMITTERS = ["archive", "gallery", "importer", "shop", "wiki"]
# Put off: they are never claimed while something is measured.
PENDING = 100
LATER_MICROS = 30 * 86_400 * 1_000_000
# The most frequent, which is half of all, first.
ERROR_CODES = [
    "source_client_error", "source_timeout", "dns_failed", "connection_failed", "source_server_error",
    "unsupported_format", "corrupt_image", "rate_limited", "too_many_redirects", "source_too_large",
    "forbidden_source", "invalid_response", "image_too_large", "empty_source", "origin_unavailable",
    "decode_timeout", "worker_lost", "storage_failed", "internal", "poison",
]
CAMERAS = ["NIKON CORPORATION NIKON D750", "Canon EOS R6", "Apple iPhone 15 Pro", "SONY ILCE-7M4"]
COLUMNS = [
    "id", "url", "url_hash", "exclusive", "status", "attempts", "deaths", "fence", "created_at",
    "updated_at", "due_at", "worker_id", "result", "error", "error_code", "origin", "priority", "rank",
    "not_before", "waiting", "source_status", "batch_id", "batch_index", "tags", "submitted_by",
    "attempts_log",
]
MOMENTS = [COLUMNS.index(name) for name in ("created_at", "updated_at", "due_at", "not_before")]
WORKER = "0199a000-0000-7000-8000-00000000abcd"


def host(number: int) -> str:
    """From 1, which has the most jobs, to HOSTS, which has about a thousandth."""
    return f"images-{number:03}.example.org"


def tag(number: int) -> str:
    return f"collection-{number:02}"


def uuid_v7(micros: int, chance: int) -> str:
    text = f"{micros // 1000:012x}7{chance & 0xfff:03x}{0x8000 | chance >> 12 & 0x3fff:04x}{chance >> 26 & 0xffffffffffff:012x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def rows(count: int, now_micros: int | None = None) -> Iterator[tuple]:
    """Moments are microseconds since the Unix epoch; `None` is null."""
    now = now_micros or time.time_ns() // 1000
    rng = random.Random(7)
    chance, bits = rng.random, rng.getrandbits
    step = SPREAD_MICROS // count
    batch_size = min(BATCH, max(1, count // 20))
    batch = None
    for number in range(count):
        created = now - (count - number) * step
        job, digest = uuid_v7(created, bits(74)), f"{bits(256):064x}"
        source = host(zipf(chance(), HOSTS))
        url = f"https://{source}/media/photos/{number // 1000}/{digest[:40]}/original-{number}.jpg?width=2048"
        # Every twentieth thousand is a batch.
        block, index = divmod(number, batch_size)
        batched = block % 20 == 7
        if batched and index == 0:
            batch = uuid_v7(created, bits(74))
        kind = chance()
        tags = submitter = None
        if kind < 0.1:
            names = {tag(zipf(chance(), TAGS)) for _ in range(1 + (kind < 0.05))}
            tags = "[" + ",".join(f'"{name}"' for name in sorted(names)) + "]"
        if chance() < 0.2:
            submitter = SUBMITTERS[int(chance() * 5)]
        took = 400_000 + int(chance() * 20_000_000)
        ended = created + took
        status, due, not_before = "completed", None, None
        result = error = code = log = None
        source_status, attempts, waiting = 200, 1, False
        lot = chance()
        if number >= count - PENDING:
            status, due, not_before, waiting = "pending", now + LATER_MICROS, now + LATER_MICROS, True
            ended, source_status, attempts = created, None, 0
        elif lot < 0.96:
            result = completed(url, job, digest, chance())
        elif lot < 0.99:
            code = ERROR_CODES[zipf(chance() ** 2, len(ERROR_CODES)) - 1]
            status, error, source_status = "failed", "the source answered 404 Not Found", 404
        else:
            status, source_status = "cancelled", None
        if status in ("completed", "failed", "cancelled"):
            because = f',"error_code":"{code}"' if code else ""
            log = (f'{{"began":{created // 1000 + 150},"ended":{ended // 1000},"worker":"{WORKER}",'
                   f'"outcome":"{status}"{because}}}')
        yield (
            job, url, hashlib.sha256(url.encode()).hexdigest(), False, status, attempts, 0, attempts,
            created, ended, due, None, result, error, code, f"https://{source}:443", 5,
            created // 1000 + 300_000, not_before, waiting, source_status, batch if batched else None,
            index if batched else None, tags, submitter, log,
        )


def zipf(chance: float, count: int) -> int:
    """A number from 1 to `count`; the share of each is about inverse to it."""
    return int(math.exp(chance * math.log(count + 1)))


def completed(url: str, job: str, digest: str, chance: float) -> str:
    """The JSON of a result, as `JobResult` of src/domain/job.rs writes it."""
    width = 1200 + int(chance * 4000)
    exif = "null"
    if digest[0] < "a":
        exif = (f'{{"camera":"{CAMERAS[width % 4]}","lens":"24-70mm f/2.8",'
                f'"taken_at":"2026-0{1 + width % 9}-1{width % 10}T10:2{width % 10}:31"}}')
    return (
        f'{{"width":{width},"height":{width * 3 // 4},"format":"JPEG","size_bytes":{width * 700},'
        f'"source_content_type":"image/jpeg","source_url":"{url}","sha256":"{digest}",'
        f'"thumbnail_path":"{job}.jpg","thumbnail":{{"width":256,"height":192,"size_bytes":{width * 4},'
        f'"content_type":"image/jpeg"}},"has_alpha":false,"frames":1,"orientation":1,'
        f'"icc_profile":"sRGB IEC61966-2.1","exif":{exif},"dominant_color":"#{digest[:6]}",'
        f'"thumbhash":"{digest[10:38]}","truncated":false}}'
    )
