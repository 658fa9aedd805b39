-- The batch that made the job, and the job's place in it, from 0.
ALTER TABLE jobs ADD COLUMN batch_id TEXT;
ALTER TABLE jobs ADD COLUMN batch_index INTEGER;
-- A JSON array of strings, and a JSON object: the client's own words.
ALTER TABLE jobs ADD COLUMN tags TEXT;
ALTER TABLE jobs ADD COLUMN metadata TEXT;
-- The name of the API key.
ALTER TABLE jobs ADD COLUMN submitted_by TEXT;
-- Seconds after its end after which the job is deleted, and when that is.
ALTER TABLE jobs ADD COLUMN expires_in INTEGER;
ALTER TABLE jobs ADD COLUMN expires_at INTEGER;
-- How attempts ended: JSON objects with commas between them, the last one last.
ALTER TABLE jobs ADD COLUMN attempts_log TEXT;
-- The host of the normalised URL, an IPv6 address in its brackets.
ALTER TABLE jobs ADD COLUMN host TEXT GENERATED ALWAYS AS (
    CASE WHEN instr(url, '://[') > 0
        THEN substr(url, instr(url, '://') + 3, instr(url, ']') - instr(url, '://') - 2)
        ELSE substr(url, instr(url, '://') + 3, instr(replace(replace(replace(
            substr(url, instr(url, '://') + 3) || '/', ':', '/'), '?', '/'), '#', '/'), '/') - 1)
    END) VIRTUAL;

-- A constraint can be changed without a copy of the table only in the text of the schema
-- (https://www.sqlite.org/lang_altertable.html#otheralter).
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql,
        '''pending'', ''processing'', ''completed'', ''failed''))',
        '''pending'', ''processing'', ''completed'', ''failed'', ''cancelled''))')
    WHERE type = 'table' AND name = 'jobs';
PRAGMA writable_schema = RESET;

-- The jobs of a tag.
CREATE TABLE job_tags (
    tag TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    job_id TEXT NOT NULL,
    PRIMARY KEY (tag, created_at, job_id)
) WITHOUT ROWID;

-- How many jobs there are. What changes jobs appends what it changed; now and then the appended rows
-- are added to the tables below them and deleted. A count is the sum of both, and exact at every
-- commit.
CREATE TABLE job_count_deltas (
    -- Minutes since the Unix epoch at which the jobs were created; null: for batches alone.
    minute INTEGER,
    status TEXT NOT NULL,
    batch_id TEXT,
    n INTEGER NOT NULL
);
CREATE TABLE job_counts (
    -- A bucket of level L holds 64^L minutes.
    level INTEGER NOT NULL,
    -- Minutes since the Unix epoch, divided by those of a bucket.
    bucket INTEGER NOT NULL,
    status TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (level, bucket, status)
) WITHOUT ROWID;
CREATE TABLE batch_counts (
    batch_id TEXT NOT NULL,
    status TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (batch_id, status)
) WITHOUT ROWID;

-- Jobs that were submitted together.
CREATE TABLE batches (
    id TEXT NOT NULL PRIMARY KEY,
    status TEXT NOT NULL CHECK (status IN
        ('accepting', 'running', 'completed', 'partially_failed', 'failed', 'cancelled')),
    -- Items, those that were refused, and those for which an earlier job stands.
    total INTEGER NOT NULL DEFAULT 0,
    rejected INTEGER NOT NULL DEFAULT 0,
    reused INTEGER NOT NULL DEFAULT 0,
    -- The request broke off.
    incomplete BOOLEAN NOT NULL DEFAULT false,
    -- A JSON array: why the first items were refused.
    errors TEXT NOT NULL DEFAULT '[]',
    metadata TEXT,
    submitted_by TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    finished_at INTEGER
);
CREATE INDEX batches_created_at_idx ON batches (created_at, id);
CREATE INDEX batches_accepting_idx ON batches (updated_at) WHERE status = 'accepting';
-- Items for which an earlier job stands.
CREATE TABLE batch_reused (
    batch_id TEXT NOT NULL,
    batch_index INTEGER NOT NULL,
    job_id TEXT NOT NULL,
    PRIMARY KEY (batch_id, batch_index)
) WITHOUT ROWID;

