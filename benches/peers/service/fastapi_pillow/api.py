"""FastAPI peer, the API: POST commits a row, then pushes its id; run by uvicorn with uvloop."""

import os
import uuid
from contextlib import asynccontextmanager

import asyncpg
from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel, HttpUrl
from redis.asyncio import Redis

QUEUE = "image_jobs"
COLUMNS = "id, url, status, attempts, created_at, updated_at, result::text, error"


class Submission(BaseModel):
    url: HttpUrl


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.redis = Redis.from_url(os.environ["REDIS_URL"])
    app.state.db = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=10, max_size=10)
    yield
    await app.state.db.close()
    await app.state.redis.aclose()


app = FastAPI(lifespan=lifespan)


@app.post("/v1/images", status_code=202)
async def submit(submission: Submission, response: Response):
    row = await app.state.db.fetchrow(
        f"INSERT INTO jobs (id, url) VALUES ($1, $2) RETURNING {COLUMNS}",
        uuid.uuid4(),
        str(submission.url),
    )
    await app.state.redis.lpush(QUEUE, str(row["id"]))
    response.headers["Location"] = f"/v1/images/{row['id']}"
    return dict(row)


@app.get("/v1/images/{job_id}")
async def show(job_id: uuid.UUID):
    row = await app.state.db.fetchrow(f"SELECT {COLUMNS} FROM jobs WHERE id = $1", job_id)
    if row is None:
        raise HTTPException(404)
    return dict(row)


@app.get("/v1/healthz")
async def health():
    return {"status": "ok"}
