CREATE OR REPLACE FUNCTION thumbforge_jobs_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    batch uuid;
BEGIN
    INSERT INTO job_count_deltas (minute, status, batch_id, n)
        SELECT thumbforge_minute(created_at), status, batch_id, -count(*) FROM old_jobs
        GROUP BY 1, 2, 3;
    IF EXISTS (SELECT FROM old_jobs WHERE tags IS NOT NULL) THEN
        DELETE FROM job_tags USING old_jobs, jsonb_array_elements_text(old_jobs.tags::jsonb) AS gone
            WHERE job_tags.tag = gone COLLATE "C" AND job_tags.created_at = old_jobs.created_at
            AND job_tags.job_id = old_jobs.id;
    END IF;
    FOR batch IN SELECT DISTINCT batch_id FROM old_jobs
        WHERE batch_id IS NOT NULL AND status IN ('pending', 'processing') ORDER BY 1
    LOOP
        PERFORM thumbforge_end_batch(batch);
    END LOOP;
    RETURN NULL;
END $$;
ALTER FUNCTION thumbforge_jobs_updated() RESET enable_nestloop;
