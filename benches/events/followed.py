"""Jobs a second with one webhook and many readers of the stream, against none, in turns."""

from old_rows import compare
from receiver import Receiver
from readers import Readers
from unused import shares
from webhooks import add_webhook, allow

LEAST = 0.9


def followed(bench):
    options = bench.options
    for mode, quiet, busy in pairs(bench):
        allow(busy)
        with quiet, busy, Receiver() as receiver, Readers(busy.port, options.readers) as readers:
            add_webhook(busy.port, receiver.url)
            found = compare(bench, {"quiet": quiet, "busy": busy}, options.slices, options.submitted)
            ended = (1 + options.slices) * options.submitted
            if not bench.wait(lambda: receiver.count() >= ended):
                raise RuntimeError(f"{receiver.count()} of {ended} events were delivered")
            if not bench.wait(lambda: readers.count() >= ended):
                raise RuntimeError(f"{readers.count()} of {ended} events were read")
        yield shares([f"{mode}, {options.slices} slices", "no readers",
                      f"a webhook and {options.readers} readers"], found, LEAST)


def pairs(bench):
    if "all" in bench.options.modes:
        yield "SQLite", bench.all(), bench.all()
    if "split" in bench.options.modes:
        yield "Postgres", bench.split(1), bench.split(1)
