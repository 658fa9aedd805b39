//! A resolver that answers as a test scripts it.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use thumbforge::fetch::{FetchSettings, Fetcher, Resolve, Resolving};

/// For each name the answers to give, one after the other; the last one stays.
#[derive(Default)]
pub struct ScriptedResolver {
    answers: Mutex<HashMap<String, VecDeque<Vec<IpAddr>>>>,
    asked: Mutex<Vec<String>>,
}

impl ScriptedResolver {
    /// `name` resolves to each of `answers` in turn.
    pub fn with(self, name: &str, answers: &[&[IpAddr]]) -> Self {
        let answers = answers.iter().map(|answer| answer.to_vec()).collect();
        self.answers
            .lock()
            .unwrap()
            .insert(name.to_owned(), answers);
        self
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub fn fetcher(self, settings: FetchSettings) -> (Fetcher, Arc<Self>) {
        let resolver = Arc::new(self);
        let shared = Arc::clone(&resolver);
        (Fetcher::with_resolver(settings, shared).unwrap(), resolver)
    }
}

impl Resolve for ScriptedResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        self.asked.lock().unwrap().push(name.to_owned());
        let mut answers = self.answers.lock().unwrap();
        let answer = answers.get_mut(name).map(|queue| match queue.len() {
            0 | 1 => queue.front().cloned().unwrap_or_default(),
            _ => queue.pop_front().unwrap(),
        });
        Box::pin(async move { answer.ok_or_else(|| std::io::Error::other("no such name")) })
    }
}

/// A resolver whose servers never answer.
pub struct SilentResolver;

impl Resolve for SilentResolver {
    fn resolve<'a>(&'a self, _name: &'a str) -> Resolving<'a> {
        Box::pin(std::future::pending())
    }
}

/// A resolver that knows that no name exists.
pub struct NoSuchName;

impl Resolve for NoSuchName {
    fn resolve<'a>(&'a self, _name: &'a str) -> Resolving<'a> {
        Box::pin(async { Err(std::io::ErrorKind::NotFound.into()) })
    }
}
