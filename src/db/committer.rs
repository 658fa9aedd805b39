//! Group commit: writes that wait at the same time share one transaction, and so one flush to disk.
//! A write that is alone goes through at once; the end of a delivery, for which nobody waits, waits
//! for others.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::DbError;
use super::finish::{self, Ending};
use super::pools::Pools;
use super::submit::{self, NewJob, Submission};
use super::webhook_ends::{self, DeliveryEnding};

/// Most writes in one transaction.
const LARGEST_GROUP: usize = 128;
/// Writes that may wait; with more, callers wait for room.
const CAPACITY: usize = 4096;
/// How long the end of a delivery waits for others: nobody waits for it, and one transaction for each
/// would hold up the jobs'.
const DELIVERY_LINGER: Duration = Duration::from_millis(80);

/// A write, and the channel on which its caller waits.
struct Waiting<I, O> {
    input: I,
    reply: oneshot::Sender<Result<O, DbError>>,
}

/// Handle of the tasks that commit. They end when the last handle is dropped.
#[derive(Clone)]
pub(super) struct Committer {
    submissions: mpsc::Sender<Waiting<NewJob, Submission>>,
    endings: mpsc::Sender<Waiting<Ending, bool>>,
    deliveries: mpsc::Sender<Waiting<DeliveryEnding, Option<Duration>>>,
}

impl Committer {
    pub(super) fn spawn(pools: Pools) -> Self {
        let (for_endings, for_deliveries) = (pools.clone(), pools.clone());
        Self {
            submissions: serve(Duration::ZERO, move |group| {
                let pools = pools.clone();
                async move { submit::insert(&pools, group).await }
            }),
            endings: serve(Duration::ZERO, move |group| {
                let pools = for_endings.clone();
                async move { finish::write(&pools, group).await }
            }),
            deliveries: serve(DELIVERY_LINGER, move |group| {
                let pools = for_deliveries.clone();
                async move { webhook_ends::write(&pools, group).await }
            }),
        }
    }

    pub(super) async fn submit(&self, job: NewJob) -> Result<Submission, DbError> {
        ask(&self.submissions, job).await
    }

    pub(super) async fn finish(&self, ending: Ending) -> Result<bool, DbError> {
        ask(&self.endings, ending).await
    }

    pub(super) async fn end_delivery(
        &self,
        ending: DeliveryEnding,
    ) -> Result<Option<Duration>, DbError> {
        ask(&self.deliveries, ending).await
    }
}

async fn ask<I, O>(sender: &mpsc::Sender<Waiting<I, O>>, input: I) -> Result<O, DbError> {
    let stopped = || DbError::Unavailable("the committer has stopped".to_owned());
    let (reply, answer) = oneshot::channel();
    sender
        .send(Waiting { input, reply })
        .await
        .map_err(|_| stopped())?;
    answer.await.map_err(|_| stopped())?
}

/// Spawns the task that gathers inputs into groups and hands each group to `commit`. The first input
/// of a group waits for others for as long as `linger`, unless the group is full before.
fn serve<I, O, F>(
    linger: Duration,
    commit: impl Fn(Vec<I>) -> F + Send + Sync + 'static,
) -> mpsc::Sender<Waiting<I, O>>
where
    I: Clone + Send + Sync + 'static,
    O: Send + 'static,
    F: Future<Output = Result<Vec<O>, DbError>> + Send,
{
    let (sender, mut receiver) = mpsc::channel(CAPACITY);
    tokio::spawn(async move {
        let mut group: Vec<Waiting<I, O>> = Vec::with_capacity(LARGEST_GROUP);
        while receiver.recv_many(&mut group, LARGEST_GROUP).await > 0 {
            let end = Instant::now() + linger;
            while !linger.is_zero()
                && group.len() < LARGEST_GROUP
                && let Ok(Some(waiting)) = timeout_at(end, receiver.recv()).await
            {
                group.push(waiting);
            }
            // Drops requests whose caller has gone: a client went away.
            group.retain(|waiting| !waiting.reply.is_closed());
            commit_group(&commit, std::mem::take(&mut group)).await;
        }
    });
    sender
}

async fn commit_group<I, O, F>(commit: &impl Fn(Vec<I>) -> F, group: Vec<Waiting<I, O>>)
where
    I: Clone,
    F: Future<Output = Result<Vec<O>, DbError>>,
{
    let inputs = group.iter().map(|waiting| waiting.input.clone()).collect();
    match commit(inputs).await {
        Ok(outputs) => {
            for (waiting, output) in group.into_iter().zip(outputs) {
                let _ = waiting.reply.send(Ok(output));
            }
        }
        Err(error) if group.len() == 1 || error.is_unavailable() => {
            for waiting in group {
                let _ = waiting.reply.send(Err(error.clone()));
            }
        }
        // One write of the group is at fault: each runs alone, so that it takes no other down.
        Err(_) => {
            for waiting in group {
                let output = commit(vec![waiting.input.clone()]).await;
                let _ = waiting.reply.send(output.and_then(|mut outputs| {
                    outputs
                        .pop()
                        .ok_or_else(|| DbError::Refused("a write without an answer".to_owned()))
                }));
            }
        }
    }
}
