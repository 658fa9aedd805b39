ALTER TABLE workers
    -- When the process gave its first sign.
    ADD COLUMN began_at timestamptz,
    -- The name of its machine or container, and the version of the program.
    ADD COLUMN host text,
    ADD COLUMN version text,
    -- Whether it takes jobs, and if not, why.
    ADD COLUMN state text COLLATE "C" NOT NULL DEFAULT 'ready'
        CHECK (state IN ('ready', 'storage_failing', 'not_ready', 'stopping'));
