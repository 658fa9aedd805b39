"""The origins that jobs download from, in a process of their own:

    origin_server.py IMAGE

Each kind has a port on every loopback address. Prints the ports as one line of JSON, and serves
until its input ends."""

import asyncio
import json
import resource
import sys
import time
from collections import deque
from functools import partial
from pathlib import Path

# Requests a second, and requests at once.
BUSY_RATE = 10
TRICKLE_BYTES_A_SECOND = 1500
TRICKLE_STEP = 0.1


def head(status: int, length: int, *fields: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Answer", f"Content-Length: {length}", *fields, "", ""]
    return "\r\n".join(lines).encode()


class Exchange(asyncio.Protocol):
    """One connection, kept alive; what it answers is up to the kind."""

    def __init__(self, answer) -> None:
        self.answer, self.received, self.transport = answer, b"", None

    def connection_made(self, transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        while b"\r\n\r\n" in self.received:
            request, _, self.received = self.received.partition(b"\r\n\r\n")
            self.answer(self.transport, request.split(b" ", 2)[1])


class Image:
    def __init__(self, image: bytes) -> None:
        self.reply = head(200, len(image), "Content-Type: image/jpeg") + image

    def __call__(self, transport, _target: bytes) -> None:
        transport.write(self.reply)


class Silent:
    def __call__(self, _transport, _target: bytes) -> None:
        pass


class Trickle:
    """A head at once, and a body that never comes to its end in time."""

    def __init__(self, image: bytes) -> None:
        self.image = image

    def __call__(self, transport, _target: bytes) -> None:
        transport.write(head(200, 100 * len(self.image), "Content-Type: image/jpeg"))
        self.drip(transport, 0)

    def drip(self, transport, sent: int) -> None:
        if transport.is_closing():
            return
        step = round(TRICKLE_BYTES_A_SECOND * TRICKLE_STEP)
        piece = self.image[sent : sent + step]
        transport.write(piece.ljust(step, b"\0"))
        asyncio.get_running_loop().call_later(TRICKLE_STEP, self.drip, transport, sent + step)


class Bucket:
    """Full at first, and filled continuously."""

    def __init__(self) -> None:
        self.tokens, self.filled = float(BUSY_RATE), time.monotonic()

    def serves(self) -> bool:
        now = time.monotonic()
        self.tokens = min(BUSY_RATE, self.tokens + (now - self.filled) * BUSY_RATE)
        self.filled = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Window:
    """So many in any second."""

    def __init__(self) -> None:
        self.served: deque[float] = deque()

    def serves(self) -> bool:
        now = time.monotonic()
        while self.served and self.served[0] <= now - 1:
            self.served.popleft()
        if len(self.served) >= BUSY_RATE:
            return False
        self.served.append(now)
        return True


class Busy(Image):
    """Serves at a rate and answers 429 beyond. `/counts` reports what was asked for."""

    def __init__(self, image: bytes, limiter: Bucket | Window, retry_after: int | None) -> None:
        super().__init__(image)
        fields = [] if retry_after is None else [f"Retry-After: {retry_after}"]
        self.refusal = head(429, 0, *fields)
        self.limiter = limiter
        self.served = self.refused = 0

    def __call__(self, transport, target: bytes) -> None:
        if target == b"/counts":
            counts = json.dumps({"served": self.served, "refused": self.refused}).encode()
            transport.write(head(200, len(counts)) + counts)
            return
        if self.limiter.serves():
            self.served += 1
            transport.write(self.reply)
        else:
            self.refused += 1
            transport.write(self.refusal)


async def serve(image: bytes) -> None:
    kinds = {
        "image": Image(image),
        "silent": Silent(),
        "trickle": Trickle(image),
        "busy": Busy(image, Bucket(), None),
        "busy-1": Busy(image, Bucket(), 1),
        "busy-10": Busy(image, Bucket(), 10),
        "busy-window": Busy(image, Window(), None),
        "busy-window-1": Busy(image, Window(), 1),
        "busy-window-10": Busy(image, Window(), 10),
    }
    loop, ports, servers = asyncio.get_running_loop(), {}, []
    for kind, answer in kinds.items():
        server = await loop.create_server(partial(Exchange, answer), "0.0.0.0", 0, backlog=4096)
        servers.append(server)
        ports[kind] = server.sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(serve(Path(sys.argv[1]).read_bytes()))
