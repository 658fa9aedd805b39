ALTER TABLE workers
    DROP COLUMN began_at, DROP COLUMN host, DROP COLUMN version, DROP COLUMN state;
