-- What clients are told: that a job or a batch ended. A row is written in the transaction that ends
-- it, so none is lost and none is invented. Writers take turns, so that numbers become visible in
-- their order.
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))),
    type TEXT NOT NULL,
    job_id TEXT,
    batch_id TEXT,
    -- How it ended. What never changes is read from the job or the batch itself.
    status TEXT NOT NULL,
    attempts INTEGER,
    error TEXT,
    error_code TEXT,
    error_variant TEXT,
    source_status INTEGER,
    created_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000)
);
CREATE INDEX events_job_idx ON events (job_id, sequence) WHERE job_id IS NOT NULL;
CREATE INDEX events_batch_idx ON events (batch_id, sequence) WHERE batch_id IS NOT NULL;

DROP TRIGGER jobs_updated;
CREATE TRIGGER jobs_updated AFTER UPDATE OF status ON jobs WHEN OLD.status <> NEW.status BEGIN
    INSERT INTO job_count_deltas (minute, status, batch_id, n) VALUES
        (OLD.created_at / 60000000, OLD.status, OLD.batch_id, -1),
        (NEW.created_at / 60000000, NEW.status, NEW.batch_id, 1);
    INSERT INTO events (type, job_id, batch_id, status, attempts, error, error_code, error_variant,
            source_status)
        SELECT 'image.' || NEW.status, NEW.id, NEW.batch_id, NEW.status, NEW.attempts, NEW.error,
            NEW.error_code, NEW.error_variant, NEW.source_status
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
CREATE TRIGGER batches_finished AFTER UPDATE ON batches
WHEN OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL BEGIN
    INSERT INTO events (type, batch_id, status) VALUES ('batch.finished', NEW.id, NEW.status);
END;
