//! What the buttons of a job's page do: the calls of the API, and back to the page.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use crate::http::ApiState;
use crate::http::shared::{Problem, job_id, life, show as api};
use crate::ui::frame::{Frame, Section, answer, see};
use crate::ui::picture::Card;

pub async fn retry(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id = job_id(&request)?;
    life::retry(request, state).await?;
    Ok(see(&format!("/ui/jobs/{id}?done=retried")))
}

pub async fn cancel(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let id = job_id(&request)?;
    life::cancel(request, state).await?;
    Ok(see(&format!("/ui/jobs/{id}?done=cancelled")))
}

#[derive(Template)]
#[template(path = "job_delete.html")]
struct DeletePage {
    frame: Frame,
    card: Card,
}

/// Asks before it is done.
pub async fn ask_delete(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    let job = api::find(&state, job_id(&request)?).await?;
    let frame = Frame::of(&request, Section::Jobs, "Delete a job");
    let page = DeletePage {
        card: Card::new(&job, &frame),
        frame,
    };
    answer(StatusCode::OK, &page)
}

pub async fn delete(
    request: HttpRequest,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, Problem> {
    life::delete(request, state).await?;
    Ok(see("/ui/jobs?done=deleted"))
}
