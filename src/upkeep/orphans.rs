//! Removes files that belong to no job: those of jobs whose rows went without them (a database that
//! was restored, or edited by hand), and what no clean-up has found.
//!
//! Its limits: names of our own pattern alone, a day old, in a storage that this database owns, and
//! never more than a twentieth of all at once. What a job that has not ended may need stays.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::sleep;
use uuid::Uuid;

use super::pause;
use crate::db::{Database, DbError, KnownFiles};
use crate::domain::JobId;
use crate::storage::{Ownership, Storage, StorageError, SurveyedFile};

/// Younger files are let alone.
pub const MIN_AGE: Duration = Duration::from_secs(24 * 3600);
/// Of so many files one may be an orphan; more are more likely a mistake. Few are always removed.
const MOST_OF: u64 = 20;
const FEW: u64 = 20;
const FIRST_NAMES: usize = 20;
const INTERVAL: Duration = Duration::from_secs(600);
const BETWEEN_SWEEPS_MILLIS: i64 = 24 * 3600 * 1000;
const SWEPT: &str = "orphans_swept";
const TURN: &str = "orphans_turn";
const TURN_LENGTH: Duration = Duration::from_secs(600);
const TURN_RENEWAL: Duration = Duration::from_secs(60);

/// What was found in the storage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Files with names of ours, of any age.
    pub files: u64,
    pub orphans: u64,
    /// Of the orphans.
    pub bytes: u64,
    /// Paths of the first orphans, within the storage.
    pub first: Vec<String>,
}

/// Why orphans were not looked for, or not removed.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error(transparent)]
    Database(#[from] DbError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(
        "the storage belongs to another database: its file .owner says {owner:?}, and this \
         database is {own}; nothing is removed. If the storage is this database's alone, delete \
         .owner"
    )]
    Foreign { owner: String, own: Uuid },
    #[error(
        "{orphans} of {files} files belong to no job: more than a twentieth, so nothing more is \
         removed. If this is the right database, `thumbforge orphans --remove --force` removes them"
    )]
    TooMany { orphans: u64, files: u64 },
}

impl SweepError {
    /// True if the next look will find the same.
    const fn is_verdict(&self) -> bool {
        matches!(self, Self::Foreign { .. } | Self::TooMany { .. })
    }
}

pub(super) async fn sweep_forever(database: &Database, storage: &Storage) {
    let holder = Uuid::now_v7();
    loop {
        match sweep_daily(database, storage, holder).await {
            Ok(None) => {}
            Ok(Some(found)) => tracing::info!(
                files = found.files,
                orphans = found.orphans,
                bytes = found.bytes,
                "removed files that belong to no job"
            ),
            Err(error) => tracing::warn!(%error, "files that belong to no job are not removed"),
        }
        pause(INTERVAL).await;
    }
}

/// Sweeps if no process has done so for a day; `None` if one has, or is at it.
///
/// # Errors
/// If it can't be done now, or must not.
pub async fn sweep_daily(
    database: &Database,
    storage: &Storage,
    holder: Uuid,
) -> Result<Option<Found>, SweepError> {
    let swept = database.remembered(SWEPT).await?;
    let is_recent = swept
        .value
        .as_deref()
        .and_then(|at| at.parse::<i64>().ok())
        .is_some_and(|at| (0..BETWEEN_SWEEPS_MILLIS).contains(&(swept.now - at)));
    if is_recent || !database.take_turn(TURN, holder, TURN_LENGTH).await? {
        return Ok(None);
    }
    let sweep = Sweep {
        database,
        storage,
        holder: Some(holder),
    };
    let done = sweep.remove(false).await;
    if done.as_ref().err().is_none_or(SweepError::is_verdict) {
        let now = database.remembered(SWEPT).await?.now.to_string();
        database
            .remember(SWEPT, swept.value.as_deref(), &now)
            .await?;
    }
    database.end_turn(TURN, holder).await?;
    done.map(Some)
}

/// A look through the whole storage.
pub struct Sweep<'a> {
    database: &'a Database,
    storage: &'a Storage,
    /// The process whose turn it is, if processes take turns.
    holder: Option<Uuid>,
}

impl<'a> Sweep<'a> {
    /// One that an operator asks for.
    pub const fn asked_for(database: &'a Database, storage: &'a Storage) -> Self {
        Self {
            database,
            storage,
            holder: None,
        }
    }

    /// Looks for orphans and removes nothing.
    ///
    /// # Errors
    /// If the storage is another database's, or either can't be read.
    pub async fn look(&self) -> Result<Found, SweepError> {
        self.check_owner().await?;
        self.walk(None).await
    }

