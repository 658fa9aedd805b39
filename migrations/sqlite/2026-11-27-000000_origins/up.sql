-- Scheme, host and port of the URL as it was submitted, e.g. https://example.com:443.
ALTER TABLE jobs ADD COLUMN origin TEXT NOT NULL DEFAULT '';
-- 0 runs first.
ALTER TABLE jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 5 CHECK (priority BETWEEN 0 AND 9);
-- The order of claims: when the wait began, in milliseconds since the Unix epoch, and a minute
-- more for each step of priority, so that what waits long enough comes first.
ALTER TABLE jobs ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;
-- Asked for at submission: no attempt before.
ALTER TABLE jobs ADD COLUMN not_before INTEGER;
-- Pending and not due yet; a sweep ends the wait.
ALTER TABLE jobs ADD COLUMN waiting BOOLEAN NOT NULL DEFAULT false;
-- The HTTP status that the source last answered with.
ALTER TABLE jobs ADD COLUMN source_status INTEGER;

-- Stored URLs are normalised: the host is in lower case, a default port is left out, and a slash
-- follows the authority.
UPDATE jobs SET
    origin = substr(url, 1, instr(url, '://') + 2)
        || substr(substr(url, instr(url, '://') + 3), 1, instr(substr(url, instr(url, '://') + 3), '/') - 1),
    rank = created_at / 1000 + 5 * 60000,
    waiting = status = 'pending' AND due_at > CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000
WHERE status IN ('pending', 'processing') AND url LIKE 'http%://%/%';
UPDATE jobs SET origin = origin || CASE WHEN url LIKE 'https:%' THEN ':443' ELSE ':80' END
WHERE origin <> '' AND NOT (substr(origin, 9) GLOB '*:[0-9]*' AND origin NOT LIKE '%]');

DROP INDEX jobs_pending_due_idx;
-- What may be claimed: origin by origin, each in the order of claims.
CREATE INDEX jobs_ready_idx ON jobs (status, origin, rank, id)
    WHERE status = 'pending' AND NOT waiting;
CREATE INDEX jobs_waiting_idx ON jobs (status, due_at) WHERE status = 'pending' AND waiting;
-- How many jobs of an origin wait.
CREATE INDEX jobs_waiting_origin_idx ON jobs (status, origin) WHERE status = 'pending' AND waiting;
DROP INDEX jobs_processing_due_idx;
CREATE INDEX jobs_processing_due_idx ON jobs (status, due_at, origin) WHERE status = 'processing';

-- What must be remembered of an origin; without a row nothing is special about it. The row '*' stands
-- for all: where it is paused, nothing is claimed.
CREATE TABLE origins (
    origin TEXT NOT NULL PRIMARY KEY,
    paused BOOLEAN NOT NULL DEFAULT false,
    -- No claims until then, and why.
    parked_until INTEGER,
    park_reason TEXT CHECK (park_reason IN ('retry_after', 'rate_limited', 'breaker')),
    -- Requests a second that the origin bears, learned from its refusals; null: not limited.
    rate DOUBLE,
    -- The bucket of the rate, or of an operator's cap, as it was filled at `filled_at`.
    tokens DOUBLE NOT NULL DEFAULT 0,
    filled_at INTEGER,
    -- The rate as the last refusal left it.
    settled_rate DOUBLE,
    -- The rate was in use when it was refused; not a guess from the first burst.
    measured BOOLEAN NOT NULL DEFAULT false,
    -- The rate does not rise before.
    held_until INTEGER,
    -- Answers since `served_since`, a few seconds ago.
    served INTEGER NOT NULL DEFAULT 0,
    served_since INTEGER,
    -- Refusals in a row without an answer in between, and when the rate was last cut.
    refusals INTEGER NOT NULL DEFAULT 0,
    cut_at INTEGER,
    -- Transport failures in a row, and how often in a row the breaker opened.
    failures INTEGER NOT NULL DEFAULT 0,
    openings INTEGER NOT NULL DEFAULT 0,
    opened_at INTEGER,
    -- Since when nothing but refusals and failures came.
    unavailable_since INTEGER,
    updated_at INTEGER NOT NULL
);
CREATE INDEX origins_updated_at_idx ON origins (updated_at);

-- What ended at each origin, minute by minute, for an hour.
CREATE TABLE origin_flow (
    origin TEXT NOT NULL,
    -- Minutes since the Unix epoch.
    minute INTEGER NOT NULL,
    done INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    -- Downloads that ended, and the milliseconds that they took together.
    downloads INTEGER NOT NULL,
    download_millis INTEGER NOT NULL,
    PRIMARY KEY (origin, minute)
) WITHOUT ROWID;
CREATE INDEX origin_flow_minute_idx ON origin_flow (minute);
