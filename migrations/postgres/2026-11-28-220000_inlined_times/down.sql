CREATE OR REPLACE FUNCTION thumbforge_minute(moment timestamptz) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN floor(date_part('epoch', moment) / 60)::bigint;
CREATE OR REPLACE FUNCTION thumbforge_millis(moment timestamptz) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (extract(epoch FROM moment) * 1000)::bigint;
ALTER INDEX IF EXISTS jobs_completed_week_idx RESET (fillfactor);
