-- The tags of deleted jobs are looked up one by one. As a join Postgres read all tags for each slice
-- of deletions: it does not know how few jobs are in one.
CREATE OR REPLACE FUNCTION thumbforge_jobs_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    batch uuid;
    tagged record;
BEGIN
    INSERT INTO job_count_deltas (minute, status, batch_id, n)
        SELECT thumbforge_minute(created_at), status, batch_id, -count(*) FROM old_jobs
        GROUP BY 1, 2, 3;
    FOR tagged IN SELECT id, created_at, tags FROM old_jobs WHERE tags IS NOT NULL LOOP
        DELETE FROM job_tags WHERE created_at = tagged.created_at AND job_id = tagged.id
            AND tag = ANY (ARRAY(SELECT jsonb_array_elements_text(tagged.tags::jsonb)) COLLATE "C");
    END LOOP;
    FOR batch IN SELECT DISTINCT batch_id FROM old_jobs
        WHERE batch_id IS NOT NULL AND status IN ('pending', 'processing') ORDER BY 1
    LOOP
        PERFORM thumbforge_end_batch(batch);
    END LOOP;
    RETURN NULL;
END $$;

-- It joins the jobs before and after the statement. Postgres does not know how many there are, and
-- compared each with each: 250,000 pairs for a slice of an action. (A later `CREATE OR REPLACE` of the
-- function must set it again.)
ALTER FUNCTION thumbforge_jobs_updated() SET enable_nestloop = off;
