CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    url text NOT NULL,
    -- SHA-256 of the normalised URL, lower-case hex.
    url_hash text NOT NULL,
    -- Submitted under `reject-active`: no second active exclusive job of the same URL may exist.
    exclusive boolean NOT NULL,
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- Grows with every claim and is never reused: the fencing token.
    fence bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    -- Pending: not to be claimed before. Processing: when the lease ends. Null when final.
    due_at timestamptz,
    -- The worker process that holds the lease.
    worker_id uuid,
    result jsonb,
    error text,
    error_code text,
    CHECK ((status IN ('pending', 'processing')) = (due_at IS NOT NULL)),
    CHECK ((status = 'processing') = (worker_id IS NOT NULL)),
    CHECK ((status = 'completed') = (result IS NOT NULL))
);

-- The list, newest first, whole and by status; also the counts by status.
CREATE INDEX jobs_created_at_idx ON jobs (created_at DESC, id DESC);
CREATE INDEX jobs_status_idx ON jobs (status, created_at DESC, id DESC);
-- Duplicates.
CREATE INDEX jobs_url_hash_idx ON jobs (url_hash, created_at DESC);
CREATE UNIQUE INDEX jobs_exclusive_idx ON jobs (url_hash)
    WHERE exclusive AND status IN ('pending', 'processing');
-- Due work and expired leases: small, because final jobs are not in them.
-- (The status leads although it is constant: else SQLite prefers jobs_status_idx and sorts.)
CREATE INDEX jobs_pending_due_idx ON jobs (status, due_at, id) WHERE status = 'pending';
CREATE INDEX jobs_processing_due_idx ON jobs (status, due_at) WHERE status = 'processing';

-- Who works at the moment: one row a worker process, renewed with its leases.
CREATE TABLE workers (
    id uuid PRIMARY KEY,
    seen_at timestamptz NOT NULL
);
