"""What a schema can't say, for scripts/schemathesis.

A URL is refused (422) for where it leads, which no schema expresses: so that accepted data can be
told from refused data, well-formed bodies get a host name that may be submitted. It is one that is
never resolved (RFC 6761), so that no stranger's server is asked for pictures.

And random ids lead to no job: half of the well-formed ones become that of a completed job, made
from a picture that is served here.
"""

import hashlib
import http.server
import json
import os
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
        data=json.dumps({"url": url}).encode(),
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


COMPLETED = completed_job(os.environ["API"])


@schemathesis.hook
def map_body(context, body):
    url = body.get("url") if isinstance(body, dict) else None
    if not isinstance(url, str) or len(url.encode("utf-8", "replace")) > 2048:
        return body
    if url.lower().startswith(("http:", "https:")):
        name = hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()[:16]
        body = {**body, "url": f"https://{name}.invalid/{name}.jpg"}
    return body


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    job_id = path_parameters.get("job_id") if isinstance(path_parameters, dict) else None
    try:
        chosen = uuid.UUID(str(job_id)).int % 2 == 0
    except ValueError:
        return path_parameters
    return {**path_parameters, "job_id": COMPLETED} if chosen else path_parameters
