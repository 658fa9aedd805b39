"""A client with one connection that is kept, which takes the time of each answer."""

import socket
import time


class Client:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, method: str, target: str, body: str = "") -> tuple[float, bytes]:
        """Returns the seconds until the whole answer was there, and its body; only a `2xx` is one."""
        request = (f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                   f"Content-Length: {len(body)}\r\n\r\n{body}").encode()
        begun = time.perf_counter()
        self.socket.sendall(request)
        answer = b""
        while True:
            received = self.socket.recv(262144)
            if not received:
                raise RuntimeError(f"the API closed the connection at {target}")
            answer += received
            head, found, content = answer.partition(b"\r\n\r\n")
            if found and len(content) >= _length(head):
                break
        took = time.perf_counter() - begun
        if not head.startswith(b"HTTP/1.1 2"):
            raise RuntimeError(f"{method} {target}: {answer!r}")
        return took, content

    def close(self) -> None:
        self.socket.close()


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
