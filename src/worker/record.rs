//! The results as they are stored: the files with their names, and the record of the job.

use base64::Engine as _;
use sha2::{Digest, Sha256};

use super::rendering::Made;
use crate::domain::hex;
use crate::domain::{
    Claim, ExifSummary, Failure, FailureCode, FileRecord, JobResult, ThumbnailInfo, VariantOutcome,
    VariantRecord, Variants,
};
use crate::fetch::Download;
use crate::storage::{NewFile, first_path, other_path};
use thumbforge_imaging::Rendition;

/// The record of a job, and its files, the first variant's fallback first.
///
/// # Errors
/// If the engine did not make what it must.
pub(super) async fn describe(
    claim: &Claim,
    download: &Download,
    variants: Option<&Variants>,
    made: Made,
) -> Result<(JobResult, Vec<NewFile>), Failure> {
    let Made {
        source,
        sha256,
        dominant_color,
        thumbhash,
        renditions,
        took: _,
    } = made;
    let outputs = match variants {
        None => only(claim, renditions),
        Some(variants) => {
            let (claim, variants) = (claim.clone(), variants.clone());
            // Files may be large, and each is hashed.
            let named = move || named(&claim, &variants, renditions);
            tokio::task::spawn_blocking(named).await.ok().flatten()
        }
    };
    let Outputs {
        thumbnail,
        records,
        files,
    } = outputs.ok_or_else(|| {
        tracing::error!("the image engine did not make what was asked for");
        Failure::new(
            FailureCode::Internal,
            "the image engine failed on this image",
        )
    })?;
    let result = JobResult {
        width: source.width,
        height: source.height,
        format: source.format.name().to_owned(),
        size_bytes: download.bytes.len() as u64,
        source_content_type: download.content_type.clone(),
        source_url: download.final_url.clone(),
        sha256,
        thumbnail_path: files[0].path.clone(),
        thumbnail,
        has_alpha: source.has_alpha,
        frames: source.frames,
        orientation: source.orientation,
        icc_profile: source.icc_profile,
        exif: source.exif.map(|exif| ExifSummary {
            camera: exif.camera,
            lens: exif.lens,
            taken_at: exif.taken_at,
            taken_at_source: exif.taken_at_source.map(|source| source.word().to_owned()),
        }),
        dominant_color,
        thumbhash: base64::engine::general_purpose::STANDARD.encode(&thumbhash),
        truncated: source.truncated,
        variants: records,
    };
    Ok((result, files))
}

struct Outputs {
    thumbnail: ThumbnailInfo,
    records: Vec<VariantRecord>,
    /// Never empty.
    files: Vec<NewFile>,
}

/// For a job that asks for no variants.
fn only(claim: &Claim, renditions: Vec<Result<Rendition, Failure>>) -> Option<Outputs> {
    let rendition = renditions.into_iter().next()?.ok()?;
    let (width, height) = (rendition.width, rendition.height);
    let file = rendition.files.into_iter().next_back()?;
    Some(Outputs {
        thumbnail: ThumbnailInfo {
            width,
            height,
            size_bytes: file.bytes.len() as u64,
            content_type: file.format.media_type().to_owned(),
        },
        records: Vec::new(),
        files: vec![NewFile {
            path: first_path(claim.id, file.format.extension()),
            bytes: file.bytes,
        }],
    })
}

