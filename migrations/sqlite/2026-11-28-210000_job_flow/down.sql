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
DROP TABLE job_flow;
DELETE FROM service_state WHERE name = 'job_flow_position';
ALTER TABLE events DROP COLUMN work_millis;
ALTER TABLE events DROP COLUMN wait_millis;
