//! A thumbnail that was renamed into place, and whose job fails after all.

use std::time::Duration;

use crate::audit::{Terms, audit};
use crate::load::{self, Load, accept_several};
use crate::report::line;
use crate::stage::{COMPLETIONS, Stage, image_reply};
use crate::support::child_process::ChildProcess;
use crate::support::deadline::eventually_blocking;
use crate::support::fault_proxy::{FaultProxy, Mode};
use crate::support::origin::Reply;
use crate::yardstick::conclusively;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thumbnail_whose_last_attempt_died_at_the_commit_is_cleaned_away() {
    conclusively("a death in the last attempt", death_in_the_last_attempt).await;
}

/// The reconciler's part: it finds the lease ended, and no attempt left.
async fn death_in_the_last_attempt() {
    let mut stage = Stage::shared().await;
    stage.set("THUMBFORGE_MAX_ATTEMPTS", "1");
    let mut cast = Cast::on(&stage).await;
    let load = Load::start(vec![cast.serve.address], 10, stage.small_urls());
    let job = cast.die_after_the_rename(&stage).await;
    let lifted = load::now();
    cast.heir.start();
    eventually_blocking("the job fails", SOON, || stage.status(&job) == "failed");
    let record = load.stop().await;
    let terms = Terms {
        max_attempts: 1,
        all_complete: false,
        ..Terms::default()
    };
    let findings = audit(&stage, &record, lifted, &terms);
    line(&format!(
        "died in the last attempt, between rename and row: {} of {} jobs failed, and no file of \
         theirs is left",
        findings.failed, findings.jobs
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thumbnail_whose_next_attempt_fails_is_cleaned_away() {
    conclusively("a failure in the next attempt", failure_in_the_next_attempt).await;
}

/// The case of a failure: an earlier attempt has published, and died before it could record that.
async fn failure_in_the_next_attempt() {
    let stage = Stage::shared().await;
    let mut cast = Cast::on(&stage).await;
    let load = Load::start(vec![cast.serve.address], 10, stage.small_urls());
    let job = cast.die_after_the_rename(&stage).await;
    let lifted = load::now();
    cast.heir.start();
    eventually_blocking("the job fails", SOON, || stage.status(&job) == "failed");
    let record = load.stop().await;
    let terms = Terms {
        all_complete: false,
        ..Terms::default()
    };
    let findings = audit(&stage, &record, lifted, &terms);
    let failed = stage.lines(
        "SELECT id || ' ' || error_code || ' ' || attempts AS line FROM jobs \
         WHERE status = 'failed'",
    );
    assert_eq!(failed, [format!("{job} source_client_error 2")]);
    line(&format!(
        "failed after an attempt that had published: the file is gone; the other {} jobs completed",
        findings.jobs - 1
    ));
}

/// An API, a worker that dies, and one that comes after it.
struct Cast {
    serve: ChildProcess,
    victim: ChildProcess,
    proxy: FaultProxy,
    heir: ChildProcess,
}

impl Cast {
    async fn on(stage: &Stage) -> Self {
        let mut serve = stage.process("serve", "serve");
        serve.start();
        let proxy = FaultProxy::start(stage.postgres().front_port()).await;
        let mut victim = stage.process_through_postgres("work", "victim", proxy.port());
        victim.start();
        Self {
            serve,
            victim,
            proxy,
            heir: stage.process("work", "heir"),
        }
    }

    /// Kills the victim when the thumbnail of a job is in place, and the database does not know
    /// it yet. The source of this job is gone when it is asked again.
    async fn die_after_the_rename(&mut self, stage: &Stage) -> String {
        let gone = Reply::status(404);
        stage
            .origin
            .on("/once.jpg", vec![image_reply(120, 90), gone]);
        self.proxy.set(Mode::Hold(COMPLETIONS));
        let job = accept_several(self.serve.address, &stage.origin.url("/once.jpg")).await;
        let first = stage.storage.join(format!("{job}.jpg"));
        eventually_blocking("the first file is in place", SOON, || first.exists());
        self.victim.kill();
        self.proxy.throw_away();
        assert_eq!(stage.status(&job), "processing");
        let mut files = stage.stored_files();
        files.retain(|path| path.contains(&job));
        assert_eq!(files.len(), 4, "to be cleaned away: {files:?}");
        job
    }
}
