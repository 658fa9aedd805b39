mod baseline;
mod codings;
mod limits;
mod picture;
