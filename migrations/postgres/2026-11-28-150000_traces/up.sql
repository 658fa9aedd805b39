-- The trace in which a job was submitted, as W3C Trace Context writes it.
ALTER TABLE jobs ADD COLUMN traceparent text COLLATE "C";
