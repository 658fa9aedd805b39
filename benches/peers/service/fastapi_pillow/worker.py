"""FastAPI peer, a worker process: several downloads in flight, one Pillow thread.

Pillow works without the interpreter's lock, so that downloads go on beside it. Draft mode lets
libjpeg reduce while it decodes.
"""

import asyncio
import hashlib
import io
import json
import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import httpx
import uvloop
from PIL import Image, ImageOps
from redis.asyncio import Redis

QUEUE = "image_jobs"
IN_FLIGHT = 8
SIDE = 256
STORAGE = Path(os.environ["STORAGE_PATH"])


def thumbnail(source: bytes, path: Path) -> dict:
    image = Image.open(io.BytesIO(source))
    facts = {"format": image.format, "size_bytes": len(source)}
    # thumbnail() asks for draft mode at twice the size, which is its default reducing gap.
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    original = image.size
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA"):
        rgba = image.convert("RGBA")
        image = Image.new("RGB", rgba.size, "white")
        image.paste(rgba, mask=rgba.getchannel("A"))
    temporary = path.with_suffix(".part")
    image.convert("RGB").save(temporary, "JPEG", quality=85)
    temporary.rename(path)
    facts |= {"width": original[0], "height": original[1], "thumbnail": image.size}
    return facts | {"sha256": hashlib.sha256(source).hexdigest()}


async def work(db: asyncpg.Pool, redis: Redis, http: httpx.AsyncClient, engine) -> None:
    while True:
        _, text = await redis.brpop([QUEUE])
        job_id = uuid.UUID(text.decode())
        url = await db.fetchval(
            "UPDATE jobs SET status = 'processing', attempts = attempts + 1, updated_at = now()"
            " WHERE id = $1 AND status = 'pending' RETURNING url",
            job_id,
        )
        if url is None:
            continue
        try:
            response = (await http.get(url)).raise_for_status()
            facts = await asyncio.get_running_loop().run_in_executor(
                engine, thumbnail, response.content, STORAGE / f"{job_id}.jpg"
            )
        except Exception as error:  # Whatever it is, it ends this job and is kept in its row.
            await db.execute(
                "UPDATE jobs SET status = 'failed', error = $2, updated_at = now() WHERE id = $1",
                job_id,
                repr(error),
            )
        else:
            await db.execute(
                "UPDATE jobs SET status = 'completed', result = $2, updated_at = now() WHERE id = $1",
                job_id,
                json.dumps(facts),
            )


async def main() -> None:
    redis = Redis.from_url(os.environ["REDIS_URL"])
    engine = ThreadPoolExecutor(max_workers=1)
    async with (
        asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=4, max_size=IN_FLIGHT) as db,
        httpx.AsyncClient(timeout=30, follow_redirects=True) as http,
        asyncio.TaskGroup() as tasks,
    ):
        for _ in range(IN_FLIGHT):
            tasks.create_task(work(db, redis, http, engine))


uvloop.run(main())
