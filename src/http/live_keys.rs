//! The API keys of this moment: they can be exchanged while requests come in.

use std::sync::{Arc, PoisonError, RwLock};

use super::api_keys::ApiKeys;

/// The keys that may use the API. Without any, everybody may. Clones share them.
#[derive(Clone, Default)]
pub struct LiveKeys(Arc<RwLock<Option<Arc<ApiKeys>>>>);

impl LiveKeys {
    /// Exchanges them: the next request already meets the new ones.
    pub fn set(&self, keys: ApiKeys) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *current = Some(Arc::new(keys));
    }

    /// `None`: everybody may use the API.
    pub fn current(&self) -> Option<Arc<ApiKeys>> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }

    pub fn are_needed(&self) -> bool {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        current.is_some()
    }
}

impl From<ApiKeys> for LiveKeys {
    fn from(keys: ApiKeys) -> Self {
        let live = Self::default();
        live.set(keys);
        live
    }
}
