//! Dead letters, as they lie in a topic: those of Millrace and of other systems, read into one form and put into groups of
//! the same failure.
//!
//! ```
//! use millrace_letters::{Groups, Letter, LetterId};
//! # use millrace_engine::record::{Header, Headers, InputRecord, TimestampType};
//! # let headers: Headers = vec![Header::new("millrace-step", "price"), Header::new("millrace-error-code", "bad-price")].into();
//! # let (timestamp, timestamp_type, arrived, turn) = (0, TimestampType::CreateTime, 0, 0);
//! # let record = InputRecord { offset: 17, timestamp, timestamp_type, key: None, value: None, headers, arrived, turn };
//! let id = LetterId { topic: "orders-dlq".into(), partition: 3, offset: 17 };
//! let letter = Letter::read(id, record);
//! let mut groups = Groups::default();
//! groups.add(&letter);
//! assert_eq!(groups.all().next().map(|group| group.letters), Some(1));
//! ```

mod formats;
mod groups;
mod letter;
mod pattern;

pub use groups::{Group, Groups, SAMPLES};
pub use letter::{Format, Letter, LetterId, Source};
pub use pattern::pattern;
