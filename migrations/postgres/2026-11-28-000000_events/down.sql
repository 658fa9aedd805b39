DROP TRIGGER batches_finished ON batches;
DROP FUNCTION thumbforge_batch_finished;
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
DROP TABLE events, event_outbox;
