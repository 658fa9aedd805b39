-- Nothing here rewrites the table or reads it whole. Its indexes are built apart, while others work
-- (`src/db/indexes.rs`).
ALTER TABLE jobs
    -- The batch that made the job, and the job's place in it, from 0.
    ADD COLUMN batch_id uuid,
    ADD COLUMN batch_index integer,
    -- A JSON array of strings, and a JSON object: the client's own words.
    ADD COLUMN tags text,
    ADD COLUMN metadata text,
    -- The name of the API key.
    ADD COLUMN submitted_by text COLLATE "C",
    -- Seconds after its end after which the job is deleted, and when that is.
    ADD COLUMN expires_in bigint,
    ADD COLUMN expires_at timestamptz,
    -- How attempts ended: JSON objects with commas between them, the last one last.
    ADD COLUMN attempts_log text,
    DROP CONSTRAINT jobs_status_check,
    ADD CONSTRAINT jobs_status_check
        CHECK (status IN ('pending', 'processing', 'completed', 'failed', 'cancelled')) NOT VALID;
-- Counts of the newest jobs of a host read the index alone where a vacuum has been, however large the
-- table is. A vacuum so often is short: it visits only new pages, and no index where few rows died.
ALTER TABLE jobs SET (autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 50000);

-- The jobs of a tag.
CREATE TABLE job_tags (
    tag text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    job_id uuid NOT NULL,
    PRIMARY KEY (tag, created_at, job_id)
) WITH (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 50000);

-- How many jobs there are. What changes jobs appends what it changed, and no row is written by two
-- at once; now and then the appended rows are added to the tables below them and deleted. A count is
-- the sum of both, and exact at every commit.
CREATE TABLE job_count_deltas (
    -- Minutes since the Unix epoch at which the jobs were created; null: for batches alone.
    minute bigint,
    status text COLLATE "C" NOT NULL,
    batch_id uuid,
    n bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0);
CREATE TABLE job_counts (
    -- A bucket of level L holds 64^L minutes.
    level smallint NOT NULL,
    -- Minutes since the Unix epoch, divided by those of a bucket.
    bucket bigint NOT NULL,
    status text COLLATE "C" NOT NULL,
    n bigint NOT NULL,
    PRIMARY KEY (level, bucket, status)
);
CREATE TABLE batch_counts (
    batch_id uuid NOT NULL,
    status text COLLATE "C" NOT NULL,
    n bigint NOT NULL,
    PRIMARY KEY (batch_id, status)
);

-- Jobs that were submitted together.
CREATE TABLE batches (
    id uuid PRIMARY KEY,
    status text NOT NULL CHECK (status IN
        ('accepting', 'running', 'completed', 'partially_failed', 'failed', 'cancelled')),
    -- Items, those that were refused, and those for which an earlier job stands.
    total bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    reused bigint NOT NULL DEFAULT 0,
    -- The request broke off.
    incomplete boolean NOT NULL DEFAULT false,
    -- A JSON array: why the first items were refused.
    errors text NOT NULL DEFAULT '[]',
    metadata text,
    submitted_by text COLLATE "C",
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE INDEX batches_created_at_idx ON batches (created_at, id);
CREATE INDEX batches_accepting_idx ON batches (updated_at) WHERE status = 'accepting';
-- Items for which an earlier job stands.
CREATE TABLE batch_reused (
    batch_id uuid NOT NULL,
    batch_index integer NOT NULL,
    job_id uuid NOT NULL,
    PRIMARY KEY (batch_id, batch_index)
);

-- A change of many jobs, done in slices.
CREATE TABLE actions (
    id uuid PRIMARY KEY,
    action text NOT NULL CHECK (action IN ('retry', 'cancel', 'delete')),
    -- One of them, as JSON.
    filter text,
    ids text,
    status text NOT NULL CHECK (status IN ('running', 'done', 'aborted')),
    matched bigint NOT NULL,
    done bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    -- The last job that was looked at, or the number of ids.
    after_created_at timestamptz,
    after_id uuid,
    position bigint NOT NULL DEFAULT 0,
    submitted_by text COLLATE "C",
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    finished_at timestamptz,
    -- The process that works on it, until when.
    runner uuid,
    lease_until timestamptz
);
CREATE INDEX actions_running_idx ON actions (created_at) WHERE status = 'running';

-- First answers to requests with an Idempotency-Key.
CREATE TABLE idempotency_keys (
    -- SHA-256 of caller, route and key, lower-case hex.
    scope text COLLATE "C" PRIMARY KEY,
    -- SHA-256 of the request's body, lower-case hex.
    body_hash text NOT NULL,
    -- The answer; null while the request is under way.
    status smallint,
    headers text,
    body text,
    -- What was made, when the answer is not there.
    made uuid,
    created_at timestamptz NOT NULL
);
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);

