//! The hint: a FIFO of job ids, in a Redis list or in this process.
