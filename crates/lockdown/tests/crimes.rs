//! A decoder that was taken over: one process for each crime, after the lock. The kernel kills it
//! for each, and for nothing that a decoder does.

#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};

use thumbforge_lockdown::{Limits, lock};

/// The process is the criminal, not the judge.
const CRIMINAL: &str = "--crime";
const LIMITS: Limits = Limits {
    memory_bytes: 256 << 20,
    cpu_seconds: 2,
};

/// By name: what is done after the lock.
const CRIMES: &[(&str, fn())] = &[
    ("reads a file", || {
        _ = std::fs::read("/etc/passwd");
    }),
    ("lists a folder", || {
        _ = std::fs::read_dir("/");
    }),
    ("writes a file", || {
        _ = std::fs::write("/tmp/crime", "x");
    }),
    ("connects", || {
        _ = std::net::TcpStream::connect("127.0.0.1:1");
    }),
    ("listens", || {
        _ = std::net::TcpListener::bind("127.0.0.1:0");
    }),
    ("sends a datagram", || {
        _ = std::net::UdpSocket::bind("127.0.0.1:0");
    }),
    ("connects to a neighbour", || {
        _ = std::os::unix::net::UnixStream::connect("/run/x");
    }),
    ("starts a program", || {
        _ = Command::new("/bin/true").status();
    }),
    ("becomes a program", || {
        use std::os::unix::process::CommandExt;
        let _: std::io::Error = Command::new("/bin/true").exec();
    }),
    ("forks", || {
        // SAFETY: both processes end at once.
        #[expect(unsafe_code, reason = "no safe call forks")]
        let _ = unsafe { libc::fork() };
    }),
    ("signals its parent", || {
        _ = rustix::process::getppid()
            .map(|parent| rustix::process::kill_process(parent, rustix::process::Signal::CONT));
    }),
    ("raises its limits", || {
        let limit = rustix::process::Rlimit {
            current: Some(1),
            maximum: Some(1),
        };
        _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, limit);
    }),
    ("makes memory that runs", || {
        let protection = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: new memory, which nobody uses.
        #[expect(unsafe_code, reason = "no safe call maps memory")]
        let _ = unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0) };
    }),
];

type Work = fn() -> String;

/// What a decoder does, with the answer that it writes.
const WORK: &[(&str, Work)] = &[
    ("reads and writes", || {
        let mut read = String::new();
        _ = std::io::stdin().read_to_string(&mut read);
        read.to_uppercase()
    }),
    ("computes in threads", || {
        let threads = (0..3_u32).map(|number| {
            let name = format!("decoder {number}");
            let work = move || {
                let large = vec![number as u8; 5 << 20];
                large.iter().map(|sample| u64::from(*sample)).sum::<u64>()
            };
            std::thread::Builder::new().name(name).spawn(work)
        });
        let threads: Vec<_> = threads.map(Result::unwrap).collect();
        let sums = threads.into_iter().map(|thread| thread.join().unwrap());
        sums.sum::<u64>().to_string()
    }),
    ("asks for time and chance", || {
        std::thread::park_timeout(std::time::Duration::from_millis(2));
        let began = std::time::Instant::now();
        let map = std::collections::HashMap::from([(1, began.elapsed().as_secs())]);
        map[&1].to_string()
    }),
    ("survives a panic", || {
        let result = std::panic::catch_unwind(|| panic!("a decoder's fault"));
        result.is_err().to_string()
    }),
];

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    if arguments.get(1).is_some_and(|first| first == CRIMINAL) {
        return be_locked(&arguments[2]);
    }
    if arguments.iter().any(|argument| argument == "--list") {
        return println!("the_kernel_kills_what_breaks_the_lock: test");
    }
    for (name, _) in CRIMES {
        let output = run(name);
        let signal = output.status.signal();
        assert_eq!(signal, Some(libc::SIGSYS), "{name}: {output:?}");
        assert_eq!(output.stdout, b"locked ", "{name}");
    }
    for (name, answer) in [
        ("reads and writes", "locked A PICTURE"),
        ("computes in threads", "locked 15728640"),
        ("asks for time and chance", "locked 0"),
        ("survives a panic", "locked true"),
    ] {
        let output = run(name);
        assert!(output.status.success(), "{name}: {output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), answer, "{name}");
    }
    a_descriptor_of_the_parent_is_closed();
    memory_and_time_are_bounded();
    a_core_is_not_written();
    println!("{} crimes were punished", CRIMES.len());
}

fn be_locked(name: &str) {
    lock(&LIMITS).unwrap();
    print!("locked ");
    std::io::stdout().flush().unwrap();
    if let Some((_, crime)) = CRIMES.iter().find(|(known, _)| *known == name) {
        crime();
    }
    if let Some((_, work)) = WORK.iter().find(|(known, _)| *known == name) {
        print!("{}", work());
    }
    match name {
        "reads descriptor 9" => {
            // SAFETY: it reads into memory of its own.
            #[expect(unsafe_code, reason = "no safe call reads from a bare number")]
            let read = unsafe { libc::read(9, [0_u8; 8].as_mut_ptr().cast(), 8) };
            print!("{read}");
        }
        "takes too much memory" => {
            let large = vec![1_u8; 300 << 20];
            print!(
                "{}",
                large.iter().map(|sample| u64::from(*sample)).sum::<u64>()
            );
        }
        "never ends" => loop {
            std::hint::spin_loop();
        },
        _ => {}
    }
}

fn run(name: &str) -> Output {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([CRIMINAL, name])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Whoever dies before it reads is judged by its death.
    _ = child.stdin.take().unwrap().write_all(b"a picture");
    child.wait_with_output().unwrap()
}

fn a_descriptor_of_the_parent_is_closed() {
    let program = std::env::current_exe().unwrap();
    let line = format!(
        "exec '{}' {CRIMINAL} 'reads descriptor 9' 9</etc/passwd",
        program.display()
    );
    let output = Command::new("/bin/sh")
        .args(["-c", &line])
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"locked -1", "{output:?}");
}

fn memory_and_time_are_bounded() {
    let output = run("takes too much memory");
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{output:?}");
    let output = run("never ends");
    // The hard limit kills.
    assert_eq!(output.status.signal(), Some(libc::SIGKILL), "{output:?}");
}

fn a_core_is_not_written() {
    let output = run("takes too much memory");
    assert!(!output.status.core_dumped(), "{output:?}");
}
