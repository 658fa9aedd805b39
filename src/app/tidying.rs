//! What operators ask for about growth: deletions, orphans, counts. It needs database and storage,
//! and no queue.

use std::time::{Duration, Instant};

use super::error::AppError;
use super::opening::{open_current_database, open_storage, say_who_owns};
use super::rules::retention;
use crate::config::Settings;
use crate::db::{CountFault, Database, DbError, Target};
use crate::domain::Retention;
use crate::domain::retention::Standing;
use crate::storage::Storage;
use crate::upkeep::orphans::{Found, Sweep, SweepError};
use crate::upkeep::retention::{Over, Walk, count_expired, count_overdue, standing};
use crate::upkeep::{FilesError, remove_due_files};

/// Time between two reports of progress.
const REPORT_INTERVAL: Duration = Duration::from_secs(2);

/// Why tidying stopped.
#[derive(Debug, thiserror::Error)]
pub enum TidyingError {
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Database(#[from] DbError),
    #[error("the files of deleted jobs can't be removed now, but will be later: {0}")]
    Files(#[from] FilesError),
    #[error(transparent)]
    Sweep(#[from] SweepError),
}

/// Database and storage, opened as the service does.
pub struct Tidying {
    database: Database,
    target: Target,
    storage: Storage,
    rules: Retention,
}

impl Tidying {
    /// # Errors
    /// If the database can't be reached, or the storage can't be written.
    pub async fn open(settings: &Settings) -> Result<Self, AppError> {
        let (database, target) = open_current_database(settings).await?;
        let storage = open_storage(settings)?;
        say_who_owns(&database, &storage).await;
        Ok(Self {
            database,
            target,
            storage,
            rules: retention(settings),
        })
    }

    /// How long jobs are kept.
    pub const fn rules(&self) -> Retention {
        self.rules
    }

    /// How many jobs would be deleted now, by kind. Looks at all of them.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn count_over(&self) -> Result<Vec<Over>, TidyingError> {
        let mut counts = count_overdue(&self.database, self.rules, false).await?;
        counts.push(count_expired(&self.database).await?);
        Ok(counts)
    }

    /// What the rules may do at present.
    ///
    /// # Errors
    /// If the database can't be read or written.
    pub async fn standing(&self) -> Result<Standing, TidyingError> {
        Ok(standing(&self.database, self.rules).await?)
    }

    /// Deletes jobs whose time is over, with their files, until none is left; those alone that
    /// their clients gave an end unless `by_rules`. Tells `report` now and then how many there were
    /// so far. Returns how many.
    ///
    /// # Errors
    /// If database or storage refuse. Rows go first, so that the service removes the files of
    /// those that were deleted.
    pub async fn delete_over(
        &self,
        by_rules: bool,
        mut report: impl FnMut(u64),
    ) -> Result<u64, TidyingError> {
        let rules = match by_rules {
            true => self.rules,
            false => Retention::default(),
        };
        let mut walk = Walk::of_all(&self.database, rules);
        let (mut deleted, mut reported) = (0, Instant::now());
        while let Some(more) = walk.step().await? {
            deleted += more;
            remove_due_files(&self.database, &self.storage).await?;
            if reported.elapsed() > REPORT_INTERVAL {
                report(deleted);
                reported = Instant::now();
            }
        }
        while remove_due_files(&self.database, &self.storage).await? > 0 {}
        Ok(deleted)
    }

    /// Looks for files that belong to no job.
    ///
    /// # Errors
    /// As [`Sweep::look`].
    pub async fn find_orphans(&self) -> Result<Found, TidyingError> {
        Ok(Sweep::asked_for(&self.database, &self.storage)
            .look()
            .await?)
    }

    /// Removes them; with `force` however many they are.
    ///
    /// # Errors
    /// As [`Sweep::remove`].
    pub async fn remove_orphans(&self, force: bool) -> Result<Found, TidyingError> {
        let sweep = Sweep::asked_for(&self.database, &self.storage);
        Ok(sweep.remove(force).await?)
    }

    /// The kept counts that are wrong; with `repair` they are mended.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn check(&self, repair: bool) -> Result<Vec<CountFault>, TidyingError> {
        Ok(self.database.check_counts(&self.target, repair).await?)
    }
}
