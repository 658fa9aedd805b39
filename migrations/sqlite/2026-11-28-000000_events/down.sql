DROP TRIGGER batches_finished;
DROP TRIGGER jobs_updated;
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
DROP TABLE events;
