//! The JSON of actions.

use serde::Serialize;
use serde_json::Value;
use thumbforge_intake::{ActionWord, FilterSchema};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::action::{Action, ActionCounts, ActionKind, ActionStatus, ActionTarget};

/// A change of many jobs, and how far it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Action)]
pub struct ActionAnswer {
    id: Uuid,
    #[schema(value_type = ActionWord)]
    action: &'static str,
    /// Its time ends when the action was asked for; null for an action on ids.
    #[schema(required, value_type = Option<FilterSchema>)]
    filter: Option<Value>,
    status: ActionState,
    counts: Counts,
    /// The name of the API key.
    #[schema(required, example = json!(null))]
    submitted_by: Option<String>,
    /// UTC.
    #[schema(format = DateTime)]
    created_at: String,
    /// UTC.
    #[schema(format = DateTime)]
    updated_at: String,
    /// UTC.
    #[schema(required, format = DateTime)]
    finished_at: Option<String>,
}

/// What an action would do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DryRun)]
pub struct DryRunAnswer {
    #[schema(value_type = ActionWord)]
    action: &'static str,
    /// Null for an action on ids.
    #[schema(required, value_type = Option<FilterSchema>)]
    filter: Option<Value>,
    #[schema(value_type = bool, example = true)]
    dry_run: bool,
    counts: Counts,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ActionStatus)]
enum ActionState {
    Running,
    Done,
    Aborted,
}

/// In jobs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ActionCounts)]
struct Counts {
    /// When it was asked for.
    #[schema(example = 344)]
    matched: u64,
    #[schema(example = 300)]
    done: u64,
    /// Jobs that were in no fitting state, or were changed by others meanwhile.
    #[schema(example = 4)]
    skipped: u64,
    /// Jobs that the database refused to change.
    #[schema(example = 0)]
    failed: u64,
}

impl From<ActionCounts> for Counts {
    fn from(counts: ActionCounts) -> Self {
        Self {
            matched: counts.matched,
            done: counts.done,
            skipped: counts.skipped,
            failed: counts.failed,
        }
    }
}

impl From<Action> for ActionAnswer {
    fn from(action: Action) -> Self {
        Self {
            id: action.id,
            action: action.kind.as_str(),
            filter: filter_of(&action.target),
            status: match action.status {
                ActionStatus::Running => ActionState::Running,
                ActionStatus::Done => ActionState::Done,
                ActionStatus::Aborted => ActionState::Aborted,
            },
            counts: action.counts.into(),
            submitted_by: action.submitted_by,
            created_at: action.created_at.to_string(),
            updated_at: action.updated_at.to_string(),
            finished_at: action.finished_at.map(|moment| moment.to_string()),
        }
    }
}

impl DryRunAnswer {
    pub fn new(kind: ActionKind, target: &ActionTarget, matched: u64) -> Self {
        Self {
            action: kind.as_str(),
            filter: filter_of(target),
            dry_run: true,
            counts: Counts::from(ActionCounts {
                matched,
                ..ActionCounts::default()
            }),
        }
    }
}

fn filter_of(target: &ActionTarget) -> Option<Value> {
    match target {
        ActionTarget::Ids(_) => None,
        // A filter is made of texts.
        ActionTarget::Filter(filter) => serde_json::to_value(filter).ok(),
    }
}
