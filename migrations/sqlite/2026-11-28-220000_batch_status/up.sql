-- One index of a batch's jobs instead of two, which each change of a job wrote.
CREATE INDEX jobs_batch_status_idx ON jobs (batch_id, status, created_at DESC, id DESC)
    WHERE batch_id IS NOT NULL;
DROP TRIGGER batch_ends_insert;
CREATE TRIGGER batch_ends_insert INSTEAD OF INSERT ON batch_ends
WHEN NOT EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_batch_status_idx
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
DROP INDEX jobs_batch_idx;
DROP INDEX jobs_batch_active_idx;
