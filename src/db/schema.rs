//! The tables, as diesel sees them; `migrations/` makes them.

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
        fence -> BigInt,
        created_at -> Moment,
        updated_at -> Moment,
        due_at -> Nullable<Moment>,
        worker_id -> Nullable<Id>,
        result -> Nullable<Document>,
        error -> Nullable<Text>,
        error_code -> Nullable<Text>,
    }
}

diesel::table! {
    use crate::db::types::sql::{Id, Moment};

    workers (id) {
        id -> Id,
        seen_at -> Moment,
    }
}
