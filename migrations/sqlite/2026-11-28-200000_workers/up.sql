-- When the process gave its first sign.
ALTER TABLE workers ADD COLUMN began_at INTEGER;
-- The name of its machine or container, and the version of the program.
ALTER TABLE workers ADD COLUMN host TEXT;
ALTER TABLE workers ADD COLUMN version TEXT;
-- Whether it takes jobs, and if not, why.
ALTER TABLE workers ADD COLUMN state TEXT NOT NULL DEFAULT 'ready'
    CHECK (state IN ('ready', 'storage_failing', 'not_ready', 'stopping'));
