//! Admits requests: one middleware, because each costs every request an allocation and a turn.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError, web};

use super::problem::Problem;
use super::state::ApiState;
use super::{auth, foreign};

/// Middleware: lets a request pass if it comes from no foreign page, and if its caller may do what
/// it asks for.
pub async fn admit(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match judge(&request) {
        Ok(()) => next.call(request).await,
        Err(problem) => Ok(request.into_response(problem.error_response())),
    }
}

/// Notes whose request it is, where there are keys.
fn judge(request: &ServiceRequest) -> Result<(), Problem> {
    let Some(state) = request.app_data::<web::Data<ApiState>>() else {
        return Ok(());
    };
    let settings = &state.settings;
    if let Some(problem) = foreign::refusal(request.method(), request.headers(), settings) {
        return Err(problem);
    }
    if let Some(keys) = settings.api_keys.current() {
        let caller = auth::caller(request, &keys)?;
        if let (Some(limit), Some(name)) = (&state.rate_limit, &caller.name) {
            limit.admit(name)?;
        }
        request.extensions_mut().insert(caller);
    }
    Ok(())
}
