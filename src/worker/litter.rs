//! What workers left in the storage: a file in `.tmp` stands for each claim that may have left
//! something.

use crate::db::Database;
use crate::domain::JobId;
use crate::storage::{Storage, TemporaryFile};

/// Clears up after those of `files` whose claims are over.
pub(super) async fn clear(database: &Database, storage: &Storage, files: &[TemporaryFile]) {
    let pairs: Vec<(JobId, i64)> = files.iter().map(|file| (file.id, file.fence)).collect();
    let held = match database.held(&pairs).await {
        Ok(held) => held,
        Err(error) => return tracing::warn!(%error, "temporary files could not be judged"),
    };
    for file in files {
        if !held.contains(&(file.id, file.fence)) {
            clear_one(database, storage, *file).await;
        }
    }
}

async fn clear_one(database: &Database, storage: &Storage, file: TemporaryFile) {
    // A claim that completed its job may have died before it could remove the files of earlier
    // claims.
    let cleared = match database.completed_under(file.id, file.fence).await {
        Ok(Some(result)) => storage.settle(file, result.thumbnail_path).await,
        Ok(None) => storage.discard(file).await,
        Err(error) => return tracing::warn!(%error, "a temporary file could not be judged"),
    };
    match cleared {
        Ok(()) => tracing::info!(job.id = %file.id, "removed what a dead worker was writing"),
        Err(error) => tracing::warn!(%error, job.id = %file.id, "litter could not be removed"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::db::{ClaimSource, Submission};
    use crate::domain::{
        Claim, DuplicateHandling, JobResult, Outcome, Request, Schedule, SourceUrl, Variants,
    };
    use crate::storage::{NewFile, first_path, other_path};
    use crate::worker::testing;

    async fn claimed(database: &Database, url: &SourceUrl) -> Claim {
        let source = ClaimSource::Origins(vec![(url.origin(), 1)]);
        let lease = Duration::from_secs(60);
        let claim = database.claim(source, uuid::Uuid::now_v7(), lease);
        claim.await.unwrap().claims.pop().unwrap()
    }

    /// Publishes two files, and returns their paths.
    async fn publish(storage: &Storage, claim: &Claim) -> [String; 2] {
        let paths = [first_path(claim.id, "jpg"), other_path(claim, "b", "png")];
        let file = |path: &String| NewFile {
            path: path.clone(),
            bytes: vec![1],
        };
        let files = paths.iter().map(file).collect();
        assert!(storage.publish(claim, files).await.unwrap());
        paths
    }

    fn completed(path: &str) -> Outcome {
        let result: JobResult = serde_json::from_value(json!({
            "width": 1, "height": 1, "format": "PNG", "size_bytes": 1, "source_content_type": null,
            "source_url": "https://a.example/", "sha256": "", "thumbnail_path": path,
            "thumbnail": {"width": 1, "height": 1, "size_bytes": 1, "content_type": "image/jpeg"},
            "has_alpha": false, "frames": 1, "orientation": 1, "icc_profile": null, "exif": null,
            "dominant_color": "#000000", "thumbhash": "",
        }))
        .unwrap();
        Outcome::Completed {
            result: Box::new(result),
            source_status: Some(200),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn files_stay_while_their_claim_holds_and_once_it_has_completed_the_job() {
        let folder = tempfile::tempdir().unwrap();
        let database = testing::database(folder.path()).await;
        let storage = Storage::open(&folder.path().join("thumbnails")).unwrap();
        let there = |path: &String| folder.path().join("thumbnails").join(path).is_file();
        let url = SourceUrl::parse("https://a.example/x").unwrap();
        let variants = json!([{"name": "a", "width": 1}, {"name": "b", "width": 1}]);
        let variants = Variants::read(&variants).unwrap();
        let policy = DuplicateHandling::AllowRetry;
        let submitted = database
            .submit(Request::new(
                &url,
                policy,
                Schedule::default(),
                Some(&variants),
            ))
            .await
            .unwrap();
        assert!(matches!(submitted, Submission::Created(_)));
        let marker = |claim: &Claim| {
            let name = format!("{}.{}", claim.id, claim.fence);
            PathBuf::from(".tmp").join(name).display().to_string()
        };

        // It published, and is handed back before the row records that.
        let lost = claimed(&database, &url).await;
        let old = publish(&storage, &lost).await;
        clear(&database, &storage, &[TemporaryFile::of(&lost)]).await;
        assert!(old.iter().all(there) && there(&marker(&lost)), "held");
        let released = Outcome::Released {
            delay: Duration::ZERO,
        };
        assert!(database.finish(&lost, &released).await.unwrap());

        // The next one completes the job, and dies before it cleans up.
        let claim = claimed(&database, &url).await;
        let new = publish(&storage, &claim).await;
        let outcome = completed(&new[0]);
        assert!(database.finish(&claim, &outcome).await.unwrap());
        let found = storage.temporary_files().await.unwrap();
        assert_eq!(found.len(), 2);
        clear(&database, &storage, &found).await;
        assert!(new.iter().all(there), "the files of a completed job");
        assert!(!there(&old[1]), "those of the claim before");
        assert_eq!(storage.temporary_files().await.unwrap(), []);
        clear(&database, &storage, &[TemporaryFile::of(&lost)]).await;
        assert!(new.iter().all(there));
        storage.remove(claim.id).await.unwrap();
        assert!(!new.iter().any(there));
    }
}
