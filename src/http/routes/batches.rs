//! `GET /v1/batches`, `/v1/batches/{batch_id}` and `/v1/batches/{batch_id}/images`

use actix_web::{HttpRequest, HttpResponse, web};
use thumbforge_intake::query::cursor;
use thumbforge_intake::{BatchQuery, RequestFault};
use uuid::Uuid;

use crate::db::DbError;
use crate::domain::Batch;
use crate::http::batch_dto::{
    BatchAnswer, BatchImageBody, BatchImagesBody, BatchStatusBody, BatchesBody,
};
use crate::http::origin_dto::CursorPagination;
use crate::http::prefix::Prefix;
use crate::http::problem::Problem;
use crate::http::problem_kind::ProblemKind;
use crate::http::state::ApiState;

/// List batches
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/v1/batches",
    tag = "batches",
    operation_id = "listBatches",
    params(
        ("status" = inline(Option<BatchStatusBody>), Query,
            description = "Only batches in this state"),
        ("cursor" = Option<String>, Query, min_length = 32, max_length = 32,
            pattern = "^[A-Za-z0-9_-]{32}$",
            description = "The `next_cursor` of the page before"),
        ("limit" = Option<u64>, Query, minimum = 1,
            description = "Batches on a page; a value above the server's maximum is capped"),
    ),
    responses((status = 200, description = "A page of batches", body = BatchesBody))
)]
pub async fn list(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let settings = &state.settings;
    let BatchQuery {
        status,
        limit,
        after,
    } = BatchQuery::of_batches(
        request.query_string(),
        settings.default_page_size,
        settings.max_page_size,
    )?;
    let database = state.database.clone();
    let listing = async move { database.list_batches(status, limit, after).await };
    let page = state.bounded("database", listing).await?;
    Ok(HttpResponse::Ok().json(BatchesBody {
        items: page.batches.into_iter().map(BatchAnswer::from).collect(),
        pagination: CursorPagination {
            limit,
            next_cursor: page.next.map(cursor),
        },
    }))
}

/// Show a batch
#[utoipa::path(
    get,
    path = "/v1/batches/{batch_id}",
    tag = "batches",
    operation_id = "showBatch",
    params(("batch_id" = uuid::Uuid, Path, description = "The id of the batch")),
    responses((status = 200, description = "The batch", body = BatchAnswer))
)]
pub async fn show(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let batch = find(&state, batch_id(&request)?).await?;
    Ok(HttpResponse::Ok().json(BatchAnswer::from(batch)))
}

/// List the jobs of a batch
///
/// Those that it made, newest first, then the earlier jobs that stand for others of its items.
#[utoipa::path(
    get,
    path = "/v1/batches/{batch_id}/images",
    tag = "batches",
    operation_id = "listBatchImages",
    params(
        ("batch_id" = uuid::Uuid, Path, description = "The id of the batch"),
        ("cursor" = Option<String>, Query, min_length = 32, max_length = 32,
            pattern = "^[A-Za-z0-9_-]{32}$",
            description = "The `next_cursor` of the page before"),
        ("limit" = Option<u64>, Query, minimum = 1,
            description = "Jobs on a page; a value above the server's maximum is capped"),
    ),
    responses((status = 200, description = "A page of jobs", body = BatchImagesBody))
)]
pub async fn images(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id = batch_id(&request)?;
    let settings = &state.settings;
    let BatchQuery { limit, after, .. } = BatchQuery::of_images(
        request.query_string(),
        settings.default_page_size,
        settings.max_page_size,
    )?;
    let database = state.database.clone();
    let listing = async move {
        match database.find_batch(id).await? {
            Some(_) => database.batch_images(id, limit, after).await.map(Some),
            None => Ok::<_, DbError>(None),
        }
    };
    let page = state.bounded("database", listing).await?;
    let page = page.ok_or_else(no_such_batch)?;
    let prefix = Prefix::of(&request);
    let items = page.items.into_iter();
    Ok(HttpResponse::Ok().json(BatchImagesBody {
        items: items
            .map(|item| BatchImageBody::new(item, &prefix))
            .collect(),
        pagination: CursorPagination {
            limit,
            next_cursor: page.next.map(cursor),
        },
    }))
}

/// The `{batch_id}` of the path.
pub(crate) fn batch_id(request: &HttpRequest) -> Result<Uuid, Problem> {
    let text = request.match_info().query("batch_id");
    Uuid::parse_str(text).map_err(|_| {
        let fault = RequestFault::in_parameter("batch_id", "must be a UUID");
        let detail = "Use the id that POST /v1/batches returned.";
        Problem::new(ProblemKind::InvalidBatchId, detail).with_errors(vec![fault])
    })
}

pub(crate) async fn find(state: &ApiState, id: Uuid) -> Result<Batch, Problem> {
    let database = state.database.clone();
    let finding = async move { database.find_batch(id).await };
    let batch = state.bounded("database", finding).await?;
    batch.ok_or_else(no_such_batch)
}

fn no_such_batch() -> Problem {
    Problem::new(ProblemKind::BatchNotFound, "No batch has this id.")
}
