-- What clients are told: that a job or a batch ended. A row is written in the transaction that ends
-- it, so none is lost and none is invented. It gets its number only after the commit
-- (`src/db/event_numbers.rs`): numbers given before would become visible out of order, and a reader
-- would pass by one that commits late.
CREATE TABLE event_outbox (
    -- The order in which they are numbered. What depends on another's commit comes after it.
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    type text COLLATE "C" NOT NULL,
    job_id uuid,
    batch_id uuid,
    -- How it ended. What never changes is read from the job or the batch itself.
    status text COLLATE "C" NOT NULL,
    attempts integer,
    error text,
    error_code text,
    error_variant text,
    source_status integer,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0);
CREATE TABLE events (
    sequence bigint PRIMARY KEY,
    id uuid NOT NULL,
    type text COLLATE "C" NOT NULL,
    job_id uuid,
    batch_id uuid,
    status text COLLATE "C" NOT NULL,
    attempts integer,
    error text,
    error_code text,
    error_variant text,
    source_status integer,
    created_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 50000);
CREATE INDEX events_job_idx ON events (job_id, sequence) WHERE job_id IS NOT NULL;
CREATE INDEX events_batch_idx ON events (batch_id, sequence) WHERE batch_id IS NOT NULL;

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

CREATE FUNCTION thumbforge_batch_finished() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event_outbox (type, batch_id, status) VALUES ('batch.finished', NEW.id, NEW.status);
    RETURN NULL;
END $$;
CREATE TRIGGER batches_finished AFTER UPDATE ON batches
    FOR EACH ROW WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL)
    EXECUTE FUNCTION thumbforge_batch_finished();
