ALTER TABLE workers DROP COLUMN state;
ALTER TABLE workers DROP COLUMN version;
ALTER TABLE workers DROP COLUMN host;
ALTER TABLE workers DROP COLUMN began_at;
