//! The tables, as diesel sees them; `migrations/` creates them.

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::sql::{Document, Id, Moment};

    jobs (id) {
        id -> Id,
        url -> Text,
        url_hash -> Text,
        exclusive -> Bool,
        status -> Text,
        attempts -> Integer,
        deaths -> Integer,
        fence -> BigInt,
        created_at -> Moment,
        updated_at -> Moment,
        due_at -> Nullable<Moment>,
        worker_id -> Nullable<Id>,
        result -> Nullable<Document>,
        error -> Nullable<Text>,
        error_code -> Nullable<Text>,
        origin -> Text,
        priority -> SmallInt,
        rank -> BigInt,
        not_before -> Nullable<Moment>,
        waiting -> Bool,
        source_status -> Nullable<Integer>,
        variants -> Nullable<Text>,
        spec_hash -> Text,
        spec_version -> SmallInt,
        error_variant -> Nullable<Text>,
        batch_id -> Nullable<Id>,
        batch_index -> Nullable<Integer>,
        tags -> Nullable<Text>,
        metadata -> Nullable<Text>,
        submitted_by -> Nullable<Text>,
        expires_in -> Nullable<BigInt>,
        attempts_log -> Nullable<Text>,
    }
}

// A column that hardly any query needs: a table of more than 32 columns takes long to compile.
diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::sql::Id;

    #[sql_name = "jobs"]
    traced_jobs (id) {
        id -> Id,
        traceparent -> Nullable<Text>,
    }
}

diesel::table! {
    use crate::db::types::sql::{Id, Moment};

    doomed_files (job_id) {
        job_id -> Id,
        due_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::sql::{Id, Moment};

    actions (id) {
        id -> Id,
        action -> Text,
        filter -> Nullable<Text>,
        ids -> Nullable<Text>,
        status -> Text,
        matched -> BigInt,
        done -> BigInt,
        skipped -> BigInt,
        failed -> BigInt,
        after_created_at -> Nullable<Moment>,
        after_id -> Nullable<Id>,
        position -> BigInt,
        submitted_by -> Nullable<Text>,
        created_at -> Moment,
        updated_at -> Moment,
        finished_at -> Nullable<Moment>,
        runner -> Nullable<Id>,
        lease_until -> Nullable<Moment>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(jobs, doomed_files);

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::sql::{Id, Moment};

    workers (id) {
        id -> Id,
        seen_at -> Moment,
        began_at -> Nullable<Moment>,
        host -> Nullable<Text>,
        version -> Nullable<Text>,
        state -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::sql::Moment;

    origins (origin) {
        origin -> Text,
        paused -> Bool,
        parked_until -> Nullable<Moment>,
        park_reason -> Nullable<Text>,
        rate -> Nullable<Double>,
        tokens -> Double,
        filled_at -> Nullable<Moment>,
        settled_rate -> Nullable<Double>,
        measured -> Bool,
        held_until -> Nullable<Moment>,
        served -> BigInt,
        served_since -> Nullable<Moment>,
        refusals -> Integer,
        cut_at -> Nullable<Moment>,
        failures -> Integer,
        openings -> Integer,
        opened_at -> Nullable<Moment>,
        unavailable_since -> Nullable<Moment>,
        updated_at -> Moment,
    }
}

diesel::table! {
    origin_flow (origin, minute) {
        origin -> Text,
        minute -> BigInt,
        done -> BigInt,
        failed -> BigInt,
        downloads -> BigInt,
        download_millis -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::sql::{Id, Moment};

    batches (id) {
        id -> Id,
        status -> Text,
        total -> BigInt,
        rejected -> BigInt,
        reused -> BigInt,
        incomplete -> Bool,
        errors -> Text,
        metadata -> Nullable<Text>,
        submitted_by -> Nullable<Text>,
        created_at -> Moment,
        updated_at -> Moment,
        finished_at -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::sql::Id;

    batch_reused (batch_id, batch_index) {
        batch_id -> Id,
        batch_index -> Integer,
        job_id -> Id,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::sql::{Id, Moment};

    idempotency_keys (scope) {
        scope -> Text,
        body_hash -> Text,
        status -> Nullable<SmallInt>,
        headers -> Nullable<Text>,
        body -> Nullable<Text>,
        made -> Nullable<Id>,
        created_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::sql::{Id, Moment};

    webhooks (id) {
        id -> Id,
        url -> Text,
        description -> Nullable<Text>,
        events -> Nullable<Text>,
        tags -> Nullable<Text>,
        secret -> Text,
        old_secret -> Nullable<Text>,
        old_secret_until -> Nullable<Moment>,
        position -> BigInt,
        failing_since -> Nullable<Moment>,
        last_success_at -> Nullable<Moment>,
        disabled_at -> Nullable<Moment>,
        disabled_reason -> Nullable<Text>,
        submitted_by -> Nullable<Text>,
        created_at -> Moment,
        updated_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::sql::{Id, Moment};

    webhook_deliveries (id) {
        id -> Id,
        webhook_id -> Id,
        sequence -> Nullable<BigInt>,
        event_id -> Id,
        #[sql_name = "type"]
        event_type -> Text,
        body -> Text,
        status -> Text,
        attempts -> Integer,
        due_at -> Nullable<Moment>,
        fence -> BigInt,
        response_status -> Nullable<Integer>,
        response_body -> Nullable<Text>,
        error -> Nullable<Text>,
        duration_millis -> Nullable<BigInt>,
        created_at -> Moment,
        updated_at -> Moment,
    }
}
