"""What a schema can't express, for scripts/schemathesis.

A URL is refused (422) for where it leads, which no schema expresses: so that accepted data
differs from refused data, well-formed bodies get a host name that may be submitted. It is one that is
never resolved (RFC 6761), so that no stranger's server is asked for pictures.

The same holds for origins (a host name is made), for moments (one of the past is put in, since
they may not lie too far ahead), and for cursors (that of the page after all origins, or of a place
in a list of jobs or batches).

The names of a job's variants differ. Each body has an Idempotency-Key of its own.

And random ids lead to no job: half of the well-formed ones become that of a completed job, with
its variant's name, made from a picture that is served here.
"""

import base64
import hashlib
import http.server
import json
import os
import re
import struct
import threading
import time
import urllib.request
import uuid
import zlib

import schemathesis


def png(width, height):
    """A grey picture."""

    def chunk(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1 + width) * height)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )


class Picture(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = png(640, 480)
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def completed_job(api):
    origin = http.server.HTTPServer(("127.0.0.1", 0), Picture)
    threading.Thread(target=origin.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{origin.server_port}/picture.png"
    request = urllib.request.Request(
        f"{api}/v1/images",
        data=json.dumps({"url": url, "preset": PRESET}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        job = json.load(response)
    end = time.monotonic() + 30
    while job["status"] in ("pending", "processing"):
        if time.monotonic() > end:
            raise RuntimeError(f"the job does not end: {job}")
        time.sleep(0.05)
        with urllib.request.urlopen(f"{api}/v1/images/{job['id']}") as response:
            job = json.load(response)
    if job["status"] != "completed":
        raise RuntimeError(f"the job failed: {job}")
    return job["id"]


# A preset of one variant, which has the same name.
PRESET = os.environ["PRESET"]
COMPLETED = completed_job(os.environ["API"])


MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


# A moment and an id.
PLACE = struct.pack(">q", 1_767_225_600_000_000) + uuid.UUID(int=7).bytes


def host_instead_of(url):
    """A name that is never resolved, if the schema lets `url` in."""
    if not isinstance(url, str) or len(url.encode("utf-8", "replace")) > 8192:
        return None
    if not url.lower().startswith(("http:", "https:")):
        return None
    return hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()[:16] + ".invalid"


@schemathesis.hook
def map_body(context, body):
    if not isinstance(body, dict):
        return body
    body = dict(body)
    if host := host_instead_of(body.get("url")):
        body["url"] = f"https://{host}/picture.jpg"
    if host := host_instead_of(body.get("origin")):
        body["origin"] = f"https://{host}"
    body = with_a_past_moment(body)
    if isinstance(body.get("defaults"), dict):
        body["defaults"] = with_a_past_moment(body["defaults"])
    return body


def with_a_past_moment(members):
    moment = members.get("not_before")
    if isinstance(moment, str) and MOMENT.fullmatch(moment):
        return {**members, "not_before": "2026-01-31T12:00:00Z"}
    return members


@schemathesis.hook
def before_call(context, case, kwargs):
    """The cases of the phase "coverage" pass by the other hooks."""
    if isinstance(case.body, dict):
        case.body = with_distinct_variants(case.body)
        if isinstance(defaults := case.body.get("defaults"), dict):
            case.body = {**case.body, "defaults": with_distinct_variants(defaults)}
    headers = kwargs.get("headers") or {}
    # A key belongs to one body.
    for values in (case.headers, headers):
        key = values.get("Idempotency-Key") if values else None
        if isinstance(key, str) and re.fullmatch("[!-~]{1,255}", key):
            values["Idempotency-Key"] = uuid.uuid4().hex
        preference = values.get("Prefer") if values else None
        if isinstance(preference, str):
            values["Prefer"] = re.sub(r"(?i)(wait\s*=\s*\"?)\d+", r"\g<1>1", preference)
    query = case.query or {}
    if re.fullmatch("[0-9]{1,2}", str(query.get("wait")), re.ASCII):
        # Nobody waits for the end of a job whose source is away. More than 30 is refused.
        if 1 < int(query["wait"]) <= 30:
            query = case.query = {**query, "wait": 1}
    cursor = query.get("cursor")
    if isinstance(cursor, str) and re.fullmatch("[A-Za-z0-9_-]{32}", cursor):
        # Not each of them is a place.
        case.query = {name: value for name, value in query.items() if name != "offset"}
        case.query["cursor"] = base64.urlsafe_b64encode(PLACE).decode()


def with_distinct_variants(members):
    variants = members.get("variants")
    if not isinstance(variants, list):
        return members
    return {**members, "variants": [distinct(n, variant) for n, variant in enumerate(variants)]}


def distinct(n, variant):
    """With a name of its own, if it has one."""
    name = variant.get("name") if isinstance(variant, dict) else None
    if isinstance(name, str) and re.fullmatch("[a-z0-9_-]{1,32}", name, re.ASCII):
        return {**variant, "name": f"{name[:29]}-{n}"}
    return variant


@schemathesis.hook
def map_query(context, query):
    if not isinstance(query, dict) or not isinstance(query.get("cursor"), str):
        return query
    if context.operation.path == "/v1/origins":
        sort = query.get("sort", "origin")
        place = f"{sort} 0 ~".encode("utf-8", "replace")
    else:
        # An offset excludes it.
        place = PLACE
        query = {name: value for name, value in query.items() if name != "offset"}
    return {**query, "cursor": base64.urlsafe_b64encode(place).decode().rstrip("=")}


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    job_id = path_parameters.get("job_id") if isinstance(path_parameters, dict) else None
    try:
        chosen = uuid.UUID(str(job_id)).int % 2 == 0
    except ValueError:
        return path_parameters
    if not chosen:
        return path_parameters
    known = {"job_id": COMPLETED, "name": PRESET}
    return {**path_parameters, **{key: known[key] for key in known.keys() & path_parameters.keys()}}
