//! Decoders in processes of their own: real children of the built binary, and worse ones.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use thumbforge::domain::{DecodeIsolation, Failure, FailureCode};
use thumbforge::isolation::{ChildLimits, DecoderRules, Decoders, Pool, Program};
use thumbforge_imaging::confined::Unmeasured;
use thumbforge_imaging::{
    ErrorKind, Format, ImagingError, Limits, Made, Scratch, Source, Variant, make,
};

use crate::support::skipped::skipped;

const LIMITS: ChildLimits = ChildLimits {
    memory_bytes: 1 << 30,
    timeout: Duration::from_secs(15),
};
/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn built() -> Program {
    Program::at(env!("CARGO_BIN_EXE_thumbforge").into(), &LIMITS)
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read(folder.join(name)).unwrap()
}

/// What a pool makes of a file within this time.
fn made_within(pool: &Pool, bytes: &[u8], time: Duration) -> Result<Made, Failure> {
    let limits = Limits {
        deadline: Some(Instant::now() + time),
        ..Limits::default()
    };
    let variant = Variant::thumbnail(256, 85);
    let source = match Source::open(bytes, &limits) {
        Err(ImagingError::NeedsLockdown { format }) => {
            pool.measure(Unmeasured::new(bytes, format), &limits)?
        }
        opened => opened?,
    };
    let plan = source.plan(std::slice::from_ref(&variant), &limits);
    let plan = plan.map_err(|refused| refused.error)?;
    let picture = pool.decode(&source, &plan, &limits)?;
    // The summary is that of what was rendered.
    let renditions = vec![picture.render(&variant, &limits)?];
    Ok(Made {
        source: picture.source().clone(),
        summary: picture.summary()?,
        renditions,
    })
}

fn made(pool: &Pool, bytes: &[u8]) -> Result<Made, Failure> {
    made_within(pool, bytes, PATIENCE)
}

fn code(result: Result<Made, Failure>) -> Option<FailureCode> {
    result.err().map(|failure| failure.code)
}

fn signal(name: &str, process: u32) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &process.to_string()])
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn one_child_decodes_picture_after_picture() {
    let pool = Pool::open(built()).unwrap();
    let first = pool.idle();
    assert_eq!(first.len(), 1);
    for name in [
        "avif/420.avif",
        "avif/10bit.avif",
        "avif/grid.avif",
        // What it may use is limited for the first, and no more for the next.
        "pdf/quarters.pdf",
        "Landscape_6.jpg",
    ] {
        made(&pool, &fixture(name)).unwrap_or_else(|failure| panic!("{name}: {failure}"));
    }
    let broken = made(&pool, &fixture("avif/cut.avif"));
    assert_eq!(code(broken), Some(FailureCode::CorruptImage));
    assert_eq!(pool.idle(), first, "it was kept");
}

#[test]
fn a_child_has_no_privileges_no_environment_and_no_descriptors() {
    let pool = Pool::open(built()).unwrap();
    let process = pool.idle()[0];
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2", "Threads:\t1"] {
        assert!(status.contains(line), "{line}: {status}");
    }
    let limits = std::fs::read_to_string(format!("/proc/{process}/limits"));
    // It is not dumpable: only root sees the rest.
    if let Ok(limits) = limits {
        for (name, most) in [("Max open files", "0"), ("Max data size", "1073741824")] {
            let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
            let words: Vec<_> = line[name.len()..].split_whitespace().collect();
            assert_eq!(words[..2], [most, most], "{line}");
        }
    }
    let folder = PathBuf::from(format!("/proc/{process}"));
    if let Ok(descriptors) = std::fs::read_dir(folder.join("fd")) {
        assert_eq!(descriptors.count(), 3);
        assert_eq!(std::fs::read(folder.join("environ")).unwrap(), b"");
    }
}

#[test]
fn a_child_ends_with_its_pool_and_ignores_what_the_terminal_sends() {
    let pool = Pool::open(built()).unwrap();
    let process = pool.idle()[0];
    signal("TERM", process);
    signal("INT", process);
    made(&pool, &fixture("avif/420.avif")).unwrap();
    assert_eq!(pool.idle(), [process]);
    drop(pool);
    assert!(!Path::new(&format!("/proc/{process}")).exists());
}

