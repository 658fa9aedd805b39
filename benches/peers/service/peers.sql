-- The table of both peers: what the contract asks for, without leases, fences and duplicates.
CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    url text NOT NULL,
    status text NOT NULL DEFAULT 'pending',
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    result jsonb,
    error text
);
CREATE INDEX ON jobs (created_at DESC, id DESC);
CREATE INDEX ON jobs (status, created_at DESC);
