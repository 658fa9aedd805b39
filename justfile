# Each line also works by hand, without just. `just --list` shows them.

# Checks that every change must pass, as CI runs them
ci:
    .ci/run

# Format, lints and documentation
check:
    cargo fmt --all --check
    cargo clippy --locked --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

# Every test; installs Postgres and Redis where they are missing
test *arguments:
    scripts/test {{arguments}}

# As test, and the longer checks: the oldest promised Rust, the fuzz targets
test-all:
    scripts/test --all

# The quick part: no server needed
test-quick:
    cargo test --lib
    cargo test -p thumbforge-intake

# Decoders and encoders alone
test-codecs:
    cargo test -p thumbforge-codecs

# The image engine alone
test-imaging:
    cargo test -p thumbforge-imaging

# With the Rust version that Cargo.toml promises
msrv:
    scripts/msrv

# Every fuzz target for some seconds, or only those that are named
fuzz seconds="600" *targets:
    fuzz/run {{seconds}} {{targets}}

# The codecs, and the engine from file to thumbnail
bench:
    cargo bench -p thumbforge-codecs
    cargo bench -p thumbforge-imaging

# Beside the peers, on a quiet machine; writes docs/BENCHMARKS.md
bench-peers *arguments:
    benches/peers/run {{arguments}}

# With few and with many rows in the table, on a quiet machine; writes docs/BENCHMARKS.md
bench-growth *arguments:
    cargo build --release --locked --bin thumbforge
    benches/growth/run {{arguments}}

# API and worker in one process, on http://127.0.0.1:8000
run *arguments:
    cargo run --release -- all {{arguments}}

# What is published
dist:
    cargo build --profile dist --locked --bin thumbforge

# Licences, sources and bans of the dependencies
deny:
    cargo deny --locked check bans licenses sources
