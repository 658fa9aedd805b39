//! The commands that speak to a running service: what they need of this process.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use thumbforge_client::{ClientCommand, Surroundings};

use crate::config::Sources;
use crate::tls::{ClientTls, Verification, public_roots};

pub(super) fn run(command: ClientCommand) -> anyhow::Result<ExitCode> {
    let verification = Verification::ChainAndName(Arc::new(public_roots()));
    let tls = ClientTls {
        protocols: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        ..ClientTls::new(verification)
    };
    let surroundings = Surroundings {
        variables: Sources::of_process(None, Vec::new()).environment,
        tls: tls.config().context("can't set up TLS")?,
    };
    Ok(thumbforge_client::run(command, surroundings))
}
