"""A client that submits URLs as fast as the API accepts them, over connections that are kept."""

import selectors
import socket
import time
from collections.abc import Iterable
from itertools import islice

CONNECTIONS = 32
PATIENCE = 30


def _request(url: str) -> bytes:
    body = f'{{"url":"{url}"}}'
    return (f"POST /v1/images HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def _is_whole(answer: bytes) -> bool:
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return len(body) >= int(length)


def submit(port: int, urls: Iterable[str], connections: int = CONNECTIONS) -> float:
    """Submits all; anything but `202` is an error. Returns the seconds that it took."""
    waiting, begun = iter(urls), time.monotonic()
    selector = selectors.DefaultSelector()
    answers: dict[socket.socket, bytes] = {}
    for url in islice(waiting, connections):
        client = socket.create_connection(("127.0.0.1", port))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(_request(url))
        answers[client] = b""
        selector.register(client, selectors.EVENT_READ)
    while answers:
        ready = selector.select(PATIENCE)
        if not ready:
            raise RuntimeError(f"no submission was answered for {PATIENCE} s")
        for key, _ in ready:
            client = key.fileobj
            answers[client] += client.recv(65536)
            if not answers[client]:
                raise RuntimeError("the API closed the connection")
            if not _is_whole(answers[client]):
                continue
            if not answers[client].startswith(b"HTTP/1.1 202"):
                raise RuntimeError(f"not accepted: {answers[client]!r}")
            answers[client] = b""
            url = next(waiting, None)
            if url is not None:
                client.sendall(_request(url))
                continue
            selector.unregister(client)
            client.close()
            del answers[client]
    return time.monotonic() - begun
