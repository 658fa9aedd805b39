//! What people see where programs read a problem document.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use crate::http::shared::Problem;
use crate::ui::frame::{Frame, Section, answer};

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    frame: Frame,
    status: u16,
    detail: String,
    /// Parameter or place, and what is wrong with it.
    faults: Vec<(String, String)>,
}

/// The page of an error.
pub fn page(request: &HttpRequest, status: StatusCode, problem: Option<&Problem>) -> HttpResponse {
    let usual = status.canonical_reason().unwrap_or("Error");
    let title = problem.map_or(usual, |problem| problem.kind.title());
    let faults = problem.map_or(&[][..], |problem| &problem.errors);
    let page = ErrorPage {
        frame: Frame::of(request, Section::Other, title),
        status: status.as_u16(),
        detail: problem.map_or_else(String::new, |problem| problem.detail.to_string()),
        faults: faults
            .iter()
            .map(|fault| {
                let place = fault.parameter.clone().or_else(|| fault.pointer.clone());
                (place.unwrap_or_default(), fault.detail.clone())
            })
            .collect(),
    };
    shown(status, &page)
}

#[derive(Template)]
#[template(path = "not_from_here.html")]
struct NotFromHere {
    frame: Frame,
}

/// Says how to set keys.
pub fn not_from_here(request: &HttpRequest) -> HttpResponse {
    let frame = Frame::of(request, Section::Other, "The dashboard is closed");
    shown(StatusCode::FORBIDDEN, &NotFromHere { frame })
}

fn shown(status: StatusCode, page: &impl Template) -> HttpResponse {
    answer(status, page).unwrap_or_else(|_| {
        // The cause is logged.
        let text = header::ContentType::plaintext();
        HttpResponse::InternalServerError()
            .content_type(text)
            .finish()
    })
}
