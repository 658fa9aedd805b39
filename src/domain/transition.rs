//! The state machine of a job: one table, asked by everything that changes a state. The diagram in
//! ARCHITECTURE.md is drawn from it.

use super::JobStatus;
use super::job::Outcome;

/// What changes the state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A worker took the job.
    Claimed,
    /// Its files are published.
    Completed,
    /// The attempt failed, and another one may succeed.
    Retried,
    /// The lease ended without a sign of its worker.
    LeaseExpired,
    /// The worker ends, or others need its memory.
    HandedBack,
    /// The origin refused.
    Parked,
    /// The attempt failed for good.
    Failed,
    /// The lease ended without a sign of its worker, and no attempt is left.
    WorkerLost,
    /// The origin was unavailable for too long.
    OriginGivenUp,
    /// A client cancelled the job before it was claimed.
    Withdrawn,
    /// A client cancelled the job while a worker held it; the worker's claim is void.
    Stopped,
    /// A client asked for new attempts at a failed job.
    RetryAsked,
    /// A client asked for attempts at a job that was cancelled.
    Restored,
}

/// An event, the state in which alone it may happen, the state that follows, and its words in the
/// diagram.
struct Row {
    event: Event,
    from: JobStatus,
    to: JobStatus,
    words: &'static str,
}

const fn row(event: Event, from: JobStatus, to: JobStatus, words: &'static str) -> Row {
    Row {
        event,
        from,
        to,
        words,
    }
}

use JobStatus as S;

/// In the order of the diagram.
const TABLE: [Row; 13] = [
    row(
        Event::Claimed,
        S::Pending,
        S::Processing,
        "claim (attempt + 1, lease, fencing token)",
    ),
    row(
        Event::Completed,
        S::Processing,
        S::Completed,
        "files published, then the row",
    ),
    row(
        Event::Retried,
        S::Processing,
        S::Pending,
        "transient failure (back-off)",
    ),
    row(Event::LeaseExpired, S::Processing, S::Pending, "lost lease"),
    row(Event::HandedBack, S::Processing, S::Pending, "shutdown"),
    row(Event::Parked, S::Processing, S::Pending, "origin refused"),
    row(
        Event::Failed,
        S::Processing,
        S::Failed,
        "permanent failure, attempts used up",
    ),
    row(
        Event::WorkerLost,
        S::Processing,
        S::Failed,
        "lost lease in the last attempt",
    ),
    row(
        Event::OriginGivenUp,
        S::Pending,
        S::Failed,
        "origin unavailable for too long",
    ),
    row(
        Event::Withdrawn,
        S::Pending,
        S::Cancelled,
        "cancelled by a client",
    ),
    row(
        Event::Stopped,
        S::Processing,
        S::Cancelled,
        "cancelled by a client (fencing token raised)",
    ),
    row(
        Event::RetryAsked,
        S::Failed,
        S::Pending,
        "retried by a client",
    ),
    row(
        Event::Restored,
        S::Cancelled,
        S::Pending,
        "retried by a client",
    ),
];

impl Event {
    /// The state in which alone it may happen.
    pub const fn from(self) -> JobStatus {
        self.row().from
    }

    /// The state that follows.
    pub const fn to(self) -> JobStatus {
        self.row().to
    }

    /// The word for it in the log of attempts.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Completed => "completed",
            Self::Retried => "retried",
            Self::LeaseExpired => "lease_expired",
            Self::HandedBack => "handed_back",
            Self::Parked => "parked",
            Self::Failed => "failed",
            Self::WorkerLost => "worker_lost",
            Self::OriginGivenUp => "origin_given_up",
            Self::Withdrawn | Self::Stopped => "cancelled",
            Self::RetryAsked | Self::Restored => "restored",
        }
    }

    const fn row(self) -> &'static Row {
        let mut index = 0;
        while index < TABLE.len() {
            if TABLE[index].event as usize == self as usize {
                return &TABLE[index];
            }
            index += 1;
        }
        panic!("each event has a row")
    }
}

impl Event {
    /// True if it takes a client: it never happens by itself.
    const fn is_asked_for(self) -> bool {
        matches!(
            self,
            Self::Withdrawn | Self::Stopped | Self::RetryAsked | Self::Restored
        )
    }
}

impl Outcome {
    /// What it does to its job.
    pub const fn event(&self) -> Event {
        match self {
            Self::Completed { .. } => Event::Completed,
            Self::Failed { .. } => Event::Failed,
            Self::Retry { .. } => Event::Retried,
            Self::Parked { .. } => Event::Parked,
            Self::Released { .. } => Event::HandedBack,
        }
    }
}

/// True if a job in this state will change by itself.
pub fn is_active(status: JobStatus) -> bool {
    let changes = |row: &Row| row.from == status && !row.event.is_asked_for();
    TABLE.iter().any(changes)
}

/// True if some event leads from one state to the other.
pub fn is_legal(from: &str, to: &str) -> bool {
    let steps = |row: &Row| row.from.as_str() == from && row.to.as_str() == to;
    TABLE.iter().any(steps)
}

/// The diagram, as a Mermaid document. Events between the same states share a line.
pub fn diagram() -> String {
    let mut lines: Vec<(JobStatus, JobStatus, Vec<&str>)> = Vec::new();
    for row in &TABLE {
        let known = lines
            .iter_mut()
            .find(|(from, to, _)| (*from, *to) == (row.from, row.to));
        match known {
            Some((_, _, words)) => words.push(row.words),
            None => lines.push((row.from, row.to, vec![row.words])),
        }
    }
    let first = JobStatus::Pending.as_str();
    let mut text = format!("stateDiagram-v2\n    [*] --> {first}: row committed, then 202\n");
    for (from, to, words) in lines {
        let words = words.join(", ");
        text += &format!("    {} --> {}: {words}\n", from.as_str(), to.as_str());
    }
    for status in JobStatus::ALL {
        if !is_active(status) {
            text += &format!("    {} --> [*]\n", status.as_str());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_is_reached_and_no_event_changes_a_completed_job() {
        for status in JobStatus::ALL {
            let is_reached = TABLE.iter().any(|row| row.to == status);
            assert!(is_reached, "{status:?}");
        }
        assert!(is_active(JobStatus::Pending) && is_active(JobStatus::Processing));
        for ended in [
            JobStatus::Completed,
            JobStatus::Failed,
            JobStatus::Cancelled,
        ] {
            assert!(!is_active(ended), "{ended:?}");
        }
        for status in JobStatus::ALL {
            assert!(!is_legal("completed", status.as_str()));
        }
        assert!(!is_legal("pending", "completed") && is_legal("failed", "pending"));
    }

    #[test]
    fn each_event_has_one_row() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!((row.event.from(), row.event.to()), (row.from, row.to));
            let others = TABLE.iter().filter(|other| other.event == row.event);
            assert_eq!(others.count(), 1, "{index}");
        }
    }

    #[test]
    fn the_diagram_of_the_document_is_that_of_the_table() {
        let document = include_str!("../../ARCHITECTURE.md");
        let drawn = format!("```mermaid\n{}```\n", diagram());
        assert!(
            document.contains(&drawn),
            "expected in ARCHITECTURE.md:\n{drawn}"
        );
    }
}
