-- Receivers of events.
CREATE TABLE webhooks (
    id uuid PRIMARY KEY,
    url text NOT NULL,
    description text,
    -- JSON arrays of strings; null: any.
    events text,
    tags text,
    -- Signs what is sent; as `src/webhooks/secrets.rs` keeps it.
    secret text NOT NULL,
    -- The one before, which signs too until then.
    old_secret text,
    old_secret_until timestamptz,
    -- Events up to this number have been looked at.
    position bigint NOT NULL,
    -- Since when every delivery has failed, and when one last succeeded.
    failing_since timestamptz,
    last_success_at timestamptz,
    disabled_at timestamptz,
    disabled_reason text CHECK (disabled_reason IN ('operator', 'gone', 'failing')),
    submitted_by text COLLATE "C",
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- What is sent to them.
CREATE TABLE webhook_deliveries (
    id uuid PRIMARY KEY,
    webhook_id uuid NOT NULL,
    -- Null of a test.
    sequence bigint,
    event_id uuid NOT NULL,
    type text COLLATE "C" NOT NULL,
    -- The same for every try.
    body text NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    -- Not to be tried before; while one tries, when another may. Null when final.
    due_at timestamptz,
    -- Grows with every claim: a process that lost its claim writes nothing.
    fence bigint NOT NULL DEFAULT 0,
    -- Of the last try.
    response_status integer,
    response_body text,
    error text,
    duration_millis bigint,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (webhook_id, sequence)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX webhook_deliveries_due_idx ON webhook_deliveries (webhook_id, due_at)
    WHERE status = 'pending';
CREATE INDEX webhook_deliveries_created_at_idx
    ON webhook_deliveries (webhook_id, created_at DESC, id DESC);
CREATE INDEX webhook_deliveries_ended_idx ON webhook_deliveries (updated_at)
    WHERE status <> 'pending';
