-- Receivers of events.
CREATE TABLE webhooks (
    id TEXT NOT NULL PRIMARY KEY,
    url TEXT NOT NULL,
    description TEXT,
    -- JSON arrays of strings; null: any.
    events TEXT,
    tags TEXT,
    -- Signs what is sent; as `src/webhooks/secrets.rs` keeps it.
    secret TEXT NOT NULL,
    -- The one before, which signs too until then.
    old_secret TEXT,
    old_secret_until INTEGER,
    -- Events up to this number have been looked at.
    position INTEGER NOT NULL,
    -- Since when every delivery has failed, and when one last succeeded.
    failing_since INTEGER,
    last_success_at INTEGER,
    disabled_at INTEGER,
    disabled_reason TEXT CHECK (disabled_reason IN ('operator', 'gone', 'failing')),
    submitted_by TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);

-- What is sent to them.
CREATE TABLE webhook_deliveries (
    id TEXT NOT NULL PRIMARY KEY,
    webhook_id TEXT NOT NULL,
    -- Null of a test.
    sequence INTEGER,
    event_id TEXT NOT NULL,
    type TEXT NOT NULL,
    -- The same for every try.
    body TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    -- Not to be tried before; while one tries, when another may. Null when final.
    due_at INTEGER,
    -- Grows with every claim: a process that lost its claim writes nothing.
    fence INTEGER NOT NULL DEFAULT 0,
    -- Of the last try.
    response_status INTEGER,
    response_body TEXT,
    error TEXT,
    duration_millis INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (webhook_id, sequence)
);
CREATE INDEX webhook_deliveries_due_idx ON webhook_deliveries (webhook_id, due_at)
    WHERE status = 'pending';
CREATE INDEX webhook_deliveries_created_at_idx
    ON webhook_deliveries (webhook_id, created_at DESC, id DESC);
CREATE INDEX webhook_deliveries_ended_idx ON webhook_deliveries (updated_at)
    WHERE status <> 'pending';