fn named(
    claim: &Claim,
    variants: &Variants,
    renditions: Vec<Result<Rendition, Failure>>,
) -> Option<Outputs> {
    if renditions.len() != variants.iter().len() {
        return None;
    }
    let mut files: Vec<NewFile> = Vec::new();
    let mut records = Vec::with_capacity(renditions.len());
    let mut thumbnail = None;
    for (index, (named, rendition)) in variants.iter().zip(renditions).enumerate() {
        let outcome = match rendition {
            Ok(rendition) => {
                let last = rendition.files.len().checked_sub(1)?;
                let (width, height) = (rendition.width, rendition.height);
                let mut of_variant = Vec::with_capacity(rendition.files.len());
                for (place, file) in rendition.files.into_iter().enumerate() {
                    let is_first = index == 0 && place == last;
                    let extension = file.format.extension();
                    let path = if is_first {
                        first_path(claim.id, extension)
                    } else {
                        other_path(claim, &named.name, extension)
                    };
                    let record = FileRecord {
                        path: path.clone(),
                        content_type: file.format.media_type().to_owned(),
                        size_bytes: file.bytes.len() as u64,
                        sha256: hex(&Sha256::digest(&file.bytes)),
                    };
                    let bytes = file.bytes;
                    if is_first {
                        thumbnail = Some(ThumbnailInfo {
                            width,
                            height,
                            size_bytes: record.size_bytes,
                            content_type: record.content_type.clone(),
                        });
                        files.insert(0, NewFile { path, bytes });
                    } else {
                        files.push(NewFile { path, bytes });
                    }
                    of_variant.push(record);
                }
                VariantOutcome::Made {
                    width,
                    height,
                    files: of_variant,
                }
            }
            Err(failure) => {
                tracing::info!(
                    error.variant = named.name,
                    error.code = failure.code.as_str(),
                    error.message = %failure.message,
                    "an optional variant could not be made"
                );
                VariantOutcome::Failed {
                    error_code: failure.code.as_str().to_owned(),
                    error: failure.message,
                }
            }
        };
        records.push(VariantRecord {
            name: named.name.clone(),
            outcome,
        });
    }
    Some(Outputs {
        thumbnail: thumbnail?,
        records,
        files,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{JobId, Origin, Timestamp};
    use serde_json::json;
    use thumbforge_imaging::EncodedFile;
    use thumbforge_imaging::Format;

    fn claim() -> Claim {
        Claim {
            id: JobId::generate(),
            url: "https://a.example/".to_owned(),
            origin: Origin::stored("https://a.example:443"),
            waits_since: Timestamp::EPOCH,
            attempt: 1,
            fence: 7,
            variants: None,
        }
    }

    fn rendition(formats: &[Format]) -> Result<Rendition, Failure> {
        let file = |format: &Format| EncodedFile {
            format: *format,
            bytes: format.name().into(),
        };
        Ok(Rendition {
            width: 4,
            height: 3,
            files: formats.iter().map(file).collect(),
        })
    }

    fn variants() -> Variants {
        let list = json!([
            {"name": "card", "width": 4, "format": "auto"},
            {"name": "big", "width": 9, "optional": true},
            {"name": "tile", "width": 4, "format": "png"},
        ]);
        Variants::read(&list).unwrap()
    }

    #[test]
    fn the_first_variants_fallback_is_the_first_file_and_a_failed_one_has_none() {
        let claim = claim();
        let failure = Failure::new(FailureCode::VariantTooLarge, "no quality is low enough");
        let renditions = vec![
            rendition(&[Format::Webp, Format::Jpeg]),
            Err(failure),
            rendition(&[Format::Png]),
        ];
        let outputs = named(&claim, &variants(), renditions).unwrap();
        let paths: Vec<_> = outputs
            .files
            .iter()
            .map(|file| file.path.as_str())
            .collect();
        let other = |name: &str| {
            let (id, end) = (claim.id, &claim.id.to_string()[34..]);
            format!("{end}/{id}/{name}")
        };
        let expected = [
            format!("{}.jpg", claim.id),
            other("card-7.webp"),
            other("tile-7.png"),
        ];
        assert_eq!(paths, expected);
        assert_eq!(outputs.files[0].bytes, b"JPEG");
        assert_eq!(outputs.thumbnail.content_type, "image/jpeg");
        let records = serde_json::to_value(&outputs.records).unwrap();
        assert_eq!(records[0]["files"][0]["path"], expected[1]);
        assert_eq!(records[0]["files"][1]["path"], expected[0]);
        let failed = json!({"name": "big", "error_code": "variant_too_large",
            "error": "no quality is low enough"});
        assert_eq!(records[1], failed);
        let read: Vec<VariantRecord> = serde_json::from_value(records).unwrap();
        assert_eq!(read, outputs.records);
    }

    #[test]
    fn an_engine_that_makes_too_little_is_noticed() {
        let too_few = vec![rendition(&[Format::Png])];
        assert!(named(&claim(), &variants(), too_few).is_none());
        let failure = || Err(Failure::new(FailureCode::Internal, "x"));
        let first_missing = vec![failure(), failure(), failure()];
        assert!(named(&claim(), &variants(), first_missing).is_none());
        assert!(only(&claim(), vec![failure()]).is_none());
    }
}
