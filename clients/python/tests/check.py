"""Drives the client against a running service; tests/it/client/libraries.rs starts both.

It says RESTART and waits for a line while the service is started anew.
"""

import json
import os
import sys
import time

from thumbforge import ApiError, JobFailed, ThumbForge, Unreachable, WebhookError, verify_webhook

client = ThumbForge(os.environ["SERVER"])
origin = os.environ["ORIGIN"]


def raised(kind, call):
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


# Jobs.
job = client.wait(client.submit(f"{origin}/a.jpg", tags=["python"]), timeout=60)
assert job["status"] == "completed" and job["result"]["width"] == 64, job
assert client.get_thumbnail(job["id"]).startswith(b"\xff\xd8")
failed = raised(JobFailed, lambda: client.wait(client.submit(f"{origin}/missing.jpg")))
assert failed.error_code == "source_client_error", failed
assert [found["id"] for found in client.list_images(tag="python", limit=5)["items"]] == [job["id"]]
later = client.submit(f"{origin}/a.jpg", not_before="2030-01-01T00:00:00Z")
raised(TimeoutError, lambda: client.wait(later, timeout=0.2))
assert client.cancel_image(later["id"])["status"] == "cancelled"
assert client.delete_image(later["id"]) is None

# Idempotency.
first = client.submit(f"{origin}/a.jpg", idempotency_key="py-1")
assert client.submit(f"{origin}/a.jpg", idempotency_key="py-1")["id"] == first["id"]

# Errors.
refused = raised(ApiError, lambda: client.submit("ftp://example.org/a.jpg"))
assert (refused.status, refused.code) == (422, "invalid_url"), refused
assert "#/url" in str(refused), refused
assert raised(ApiError, lambda: client.show_image("../metrics")).code == "invalid_job_id"
nobody = ThumbForge("http://127.0.0.1:9", retry_for=0)
raised(Unreachable, lambda: nobody.get_metrics())

# Batches: JSON, and lines from a generator.
batch = client.submit_batch({"items": [{"url": f"{origin}/a.jpg"}, {"url": "ftp://x"}]})
assert batch["errors"][0]["code"] == "invalid_url", batch
*_, last = client.events(batch=batch["id"], after=0)
assert last.type == "batch.finished" and last.data["data"]["id"] == batch["id"], last
lines = (json.dumps({"url": f"{origin}/a.jpg?{n}"}).encode() + b"\n" for n in range(2))
assert client.submit_batch(lines)["counts"]["total"] == 2

# Events, and the same stream after a restart.
events = client.events(types=["image.failed"])
assert next(events).type == "snapshot"
gone = client.submit(f"{origin}/gone.jpg", tags=["x"])
seen = next(events)
assert (seen.type, seen.data["data"]["id"]) == ("image.failed", gone["id"]), seen
print("RESTART", flush=True)
sys.stdin.readline()
again = client.submit(f"{origin}/gone.jpg")
assert next(events).data["data"]["id"] == again["id"]
assert next(client.events(types=["image.failed"], after=seen.id)).data["data"]["id"] == again["id"]

# Webhooks: a real delivery.
given = json.loads(os.environ["DELIVERY"])
secret, headers, body = given["secret"], given["headers"], given["body"]
assert verify_webhook(secret, headers, body)["type"] == "webhook.test"
two = {**headers, "webhook-signature": "v1,AAAA v2,x " + headers["webhook-signature"]}
verify_webhook(secret, two, body.encode())
raised(WebhookError, lambda: verify_webhook(secret, headers, body + " "))
raised(WebhookError, lambda: verify_webhook("whsec_AAAA", headers, body))
raised(WebhookError, lambda: verify_webhook("whsec_", headers, body))
raised(WebhookError, lambda: verify_webhook("whsec_ü", headers, body))
raised(WebhookError, lambda: verify_webhook(secret, {}, body))
for digits in (16, 400, 5000):
    strange = {**headers, "webhook-timestamp": "9" * digits}
    raised(WebhookError, lambda: verify_webhook(secret, strange, body))
for shift in (-301, 301):
    moment = int(headers["webhook-timestamp"]) + shift
    raised(WebhookError, lambda: verify_webhook(secret, headers, body, now=moment))
print("DONE", flush=True)
