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
const TABLE: [Row; 9] = [
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

/// True if a job in this state will still change.
pub fn is_active(status: JobStatus) -> bool {
    TABLE.iter().any(|row| row.from == status)
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
    fn no_event_leaves_a_final_state_and_each_state_is_reached() {
        for status in JobStatus::ALL {
            let is_reached = TABLE.iter().any(|row| row.to == status);
            assert!(is_reached, "{status:?}");
        }
        assert!(is_active(JobStatus::Pending) && is_active(JobStatus::Processing));
        assert!(!is_active(JobStatus::Completed) && !is_active(JobStatus::Failed));
        assert!(!is_legal("completed", "pending") && !is_legal("pending", "completed"));
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