-- A change of many jobs, done in slices.
CREATE TABLE actions (
    id TEXT NOT NULL PRIMARY KEY,
    action TEXT NOT NULL CHECK (action IN ('retry', 'cancel', 'delete')),
    -- One of them, as JSON.
    filter TEXT,
    ids TEXT,
    status TEXT NOT NULL CHECK (status IN ('running', 'done', 'aborted')),
    matched INTEGER NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    -- The last job that was looked at, or the number of ids.
    after_created_at INTEGER,
    after_id TEXT,
    position INTEGER NOT NULL DEFAULT 0,
    submitted_by TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    finished_at INTEGER,
    -- The process that works on it, until when.
    runner TEXT,
    lease_until INTEGER
);
CREATE INDEX actions_running_idx ON actions (created_at) WHERE status = 'running';

-- First answers to requests with an Idempotency-Key.
CREATE TABLE idempotency_keys (
    -- SHA-256 of caller, route and key, lower-case hex.
    scope TEXT NOT NULL PRIMARY KEY,
    -- SHA-256 of the request's body, lower-case hex.
    body_hash TEXT NOT NULL,
    -- The answer; null while the request is under way.
    status INTEGER,
    headers TEXT,
    body TEXT,
    -- What was made, when the answer is not there.
    made TEXT,
    created_at INTEGER NOT NULL
);
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);

-- Jobs whose files are to be removed, and when: a worker that does not know yet may still write.
CREATE TABLE doomed_files (
    job_id TEXT NOT NULL PRIMARY KEY,
    due_at INTEGER NOT NULL
);
CREATE INDEX doomed_files_due_at_idx ON doomed_files (due_at);

-- What the service itself remembers.
CREATE TABLE service_state (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

DROP INDEX jobs_created_at_idx;
DROP INDEX jobs_url_hash_idx;
-- Duplicates. In parts, so that the large one is written once a job.
CREATE INDEX jobs_completed_url_idx ON jobs (url_hash, spec_hash, created_at)
    WHERE status = 'completed';
CREATE INDEX jobs_active_url_idx ON jobs (url_hash) WHERE status IN ('pending', 'processing');
-- Lists by other facts than the status. Jobs that have not ended are few enough to be read. The
-- status stands behind the keys, so that no row is read for a count.
CREATE INDEX jobs_host_idx ON jobs (host, created_at DESC, id DESC, status)
    WHERE status IN ('completed', 'failed', 'cancelled');
CREATE INDEX jobs_submitted_by_idx ON jobs (submitted_by, created_at DESC, id DESC, status)
    WHERE submitted_by IS NOT NULL AND status IN ('completed', 'failed', 'cancelled');
CREATE INDEX jobs_error_code_idx ON jobs (error_code, created_at DESC, id DESC)
    WHERE error_code IS NOT NULL;
CREATE INDEX jobs_batch_idx ON jobs (batch_id, created_at DESC, id DESC)
    WHERE batch_id IS NOT NULL;
CREATE INDEX jobs_batch_active_idx ON jobs (batch_id)
    WHERE batch_id IS NOT NULL AND status IN ('pending', 'processing');
CREATE INDEX jobs_expires_at_idx ON jobs (expires_at) WHERE expires_at IS NOT NULL;

INSERT INTO job_count_deltas (minute, status, n)
    SELECT created_at / 60000000, status, count(*) FROM jobs GROUP BY 1, 2;
INSERT INTO service_state VALUES ('counts', 'kept');

-- What is derived from jobs is kept by triggers, so that it holds whichever program, of whichever
-- version, changes them.

-- Ends the running batch of the id that is inserted, if it has no active jobs.
CREATE VIEW batch_ends AS SELECT id AS batch_id FROM batches WHERE false;
CREATE TRIGGER batch_ends_insert INSTEAD OF INSERT ON batch_ends
WHEN NOT EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_batch_active_idx
    WHERE batch_id = NEW.batch_id AND status IN ('pending', 'processing'))