    /// Looks for orphans, and then removes what a second look finds, so that no list of them is
    /// kept. The answer is what was removed. `force`: however many they are.
    ///
    /// # Errors
    /// As [`Self::look`], and if there are too many.
    pub async fn remove(&self, force: bool) -> Result<Found, SweepError> {
        let limit = match force {
            true => u64::MAX,
            false => {
                let Found { files, orphans, .. } = self.look().await?;
                let limit = (files / MOST_OF).max(FEW);
                if orphans > limit {
                    return Err(SweepError::TooMany { orphans, files });
                }
                if orphans == 0 {
                    return Ok(Found {
                        files,
                        ..Found::default()
                    });
                }
                limit
            }
        };
        self.check_owner().await?;
        self.walk(Some(limit)).await
    }

    async fn check_owner(&self) -> Result<(), SweepError> {
        let own = self.database.storage_owner().await?;
        match self.storage.own(own).await? {
            Ownership::Ours => Ok(()),
            Ownership::Anothers(owner) => Err(SweepError::Foreign { owner, own }),
        }
    }

    /// Counts orphans; with a `limit` removes them too, so many at most.
    async fn walk(&self, limit: Option<u64>) -> Result<Found, SweepError> {
        let mut found = Found::default();
        let mut renewed = Instant::now();
        let mut groups = self.storage.survey(MIN_AGE);
        while let Some(group) = groups.recv().await {
            let group = group?;
            found.files += group.seen;
            let began = Instant::now();
            let orphans = self.judge(group.old).await?;
            let paths = orphans.all().map(|file| file.path.clone());
            let room = FIRST_NAMES.saturating_sub(found.first.len());
            found.first.extend(paths.take(room));
            let (count, bytes) = orphans
                .all()
                .fold((0, 0), |(n, sum), file| (n + 1, sum + file.size_bytes));
            let (count, bytes) = match limit {
                None => (count, bytes),
                Some(limit) if found.orphans + count > limit => {
                    return Err(SweepError::TooMany {
                        orphans: found.orphans + count,
                        files: found.files,
                    });
                }
                Some(_) => self.remove_these(orphans).await?,
            };
            found.orphans += count;
            found.bytes += bytes;
            if let Some(holder) = self.holder {
                if renewed.elapsed() > TURN_RENEWAL {
                    self.database.take_turn(TURN, holder, TURN_LENGTH).await?;
                    renewed = Instant::now();
                }
                // Others get their turn at the database.
                sleep(began.elapsed()).await;
            }
        }
        Ok(found)
    }

    async fn judge(&self, files: Vec<SurveyedFile>) -> Result<Orphans, DbError> {
        let mut orphans = Orphans::default();
        if files.is_empty() {
            return Ok(orphans);
        }
        let ids: HashSet<JobId> = files.iter().map(|file| file.id).collect();
        let ids: Vec<JobId> = ids.into_iter().collect();
        let known = self.database.known_files(&ids).await?;
        for file in files {
            match known.get(&file.id) {
                Some(KnownFiles::Any) => {}
                Some(KnownFiles::These(paths)) if paths.contains(&file.path) => {}
                Some(KnownFiles::None) => {
                    let of_job = orphans.of_ended.entry(file.id).or_default();
                    of_job.push(file);
                }
                // No job comes back, and none is completed twice: whatever is written later is
                // written for another.
                Some(KnownFiles::These(_)) | None => orphans.of_nobody.push(file),
            }
        }
        Ok(orphans)
    }

    /// Returns how many files were removed, and their bytes.
    async fn remove_these(&self, orphans: Orphans) -> Result<(u64, u64), SweepError> {
        let (mut files, mut bytes) = self.storage.remove_surveyed(orphans.of_nobody).await?;
        for (id, of_job) in orphans.of_ended {
            let removed = Arc::new(Mutex::new((0, 0)));
            let (storage, counted) = (self.storage.clone(), removed.clone());
            // A client may have it tried again; then its files are its own.
            let done: Result<(), StorageError> = self
                .database
                .remove_of_ended(id, move || {
                    let (storage, counted) = (storage.clone(), counted.clone());
                    let of_job = of_job.clone();
                    Box::pin(async move {
                        let removed = storage.remove_surveyed(of_job).await?;
                        *counted.lock().unwrap_or_else(PoisonError::into_inner) = removed;
                        storage.remove(id).await
                    })
                })
                .await?;
            done?;
            let (more, more_bytes) = *removed.lock().unwrap_or_else(PoisonError::into_inner);
            files += more;
            bytes += more_bytes;
        }
        Ok((files, bytes))
    }
}

#[derive(Default)]
struct Orphans {
    of_nobody: Vec<SurveyedFile>,
    /// Of jobs that have ended without a file.
    of_ended: HashMap<JobId, Vec<SurveyedFile>>,
}

impl Orphans {
    fn all(&self) -> impl Iterator<Item = &SurveyedFile> {
        self.of_nobody
            .iter()
            .chain(self.of_ended.values().flatten())
    }
}
