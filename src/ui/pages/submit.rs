//! Submits a picture from a form.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use thumbforge_intake::members;
use thumbforge_intake::requests::SubmitBody;

use crate::db::Submission;
use crate::http::ApiState;
use crate::http::shared::{Caller, Problem, submit as api};
use crate::ui::frame::see;

#[derive(Deserialize)]
pub struct SubmitForm {
    url: String,
}

/// As `POST /v1/images` with nothing but a URL.
pub async fn submit(
    request: HttpRequest,
    state: web::Data<ApiState>,
    form: web::Form<SubmitForm>,
) -> Result<HttpResponse, Problem> {
    let json = serde_json::json!({ "url": form.url.trim() }).to_string();
    let body: SubmitBody = members::parse(json.as_bytes())?;
    let made = api::submit_once(&state, body, &Caller::of(&request)).await?;
    Ok(see(&match made {
        Submission::Created(job) => format!("/ui/jobs/{}?done=submitted", job.id),
        Submission::Reused(job) => format!("/ui/jobs/{}?done=known", job.id),
        Submission::Rejected { active } => format!("/ui/jobs/{active}"),
    }))
}
