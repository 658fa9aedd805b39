-- Ends of jobs by minute, counted from the events (`src/db/job_flow.rs`). Each event says how long
-- its job waited and was worked on.
--
-- From the submission, the retry by a client, or `not_before`, to the first claim since; null
-- without one.
ALTER TABLE events ADD COLUMN wait_millis INTEGER;
-- From the last claim to the end; null if nobody worked on it then.
ALTER TABLE events ADD COLUMN work_millis INTEGER;

-- Ends of jobs in buckets of time. Events up to the number in `service_state` are counted here.
CREATE TABLE job_flow (
    -- Minutes that a bucket holds: 1, 60 or 1440.
    step INTEGER NOT NULL,
    -- Minutes since the Unix epoch, divided by those of a bucket.
    bucket INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    n INTEGER NOT NULL,
    -- Histograms of milliseconds, as `src/domain/histogram.rs` writes them.
    waits TEXT NOT NULL,
    works TEXT NOT NULL,
    PRIMARY KEY (step, bucket, outcome)
) WITHOUT ROWID;

DROP TRIGGER jobs_updated;
CREATE TRIGGER jobs_updated AFTER UPDATE OF status ON jobs WHEN OLD.status <> NEW.status BEGIN
    INSERT INTO job_count_deltas (minute, status, batch_id, n) VALUES
        (OLD.created_at / 60000000, OLD.status, OLD.batch_id, -1),
        (NEW.created_at / 60000000, NEW.status, NEW.batch_id, 1);
    INSERT INTO events (type, job_id, batch_id, status, attempts, error, error_code, error_variant,
            source_status, wait_millis, work_millis)
        SELECT 'image.' || NEW.status, NEW.id, NEW.batch_id, NEW.status, NEW.attempts, NEW.error,
            NEW.error_code, NEW.error_variant, NEW.source_status,
            -- A claim sets `updated_at`, which nothing changes until the attempt ends; earlier
            -- claims are in the log of attempts. Of a long log the oldest may be gone.
            CASE
                WHEN OLD.attempts_log IS NULL THEN CASE WHEN OLD.status = 'processing'
                    THEN max(0, OLD.updated_at / 1000 - (NEW.rank - NEW.priority * 60000)) END
                WHEN length(NEW.attempts_log) <= 3300 THEN
                    (SELECT min(value ->> 'began') FROM json_each('[' || NEW.attempts_log || ']')
                    WHERE value ->> 'began' >= NEW.rank - NEW.priority * 60000)
                    - (NEW.rank - NEW.priority * 60000)
            END,
            CASE WHEN OLD.status = 'processing'
                THEN max(0, NEW.updated_at / 1000 - OLD.updated_at / 1000) END
        WHERE NEW.due_at IS NULL;
    -- In the same trigger, because it comes after the count and the job's event.
    INSERT INTO batch_ends SELECT NEW.batch_id WHERE NEW.batch_id IS NOT NULL
        AND OLD.status IN ('pending', 'processing')
        AND NEW.status NOT IN ('pending', 'processing');
    UPDATE batches SET status = 'running', finished_at = NULL,
        updated_at = CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000
        WHERE id = NEW.batch_id AND finished_at IS NOT NULL
        AND OLD.status NOT IN ('pending', 'processing')
        AND NEW.status IN ('pending', 'processing');
END;
