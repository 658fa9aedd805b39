DROP INDEX jobs_exclusive_idx;
DROP INDEX jobs_ready_idx;
-- Without their variants they would be taken for jobs of one thumbnail.
DELETE FROM jobs WHERE spec_version > 1;
ALTER TABLE jobs DROP COLUMN variants;
ALTER TABLE jobs DROP COLUMN spec_hash;
ALTER TABLE jobs DROP COLUMN spec_version;
ALTER TABLE jobs DROP COLUMN error_variant;
CREATE UNIQUE INDEX jobs_exclusive_idx ON jobs (url_hash)
    WHERE exclusive AND status IN ('pending', 'processing');
CREATE INDEX jobs_ready_idx ON jobs (status, origin, rank, id)
    WHERE status = 'pending' AND NOT waiting;
