-- What to make, in its canonical form; null: the one thumbnail of the settings.
ALTER TABLE jobs ADD COLUMN variants TEXT;
-- SHA-256 of that, lower-case hex; empty where it is null. Duplicates agree in it.
ALTER TABLE jobs ADD COLUMN spec_hash TEXT NOT NULL DEFAULT '';
-- 2: has variants. A worker claims only what it understands.
ALTER TABLE jobs ADD COLUMN spec_version INTEGER NOT NULL DEFAULT 1;
-- The variant that could not be made.
ALTER TABLE jobs ADD COLUMN error_variant TEXT;

-- No second active exclusive job may make the same of the same URL.
DROP INDEX jobs_exclusive_idx;
CREATE UNIQUE INDEX jobs_exclusive_idx ON jobs (url_hash, spec_hash)
    WHERE exclusive AND status IN ('pending', 'processing');
-- What may be claimed, as before: the version stands behind the key, so that no row is read for it.
DROP INDEX jobs_ready_idx;
CREATE INDEX jobs_ready_idx ON jobs (status, origin, rank, id, spec_version)
    WHERE status = 'pending' AND NOT waiting;
