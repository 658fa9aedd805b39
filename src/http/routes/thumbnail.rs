//! `GET /v1/images/{job_id}/thumbnail`

use actix_files::NamedFile;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::domain::JobStatus;
use crate::http::problem::{Problem, ProblemKind};
use crate::http::state::ApiState;

/// A job's thumbnail never changes; a day bounds how long a removed one lives on in caches.
const CACHING: &str = "public, max-age=86400, immutable";
/// With API keys a shared cache must not hand it to others.
const PRIVATE_CACHING: &str = "private, max-age=86400, immutable";

/// Get a thumbnail
///
/// Answers conditional and range requests. There is a thumbnail once the job is `completed`.
#[utoipa::path(
    get,
    path = "/v1/images/{job_id}/thumbnail",
    tag = "images",
    operation_id = "getThumbnail",
    params(("job_id" = uuid::Uuid, Path, description = "The job's id")),
    responses(
        (status = 200, description = "The thumbnail", content_type = "image/jpeg", body = String,
            headers(
                ("ETag" = String, description = "Strong entity tag"),
                ("Last-Modified" = String, description = "When the thumbnail was made"),
                ("Cache-Control" = String, description = "A thumbnail never changes"),
                ("Accept-Ranges" = String, description = "`bytes`"),
            )),
        (status = 206, description = "The part that `Range` asked for", content_type = "image/jpeg",
            body = String,
            headers(("Content-Range" = String, description = "Which part this is"))),
        (status = 304, description = "Not modified since the client got it"),
    )
)]
pub async fn thumbnail(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id = super::job_id(&request)?;
    let job = super::show::find(&state, id).await?;
    if job.status != JobStatus::Completed {
        return Err(not_there(job.status));
    }
    let storage = state.storage.clone();
    let reading = async move { storage.read(id).await };
    let Some(stored) = state.bounded("storage", reading).await? else {
        tracing::error!(job.id = %id, "the thumbnail of a completed job is missing");
        return Err(not_there(job.status));
    };
    let file = NamedFile::from_file(stored.file, stored.path).map_err(|error| {
        tracing::error!(job.id = %id, %error, "a thumbnail could not be read");
        Problem::internal()
    })?;
    let mut response = file
        .set_content_type(actix_web::mime::IMAGE_JPEG)
        .disable_content_disposition()
        .into_response(&request);
    let caching = match state.settings.api_keys {
        None => CACHING,
        Some(_) => PRIVATE_CACHING,
    };
    if !response.status().is_client_error() {
        let headers = response.headers_mut();
        headers.insert(
            header::CACHE_CONTROL,
            header::HeaderValue::from_static(caching),
        );
        // Pages of other origins may show it.
        headers.insert(
            header::HeaderName::from_static("cross-origin-resource-policy"),
            header::HeaderValue::from_static("cross-origin"),
        );
    }
    Ok(response)
}

fn not_there(status: JobStatus) -> Problem {
    let detail = match status {
        JobStatus::Pending | JobStatus::Processing => "The job has not ended yet.",
        JobStatus::Failed => "The job failed; its record says why.",
        JobStatus::Completed => "The thumbnail was removed.",
    };
    Problem::new(ProblemKind::ThumbnailNotFound, detail)
}
