//! The calls that no safe crate has.

#![expect(
    unsafe_code,
    reason = "closing descriptors that nobody owns, ignoring signals, and an option of the allocator \
              have no safe form"
)]

use std::io;

/// The first descriptor after the standard streams.
const FIRST: libc::c_uint = 3;

/// Closes every descriptor but the standard streams.
///
/// Only for a process that has opened none that it still uses.
pub(crate) fn close_all_but_the_standard_streams() -> io::Result<()> {
    // SAFETY: it touches no memory. No value of this program owns one of these descriptors: it is
    // called before anything is opened, and closes what was inherited.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, 0) };
    if closed == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() != Some(libc::ENOSYS) {
        return Err(error);
    }
    // Before Linux 5.9.
    for entry in std::fs::read_dir("/proc/self/fd")?.collect::<Result<Vec<_>, _>>()? {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.parse::<i32>().ok());
        if let Some(number) = number.filter(|number| *number >= FIRST as i32) {
            // SAFETY: as above. One of them was that of the folder itself, and is closed already.
            unsafe { libc::close(number) };
        }
    }
    Ok(())
}

/// Ignores what a terminal or a service manager sends to all processes of a service: its worker
/// finishes what it has begun, and ends this process when it needs it no more.
pub(crate) fn ignore_what_ends_services() {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
        // SAFETY: no handler is set that could run anything.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Keeps glibc's allocator to one arena: it opens a file of `/proc` when it gives back memory of
/// another, and each takes 64 MiB of addresses.
pub(crate) fn keep_to_one_arena() {
    // SAFETY: it changes one number of the allocator, before there is a second thread.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
