//! `GET /v1/images/{job_id}/thumbnail`

use actix_files::NamedFile;
use actix_web::http::header;
use actix_web::mime::Mime;
use actix_web::{HttpRequest, HttpResponse, web};

use super::file_responses::FileResponses;
use crate::domain::{FileRecord, Job, JobId, JobResult, JobStatus};
use crate::http::accept;
use crate::http::problem::Problem;
use crate::http::problem_kind::ProblemKind;
use crate::http::state::ApiState;

/// A job's files never change; a removed one stays in caches for at most a day.
const CACHING: &str = "public, max-age=86400, immutable";
/// With API keys a shared cache must not hand it to others.
const PRIVATE_CACHING: &str = "private, max-age=86400, immutable";

/// Get a thumbnail
///
/// The first variant of the job, or its only thumbnail. If that has several formats, `Accept`
/// chooses one. Answers conditional and range requests. There is a thumbnail once the job is
/// `completed`.
#[utoipa::path(
    get,
    path = "/v1/images/{job_id}/thumbnail",
    tag = "images",
    operation_id = "getThumbnail",
    params(("job_id" = uuid::Uuid, Path, description = "The job's id")),
    responses(FileResponses),
)]
pub async fn thumbnail(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id = super::job_id(&request)?;
    let job = super::show::find(&state, id).await?;
    let result = completed(&job)?;
    let first = result
        .variants
        .first()
        .map_or(&[][..], |first| first.files());
    let (path, content_type) = match first {
        [] => (&result.thumbnail_path, &result.thumbnail.content_type),
        files => {
            let file = chosen(&request, files);
            (&file.path, &file.content_type)
        }
    };
    let response = send(&request, &state, id, path, content_type).await?;
    Ok(match first.len() {
        0 | 1 => response,
        _ => varying(response),
    })
}

/// The files of a job, or why there is nothing to send.
pub(super) fn completed(job: &Job) -> Result<&JobResult, Problem> {
    let result = job.result.as_deref();
    result.ok_or_else(|| not_there(job.status))
}

/// The file that the client's `Accept` asks for; `files` are not empty.
pub(super) fn chosen<'a>(request: &HttpRequest, files: &'a [FileRecord]) -> &'a FileRecord {
    let offered: Vec<&str> = files
        .iter()
        .map(|file| file.content_type.as_str())
        .collect();
    &files[accept::choose(request.headers(), &offered)]
}

/// Answers with a stored file, or a part of it, or that the client already has it.
pub(super) async fn send(
    request: &HttpRequest,
    state: &web::Data<ApiState>,
    id: JobId,
    path: &str,
    content_type: &str,
) -> Result<HttpResponse, Problem> {
    let (storage, path) = (state.storage.clone(), path.to_owned());
    let reading = async move { storage.read(&path).await };
    let Some(stored) = state.bounded("storage", reading).await? else {
        tracing::error!(job.id = %id, "a file of a completed job is missing");
        return Err(not_there(JobStatus::Completed));
    };
    let file = NamedFile::from_file(stored.file, stored.path).map_err(|error| {
        tracing::error!(job.id = %id, %error, "a thumbnail could not be read");
        Problem::internal()
    })?;
    let content_type: Mime = content_type.parse().map_err(|error| {
        tracing::error!(job.id = %id, %error, "a record names no media type");
        Problem::internal()
    })?;
    let mut response = file
        .set_content_type(content_type)
        .disable_content_disposition()
        .into_response(request);
    let caching = match state.settings.api_keys.are_needed() {
        false => CACHING,
        true => PRIVATE_CACHING,
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

/// Informs caches that the answer depends on `Accept`.
pub(super) fn varying(mut response: HttpResponse) -> HttpResponse {
    let accept = header::HeaderValue::from_static("Accept");
    response.headers_mut().append(header::VARY, accept);
    response
}

fn not_there(status: JobStatus) -> Problem {
    let detail = match status {
        JobStatus::Pending | JobStatus::Processing => "The job has not ended yet.",
        JobStatus::Failed => "The job failed; its record says why.",
        JobStatus::Cancelled => "The job was cancelled.",
        JobStatus::Completed => {
            let detail = "The job made it, but the storage no longer has it.";
            return Problem::new(ProblemKind::ThumbnailRemoved, detail);
        }
    };
    Problem::new(ProblemKind::ThumbnailNotFound, detail)
}