#[test]
fn a_child_that_died_while_it_waited_costs_nothing() {
    let pool = Pool::open(built()).unwrap();
    let first = pool.idle()[0];
    signal("KILL", first);
    let status = format!("/proc/{first}/status");
    // A zombie, until its parent looks.
    while !std::fs::read_to_string(&status)
        .unwrap()
        .contains("State:\tZ")
    {
        std::thread::yield_now();
    }
    made(&pool, &fixture("avif/420.avif")).unwrap();
    assert_ne!(pool.idle(), [first]);
}

#[test]
fn a_child_that_is_stopped_costs_its_picture_and_the_next_one_works() {
    let pool = Pool::open(built()).unwrap();
    let first = pool.idle()[0];
    signal("STOP", first);
    let began = Instant::now();
    let stopped = made_within(
        &pool,
        &fixture("Landscape_6.jpg"),
        Duration::from_millis(500),
    );
    assert_eq!(code(stopped), Some(FailureCode::DecodeTimeout));
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(
        !Path::new(&format!("/proc/{first}")).exists(),
        "it was not killed"
    );
    made(&pool, &fixture("Landscape_6.jpg")).unwrap();
    assert_ne!(pool.idle(), [first]);
}

/// A child that greets well and then does this, and only the first time a decent one.
fn first_bad(misdeed: &str, marker: &Path) -> Program {
    let Program {
        path,
        arguments,
        memory_bytes,
    } = built();
    let script = format!(
        r#"mark=$1; shift
        if mkdir "$mark"; then
            printf 'TFDECODE\001'; head -c 247 /dev/zero
            {misdeed}
        else
            exec "$@"
        fi"#
    );
    let first = ["-c", &script, "sh"].map(Into::into).into_iter();
    Program {
        path: "/bin/sh".into(),
        arguments: first
            .chain([marker.into(), path.into()])
            .chain(arguments)
            .collect(),
        memory_bytes,
    }
}

/// The numbers of an answer's head, as the shell writes them.
fn head(numbers: &[u64]) -> String {
    let bytes = numbers.iter().flat_map(|number| number.to_le_bytes());
    let escaped: String = bytes.map(|byte| format!("\\{byte:03o}")).collect();
    let rest = 160 - 8 * numbers.len();
    format!("printf '{escaped}'; head -c {rest} /dev/zero; exec sleep 1000")
}

#[test]
fn whatever_a_child_does_costs_one_picture_with_one_typed_failure() {
    let crashed = FailureCode::DecoderCrashed;
    let one = 1.0_f64.to_bits();
    for (misdeed, expected) in [
        ("head -c 100 > /dev/null; kill -9 $$", crashed),
        ("head -c 100 > /dev/null; kill -6 $$", crashed),
        ("head -c 100 > /dev/null; exit 0", crashed),
        ("head -c 100 > /dev/null; exit 3", crashed),
        // Closes its pipe, and stays.
        ("exec 1>&- ; exec sleep 1000", crashed),
        // Hangs, with and without reading.
        ("exec sleep 1000", FailureCode::DecodeTimeout),
        ("cat > /dev/null", FailureCode::DecodeTimeout),
        // Garbage: zeros, text, and no end of it.
        ("head -c 100000 /dev/zero", crashed),
        ("while echo garbage; do :; done", crashed),
        (
            "head -c 100 /dev/urandom; exec sleep 1000",
            FailureCode::DecodeTimeout,
        ),
        // Claims more than was planned.
        (&head(&[1, 400, 0, 3, 1 << 31, 1 << 31, one, one]), crashed),
        (&head(&[2, 2, 1 << 40]), crashed),
        // Promises a picture, and sends none.
        (
            &head(&[1, 400, 0, 2, 1, 1, one, one]),
            FailureCode::DecodeTimeout,
        ),
    ] {
        let folder = tempfile::TempDir::new().unwrap();
        let pool = Pool::open(first_bad(misdeed, &folder.path().join("mark"))).unwrap();
        let bytes = fixture("Landscape_6.jpg");
        let limit = match expected {
            FailureCode::DecodeTimeout => Duration::from_millis(300),
            _ => PATIENCE,
        };
        let failed = made_within(&pool, &bytes, limit);
        assert_eq!(code(failed), Some(expected), "{misdeed}");
        let next = made(&pool, &bytes);
        assert!(next.is_ok(), "{misdeed}: {:?}", next.err());
    }
}

/// A machine that boots is slow: that is no reason to refuse pictures until the next restart.
#[test]
fn a_first_child_that_does_not_greet_in_time_is_followed_by_another() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut program = first_bad("", &folder.path().join("mark"));
    let silent = r#"mark=$1; shift; mkdir "$mark" && exec sleep 1000; exec "$@""#;
    program.arguments[1] = silent.into();
    let pool = Pool::open(program).unwrap();
    assert!(pool.idle().is_empty());
    made(&pool, &fixture("avif/420.avif")).unwrap();
    assert_eq!(pool.idle().len(), 1);
}

