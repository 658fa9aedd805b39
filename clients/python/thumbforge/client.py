"""How a request is made, and what takes more than one of them."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from typing import Any, Iterator, cast

from .events import Event, read_events
from .operations import Job, Operations, Problem, Submission

__all__ = ["ApiError", "JobFailed", "Problem", "ThumbForge", "Unreachable"]

# Seconds that the service is asked to hold an answer back.
LONG_POLL = 25
# Between two looks, if the service answers at once because too many clients wait.
SHORT_POLL = 1.0
# Seconds between two tries; each pause is twice the one before.
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 15.0
ENDED = ("completed", "failed", "cancelled")


class ApiError(Exception):
    """The service refused. `code` is a stable word; `problem` is the whole answer, or None if it
    was none of ThumbForge's, e.g. a proxy's."""

    def __init__(self, status: int, problem: Problem | None, retry_after: float | None) -> None:
        self.status = status
        self.problem = problem
        self.code = problem["code"] if problem else ""
        self.retry_after = retry_after
        errors = problem.get("errors") if problem else None
        listed = errors if isinstance(errors, list) else []
        faults = [_fault(fault) for fault in listed if isinstance(fault, dict)]
        text = f"{problem['detail']} ({self.code})" if problem else f"the server answered {status}"
        super().__init__(": ".join([text, "; ".join(faults)] if faults else [text]))


def _fault(fault: Any) -> str:
    place = fault.get("pointer") or fault.get("parameter") or ""
    return f"{place} {fault.get('detail', '')}".strip()


class Unreachable(Exception):
    """No whole answer came."""


class JobFailed(Exception):
    """A job ended other than `completed`. `job` is all that is known of it."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.error_code = job["error_code"]
        super().__init__(f"job {job['id']} {job['status']}: {job['error'] or job['error_code']}")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The key is for one server."""

    def redirect_request(self, *_: Any) -> None:
        return None


class ThumbForge(Operations):
    """One service. May be used by several threads at once.

    `timeout`: seconds that a call waits for an answer. `retry_for`: for how many seconds after its
    first failure a call is made again if the service is busy (`429`, `503`); calls that change
    nothing or have an idempotency key, also if it does not answer.
    """

    def __init__(
        self,
        server: str = "http://127.0.0.1:8000",
        api_key: str | None = None,
        *,
        timeout: float = 60.0,
        retry_for: float = 60.0,
    ) -> None:
        self._server = server.rstrip("/").removesuffix("/v1")
        self._key = api_key
        self._timeout = timeout
        self._retry_for = retry_for
        self._opener = urllib.request.build_opener(_NoRedirects)

    def submit(self, url: str, *, idempotency_key: str | None = None, **members: Any) -> Job:
        """Submits an image; `members` are those of a submission, e.g. `preset` or `variants`.

        It is sent again for `retry_for` seconds, without making a second job. Give a key of your
        own to have that also when your program starts again.
        """
        key = idempotency_key or str(uuid.uuid4())
        body = cast(Submission, {"url": url, **members})
        return self.submit_image(body, idempotency_key=key)

    def wait(self, job: Job | str, *, timeout: float | None = None) -> Job:
        """The job when it is completed.

        Raises JobFailed if it ends otherwise, and TimeoutError after `timeout` seconds.
        """
        job_id = job if isinstance(job, str) else job["id"]
        end = None if timeout is None else time.monotonic() + timeout
        # An answer that is held back must come well before the call gives up.
        longest = min(LONG_POLL, int(self._timeout / 2))
        while True:
            began = time.monotonic()
            left = longest if end is None else max(0, min(longest, int(end - began)))
            seen = self.show_image(job_id, wait=left)
            if seen["status"] == "completed":
                return seen
            if seen["status"] in ENDED:
                raise JobFailed(seen)
            now = time.monotonic()
            if end is not None and now >= end:
                raise TimeoutError(f"job {job_id} is {seen['status']} after {timeout} s")
            if now - began < SHORT_POLL:
                time.sleep(SHORT_POLL if end is None else min(SHORT_POLL, end - now))

    def events(
        self,
        *,
        job: str | None = None,
        batch: str | None = None,
        types: list[str] | None = None,
        tag: str | None = None,
        after: int | str | None = None,
    ) -> Iterator[Event]:
        """What ends, as it ends: of everything, or of one job or batch.

        If the stream breaks off it is opened again after the last event. `after` goes on after the
        `id` of an event. The stream of a job or batch ends with it.
        """
        path, query = "/v1/events", {"type": ",".join(types or []) or None, "tag": tag}
        if job is not None:
            path, query = f"/v1/images/{self._part(job)}/events", {}
        elif batch is not None:
            path, query = f"/v1/batches/{self._part(batch)}/events", {}
        last = None if after is None else str(after)
        pause = 3.0
        # A first failure is the caller's to see.
        has_begun = False
        while True:
            headers = {"Accept": "text/event-stream", "Last-Event-ID": last}
            try:
                with self._open("GET", path, query, headers, None) as answer:
                    has_begun = True
                    if answer.status == 204:
                        return
                    for event in read_events(answer):
                        pause = event.retry if event.retry is not None else pause
                        last = event.id or last
                        if event.type == "end":
                            return
                        if event.type:
                            yield event
            except ApiError as error:
                if not has_begun or error.status not in (429, 502, 503, 504):
                    raise
                pause = max(pause, error.retry_after or 0)
            except (Unreachable, OSError, http.client.HTTPException):
                if not has_begun:
                    raise
            time.sleep(pause)

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: dict[str, Any] | None = None,
        headers: dict[str, Any] | None = None,
        answer: str = "json",
    ) -> Any:
        sent = {name: value for name, value in (headers or {}).items() if value is not None}
        data = body
        is_stream = body is not None and not isinstance(body, dict)
        if is_stream:
            sent["Content-Type"] = "application/x-ndjson"
        elif body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        is_safe = not is_stream and (method in ("GET", "DELETE") or "Idempotency-Key" in sent)
        # The time counts from the first failure: a call may itself take as long.
        end, pause = None, FIRST_PAUSE
        while True:
            try:
                with self._open(method, path, query, sent, data) as response:
                    content = response.read()
                if answer == "bytes":
                    return content
                if answer == "text":
                    return content.decode()
                return json.loads(content) if content else None
            except ApiError as error:
                in_use = error.code == "idempotency_key_in_use"
                passes = error.status in (429, 502, 503, 504) or in_use
                is_undone = is_safe or error.status == 429
                wait = max(pause, error.retry_after or 0)
                end = end or time.monotonic() + self._retry_for
                if not passes or not is_undone or is_stream or time.monotonic() + wait > end:
                    raise
            except http.client.InvalidURL:
                # The caller's mistake.
                raise
            except (Unreachable, OSError, http.client.HTTPException) as error:
                wait = pause
                end = end or time.monotonic() + self._retry_for
                if not is_safe or time.monotonic() + wait > end:
                    raise Unreachable(f"{self._server}: {error}") from error
            time.sleep(wait)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _open(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None,
        headers: dict[str, Any],
        data: Any,
    ) -> Any:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        target = f"{self._server}{path}" + (f"?{urllib.parse.urlencode(given)}" if given else "")
        request = urllib.request.Request(target, data=data, method=method)
        request.add_header("User-Agent", "thumbforge-python")
        for name, value in headers.items():
            if value is not None:
                request.add_header(name, str(value))
        if self._key is not None:
            request.add_header("Authorization", f"Bearer {self._key}")
        try:
            return self._opener.open(request, timeout=self._timeout)
        except urllib.error.HTTPError as refused:
            with refused:
                raise _refusal(refused) from None
        except urllib.error.URLError as error:
            raise Unreachable(f"{self._server}: {error.reason}") from error

    @staticmethod
    def _part(text: str) -> str:
        """As one part of a path, wherever it came from."""
        return urllib.parse.quote(text, safe="") if text not in ("", ".", "..") else "-"


def _refusal(refused: urllib.error.HTTPError) -> ApiError:
    after = refused.headers.get("Retry-After", "")
    is_number = after.isascii() and after.isdigit()
    return ApiError(refused.code, _problem(refused), float(after) if is_number else None)


def _problem(refused: urllib.error.HTTPError) -> Problem | None:
    """None if the answer is none of ThumbForge's."""
    if refused.headers.get_content_type() != "application/problem+json":
        return None
    try:
        found = json.loads(refused.read())
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    is_own = all(isinstance(found.get(member), str) for member in ("code", "detail"))
    return cast(Problem, found) if is_own else None
