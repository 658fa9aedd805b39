//! The wait for the end of a job (a long poll).

use std::time::Duration;

use actix_web::HttpRequest;
use tokio::time::{Instant, sleep_until};

use crate::db::EventsOf;
use crate::domain::{Job, JobId};
use crate::http::paced_stream::Progress;
use crate::http::problem::Problem;
use crate::http::state::ApiState;

/// The job when it has ended, or after `wait`. It answers sooner, with the job as it is, where too
/// many clients wait already, or the service ends.
pub(in crate::http) async fn ended_within(
    request: &HttpRequest,
    state: &ApiState,
    id: JobId,
    wait: Duration,
) -> Result<Option<Job>, Problem> {
    let until = Instant::now() + wait;
    let find = async || {
        state
            .ask(move |database| async move { database.find(id).await })
            .await
    };
    let is_over = |job: &Option<Job>| job.as_ref().is_none_or(|job| job.finished_at().is_some());
    let mut job = find().await?;
    if is_over(&job) || wait.is_zero() {
        return Ok(job);
    }
    let Some(_place) = state.places.take() else {
        return Ok(job);
    };
    // The connection is not idle.
    if let Some(progress) = request.conn_data::<Progress>() {
        progress.note();
    }
    let Ok(mut listener) = state.feed.listen(EventsOf::Job(id)).await else {
        return Ok(job);
    };
    loop {
        job = find().await?;
        if is_over(&job) {
            return Ok(job);
        }
        tokio::select! {
            () = listener.changed() => {}
            () = sleep_until(until) => return Ok(job),
            () = state.ending.cancelled() => return Ok(job),
        }
    }
}
