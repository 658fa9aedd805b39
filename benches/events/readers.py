"""Clients that follow the stream of all events, in a process of their own.

As a program it opens so many streams, says so, and answers each line of its input with how many
events each of them has got at least. What the kernel has received of most of them is thrown away
unread, and only its length is compared with that of the others: readers are elsewhere, and shall
not take this machine's time."""

import json
import resource
import selectors
import socket
import subprocess
import sys
import threading

EVERYTHING = "/v1/events"
# Opened at once, so that no queue of the kernel overflows.
AT_ONCE = 200
# One stream of so many is read; all get the same events.
READ = 20
CHUNK = 1 << 20
# Bytes by which streams may differ: numbers of the first events, heartbeats.
SLACK = 2000
UNUSED = bytearray(CHUNK)


class Readers:
    def __init__(self, port: int, count: int, path: str = EVERYTHING) -> None:
        self.process = subprocess.Popen([sys.executable, __file__, str(port), str(count), path],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        if self.process.stdout.readline() != "open\n":
            raise RuntimeError(f"{count} streams could not be opened")

    def count(self) -> int:
        """Events that each of them has got."""
        self.process.stdin.write("count\n")
        return json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.process.communicate()


def open_stream(port: int, path: str) -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", port), timeout=30)
    stream.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n".encode())
    return stream


def awaited(stream: socket.socket) -> None:
    """Until its first event has come."""
    head = b""
    while b"event: snapshot" not in head:
        data = stream.recv(65536)
        head += data
        if not data or not head.startswith(b"HTTP/1.1 200"[: len(head)]):
            raise RuntimeError(f"no stream: {head[:300]!r}")
    stream.setblocking(False)


class Stream:
    def __init__(self, connection: socket.socket, is_read: bool) -> None:
        self.connection, self.is_read = connection, is_read
        self.bytes = self.events = 0

    def take(self) -> None:
        if self.is_read:
            data = self.connection.recv(CHUNK)
            taken = len(data)
            self.events += data.count(b"\nevent: image.") + data.startswith(b"event: image.")
        else:
            # tcp(7): the bytes are discarded.
            taken = self.connection.recv_into(UNUSED, CHUNK, socket.MSG_TRUNC)
        if taken == 0:
            raise RuntimeError("a stream was closed")
        self.bytes += taken


def least(streams: list[Stream]) -> int:
    """Events that each stream has got."""
    read = [stream for stream in streams if stream.is_read]
    behind = min(stream.bytes for stream in streams) + SLACK < min(stream.bytes for stream in read)
    return 0 if behind else min(stream.events for stream in read)


def main(port: int, count: int, path: str) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    selector, streams = selectors.DefaultSelector(), []
    for begin in range(0, count, AT_ONCE):
        opened = [open_stream(port, path) for _ in range(min(AT_ONCE, count - begin))]
        for connection in opened:
            awaited(connection)
            streams.append(Stream(connection, len(streams) % READ == 0))
            selector.register(connection, selectors.EVENT_READ, streams[-1])
    print("open", flush=True)

    def answer() -> None:
        for _ in sys.stdin:
            print(json.dumps(least(streams)), flush=True)

    questions = threading.Thread(target=answer, daemon=True)
    questions.start()
    while questions.is_alive():
        for key, _ in selector.select(0.5):
            key.data.take()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
