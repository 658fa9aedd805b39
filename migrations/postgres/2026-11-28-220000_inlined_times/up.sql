-- The same values as before, but made of nothing that depends on the session: Postgres puts the
-- expression of such a function into the statement, and calls no function for each row. The
-- difference of two moments has no months, so its seconds are those of the epoch.
CREATE OR REPLACE FUNCTION thumbforge_minute(moment timestamptz) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN floor(date_part('epoch', moment - timestamptz 'epoch') / 60)::bigint;
CREATE OR REPLACE FUNCTION thumbforge_millis(moment timestamptz) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (extract(epoch FROM moment - timestamptz 'epoch') * 1000)::bigint;
-- Changes nothing, but makes sessions read the index's expression anew. Theirs would be the one
-- before, and their statements would find nothing by its first column.
ALTER INDEX IF EXISTS jobs_completed_week_idx RESET (fillfactor);
