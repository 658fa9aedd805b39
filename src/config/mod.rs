//! Every setting with its default and check. The only reader of the environment.