#[test]
fn a_child_gets_the_memory_that_is_reserved_for_its_picture() {
    let pool = Pool::open(built()).unwrap();
    made(&pool, &fixture("avif/420.avif")).unwrap();
    // It is not dumpable: only root sees this.
    let Ok(limits) = std::fs::read_to_string(format!("/proc/{}/limits", pool.idle()[0])) else {
        return skipped("the memory of a child", "only root sees its limits");
    };
    let name = "Max data size";
    let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
    let words = line[name.len()..].split_whitespace().take(2);
    let [now, most] = words.collect::<Vec<_>>()[..] else {
        panic!("{line}");
    };
    let now: u64 = now.parse().unwrap();
    // 128 MiB for itself, and some for 64 × 48 pixels.
    assert!((128 << 20..192 << 20).contains(&now), "{line}");
    assert_eq!(most, (1_u64 << 30).to_string());
}

#[test]
fn many_threads_share_a_pool_and_only_one_suffers_from_a_bad_child() {
    let folder = tempfile::TempDir::new().unwrap();
    let misdeed = "head -c 100 > /dev/null; kill -9 $$";
    let pool = Pool::open(first_bad(misdeed, &folder.path().join("mark"))).unwrap();
    let failures = Mutex::new(0);
    let bytes = fixture("avif/444.avif");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    if made(&pool, &bytes).is_err() {
                        *failures.lock().unwrap() += 1;
                    }
                }
            });
        }
    });
    assert_eq!(*failures.lock().unwrap(), 1);
    assert!(pool.idle().len() <= 4);
}

#[test]
fn a_child_that_cannot_lock_itself_is_no_decoder() {
    let refuses = Program {
        path: "/bin/sh".into(),
        arguments: [
            "-c",
            r"printf 'TFDECODE\003seccomp failed: no'; head -c 300 /dev/zero",
        ]
        .map(Into::into)
        .to_vec(),
        memory_bytes: LIMITS.memory_bytes,
    };
    let error = Pool::open(refuses.clone()).err().unwrap();
    assert!(
        error.to_string().starts_with("seccomp failed: no"),
        "{error}"
    );
    let decoders = Decoders::of_program(DecoderRules::default(), || refuses.clone()).unwrap();
    let notice = decoders.notice().unwrap();
    assert!(
        notice.starts_with("AVIF and SVG images are refused"),
        "{notice}"
    );
    let all = DecoderRules {
        isolation: DecodeIsolation::All,
        ..DecoderRules::default()
    };
    assert!(Decoders::of_program(all, || refuses).is_err());
}

fn files_under(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files_under(&path, files),
            false => files.push(path),
        }
    }
}

/// `DECODE_ISOLATION=all` decides where, not what.
#[test]
fn every_fixture_comes_out_alike_from_a_child_and_from_this_process() {
    let pool = Pool::open(built()).unwrap();
    let mut files = Vec::new();
    files_under(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"),
        &mut files,
    );
    let variants = [Variant::thumbnail(256, 85)];
    let (mut pictures, mut refused) = (0, 0);
    for path in files {
        let bytes = std::fs::read(&path).unwrap();
        let limits = Limits::default();
        if Format::of(&bytes).is_ok_and(Format::needs_lockdown) {
            continue;
        }
        let here = make(&bytes, &variants, &limits);
        match (here, made(&pool, &bytes)) {
            (Ok(here), Ok(there)) => {
                assert!(here == there, "{}", path.display());
                pictures += 1;
            }
            (Err(here), Err(there)) => {
                assert_eq!(Failure::from(here).code, there.code, "{}", path.display());
                refused += 1;
            }
            (here, there) => panic!(
                "{}: {:?} here, {:?} there",
                path.display(),
                here.err(),
                there.err()
            ),
        }
    }
    assert!(pictures > 60 && refused > 10, "{pictures} {refused}");
}

