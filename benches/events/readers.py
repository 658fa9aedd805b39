"""Clients that follow the stream of all events, in a process of their own.

As a program it opens so many streams, says so, and answers each line of its input with how many
events they read altogether."""

import json
import resource
import selectors
import socket
import subprocess
import sys
import threading

REQUEST = (b"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n")
# Opened at once, so that no queue of the kernel overflows.
AT_ONCE = 200


class Readers:
    def __init__(self, port: int, count: int) -> None:
        self.process = subprocess.Popen([sys.executable, __file__, str(port), str(count)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        if self.process.stdout.readline() != "open\n":
            raise RuntimeError(f"{count} streams could not be opened")

    def count(self) -> int:
        self.process.stdin.write("count\n")
        return json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.process.communicate()


def open_stream(port: int) -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", port), timeout=30)
    stream.sendall(REQUEST)
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


def main(port: int, count: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    selector, read = selectors.DefaultSelector(), [0]
    for begin in range(0, count, AT_ONCE):
        opened = [open_stream(port) for _ in range(min(AT_ONCE, count - begin))]
        for stream in opened:
            awaited(stream)
            selector.register(stream, selectors.EVENT_READ)
    print("open", flush=True)

    def answer() -> None:
        for _ in sys.stdin:
            print(json.dumps(read[0]), flush=True)

    questions = threading.Thread(target=answer, daemon=True)
    questions.start()
    while questions.is_alive():
        for key, _ in selector.select(0.5):
            data = key.fileobj.recv(1 << 18)
            if not data:
                raise RuntimeError("a stream was closed")
            read[0] += data.count(b"\nevent: image.") + data.startswith(b"event: image.")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
