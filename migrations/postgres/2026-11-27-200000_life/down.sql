-- Cancelled jobs are unknown to the schema before: they become failed ones.
DROP TRIGGER jobs_inserted ON jobs;
DROP TRIGGER jobs_updated ON jobs;
DROP TRIGGER jobs_deleted ON jobs;
DROP TRIGGER jobs_truncated ON jobs;
DROP TRIGGER jobs_expire ON jobs;
UPDATE jobs SET status = 'failed', error = 'cancelled', error_code = 'internal'
    WHERE status = 'cancelled';
DROP INDEX IF EXISTS jobs_host_idx, jobs_by_host_idx, jobs_url_host_idx, jobs_by_url_host_idx,
    jobs_completed_week_idx, jobs_error_code_idx, jobs_by_error_code_idx;
DROP FUNCTION thumbforge_jobs_inserted, thumbforge_jobs_updated, thumbforge_jobs_deleted,
    thumbforge_jobs_truncated, thumbforge_jobs_expire, thumbforge_end_batch, thumbforge_minute,
    thumbforge_host;
DROP TABLE job_tags, job_count_deltas, job_counts, batch_counts, batches, batch_reused, actions,
    idempotency_keys, doomed_files, service_state;
ALTER TABLE jobs RESET (autovacuum_vacuum_insert_scale_factor, autovacuum_vacuum_insert_threshold);
DROP INDEX IF EXISTS jobs_active_url_idx, jobs_active_hash_idx;
DROP INDEX IF EXISTS jobs_by_status_idx;
CREATE INDEX IF NOT EXISTS jobs_status_idx ON jobs (status, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS jobs_created_at_idx ON jobs (created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS jobs_url_hash_idx ON jobs (url_hash, created_at DESC);
ALTER TABLE jobs
    DROP COLUMN batch_id, DROP COLUMN batch_index, DROP COLUMN tags, DROP COLUMN metadata,
    DROP COLUMN submitted_by, DROP COLUMN expires_in, DROP COLUMN expires_at,
    DROP COLUMN attempts_log,
    DROP CONSTRAINT jobs_status_check,
    ADD CONSTRAINT jobs_status_check
        CHECK (status IN ('pending', 'processing', 'completed', 'failed'));
