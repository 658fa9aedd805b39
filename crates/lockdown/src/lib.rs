//! The locks of a process that decodes what strangers sent: it keeps its standard streams, memory
//! and threads, and nothing else. Whatever takes it over finds no file, no network and no process
//! to start: the kernel kills it for trying.
//!
//! | part | does |
//! | --- | --- |
//! | `locks` | puts the locks on, in their order |
//! | `system_calls` | which system calls are left |
//! | `raw` | the calls that no safe crate has |

#[cfg(target_os = "linux")]
mod locks;
#[cfg(target_os = "linux")]
mod raw;
#[cfg(target_os = "linux")]
mod system_calls;

/// What a locked process may use up, over its whole life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Memory that it may write to, in bytes; without the program itself.
    pub memory_bytes: u64,
    /// Time on processors, of all its threads together, in seconds.
    pub cpu_seconds: u64,
}

/// The locks that are on. All others are on wherever this exists at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locked {
    /// The kernel knows Landlock: files and network are refused a second time.
    pub has_landlock: bool,
}

/// Why a process can't be locked. It must not read anything then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    #[error("there are rules only for Linux on x86-64 and aarch64")]
    NoRules,
    #[error("{step} failed: {cause}")]
    Refused { step: &'static str, cause: String },
}

/// Locks this process for good. It must have one thread.
///
/// # Errors
/// A system without rules, or a kernel or container that refuses a lock. Some locks may be on then.
pub fn lock(limits: &Limits) -> Result<Locked, LockError> {
    #[cfg(target_os = "linux")]
    return locks::put_on(limits);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = limits;
        Err(LockError::NoRules)
    }
}
