//! What is different where a person sits: questions, the bar, the live view.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::{LIMIT, Stand};
use crate::support::deadline::eventually_blocking;

/// A command on a terminal of its own, and what it writes there.
struct Terminal {
    child: Child,
    keyboard: std::fs::File,
    screen: Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    fn run(stand: &Stand, arguments: &[&str]) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let theirs = rustix::fs::open(name, flags, rustix::fs::Mode::empty()).unwrap();
        let again = || OwnedFd::try_clone(&theirs).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_thumbforge"))
            .args(arguments)
            .current_dir(stand.folder.path())
            .env_clear()
            .env(
                "THUMBFORGE_SERVER",
                format!("http://{}", stand.service.address),
            )
            .env("TERM", "xterm")
            .stdin(again())
            .stdout(again())
            .stderr(again())
            .spawn()
            .unwrap();
        let mut reader = std::fs::File::from(ours.try_clone().unwrap());
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Ends with an error when the command has gone.
            while let Ok(length) = reader.read(&mut buffer) {
                if length == 0 || sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            keyboard: ours.into(),
            screen,
            seen: String::new(),
        }
    }

    fn wait_for(&mut self, words: &str) {
        let end = Instant::now() + LIMIT;
        while !self.seen.contains(words) {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(bytes) = self.screen.recv_timeout(left) else {
                panic!("{words}: {}", self.seen);
            };
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let kill = Command::new("kill").args([name, &pid]).status();
        assert!(kill.unwrap().success());
    }

    fn code(mut self) -> Option<i32> {
        let mut ended = None;
        eventually_blocking("the command ends", LIMIT, || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        ended.unwrap().code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_before_many_jobs_are_deleted() {
    let stand = Stand::new(&[]).await;
    stand
        .run(&["submit", "--wait", &stand.origin.url("/a.jpg")])
        .await;
    let delete = ["jobs", "delete", "--status", "failed"];
    tokio::task::block_in_place(|| {
        for (answer, code, left) in [("\n", 1, 1), ("y\n", 0, 0)] {
            let mut terminal = Terminal::run(&stand, &delete);
            terminal.wait_for("Delete 1 job? [y/N] ");
            terminal.keyboard.write_all(answer.as_bytes()).unwrap();
            terminal.wait_for(if code == 0 {
                "done: 1 of 1"
            } else {
                "nothing was changed"
            });
            assert_eq!(terminal.code(), Some(code));
            assert_eq!(stand.count("total"), left);
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bar_shows_how_far_it_is() {
    let stand = Stand::new(&[]).await;
    let url = stand.picture("/a.jpg");
    let file = stand.write("urls.txt", format!("{url}\n"));
    tokio::task::block_in_place(|| {
        let mut terminal = Terminal::run(&stand, &["submit", "--wait", "--from", &file]);
        terminal.wait_for("under way");
        terminal.wait_for("\tcompleted\t");
        assert_eq!(terminal.code(), Some(0));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_view_follows_and_leaves_the_screen_as_it_was() {
    let stand = Stand::new(&[]).await;
    let url = stand.picture("/a.jpg");
    let mut terminal = tokio::task::block_in_place(|| {
        let mut terminal = Terminal::run(&stand, &["top"]);
        terminal.wait_for("\u{1b}[?1049h");
        terminal.wait_for("completed 0");
        terminal
    });
    stand.printed(&["submit", "--wait", &url]).await;
    tokio::task::block_in_place(|| {
        terminal.wait_for("completed 1");
        terminal.wait_for("ended a second");
        terminal.signal("-INT");
        terminal.wait_for("\u{1b}[?1049l");
        assert_eq!(terminal.code(), Some(0));
    });
}
