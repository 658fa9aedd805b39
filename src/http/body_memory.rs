//! Memory for large bodies that are being read: each request has a small part of its own, and all
//! share the rest.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What each request may hold anyway, and the step in which it gets more; in bytes.
const STEP: usize = 64 * 1024;
/// Steps that all requests share: 64 MiB.
const STEPS: usize = 1024;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct BodyMemory(Arc<Semaphore>);

impl Default for BodyMemory {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(STEPS)))
    }
}

/// What a request holds; given back when it is dropped.
pub(super) struct Reserved {
    memory: BodyMemory,
    permit: Option<OwnedSemaphorePermit>,
}

impl BodyMemory {
    pub(super) fn reserve(&self) -> Reserved {
        Reserved {
            memory: self.clone(),
            permit: None,
        }
    }
}

impl Reserved {
    /// True if the request may hold so many bytes.
    pub(super) fn grow_to(&mut self, bytes: usize) -> bool {
        let needed = bytes.div_ceil(STEP).saturating_sub(1);
        let held = self
            .permit
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let Some(more) = needed.checked_sub(held).filter(|more| *more > 0) else {
            return true;
        };
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let Ok(more) = Arc::clone(&self.memory.0).try_acquire_many_owned(more) else {
            return false;
        };
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        true
    }

    /// Gives everything back.
    pub(super) fn clear(&mut self) {
        self.permit = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_is_free_and_the_rest_is_shared() {
        let memory = BodyMemory::default();
        let mut large = memory.reserve();
        assert!(large.grow_to(STEP) && large.grow_to(STEPS * STEP));
        let mut other = memory.reserve();
        assert!(other.grow_to(STEP));
        assert!(large.grow_to((STEPS + 1) * STEP) && !large.grow_to((STEPS + 1) * STEP + 1));
        assert!(!other.grow_to(STEP + 1));
        large.clear();
        assert!(other.grow_to(STEP + 1));
    }
}
