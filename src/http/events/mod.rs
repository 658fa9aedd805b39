//! How clients learn that something ended: streams (Server-Sent Events) and long polls.
//!
//! | file | what |
//! | --- | --- |
//! | `feed` | follows the events of the database while somebody listens |
//! | `shown` | an event as clients read it |
//! | `places` | how many clients may listen |
//! | `stream` | what is sent to one of them |
//! | `ending` | the wait for the end of a job |

mod ending;
mod feed;
mod places;
mod shown;
mod stream;

pub(super) use ending::ended_within;
pub(super) use feed::Feed;
pub(super) use places::Places;
pub use shown::{BatchEvent, ImageEvent, event_json};
pub(super) use stream::{EventStream, Opening};
