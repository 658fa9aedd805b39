//! Puts the locks on, in their order: each is possible only before the next.

use std::fmt::Display;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus,
    Scope,
};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};
use rustix::thread::{no_new_privs, set_no_new_privs};

use super::{Limits, LockError, Locked, raw, system_calls};

/// Addresses that are reserved and hold nothing: the program, stacks, the allocator's reserve.
const RESERVED_BYTES: u64 = 512 << 20;

pub(crate) fn put_on(limits: &Limits) -> Result<Locked, LockError> {
    let filters = system_calls::filters()?;
    // Without it, a child would live on if its parent were killed between two pictures.
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(refused("the signal of a parent's death"))?;
    raw::ignore_what_ends_services();
    raw::close_all_but_the_standard_streams().map_err(refused("closing what was inherited"))?;
    raw::keep_to_one_arena();
    // Neither a core file nor a debugger shows its memory to others of the same user.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused("hiding its memory"))?;
    set_no_new_privs(true).map_err(refused("no_new_privs"))?;
    if !no_new_privs().map_err(refused("no_new_privs"))? {
        return Err(refused("no_new_privs")("it has no effect"));
    }
    let has_landlock = refuse_files_and_network().map_err(refused("Landlock"))?;
    // Landlock needs a descriptor, and this leaves none.
    set_limits(limits).map_err(refused("setting limits"))?;
    for filter in filters {
        seccompiler::apply_filter_all_threads(&filter).map_err(refused("seccomp"))?;
    }
    Ok(Locked { has_landlock })
}

fn refused<E: Display>(step: &'static str) -> impl Fn(E) -> LockError {
    move |cause| LockError::Refused {
        step,
        cause: cause.to_string(),
    }
}

/// `RLIMIT_NPROC` is not among them: it counts threads too, and a decoder needs two. The filter of
/// system calls refuses processes.
fn set_limits(limits: &Limits) -> rustix::io::Result<()> {
    let addresses = limits.memory_bytes.saturating_add(RESERVED_BYTES);
    for (resource, most) in [
        (Resource::Data, limits.memory_bytes),
        (Resource::As, addresses),
        (Resource::Cpu, limits.cpu_seconds),
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Memlock, 0),
        // Descriptors that are open stay open; no other can be made.
        (Resource::Nofile, 0),
    ] {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit)?;
    }
    Ok(())
}

/// As far as the kernel knows how; true if it knows anything of it.
fn refuse_files_and_network() -> Result<bool, landlock::RulesetError> {
    const NEWEST: ABI = ABI::V6;
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?;
    let status = ruleset.create()?.restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}
