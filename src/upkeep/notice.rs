//! The hour between a change of the rules of retention and the first deletion.

use crate::db::{Database, DbError};
use crate::domain::Retention;
use crate::domain::retention::{Announced, NOTICE, Standing};
use crate::upkeep::retention::count_overdue;

const NAME: &str = "retention";

/// Tells the other processes what the rules of this one are, and the log what they will do.
pub(super) struct Announcer<'a> {
    database: &'a Database,
    rules: Retention,
    /// The log has it.
    is_said: bool,
}

impl<'a> Announcer<'a> {
    pub(super) const fn new(database: &'a Database, rules: Retention) -> Self {
        Self {
            database,
            rules,
            is_said: false,
        }
    }

    /// What the rules may do now. Announces them first if others are known.
    pub(super) async fn look(&mut self) -> Result<Standing, DbError> {
        loop {
            let known = self.database.remembered(NAME).await?;
            // What can't be read is not ours.
            let announced = known
                .value
                .as_deref()
                .and_then(|json| serde_json::from_str(json).ok());
            let standing = Announced::standing(announced, self.rules, known.now);
            let Standing::New { differ } = standing else {
                self.say(standing).await?;
                return Ok(standing);
            };
            let own = serde_json::json!(Announced::new(self.rules, known.now)).to_string();
            let old = known.value.as_deref();
            if differ && self.database.remember(NAME, old, &own).await? {
                self.warn();
            } else if !differ {
                self.database.remember(NAME, old, &own).await?;
            }
        }
    }

    fn warn(&self) {
        tracing::warn!(
            rules = %self.rules,
            "the rules of retention have changed, or those of another process differ: nothing is \
             deleted until all have been the same for an hour"
        );
    }

    /// Once for each process.
    async fn say(&mut self, standing: Standing) -> Result<(), DbError> {
        let Standing::Waits(left) = standing else {
            return Ok(());
        };
        if std::mem::replace(&mut self.is_said, true) {
            return Ok(());
        }
        let over = count_overdue(self.database, self.rules, true).await?;
        let jobs: u64 = over.iter().map(|over| over.jobs).sum();
        let is_exact = over.iter().all(|over| over.is_exact);
        let jobs = format!("{}{jobs}", if is_exact { "" } else { "at least " });
        let minutes = left.min(NOTICE).as_secs().div_ceil(60);
        tracing::info!(
            rules = %self.rules,
            jobs,
            minutes,
            "retention will delete jobs; it waits after a change of its rules"
        );
        Ok(())
    }
}
