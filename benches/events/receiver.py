"""What a webhook posts to, in a process of its own: it answers 204 and notes when each event came.

As a program it listens, and answers each line of its input with a line of JSON: `count` with the
number of different events, `delays` with how many seconds after its moment each came first."""

import asyncio
import json
import re
import subprocess
import sys
import time
from datetime import datetime


class Receiver:
    def __init__(self) -> None:
        self.process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)
        self.url = f"http://127.0.0.1:{json.loads(self.process.stdout.readline())}/events"

    def ask(self, what: str):
        self.process.stdin.write(f"{what}\n")
        return json.loads(self.process.stdout.readline())

    def count(self) -> int:
        return self.ask("count")

    def delays(self) -> list[float]:
        return self.ask("delays")

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.process.communicate()


# Not the whole body: what it takes of this machine, the service lacks.
TIMESTAMP = re.compile(rb'"timestamp":"([^"]+)"')


class Connection(asyncio.Protocol):
    # The delay of each event, by its id.
    came: dict[bytes, float] = {}

    def connection_made(self, transport) -> None:
        self.transport, self.data = transport, b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        while True:
            head, found, rest = self.data.partition(b"\r\n\r\n")
            if not found:
                return
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
            length = int(fields[b"content-length"])
            if len(rest) < length:
                return
            body, self.data = rest[:length], rest[length:]
            if fields[b"webhook-id"] not in self.came:
                moment = datetime.fromisoformat(TIMESTAMP.search(body)[1].decode()).timestamp()
                self.came[fields[b"webhook-id"]] = time.time() - moment
            self.transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=1024)
    print(json.dumps(server.sockets[0].getsockname()[1]), flush=True)
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        came = Connection.came
        print(json.dumps(len(came) if line == "count" else list(came.values())), flush=True)


if __name__ == "__main__":
    asyncio.run(serve())
