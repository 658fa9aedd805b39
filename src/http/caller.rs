//! Whose request it is.

use std::sync::Arc;

use actix_web::{HttpMessage, HttpRequest};

use super::problem::Problem;
use super::problem_kind::ProblemKind;
use crate::domain::Job;

/// The API key of a request. Without keys everybody may do everything.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The name of the key.
    pub name: Option<Arc<str>>,
    /// True if the key has the scope `operate`.
    pub is_operator: bool,
}

impl Caller {
    /// The gate notes it, where there are keys.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let noted = request.extensions().get::<Self>().cloned();
        noted.unwrap_or(Self {
            name: None,
            is_operator: true,
        })
    }

    /// The name as it is written on jobs.
    pub(crate) fn label(&self) -> Option<String> {
        self.name.as_deref().map(str::to_owned)
    }

    /// A key without the scope `operate` changes its own jobs alone.
    pub(crate) fn may_change(&self, job: &Job) -> Result<(), Problem> {
        self.may_change_what(job.submitted_by.as_deref())
    }

    /// The same of anything that a key of this name submitted.
    pub(crate) fn may_change_what(&self, submitted_by: Option<&str>) -> Result<(), Problem> {
        if self.is_operator || (self.name.is_some() && self.name.as_deref() == submitted_by) {
            return Ok(());
        }
        let detail = "Another key submitted it: the key lacks the scope `operate`.";
        Err(Problem::new(ProblemKind::Forbidden, detail))
    }
}
