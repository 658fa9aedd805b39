//! Admits requests: one middleware, because each costs every request an allocation and a turn.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError, web};

use super::state::ApiState;
use super::{auth, foreign};

/// Middleware: lets a request pass if it comes from no foreign page, and if its caller may do what
/// it asks for.
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
