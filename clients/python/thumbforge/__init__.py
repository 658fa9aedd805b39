"""A client of ThumbForge.

    from thumbforge import ThumbForge

    client = ThumbForge("http://127.0.0.1:8000")
    job = client.wait(client.submit("https://images.example.org/harbour.jpg"))
    thumbnail = client.get_thumbnail(job["id"])
"""

from .client import ApiError, JobFailed, Problem, ThumbForge, Unreachable
from .events import Event
from .webhooks import WebhookError, verify_webhook

__all__ = [
    "ApiError",
    "Event",
    "JobFailed",
    "Problem",
    "ThumbForge",
    "Unreachable",
    "WebhookError",
    "verify_webhook",
]
