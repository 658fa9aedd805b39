"""Drives the client against servers that fail; tests/it/client/libraries.rs starts it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from thumbforge import ApiError, ThumbForge, Unreachable

JOB = {"id": "1", "status": "completed", "url": "http://a/b.jpg"}
# A test that hangs has failed.
PATIENCE = 30


class Server:
    """Gives each request to the next of `replies`, and what comes after them to the last."""

    def __init__(self, *replies):
        self.asked = []
        self.released = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                turn = len(server.asked)
                server.asked.append((self.path, self.headers))
                replies[min(turn, len(replies) - 1)](server, self)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.released.set()
        self.http.shutdown()
        self.http.server_close()


def reply(status, body=b"", **headers):
    def send(_, handler):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return send


def silence(server, _):
    server.released.wait(PATIENCE)


def problem(text):
    return reply(500, text, Content_Type="application/problem+json")


def cut(text):
    """A stream that ends without its last line."""

    def send(_, handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        handler.wfile.write(text)

    return send


def raised(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


good = reply(200, json.dumps(JOB).encode())

# A call that got no answer in time is made again: its own time does not count.
with Server(silence, good) as server:
    client = ThumbForge(server.url, timeout=1, retry_for=1)
    assert client.submit("http://a/b.jpg") == JOB
    keys = {headers["Idempotency-Key"] for _, headers in server.asked}
    assert (len(server.asked), len(keys)) == (2, 1), server.asked
with Server(silence) as server:
    client = ThumbForge(server.url, timeout=0.2, retry_for=0)
    raised(Unreachable, lambda: client.get_metrics())
    assert len(server.asked) == 1, server.asked

# A redirect is an error: it is neither followed nor asked for again.
with Server(good) as elsewhere, Server(reply(308, Location=elsewhere.url)) as server:
    refused = raised(ApiError, lambda: ThumbForge(server.url, "key").show_image("1"))
    assert (refused.status, refused.problem) == (308, None), refused
    assert (len(server.asked), elsewhere.asked) == (1, [])

# A mistake of the caller is no failure of the network.
raised(ValueError, lambda: ThumbForge("nonsense").get_metrics())
with Server(good) as server:
    raised(ValueError, lambda: ThumbForge(server.url, "two\nlines").get_metrics())
    assert server.asked == []

# A stream that is cut within a character goes on after the last whole event.
whole = 'retry: 0\nevent: image.failed\nid: 7\ndata: {"n": 1}\n\n'.encode()
broken = 'event: image.failed\nid: 8\ndata: "ü'.encode()[:-1]
rest = 'event: image.failed\nid: 8\ndata: "ü"\n\n'.encode()
with Server(cut(whole + broken), cut(rest)) as server:
    events = ThumbForge(server.url).events()
    assert next(events).data == {"n": 1}
    assert next(events).data == "ü"
    assert server.asked[1][1]["Last-Event-ID"] == "7", server.asked

# An answer is held back for at most half of the time that a call has.
for timeout, wait in ((60, "25"), (20, "10"), (1, "0")):
    with Server(good) as server:
        ThumbForge(server.url, timeout=timeout).wait("1")
        assert server.asked[0][0] == f"/v1/images/1?wait={wait}", server.asked

# Problems of others, e.g. of a proxy.
for body in (
    b"<html>",
    b"[]",
    b'"code"',
    b'{"title": "Bad Gateway"}',
    b'{"code": 7, "detail": "x"}',
    b"\xff",
):
    with Server(problem(body)) as server:
        refused = raised(ApiError, lambda: ThumbForge(server.url).submit("http://a/b.jpg"))
        assert (refused.status, refused.code, refused.problem) == (500, "", None), body
        assert "500" in str(refused), refused
foreign = b'{"code": "x", "detail": "Broken", "errors": {"a": ["b"]}}'
with Server(problem(foreign)) as server:
    refused = raised(ApiError, lambda: ThumbForge(server.url).get_metrics())
    assert str(refused) == "Broken (x)", refused
print("DONE", flush=True)
