ALTER TABLE jobs
    -- What to make, in its canonical form; null: the one thumbnail of the settings.
    ADD COLUMN variants text,
    -- SHA-256 of that, lower-case hex; empty where it is null. Duplicates agree in it.
    ADD COLUMN spec_hash text COLLATE "C" NOT NULL DEFAULT '',
    -- 2: has variants. A worker claims only what it understands.
    ADD COLUMN spec_version smallint NOT NULL DEFAULT 1,
    -- The variant that could not be made.
    ADD COLUMN error_variant text;

-- No second active exclusive job may make the same of the same URL.
DROP INDEX jobs_exclusive_idx;
CREATE UNIQUE INDEX jobs_exclusive_idx ON jobs (url_hash, spec_hash)
    WHERE exclusive AND status IN ('pending', 'processing');
-- What may be claimed, as before: the version stands beside the key, so that no row is read for it.
DROP INDEX jobs_ready_idx;
CREATE INDEX jobs_ready_idx ON jobs (origin, rank, id) INCLUDE (spec_version)
    WHERE status = 'pending' AND NOT waiting;
