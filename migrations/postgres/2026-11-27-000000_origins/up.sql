ALTER TABLE jobs
    -- Scheme, host and port of the URL as it was submitted, e.g. https://example.com:443.
    ADD COLUMN origin text COLLATE "C" NOT NULL DEFAULT '',
    -- 0 runs first.
    ADD COLUMN priority smallint NOT NULL DEFAULT 5 CHECK (priority BETWEEN 0 AND 9),
    -- The order of claims: when the wait began, in milliseconds since the Unix epoch, and a minute
    -- more for each step of priority, so that what waits long enough comes first.
    ADD COLUMN rank bigint NOT NULL DEFAULT 0,
    -- Asked for at submission: no attempt before.
    ADD COLUMN not_before timestamptz,
    -- Pending and not due yet; a sweep ends the wait.
    ADD COLUMN waiting boolean NOT NULL DEFAULT false,
    -- The HTTP status that the source last answered with.
    ADD COLUMN source_status integer;

-- Stored URLs are normalised: the host is in lower case and a default port is left out.
UPDATE jobs SET
    origin = CASE
        WHEN url ~ '^https?://[^/?#]*:[0-9]+([/?#]|$)' THEN substring(url FROM '^https?://[^/?#]+')
        WHEN url LIKE 'https:%' THEN substring(url FROM '^https?://[^/?#]+') || ':443'
        ELSE substring(url FROM '^https?://[^/?#]+') || ':80'
    END,
    rank = (extract(epoch FROM created_at) * 1000)::bigint + 5 * 60000,
    waiting = status = 'pending' AND due_at > now()
WHERE status IN ('pending', 'processing') AND url ~ '^https?://[^/?#]+';

DROP INDEX jobs_pending_due_idx;
-- What may be claimed: origin by origin, each in the order of claims.
CREATE INDEX jobs_ready_idx ON jobs (origin, rank, id)
    WHERE status = 'pending' AND NOT waiting;
CREATE INDEX jobs_waiting_idx ON jobs (due_at) WHERE status = 'pending' AND waiting;
-- How many jobs of an origin wait.
CREATE INDEX jobs_waiting_origin_idx ON jobs (origin) WHERE status = 'pending' AND waiting;
DROP INDEX jobs_processing_due_idx;
CREATE INDEX jobs_processing_due_idx ON jobs (status, due_at, origin) WHERE status = 'processing';

-- What must be remembered of an origin; without a row nothing is special about it. The row '*' stands
-- for all: where it is paused, nothing is claimed.
CREATE TABLE origins (
    origin text COLLATE "C" PRIMARY KEY,
    paused boolean NOT NULL DEFAULT false,
    -- No claims until then, and why.
    parked_until timestamptz,
    park_reason text CHECK (park_reason IN ('retry_after', 'rate_limited', 'breaker')),
    -- Requests a second that the origin bears, learned from its refusals; null: not limited.
    rate double precision,
    -- The bucket of the rate, or of an operator's cap, as it was filled at `filled_at`.
    tokens double precision NOT NULL DEFAULT 0,
    filled_at timestamptz,
    -- The rate as the last refusal left it.
    settled_rate double precision,
    -- The rate was in use when it was refused; not a guess from the first burst.
    measured boolean NOT NULL DEFAULT false,
    -- The rate does not rise before.
    held_until timestamptz,
    -- Answers since `served_since`, a few seconds ago.
    served bigint NOT NULL DEFAULT 0,
    served_since timestamptz,
    -- Refusals in a row without an answer in between, and when the rate was last cut.
    refusals integer NOT NULL DEFAULT 0,
    cut_at timestamptz,
    -- Transport failures in a row, and how often in a row the breaker opened.
    failures integer NOT NULL DEFAULT 0,
    openings integer NOT NULL DEFAULT 0,
    opened_at timestamptz,
    -- Since when nothing but refusals and failures came.
    unavailable_since timestamptz,
    updated_at timestamptz NOT NULL
);
CREATE INDEX origins_updated_at_idx ON origins (updated_at);

-- What ended at each origin, minute by minute, for an hour.
CREATE TABLE origin_flow (
    origin text COLLATE "C" NOT NULL,
    -- Minutes since the Unix epoch.
    minute bigint NOT NULL,
    done bigint NOT NULL,
    failed bigint NOT NULL,
    -- Downloads that ended, and the milliseconds that they took together.
    downloads bigint NOT NULL,
    download_millis bigint NOT NULL,
    PRIMARY KEY (origin, minute)
);
CREATE INDEX origin_flow_minute_idx ON origin_flow (minute);
