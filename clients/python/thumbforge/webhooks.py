"""Webhooks, signed as Standard Webhooks 1.0.0 says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any, Mapping

PREFIX = "whsec_"
# Of a timestamp; no clock shows more.
MOST_DIGITS = 15


class WebhookError(Exception):
    """The sender does not know the secret, or the request is too old. Answer it with 400."""


def verify_webhook(
    secret: str,
    headers: Mapping[str, str],
    body: bytes | str,
    *,
    tolerance: float = 300.0,
    now: float | None = None,
) -> Any:
    """The decoded event, if a signature is right and at most `tolerance` seconds old.

    `body` is what arrived, byte for byte, not decoded and encoded again. An event may arrive twice:
    drop an `id` that was seen.
    """
    text = {name.lower(): value for name, value in headers.items()}
    message_id = text.get("webhook-id", "")
    timestamp = text.get("webhook-timestamp", "")
    is_number = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= MOST_DIGITS
    if not message_id or not is_number:
        raise WebhookError("webhook-id or webhook-timestamp is missing or no number")
    if abs((time.time() if now is None else now) - int(timestamp)) > tolerance:
        raise WebhookError("the timestamp is too far from now")
    data = body.encode() if isinstance(body, str) else body
    signed = f"{message_id}.{timestamp}.".encode() + data
    digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    expected = b"v1," + base64.b64encode(digest)
    given = text.get("webhook-signature", "").encode().split(b" ")
    # All are compared, so that the time tells nothing.
    matches = [hmac.compare_digest(expected, signature) for signature in given]
    if not any(matches):
        raise WebhookError("no signature is right")
    return json.loads(data)


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError as error:
        raise WebhookError("the secret is not whsec_ and base64") from error
    if not key:
        # Anybody could sign with it.
        raise WebhookError("the secret is empty")
    return key
