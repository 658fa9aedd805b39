"""A webhook of this machine."""

import json
import urllib.request


def allow(deployment) -> None:
    """Before it starts: the receiver listens on loopback, on a port of its own."""
    deployment.settings |= {"ALLOWED_WEBHOOK_NETWORKS": "127.0.0.0/8", "ALLOWED_WEBHOOK_PORTS": "*"}


def add_webhook(port: int, url: str) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/webhooks", data=json.dumps({"url": url}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        if answer.status != 201:
            raise RuntimeError(f"no webhook was made: {answer.status}")
