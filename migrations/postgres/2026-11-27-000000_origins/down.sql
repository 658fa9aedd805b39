DROP TABLE origin_flow;
DROP TABLE origins;
DROP INDEX jobs_ready_idx;
DROP INDEX jobs_waiting_idx;
DROP INDEX jobs_waiting_origin_idx;
DROP INDEX jobs_processing_due_idx;
ALTER TABLE jobs
    DROP COLUMN origin,
    DROP COLUMN priority,
    DROP COLUMN rank,
    DROP COLUMN not_before,
    DROP COLUMN waiting,
    DROP COLUMN source_status;
CREATE INDEX jobs_pending_due_idx ON jobs (status, due_at, id) WHERE status = 'pending';
CREATE INDEX jobs_processing_due_idx ON jobs (status, due_at) WHERE status = 'processing';
