-- Ends of jobs by minute, counted from the events (`src/db/job_flow.rs`). Each event says how long
-- its job waited and was worked on.
ALTER TABLE event_outbox
    -- From the submission, the retry by a client, or `not_before`, to the first claim since; null
    -- without one.
    ADD COLUMN wait_millis bigint,
    -- From the last claim to the end; null if nobody worked on it then.
    ADD COLUMN work_millis bigint;
ALTER TABLE events ADD COLUMN wait_millis bigint, ADD COLUMN work_millis bigint;

-- Ends of jobs in buckets of time. Events up to the number in `service_state` are counted here.
CREATE TABLE job_flow (
    -- Minutes that a bucket holds: 1, 60 or 1440.
    step integer NOT NULL,
    -- Minutes since the Unix epoch, divided by those of a bucket.
    bucket bigint NOT NULL,
    outcome text COLLATE "C" NOT NULL,
    n bigint NOT NULL,
    -- Histograms of milliseconds, as `src/domain/histogram.rs` writes them.
    waits text NOT NULL,
    works text NOT NULL,
    PRIMARY KEY (step, bucket, outcome)
);

CREATE FUNCTION thumbforge_millis(moment timestamptz) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (extract(epoch FROM moment) * 1000)::bigint;

-- How long a job waited for its first claim since it began to wait. A claim sets `updated_at`, which
-- nothing changes until the attempt ends; earlier claims are in the log of attempts. Of a long log
-- the oldest may be gone.
CREATE FUNCTION thumbforge_wait(status text, claimed bigint, old_log text, new_log text, since bigint)
    RETURNS bigint LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF old_log IS NULL THEN
        RETURN CASE WHEN status = 'processing' THEN GREATEST(0, claimed - since) END;
    END IF;
    IF length(new_log) > 3300 THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT min(began) - since FROM (
        SELECT (attempt ->> 'began')::bigint AS began
        FROM jsonb_array_elements(('[' || new_log || ']')::jsonb) AS attempt) AS attempts
        WHERE began >= since);
END $$;

CREATE OR REPLACE FUNCTION thumbforge_jobs_updated() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    batch uuid;
    added bigint;
BEGIN
    INSERT INTO job_count_deltas (minute, status, batch_id, n)
        SELECT thumbforge_minute(created_at), status, batch_id, sum(n) FROM (
            SELECT created_at, status, batch_id, -1 AS n FROM old_jobs
            UNION ALL SELECT created_at, status, batch_id, 1 FROM new_jobs) AS changes
        GROUP BY 1, 2, 3 HAVING sum(n) <> 0;
    -- Claims and renewals, which are as many, end nothing.
    IF EXISTS (SELECT FROM new_jobs WHERE due_at IS NULL) THEN
        INSERT INTO event_outbox (type, job_id, batch_id, status, attempts, error, error_code,
                error_variant, source_status, wait_millis, work_millis)
            SELECT 'image.' || ended.status, ended.id, ended.batch_id, ended.status,
                ended.attempts, ended.error, ended.error_code, ended.error_variant,
                ended.source_status,
                thumbforge_wait(old_jobs.status, thumbforge_millis(old_jobs.updated_at),
                    old_jobs.attempts_log, ended.attempts_log,
                    ended.rank - ended.priority * 60000),
                CASE WHEN old_jobs.status = 'processing' THEN GREATEST(0,
                    thumbforge_millis(ended.updated_at) - thumbforge_millis(old_jobs.updated_at))
                END
            FROM new_jobs AS ended JOIN old_jobs ON old_jobs.id = ended.id
            WHERE ended.due_at IS NULL AND old_jobs.status <> ended.status;
    END IF;
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
