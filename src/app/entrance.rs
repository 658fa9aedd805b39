//! Where the API listens, and who may use it.

use std::net::{SocketAddr, TcpListener};

use super::error::AppError;
use crate::config::Settings;
use crate::http::{ApiKeys, ReservedAddress};

/// The address of the API; taken first, so that a busy port is noticed before anything is touched.
///
/// # Errors
/// If the address can't be bound.
pub fn reserve(address: SocketAddr) -> Result<ReservedAddress, AppError> {
    ReservedAddress::new(address).map_err(|cause| AppError::Listen { address, cause })
}

/// Listens where an address was reserved. Until then clients are refused: they would wait in vain
/// for a process whose start waits for its database.
///
/// # Errors
/// If somebody else has come to listen there since.
pub fn listen(reserved: ReservedAddress) -> Result<TcpListener, AppError> {
    let address = reserved.address();
    let listening = reserved.listen();
    listening.map_err(|cause| AppError::Listen { address, cause })
}

/// The keys that may use the API, or `None` where it asks for none.
///
/// # Errors
/// If there is a file of keys that can't be read, or that has a fault or no key.
pub fn read_api_keys(settings: &Settings) -> Result<Option<ApiKeys>, AppError> {
    let Some(path) = &settings.api_keys_file else {
        return Ok(None);
    };
    let keys = ApiKeys::read(path).map_err(|cause| AppError::ApiKeys {
        path: path.display().to_string(),
        cause,
    })?;
    Ok(Some(keys))
}
