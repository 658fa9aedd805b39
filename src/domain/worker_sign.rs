//! What a worker process reports about itself.

/// Whether a worker takes jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WorkerState {
    #[default]
    Ready,
    /// It takes no jobs until its storage can be written.
    StorageFailing,
    /// It has just begun, or the database or the queue has not answered it lately.
    NotReady,
    /// It ends, and finishes what it has.
    Stopping,
}

impl WorkerState {
    pub const ALL: [Self; 4] = [
        Self::Ready,
        Self::StorageFailing,
        Self::NotReady,
        Self::Stopping,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::StorageFailing => "storage_failing",
            Self::NotReady => "not_ready",
            Self::Stopping => "stopping",
        }
    }
}

/// A sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSign {
    /// Of this run of the process.
    pub id: uuid::Uuid,
    /// The name of its machine or container.
    pub host: Option<String>,
    /// Of the program.
    pub version: Option<&'static str>,
    pub state: WorkerState,
}

impl WorkerSign {
    /// Of a worker that takes jobs, and tells nothing more.
    pub const fn ready(id: uuid::Uuid) -> Self {
        Self {
            id,
            host: None,
            version: None,
            state: WorkerState::Ready,
        }
    }
}
