"""What clients ask, and how it is asked again and again: each is a name and what makes the n-th
request of it."""

import base64
import datetime
import random
import struct
from collections.abc import Callable
from urllib.parse import urlencode

import rows
from stores import Store

Request = tuple[str, str, str]
Question = tuple[str, Callable[[int], Request]]
SAMPLES = 500


def questions(store: Store, image: str) -> list[Question]:
    """`image`: a URL to be submitted."""
    places = sampled(store)
    middle = [place for place in places if place[0] < places[-1][0] - rows.SPREAD_MICROS // 20]

    def place(number: int) -> tuple[int, str]:
        return middle[number * 7919 % len(middle)]

    def moment(number: int) -> str:
        return rfc3339(place(number)[0])

    def lists(name: str, **filters: str) -> list[Question]:
        """The first page, and pages from anywhere in the table."""
        def later(number: int) -> Request:
            return get("/v1/images", filters | {"cursor": cursor(*place(number))})
        return [(f"{name}: first page", lambda _: get("/v1/images", filters)), (f"{name}: by cursor", later)]

    def span(number: int) -> Request:
        begin = place(number)[0]
        return get("/v1/images", {"created_after": rfc3339(begin), "created_before": rfc3339(begin + 86_400_000_000)})

    most, rare = rows.host(1), rows.host(rows.HOSTS)
    batch = store.rows("SELECT id FROM batches ORDER BY created_at DESC LIMIT 1")[0][0]
    code, name = rows.ERROR_CODES[0], rows.SUBMITTERS[0]
    return [
        ("a job", lambda number: get(f"/v1/images/{place(number)[1]}", {})),
        *lists("list"),
        *lists("list, `status=completed`", status="completed"),
        *lists("list, `status=failed`", status="failed"),
        ("list, `created_after`", lambda number: get("/v1/images", {"created_after": moment(number)})),
        ("list, `created_before`", lambda number: get("/v1/images", {"created_before": moment(number)})),
        ("list, a day", span),
        *lists("list, `error_code`", error_code=code),
        *lists("list, `host`, the largest", host=most),
        *lists("list, `host`, a rare one", host=rare),
        ("list, `host`, one without jobs", lambda _: get("/v1/images", {"host": "none.example.org"})),
        *lists("list, `tag`", tag=rows.tag(1)),
        *lists("list, `batch_id`", batch_id=batch),
        *lists("list, `submitted_by`", submitted_by=name),
        *lists("list, `host` and `status=failed`", host=most, status="failed"),
        *lists("list, `tag` and `status=failed`", tag=rows.tag(1), status="failed"),
        *lists("list, `submitted_by` and `host`", submitted_by=name, host=rare),
        ("metrics", lambda _: get("/v1/metrics", {})),
        ("submit", lambda number: ("POST", "/v1/images", f'{{"url":"{image}?n={number}"}}')),
    ]


def get(path: str, query: dict[str, str]) -> Request:
    return "GET", f"{path}?{urlencode(query)}" if query else path, ""


def sampled(store: Store) -> list[tuple[int, str]]:
    """Jobs from all over the table, the oldest first: moments in microseconds, and ids."""
    micros = f"CAST({store.seconds('created_at')} * 1000000 AS bigint)"
    first, last = store.rows(f"SELECT min({micros}), max({micros}) FROM (SELECT min(created_at) AS created_at"
                             " FROM jobs WHERE status = 'completed' UNION ALL SELECT max(created_at) FROM jobs"
                             " WHERE status = 'completed') AS ends")[0]
    first, last, rng = int(first), int(last), random.Random(3)
    found = set()
    for _ in range(SAMPLES):
        at = store.moment(rng.randrange(first, last))
        found.update((int(moment), job) for moment, job in store.rows(
            f"SELECT {micros}, id FROM jobs WHERE status = 'completed' AND created_at <= {at}"
            " ORDER BY created_at DESC LIMIT 1"))
    return sorted(found)


def cursor(micros: int, job: str) -> str:
    """As `cursor` of crates/intake/src/query.rs makes it."""
    packed = struct.pack(">q", micros) + bytes.fromhex(job.replace("-", ""))
    return base64.urlsafe_b64encode(packed).decode()


def rfc3339(micros: int) -> str:
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=micros)
    return moment.isoformat() + "Z"
