//! Who gets in: one middleware, because each costs every request a box and a turn.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError, web};

use super::state::ApiState;
use super::{auth, foreign};

/// Middleware: lets requests pass that come from no foreign page, and from callers that may do what
/// they ask for.
pub async fn admit(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let refusal = request
        .app_data::<web::Data<ApiState>>()
        .map(|state| &state.settings)
        .and_then(|settings| {
            foreign::refusal(&request, settings).or_else(|| auth::refusal(&request, settings))
        });
    match refusal {
        None => next.call(request).await,
        Some(problem) => Ok(request.into_response(problem.error_response())),
    }
}
