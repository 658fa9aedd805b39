"""The databases, asked past ThumbForge."""

import sqlite3
import subprocess
from pathlib import Path

from service.servers import postgres_program

END = "-- end of the answer --"


class Sqlite:
    def __init__(self, file: Path) -> None:
        self.url = f"sqlite://{file}"
        self.file, self.connection = file, None

    def rows(self, sql: str) -> list[tuple]:
        if self.connection is None:
            self.connection = sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=30)
        return self.connection.execute(sql).fetchall()

    def seconds(self, column: str) -> str:
        """An expression: a moment in seconds since the Unix epoch."""
        return f"({column} / 1e6)"

    def moment(self, micros: int) -> str:
        """An expression: a moment in microseconds since the Unix epoch, as a column has it."""
        return str(micros)

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()


class Postgres:
    """One `psql` that stays, so that a look costs a millisecond."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.process = subprocess.Popen(
            [postgres_program("psql"), "-qAtX", "-v", "ON_ERROR_STOP=1", url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )

    def rows(self, sql: str) -> list[tuple]:
        self.process.stdin.write(f"{sql};\n\\echo '{END}'\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.rstrip("\n") == END:
                return [tuple(line.split("|")) for line in lines]
            lines.append(line.rstrip("\n"))
        raise RuntimeError(f"psql ended at: {sql}")

    def seconds(self, column: str) -> str:
        return f"extract(epoch FROM {column})"

    def moment(self, micros: int) -> str:
        return f"(timestamptz 'epoch' + {micros} * interval '1 microsecond')"

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()


Store = Sqlite | Postgres


def ends(store: Store, condition: str = "1 = 1") -> tuple[int, int]:
    """How many of these jobs completed, and how many failed."""
    counts = dict(store.rows(f"SELECT status, count(*) FROM jobs WHERE {condition} GROUP BY status"))
    return int(counts.get("completed", 0)), int(counts.get("failed", 0))


def waits(store: Store, condition: str) -> list[float]:
    """Seconds from submission to end of each completed job, the shortest first."""
    took = f"{store.seconds('updated_at')} - {store.seconds('created_at')}"
    rows = store.rows(f"SELECT {took} FROM jobs WHERE status = 'completed' AND {condition}")
    return sorted(float(row[0]) for row in rows)


def moments(store: Store, condition: str) -> list[float]:
    """When the completed jobs ended, the first first."""
    sql = f"SELECT {store.seconds('updated_at')} FROM jobs WHERE status = 'completed' AND {condition}"
    return sorted(float(row[0]) for row in store.rows(sql))