-- Jobs whose files are to be removed, and when: a worker that does not know yet may still write.
CREATE TABLE doomed_files (
    job_id uuid PRIMARY KEY,
    due_at timestamptz NOT NULL
);
CREATE INDEX doomed_files_due_at_idx ON doomed_files (due_at);

-- What the service itself remembers.
CREATE TABLE service_state (
    name text PRIMARY KEY,
    value text NOT NULL
);
-- With jobs in the table they are counted apart.
INSERT INTO service_state SELECT 'counts', 'kept' WHERE NOT EXISTS (SELECT FROM jobs);

-- The host of a normalised URL, an IPv6 address in its brackets.
CREATE FUNCTION thumbforge_host(url text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN substring(url FROM '^https?://(\[[^]]*\]|[^/:?#]*)');

-- What is derived from jobs is kept by triggers, so that it holds whichever program, of whichever
-- version, changes them.
CREATE FUNCTION thumbforge_minute(moment timestamptz) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN floor(date_part('epoch', moment) / 60)::bigint;

-- Ends a running batch without active jobs. Called after each change that ends a job of it.
CREATE FUNCTION thumbforge_end_batch(batch uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- An active job that nobody changes at the moment: whatever ends it will look again, after this
    -- commit. So the row of the batch is locked only at its end.
    PERFORM FROM jobs WHERE batch_id = batch AND status IN ('pending', 'processing')
        LIMIT 1 FOR SHARE SKIP LOCKED;
    IF FOUND THEN
        RETURN;
    END IF;
    PERFORM FROM batches WHERE id = batch FOR UPDATE;
    -- Those that were locked have ended, or are active again: this statement sees which.
    IF EXISTS (SELECT FROM jobs WHERE batch_id = batch AND status IN ('pending', 'processing')) THEN
        RETURN;
    END IF;
    UPDATE batches SET finished_at = now(), updated_at = now(), status = (
        WITH kept AS (SELECT status, sum(n) AS n FROM (
                SELECT status, n FROM batch_counts WHERE batch_id = batch
                UNION ALL SELECT status, n FROM job_count_deltas WHERE batch_id = batch) AS counts
            GROUP BY status),
        ended AS (SELECT
            batches.reused + COALESCE(sum(n) FILTER (WHERE status = 'completed'), 0) AS completed,
            batches.rejected + COALESCE(sum(n) FILTER (WHERE status = 'failed'), 0) AS failed
            FROM kept)
        -- The others are cancelled or deleted.
        SELECT CASE
            WHEN completed = batches.total THEN 'completed'
            WHEN failed = batches.total THEN 'failed'
            WHEN completed + failed = 0 THEN 'cancelled'
            ELSE 'partially_failed' END FROM ended)
    WHERE id = batch AND status = 'running';
END $$;

CREATE FUNCTION thumbforge_jobs_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO job_count_deltas (minute, status, batch_id, n)
        SELECT thumbforge_minute(created_at), status, batch_id, count(*) FROM new_jobs
        GROUP BY 1, 2, 3;
    IF EXISTS (SELECT FROM new_jobs WHERE tags IS NOT NULL) THEN
        INSERT INTO job_tags (tag, created_at, job_id)
            SELECT tag, created_at, id
            FROM new_jobs, jsonb_array_elements_text(new_jobs.tags::jsonb) AS tag
            ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_inserted AFTER INSERT ON jobs REFERENCING NEW TABLE AS new_jobs
    FOR EACH STATEMENT EXECUTE FUNCTION thumbforge_jobs_inserted();

CREATE FUNCTION thumbforge_jobs_updated() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    batch uuid;
    added bigint;
BEGIN
    INSERT INTO job_count_deltas (minute, status, batch_id, n)
        SELECT thumbforge_minute(created_at), status, batch_id, sum(n) FROM (
            SELECT created_at, status, batch_id, -1 AS n FROM old_jobs
            UNION ALL SELECT created_at, status, batch_id, 1 FROM new_jobs) AS changes
        GROUP BY 1, 2, 3 HAVING sum(n) <> 0;
    -- More or fewer active jobs of a batch than before.
    FOR batch, added IN
        SELECT batch_id, sum(n) FROM (
            SELECT batch_id, -1 AS n FROM old_jobs
                WHERE batch_id IS NOT NULL AND status IN ('pending', 'processing')
            UNION ALL SELECT batch_id, 1 FROM new_jobs
                WHERE batch_id IS NOT NULL AND status IN ('pending', 'processing')) AS active
        GROUP BY 1 HAVING sum(n) <> 0 ORDER BY 1
    LOOP
        IF added < 0 THEN
            PERFORM thumbforge_end_batch(batch);
        ELSE
            -- Without the lock the end of another job, not committed yet, would not be seen.
            PERFORM FROM batches WHERE id = batch FOR UPDATE;
            UPDATE batches SET status = 'running', finished_at = NULL, updated_at = now()
                WHERE id = batch AND finished_at IS NOT NULL;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_updated AFTER UPDATE ON jobs
    REFERENCING OLD TABLE AS old_jobs NEW TABLE AS new_jobs
    FOR EACH STATEMENT EXECUTE FUNCTION thumbforge_jobs_updated();

CREATE FUNCTION thumbforge_jobs_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    batch uuid;
BEGIN
    INSERT INTO job_count_deltas (minute, status, batch_id, n)
        SELECT thumbforge_minute(created_at), status, batch_id, -count(*) FROM old_jobs
        GROUP BY 1, 2, 3;
    IF EXISTS (SELECT FROM old_jobs WHERE tags IS NOT NULL) THEN
        DELETE FROM job_tags USING old_jobs, jsonb_array_elements_text(old_jobs.tags::jsonb) AS gone
            WHERE job_tags.tag = gone COLLATE "C" AND job_tags.created_at = old_jobs.created_at
            AND job_tags.job_id = old_jobs.id;
    END IF;
    FOR batch IN SELECT DISTINCT batch_id FROM old_jobs
        WHERE batch_id IS NOT NULL AND status IN ('pending', 'processing') ORDER BY 1
    LOOP
        PERFORM thumbforge_end_batch(batch);
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_deleted AFTER DELETE ON jobs REFERENCING OLD TABLE AS old_jobs
    FOR EACH STATEMENT EXECUTE FUNCTION thumbforge_jobs_deleted();

CREATE FUNCTION thumbforge_jobs_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM job_count_deltas;
    DELETE FROM job_counts;
    DELETE FROM batch_counts;
    DELETE FROM job_tags;
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_truncated AFTER TRUNCATE ON jobs
    FOR EACH STATEMENT EXECUTE FUNCTION thumbforge_jobs_truncated();

CREATE FUNCTION thumbforge_jobs_expire() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.expires_at := CASE WHEN NEW.due_at IS NULL
        THEN now() + NEW.expires_in * interval '1 second' END;
    RETURN NEW;
END $$;
CREATE TRIGGER jobs_expire BEFORE UPDATE ON jobs
    FOR EACH ROW WHEN (NEW.expires_in IS NOT NULL AND OLD.status <> NEW.status)
    EXECUTE FUNCTION thumbforge_jobs_expire();
