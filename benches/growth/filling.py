"""Fills an empty database that `thumbforge init-db` made.

Triggers are off and indexes are away meanwhile; what triggers keep is written at the end from the
rows themselves, in the same transaction."""

import datetime
import sqlite3
import subprocess
from collections.abc import Callable

import rows
from service.servers import postgres_program

EPOCH = datetime.datetime(1970, 1, 1)
LEVELS = "(" + " UNION ALL ".join(f"SELECT {level} AS level, {6 * level} AS bits" for level in range(5)) + ") AS levels"
COUNTS = f"""
INSERT INTO job_counts (level, bucket, status, n)
    SELECT level, minute >> bits, status, sum(n) FROM
        (SELECT {{minute}} AS minute, status, count(*) AS n FROM jobs GROUP BY 1, 2) AS counted, {LEVELS}
    GROUP BY 1, 2, 3;
INSERT INTO batch_counts (batch_id, status, n)
    SELECT batch_id, status, count(*) FROM jobs WHERE batch_id IS NOT NULL GROUP BY 1, 2;
INSERT INTO batches (id, status, total, created_at, updated_at, finished_at)
    SELECT batch_id, CASE WHEN sum(CASE WHEN status IN ('pending', 'processing') THEN 1 ELSE 0 END) > 0
            THEN 'running' ELSE 'partially_failed' END,
        count(*), min(created_at), max(updated_at),
        CASE WHEN sum(CASE WHEN status IN ('pending', 'processing') THEN 1 ELSE 0 END) = 0
            THEN max(updated_at) END
    FROM jobs WHERE batch_id IS NOT NULL GROUP BY 1;
"""
TAGS = {
    "postgres": """INSERT INTO job_tags (tag, created_at, job_id) SELECT tag, created_at, id
        FROM jobs, jsonb_array_elements_text(tags::jsonb) AS tag WHERE tags IS NOT NULL ORDER BY 1, 2, 3;""",
    "sqlite": """INSERT INTO job_tags (tag, created_at, job_id) SELECT value, created_at, jobs.id
        FROM jobs, json_each(tags) WHERE tags IS NOT NULL ORDER BY 1, 2, 3;""",
}
MINUTE = {"postgres": "thumbforge_minute(created_at)", "sqlite": "created_at / 60000000"}


def fill(url: str, count: int, progress: Callable[[str], None]) -> None:
    """`url` is that of the setting DATABASE_URL."""
    if url.startswith("sqlite:"):
        _fill_sqlite(url.partition("//")[2], count, progress)
    else:
        _fill_postgres(url, count, progress)


def _fill_sqlite(file: str, count: int, progress: Callable[[str], None]) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA cache_size = -500000")
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("SELECT EXISTS (SELECT 1 FROM jobs)").fetchone()[0]:
        raise RuntimeError("there are jobs in the database")
    away = connection.execute("SELECT type, name, sql FROM sqlite_schema WHERE tbl_name = 'jobs'"
                              " AND type IN ('index', 'trigger') AND sql IS NOT NULL").fetchall()
    for kind, name, _ in away:
        connection.execute(f"DROP {kind} {name}")
    names, places = ", ".join(rows.COLUMNS), ", ".join("?" * len(rows.COLUMNS))
    connection.executemany(f"INSERT INTO jobs ({names}) VALUES ({places})", rows.rows(count))
    progress(f"{count} rows are written")
    for kind, _, sql in sorted(away):
        if kind == "index":
            connection.execute(sql)
    for statement in (TAGS["sqlite"] + COUNTS.format(minute=MINUTE["sqlite"])).split(";"):
        connection.execute(statement)
    for kind, _, sql in away:
        if kind == "trigger":
            connection.execute(sql)
    connection.execute("COMMIT")
    connection.execute("ANALYZE")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _psql(url: str, **streams) -> subprocess.Popen:
    program = [postgres_program("psql"), "-qAtX", "-v", "ON_ERROR_STOP=1", url]
    return subprocess.Popen(program, text=True, **streams)


def _answer(url: str, sql: str) -> list[str]:
    with _psql(url, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as psql:
        answer = psql.communicate(sql)[0]
    if psql.returncode != 0:
        raise RuntimeError(f"psql failed at: {sql}")
    return answer.splitlines()


def _fill_postgres(url: str, count: int, progress: Callable[[str], None]) -> None:
    if _answer(url, "SELECT EXISTS (SELECT FROM jobs);") != ["f"]:
        raise RuntimeError("there are jobs in the database")
    indexes = _answer(url, "SELECT indexrelid::regclass || ' ' || pg_get_indexdef(indexrelid) FROM pg_index"
                           " WHERE indrelid = 'jobs'::regclass AND NOT indisprimary;")
    indexes = [line.split(" ", 1) for line in indexes]
    with _psql(url, stdin=subprocess.PIPE) as psql:
        write = psql.stdin.write
        write("SET synchronous_commit = off; SET maintenance_work_mem = '512MB'; SET work_mem = '128MB';\n"
              "SET statement_timeout = 0; BEGIN; ALTER TABLE jobs DISABLE TRIGGER USER;\n")
        for name, _ in indexes:
            write(f"DROP INDEX {name};\n")
        # In a table that was emptied in the same transaction rows are written frozen, as a vacuum
        # would leave them.
        write(f"TRUNCATE jobs; COPY jobs ({', '.join(rows.COLUMNS)}) FROM STDIN (FREEZE);\n")
        for number, row in enumerate(rows.rows(count)):
            write(_copied(row))
            if number % 1_000_000 == 999_999:
                progress(f"{number + 1:,} rows are written")
        write("\\.\n")
        for _, definition in indexes:
            write(f"{definition};\n")
        write(f"{TAGS['postgres']}{COUNTS.format(minute=MINUTE['postgres'])}"
              "ALTER TABLE jobs ENABLE TRIGGER USER; COMMIT;\nVACUUM (ANALYZE);\nCHECKPOINT;\n")
        psql.stdin.close()
        progress("indexes and counts are being made")
        psql.wait()
    if psql.returncode != 0:
        raise RuntimeError("psql failed")


def _copied(row: tuple) -> str:
    cells = list(row)
    for place in rows.MOMENTS:
        if cells[place] is not None:
            cells[place] = f"{EPOCH + datetime.timedelta(microseconds=cells[place])}+00"
    return "\t".join(["\\N" if cell is None else str(cell) for cell in cells]) + "\n"