#[test]
fn in_this_process_no_avif_is_decoded() {
    let limits = Limits::default();
    let bytes = fixture("avif/420.avif");
    let source = Source::open(&bytes, &limits).unwrap();
    let plan = source.plan(&[Variant::thumbnail(64, 85)], &limits).unwrap();
    let mut scratch = Scratch::default();
    let error = source.decode(&plan, &limits, &mut scratch).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

/// Also those that would never end.
#[test]
fn every_drawing_ends_in_time_in_a_picture_or_a_typed_failure() {
    const TIME: Duration = Duration::from_secs(3);
    let pool = Pool::open(built()).unwrap();
    let mut files = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/svg");
    files_under(&folder, &mut files);
    files.retain(|path| path.extension().is_some_and(|ending| ending != "py"));
    let mut pictures = 0;
    for path in &files {
        let began = Instant::now();
        let made = made_within(&pool, &std::fs::read(path).unwrap(), TIME);
        let took = began.elapsed();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(took < TIME + Duration::from_secs(5), "{name}: {took:?}");
        let expected: &[FailureCode] = match name {
            "slow_filters.svg" => &[FailureCode::ImageTooLarge, FailureCode::DecodeTimeout],
            "many_layers.svg" | "doubled.svg" | "deep.svg" | "huge.svg" | "bomb.svgz" => {
                &[FailureCode::ImageTooLarge]
            }
            "laughs.svg" | "secret.svg" | "cut.svg" | "empty_side.svg" | "lies.svgz"
            | "cut.svgz" => &[FailureCode::CorruptImage],
            _ => &[],
        };
        match made {
            Ok(_) => {
                assert!(expected.is_empty(), "{name} is drawn");
                pictures += 1;
            }
            Err(failure) => assert!(expected.contains(&failure.code), "{name}: {failure}"),
        }
        println!("{name}: {took:?}");
    }
    assert!(pictures >= 13, "{pictures}");
}

/// Also those that would never end, or take all memory.
#[test]
fn every_document_ends_in_time_in_a_picture_or_a_typed_failure() {
    const TIME: Duration = Duration::from_secs(3);
    let pool = Pool::open(built()).unwrap();
    let mut files = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pdf");
    files_under(&folder, &mut files);
    files.retain(|path| path.extension().is_some_and(|ending| ending == "pdf"));
    let mut pictures = 0;
    for path in &files {
        let began = Instant::now();
        let made = made_within(&pool, &std::fs::read(path).unwrap(), TIME);
        let took = began.elapsed();
        let name = path.file_name().unwrap().to_str().unwrap();
        println!("{name}: {took:?} {:?}", made.as_ref().err());
        assert!(took < TIME + Duration::from_secs(5), "{name}: {took:?}");
        let expected: &[FailureCode] = match name {
            "encrypted.pdf" => &[FailureCode::UnsupportedFormat],
            "no_pages.pdf" | "page_loop.pdf" | "cut.pdf" => &[FailureCode::CorruptImage],
            "huge.pdf" | "endless.pdf" => &[FailureCode::ImageTooLarge],
            // What takes more memory than was reserved ends the child.
            "inflated.pdf" | "large_image.pdf" | "forms_bomb.pdf" => {
                &[FailureCode::DecoderCrashed, FailureCode::DecodeTimeout]
            }
            _ => &[],
        };
        match made {
            Ok(made) => {
                assert!(expected.is_empty(), "{name} is drawn");
                assert_eq!(made.source.format, Format::Pdf);
                pictures += 1;
            }
            Err(failure) => assert!(expected.contains(&failure.code), "{name}: {failure}"),
        }
    }
    assert!(pictures >= 20, "{pictures}");
}

#[test]
fn whatever_a_child_says_of_a_size_costs_one_document_with_one_typed_failure() {
    let read = "head -c 100 > /dev/null;";
    for (misdeed, expected) in [
        (
            format!("{read} {}", head(&[3, 0, 7])),
            FailureCode::CorruptImage,
        ),
        (
            format!("{read} {}", head(&[3, 1 << 31, 1 << 31])),
            FailureCode::ImageTooLarge,
        ),
        (
            format!("{read} {}", head(&[3, 1 << 32, 1])),
            FailureCode::DecoderCrashed,
        ),
        // A picture, which nobody asked for yet.
        (
            format!("{read} {}", head(&[1, 85, 0, 3, 85, 85])),
            FailureCode::DecoderCrashed,
        ),
        (format!("{read} kill -9 $$"), FailureCode::DecoderCrashed),
    ] {
        let folder = tempfile::TempDir::new().unwrap();
        let pool = Pool::open(first_bad(&misdeed, &folder.path().join("mark"))).unwrap();
        let bytes = fixture("pdf/quarters.pdf");
        let failed = made(&pool, &bytes);
        assert_eq!(code(failed), Some(expected), "{misdeed}");
    }
}
