//! `GET /v1/images/{job_id}/variants/{name}`

use actix_web::{HttpRequest, HttpResponse, web};
use thumbforge_imaging::Format;

use super::file_responses::FileResponses;
use super::thumbnail::{chosen, completed, send, varying};
use crate::domain::{FileRecord, VariantOutcome};
use crate::http::problem::Problem;
use crate::http::problem_kind::ProblemKind;
use crate::http::state::ApiState;
use thumbforge_intake::RequestFault;

/// Get a variant
///
/// Like the thumbnail. If there are several formats, `format` names one, or `Accept` chooses: a
/// format that it names, or else the last, which is the fallback.
#[utoipa::path(
    get,
    path = "/v1/images/{job_id}/variants/{name}",
    tag = "images",
    operation_id = "getVariant",
    params(
        ("job_id" = uuid::Uuid, Path, description = "The job's id"),
        ("name" = String, Path, description = "The variant's name", example = "card"),
        ("format" = Option<String>, Query, description = "`jpeg`, `png`, `webp` or `avif`, as far as \
            the variant has it", pattern = "^(jpeg|png|webp|avif)$", example = "webp"),
    ),
    responses(FileResponses),
)]
pub async fn variant(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id = super::job_id(&request)?;
    let format = format_asked_for(request.query_string())?;
    let job = super::show::find(&state, id).await?;
    let name = request.match_info().query("name");
    let variants = &completed(&job)?.variants;
    let variant = variants.iter().find(|variant| variant.name == name);
    let files = match variant.map(|variant| &variant.outcome) {
        Some(VariantOutcome::Made { files, .. }) if !files.is_empty() => files,
        Some(_) => {
            return Err(not_there(
                "The variant could not be made; the job's result says why.",
            ));
        }
        None => return Err(not_there("The job has no variant of this name.")),
    };
    let file = match format {
        None => chosen(&request, files),
        Some(format) => {
            let is_asked_for = |file: &&FileRecord| file.content_type == format.media_type();
            let file = files.iter().find(is_asked_for);
            file.ok_or_else(|| not_there("The variant was not made in this format."))?
        }
    };
    let response = send(&request, &state, id, &file.path, &file.content_type).await?;
    Ok(varying(response))
}

/// The format that the query names, if any; a query for anything else is refused.
fn format_asked_for(query: &str) -> Result<Option<Format>, Problem> {
    let mut format = None;
    let mut faults = Vec::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let fault = match (&*name, Format::written_as(&value)) {
            ("format", _) if format.is_some() => "is given twice",
            ("format", Some(known)) => {
                format = Some(known);
                continue;
            }
            ("format", None) => "must be jpeg, png, webp or avif",
            _ => "is not known",
        };
        faults.push(RequestFault::in_parameter(name, fault));
    }
    if faults.is_empty() {
        return Ok(format);
    }
    let detail = "Correct the parameters named in errors.";
    Err(Problem::new(ProblemKind::InvalidQuery, detail).with_errors(faults))
}

fn not_there(detail: &'static str) -> Problem {
    Problem::new(ProblemKind::VariantNotFound, detail)
}
