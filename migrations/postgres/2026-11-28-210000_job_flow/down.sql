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
                error_variant, source_status)
            SELECT 'image.' || ended.status, ended.id, ended.batch_id, ended.status,
                ended.attempts, ended.error, ended.error_code, ended.error_variant,
                ended.source_status
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
DROP FUNCTION thumbforge_wait;
DROP FUNCTION thumbforge_millis;
DROP TABLE job_flow;
DELETE FROM service_state WHERE name = 'job_flow_position';
ALTER TABLE events DROP COLUMN wait_millis, DROP COLUMN work_millis;
ALTER TABLE event_outbox DROP COLUMN wait_millis, DROP COLUMN work_millis;
