//! Where the API listens.

use std::net::{SocketAddr, TcpListener};

use super::error::AppError;
use crate::http::ReservedAddress;

/// The address of the API; taken first, so that a busy port is noticed before anything is touched.
/// `setting` is the variable that names it.
///
/// # Errors
/// If the address can't be bound.
pub fn reserve(address: SocketAddr, setting: &'static str) -> Result<ReservedAddress, AppError> {
    ReservedAddress::new(address).map_err(|cause| AppError::listen(address, setting, cause))
}

/// Listens where an address was reserved. Until then clients are refused: they would wait in vain
/// for a process whose start waits for its database.
///
/// # Errors
/// If somebody else has come to listen there since.
pub fn listen(reserved: ReservedAddress, setting: &'static str) -> Result<TcpListener, AppError> {
    let address = reserved.address();
    let listening = reserved.listen();
    listening.map_err(|cause| AppError::listen(address, setting, cause))
}
