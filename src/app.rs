//! The composition root: settings become parts. The only place that builds adapters.