BEGIN
    UPDATE batches SET
        finished_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000,
        updated_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000,
        -- The others are cancelled or deleted.
        status = (SELECT CASE
            WHEN completed = batches.total THEN 'completed'
            WHEN failed = batches.total THEN 'failed'
            WHEN completed + failed = 0 THEN 'cancelled'
            ELSE 'partially_failed' END
        FROM (SELECT
            batches.reused + COALESCE(sum(n) FILTER (WHERE status = 'completed'), 0) AS completed,
            batches.rejected + COALESCE(sum(n) FILTER (WHERE status = 'failed'), 0) AS failed
            FROM (SELECT status, n FROM batch_counts WHERE batch_id = NEW.batch_id
                UNION ALL
                SELECT status, n FROM job_count_deltas WHERE batch_id = NEW.batch_id)))
    WHERE id = NEW.batch_id AND status = 'running';
END;

CREATE TRIGGER jobs_inserted AFTER INSERT ON jobs BEGIN
    INSERT INTO job_count_deltas (minute, status, batch_id, n)
        VALUES (NEW.created_at / 60000000, NEW.status, NEW.batch_id, 1);
END;
CREATE TRIGGER jobs_inserted_tags AFTER INSERT ON jobs WHEN NEW.tags IS NOT NULL BEGIN
    INSERT OR IGNORE INTO job_tags (tag, created_at, job_id)
        SELECT value, NEW.created_at, NEW.id FROM json_each(NEW.tags);
END;
CREATE TRIGGER jobs_updated AFTER UPDATE OF status ON jobs WHEN OLD.status <> NEW.status BEGIN
    INSERT INTO job_count_deltas (minute, status, batch_id, n) VALUES
        (OLD.created_at / 60000000, OLD.status, OLD.batch_id, -1),
        (NEW.created_at / 60000000, NEW.status, NEW.batch_id, 1);
    -- In the same trigger, because it comes after the count.
    INSERT INTO batch_ends SELECT NEW.batch_id WHERE NEW.batch_id IS NOT NULL
        AND OLD.status IN ('pending', 'processing')
        AND NEW.status NOT IN ('pending', 'processing');
    UPDATE batches SET status = 'running', finished_at = NULL,
        updated_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000
        WHERE id = NEW.batch_id AND finished_at IS NOT NULL
        AND OLD.status NOT IN ('pending', 'processing')
        AND NEW.status IN ('pending', 'processing');
END;
CREATE TRIGGER jobs_updated_expire AFTER UPDATE OF status ON jobs
WHEN NEW.expires_in IS NOT NULL AND OLD.status <> NEW.status BEGIN
    UPDATE jobs SET expires_at = CASE WHEN NEW.due_at IS NULL
        THEN CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000 + NEW.expires_in * 1000000 END
        WHERE id = NEW.id;
END;
CREATE TRIGGER jobs_deleted AFTER DELETE ON jobs BEGIN
    INSERT INTO job_count_deltas (minute, status, batch_id, n)
        VALUES (OLD.created_at / 60000000, OLD.status, OLD.batch_id, -1);
    INSERT INTO batch_ends SELECT OLD.batch_id WHERE OLD.batch_id IS NOT NULL
        AND OLD.status IN ('pending', 'processing');
END;
CREATE TRIGGER jobs_deleted_tags AFTER DELETE ON jobs WHEN OLD.tags IS NOT NULL BEGIN
    DELETE FROM job_tags WHERE (tag, created_at, job_id) IN
        (SELECT value, OLD.created_at, OLD.id FROM json_each(OLD.tags));
END;
