//! Outputs of a rule that returns more than one value on the first port.

use crate::error::{Error, Result};
use crate::key::KeyType;
use crate::value::{IntoValue, Written};

/// A port of a function. The macros define one constant for each: `#[transform(ports(high, low))] fn split` makes
/// `split::HIGH` and `split::LOW`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port(#[doc(hidden)] pub u32);

impl Port {
    /// The first port of a function, which `from = "step"` means.
    pub const FIRST: Self = Self(0);
}

/// The record goes on unchanged: a filter returns it.
///
/// ```
/// use millrace_sdk::prelude::*;
///
/// /// Lets large payments through.
/// #[transform]
/// fn large(payment: Doc) -> Result<Option<Unchanged>> {
///     Ok((payment.f64("amount")? > 1000.0).then_some(Unchanged))
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unchanged;

/// An output: a value, and everything in which the output differs from its input.
///
/// ```
/// use millrace_sdk::prelude::*;
///
/// /// Sends orders to where they are packed, under the key of their region.
/// #[transform(ports(small, large(rekey)))]
/// fn route(order: Doc) -> Result<Output> {
///     if order.i64("productCount")? < 10 {
///         return Ok(Output::to(route::SMALL).unchanged());
///     }
///     let region = order.str("region")?.into_owned();
///     Ok(Output::to(route::LARGE).key(region).value(order).header("checked", "no"))
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Output {
    pub(crate) port: Port,
    pub(crate) key: Content,
    pub(crate) value: Content,
    pub(crate) timestamp: Option<i64>,
    pub(crate) headers: Option<Vec<OwnHeader>>,
    /// Why the value couldn't be written.
    pub(crate) error: Option<Error>,
}

/// A header: its name and value.
pub(crate) type OwnHeader = (Vec<u8>, Option<Vec<u8>>);

/// A key or value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Inherit,
    Null,
    Bytes(Vec<u8>),
}

impl Output {
    /// A record for a port, with key, value, timestamp and headers of the input.
    pub fn to(port: Port) -> Self {
        let (key, value) = (Content::Inherit, Content::Inherit);
        Self { port, key, value, timestamp: None, headers: None, error: None }
    }

    /// A record for the first port.
    pub fn new() -> Self {
        Self::to(Port::FIRST)
    }

    /// With this value: a `Doc`, or a type that serde can write.
    pub fn value(mut self, value: impl IntoValue) -> Self {
        let mut bytes = Vec::new();
        match value.into_value(&mut bytes) {
            Ok(Written::Bytes) => self.value = Content::Bytes(bytes),
            Ok(Written::Null) => self.value = Content::Null,
            Err(error) => self.error = Some(error),
        }
        self
    }

    /// With these bytes as value.
    pub fn bytes(mut self, value: impl Into<Vec<u8>>) -> Self {
        self.value = Content::Bytes(value.into());
        self
    }

    /// With the input's value, which is the default. In a join and an aggregate it fails, since they have no such
    /// value.
    pub fn unchanged(mut self) -> Self {
        self.value = Content::Inherit;
        self
    }

    /// With a null value: a tombstone for readers of the topic as a table.
    pub fn tombstone(mut self) -> Self {
        self.value = Content::Null;
        self
    }

    /// With this key. The port must be declared as `rekey`.
    pub fn key(mut self, key: impl KeyType) -> Self {
        let mut bytes = Vec::new();
        key.encode(&mut bytes);
        self.key = Content::Bytes(bytes);
        self
    }

    /// With a null key. The port must be declared as `rekey`.
    pub fn null_key(mut self) -> Self {
        self.key = Content::Null;
        self
    }

    /// With this event time, in milliseconds since the epoch.
    pub fn timestamp(mut self, timestamp: i64) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// Without the input's headers.
    pub fn no_headers(mut self) -> Self {
        self.headers = Some(Vec::new());
        self
    }

    /// With this header. The first one replaces all headers of the input.
    pub fn header(mut self, name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.get_or_insert_default().push((name.into(), Some(value.into())));
        self
    }
}

impl Default for Output {
    fn default() -> Self {
        Self::new()
    }
}

/// Any number of outputs.
///
/// ```
/// use millrace_sdk::prelude::*;
///
/// /// One record an item, under the item's own key.
/// #[transform(rekey)]
/// fn items(order: Doc) -> Result<Outputs> {
///     let items: Vec<Item> = order.get("items")?;
///     Ok(items.into_iter().map(|item| Output::new().key(item.book).value(item.quantity)).collect())
/// }
///
/// #[derive(serde::Deserialize)]
/// struct Item {
///     book: String,
///     quantity: u32,
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Debug, Default)]
pub struct Outputs(pub(crate) Vec<Output>);

impl Outputs {
    /// No outputs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an output.
    pub fn push(&mut self, output: Output) {
        self.0.push(output);
    }
}

impl From<Output> for Outputs {
    fn from(output: Output) -> Self {
        Self(vec![output])
    }
}

impl FromIterator<Output> for Outputs {
    fn from_iter<I: IntoIterator<Item = Output>>(outputs: I) -> Self {
        Self(outputs.into_iter().collect())
    }
}

impl Extend<Output> for Outputs {
    fn extend<I: IntoIterator<Item = Output>>(&mut self, outputs: I) {
        self.0.extend(outputs);
    }
}

/// Makes an output of a value of any type that the macros choose.
pub(crate) fn refuse_inherited_value() -> Result<()> {
    Err(Error::permanent(
        crate::error::codes::UNDECLARED,
        "an output without a value of its own: a join, an aggregate and a timer have none to take over",
    ))
}
