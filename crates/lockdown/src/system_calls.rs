//! Which system calls are left. Any other kills the process.
//!
//! The numbers differ between x86-64 and aarch64, the calls do not.

use std::collections::BTreeMap;
use std::fmt::Display;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::LockError;

/// Calls with any arguments. Descriptors are those of the standard streams, as there are no others.
const FREE: &[i64] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Memory; without the right to run it, see below.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // Threads.
    libc::SYS_futex,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_rseq,
    libc::SYS_set_robust_list,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // Time and chance.
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_getrandom,
];

/// What a new thread may not have besides: rooms of its own, or a debugger. `clone` takes no flag
/// of a room that came later.
const FORBIDDEN_FLAGS: libc::c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_PTRACE;

/// The filters, in the order in which they are put on.
pub(crate) fn filters() -> Result<[BpfProgram; 2], LockError> {
    let architecture =
        TargetArch::try_from(std::env::consts::ARCH).map_err(|_| LockError::NoRules)?;
    if !matches!(architecture, TargetArch::x86_64 | TargetArch::aarch64) {
        return Err(LockError::NoRules);
    }
    build(architecture).map_err(|error| broken(&error))
}

fn build(architecture: TargetArch) -> Result<[BpfProgram; 2], seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        FREE.iter().map(|call| (*call, Vec::new())).collect();
    let not_run = || masked(2, libc::PROT_EXEC, 0);
    rules.insert(libc::SYS_mmap, vec![not_run()?]);
    rules.insert(libc::SYS_mprotect, vec![not_run()?]);
    let thread = libc::CLONE_THREAD;
    let thread = masked(0, thread | FORBIDDEN_FLAGS, thread)?;
    rules.insert(libc::SYS_clone, vec![thread]);
    // Answered by the other filter.
    rules.insert(libc::SYS_clone3, Vec::new());
    // `abort`: a signal, but only to itself.
    let itself = std::process::id() as libc::c_int;
    rules.insert(libc::SYS_tgkill, vec![masked(0, -1, itself)?]);
    // The name of a thread.
    let name = masked(0, -1, libc::PR_SET_NAME)?;
    rules.insert(libc::SYS_prctl, vec![name]);
    let allowed = SeccompFilter::new(
        rules,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        architecture,
    )?;
    // Its flags lie in memory, where no filter sees them. Who is told that there is no such call
    // takes `clone`.
    let absent = SeccompFilter::new(
        BTreeMap::from([(libc::SYS_clone3, Vec::new())]),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOSYS as u32),
        architecture,
    )?;
    // The stricter answer of both counts. The first must allow that the second is put on.
    Ok([absent.try_into()?, allowed.try_into()?])
}

/// True if the masked bits of an argument have this value.
fn masked(
    argument: u8,
    mask: libc::c_int,
    value: libc::c_int,
) -> Result<SeccompRule, seccompiler::BackendError> {
    // The kernel reads 32 bits of these arguments.
    let mask = SeccompCmpOp::MaskedEq(u64::from(mask as u32));
    let value = u64::from(value as u32);
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, mask, value)?;
    SeccompRule::new(vec![condition])
}

fn broken(error: &impl Display) -> LockError {
    LockError::Refused {
        step: "building the filter of system calls",
        cause: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_architectures_have_filters_of_a_size_that_the_kernel_takes() {
        for architecture in [TargetArch::x86_64, TargetArch::aarch64] {
            for filter in build(architecture).unwrap() {
                assert!((1..4096).contains(&filter.len()));
            }
        }
    }
}
