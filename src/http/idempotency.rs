//! `Idempotency-Key`: a request that is sent again gets its first answer again
//! (draft-ietf-httpapi-idempotency-key-header-07).

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::batch_dto;
use super::caller::Caller;
use super::problem::Problem;
use super::problem_kind::ProblemKind;
use super::state::ApiState;
use crate::db::{DbError, Kept, KeyClaim, StoredAnswer};
use crate::domain::hex;

/// The request's header.
pub const KEY_HEADER: &str = "idempotency-key";
/// Marks an answer that was given before.
pub const REPLAYED_HEADER: &str = "idempotent-replayed";

const LONGEST_KEY: usize = 255;

/// The key of a request, as it is stored.
#[derive(Debug, Clone)]
pub(super) struct IdempotencyKey {
    scope: String,
}

impl IdempotencyKey {
    /// `None` without the header.
    pub(super) fn of(request: &HttpRequest, caller: &Caller) -> Result<Option<Self>, Problem> {
        let mut given = request.headers().get_all(KEY_HEADER);
        let Some(key) = given.next() else {
            return Ok(None);
        };
        let refuse = |detail| Err(Problem::new(ProblemKind::BadRequest, detail));
        if given.next().is_some() {
            return refuse("The header `Idempotency-Key` is given more than once.");
        }
        let key = key.as_bytes();
        if !(1..=LONGEST_KEY).contains(&key.len()) || !key.iter().all(u8::is_ascii_graphic) {
            return refuse("`Idempotency-Key` is 1 to 255 visible ASCII characters.");
        }
        let mut hash = Sha256::new();
        // No part contains the byte 0: lengths need not be hashed.
        let caller = caller.name.as_deref().unwrap_or_default();
        let route = (request.method().as_str(), request.path());
        for part in [
            caller.as_bytes(),
            route.0.as_bytes(),
            route.1.as_bytes(),
            key,
        ] {
            hash.update(part);
            hash.update([0]);
        }
        Ok(Some(Self {
            scope: hex(&hash.finalize()),
        }))
    }

    /// The key with the body it came with.
    pub(super) fn with_body(&self, body: &[u8]) -> KeyClaim {
        self.with_hash(hex(&Sha256::digest(body)))
    }

    /// The same, with the body's SHA-256 in lower-case hex; empty if it is not known yet.
    pub(super) fn with_hash(&self, body_hash: String) -> KeyClaim {
        KeyClaim {
            scope: self.scope.clone(),
            body_hash,
        }
    }
}

/// The answer to a request that was answered before; `None` if it is the first.
pub(super) async fn answered_before(
    state: &web::Data<ApiState>,
    claim: &KeyClaim,
) -> Result<Option<HttpResponse>, Problem> {
    let (database, scope) = (state.database.clone(), claim.scope.clone());
    let looking = async move { database.find_key(&scope).await };
    match state.bounded("database", looking).await? {
        None => Ok(None),
        Some(kept) => repeated(state, claim, kept).await,
    }
}

/// The answer to a request whose key is known; `None` if the request is the first.
pub(super) async fn repeated<T>(
    state: &web::Data<ApiState>,
    claim: &KeyClaim,
    kept: Kept<T>,
) -> Result<Option<HttpResponse>, Problem> {
    match kept {
        Kept::New { .. } => Ok(None),
        Kept::Known { body_hash, answer } if body_hash == claim.body_hash => {
            Ok(Some(response(answer, true)))
        }
        Kept::Known { .. } => {
            let detail = "The key came with another body before: use a new one.";
            Err(Problem::new(ProblemKind::IdempotencyKeyReused, detail))
        }
        Kept::UnderWay { made } => under_way(state, made).await.map(Some),
    }
}

/// A stream that broke off has no answer: its batch is the answer, once it takes no more items.
pub(super) async fn under_way(
    state: &web::Data<ApiState>,
    made: Option<Uuid>,
) -> Result<HttpResponse, Problem> {
    let in_use = || {
        let detail = "The first request with this key is under way: repeat it later.";
        Problem::new(ProblemKind::IdempotencyKeyInUse, detail)
    };
    let id = made.ok_or_else(in_use)?;
    let database = state.database.clone();
    let looking = async move {
        match database.is_accepting(id).await? {
            true => Ok(None),
            false => database.find_batch(id).await,
        }
    };
    let batch = state.bounded::<_, DbError>("database", looking).await?;
    let batch = batch.ok_or_else(in_use)?;
    Ok(response(batch_dto::accepted(&batch), true))
}

/// An answer as it is stored.
pub(super) fn response(answer: StoredAnswer, replayed: bool) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::ACCEPTED);
    let mut response = HttpResponse::build(status);
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            response.insert_header((name, value));
        }
    }
    if replayed {
        response.insert_header((REPLAYED_HEADER, "true"));
    }
    response.body(answer.body)
}
