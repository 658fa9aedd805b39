//! `/readyz` shows whether jobs are really taken, not whether parts answer a ping.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use tokio_postgres::NoTls;

use crate::ledger::{Ledger, sqlite};
use crate::load::accept;
use crate::stage::{Stage, image_reply};
use crate::support::child_process::ChildProcess;
use crate::support::deadline::eventually_blocking;
use crate::support::http_client::try_get;
use crate::support::origin::Reply;
use crate::yardstick::conclusively;

const SOON: Duration = Duration::from_secs(30);

/// The parts that a process's `/readyz` names; none if it is ready.
pub fn failing(process: &ChildProcess) -> Vec<String> {
    let answer = try_get(process.address, "/readyz", Duration::from_secs(5));
    let answer = answer.expect("the process answers");
    if answer.status == 200 {
        return Vec::new();
    }
    serde_json::from_value(answer.json()["failing"].clone()).expect("parts are named")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_that_can_claim_nothing_are_not_ready_though_all_parts_answer() {
    conclusively("readiness", claims_stuck).await;
}

async fn claims_stuck() {
    let stage = Stage::shared().await;
    let mut processes = [stage.process("work", "work"), stage.process("all", "all")];
    for process in &mut processes {
        process.start();
    }
    // A job that is due again in a while.
    let replies = vec![
        Reply::status(503).header("Retry-After", "5"),
        image_reply(120, 90),
    ];
    stage.origin.on("/later.jpg", replies);
    let id = accept(processes[1].address, &stage.origin.url("/later.jpg")).await;
    let told = format!("SELECT count(*) FROM jobs WHERE id = '{id}' AND error_code IS NOT NULL");
    eventually_blocking("it waits", SOON, || stage.count(&told) == 1);
    // Claims wait for the lock, and give up; a ping only reads.
    let url = stage.postgres_url(stage.postgres().front_port());
    let (client, connection) = tokio_postgres::connect(&url, NoTls)
        .await
        .expect("Postgres answers");
    let connection = tokio::spawn(connection);
    client
        .batch_execute("BEGIN; LOCK TABLE jobs IN EXCLUSIVE MODE")
        .await
        .expect("the lock");
    for process in &processes {
        eventually_blocking("the stuck workers are named", SOON, || {
            failing(process) == ["workers"]
        });
    }
    client
        .batch_execute("ROLLBACK")
        .await
        .expect("our own lock");
    drop(client);
    connection.abort();
    for process in &processes {
        eventually_blocking("they are ready again", SOON, || failing(process).is_empty());
    }
    eventually_blocking("the job completes", SOON, || {
        stage.status(&id) == "completed"
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_worker_whose_storage_is_gone_names_it() {
    conclusively("readiness", storage_gone).await;
}

async fn storage_gone() {
    let stage = Stage::shared().await;
    let mut worker = stage.process("work", "work");
    worker.start();
    let aside = stage.storage.with_extension("aside");
    std::fs::rename(&stage.storage, &aside).expect("our own folder");
    eventually_blocking("the storage is named", SOON, || {
        failing(&worker) == ["storage"]
    });
    std::fs::rename(&aside, &stage.storage).expect("our own folder");
    eventually_blocking("it is ready again", SOON, || failing(&worker).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storage_that_failed_and_comes_back_empty_is_used_again() {
    conclusively("readiness", storage_replaced).await;
}

async fn storage_replaced() {
    let stage = Stage::shared().await;
    let mut all = stage.process("all", "all");
    all.start();
    std::fs::remove_dir_all(&stage.storage).expect("our own folder");
    std::fs::write(&stage.storage, "in the way").expect("a file");
    let id = accept(all.address, &stage.origin.url("/small.jpg")).await;
    let told =
        format!("SELECT count(*) FROM jobs WHERE error_code = 'storage_failed' AND id = '{id}'");
    eventually_blocking("the reason is told", SOON, || stage.count(&told) == 1);
    eventually_blocking("no jobs are taken", SOON, || {
        let failing = failing(&all);
        failing.contains(&"workers".to_owned()) && failing.contains(&"storage".to_owned())
    });
    std::fs::remove_file(&stage.storage).expect("our own file");
    eventually_blocking("the job completes", SOON, || {
        stage.status(&id) == "completed"
    });
    eventually_blocking("it is ready again", SOON, || failing(&all).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_can_only_be_read_is_named_until_it_can_be_written() {
    conclusively("readiness", read_only).await;
}

async fn read_only() {
    let stage = Stage::shared().await;
    let mut processes = [
        stage.process("serve", "serve"),
        stage.process("work", "work"),
    ];
    for process in &mut processes {
        process.start();
    }
    let Ledger::Postgres { database } = &stage.ledger else {
        panic!("no Postgres")
    };
    // As a standby does: connections end, and new ones can only read.
    stage.lines(&format!(
        "ALTER DATABASE {database} SET default_transaction_read_only = on"
    ));
    stage.lines(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    for process in &processes {
        eventually_blocking("the database is named", SOON, || {
            failing(process) == ["database"]
        });
    }
    stage.lines(&format!(
        "SET transaction_read_only = off; \
         ALTER DATABASE {database} RESET default_transaction_read_only"
    ));
    for process in &processes {
        eventually_blocking("they are ready again", SOON, || failing(process).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sqlite_file_that_a_stranger_writes_for_long_is_named() {
    conclusively("readiness", sqlite_locked).await;
}

async fn sqlite_locked() {
    let stage = Stage::sqlite().await;
    let Ledger::Sqlite(file) = &stage.ledger else {
        panic!("no SQLite")
    };
    let mut all = stage.process("all", "all");
    all.start();
    let mut stranger = sqlite(file);
    // Reading goes on under this lock.
    stranger.batch_execute("BEGIN IMMEDIATE").expect("the lock");
    eventually_blocking("the database is named", SOON, || {
        failing(&all).contains(&"database".to_owned())
    });
    stranger.batch_execute("ROLLBACK").expect("our own lock");
    eventually_blocking("it is ready again", SOON, || failing(&all).is_empty());
}
