//! Headers with a record's window, which sinks write. An input record may have such headers from another app.

use bytes::{BufMut, Bytes, BytesMut};

use crate::record::{Header, Headers, Window};

fn is_bound(header: &Header) -> bool {
    Window::HEADERS.iter().any(|name| header.name == name.as_bytes())
}

/// Adds the headers of a window, in place of any others.
pub(super) fn with(headers: &Headers, window: Window) -> Headers {
    let mut all: Vec<_> = headers.as_slice().iter().filter(|header| !is_bound(header)).cloned().collect();
    for (name, time) in Window::HEADERS.into_iter().zip([window.start, window.end]) {
        let mut bytes = BytesMut::with_capacity(8);
        bytes.put_i64(time);
        all.push(Header::new(Bytes::from_static(name.as_bytes()), bytes.freeze()));
    }
    all.into()
}

/// Removes these headers.
pub(super) fn strip(headers: &mut Headers) {
    if headers.as_slice().iter().any(is_bound) {
        let others = headers.as_slice().iter().filter(|header| !is_bound(header)).cloned();
        *headers = others.collect::<Vec<_>>().into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_gets_the_headers_of_its_own_window_once() {
        let headers = vec![Header::new("a", "1"), Header::new("millrace-window-end", "x"), Header::new("b", "2")];
        let first = with(&headers.into(), Window { start: 0, end: 10 });
        let again = with(&first, Window { start: 20, end: 30 });
        let expected = [
            Header::new("a", "1"),
            Header::new("b", "2"),
            Header::new("millrace-window-start", 20_i64.to_be_bytes().to_vec()),
            Header::new("millrace-window-end", 30_i64.to_be_bytes().to_vec()),
        ];
        assert_eq!(again.as_slice(), expected);
    }

    #[test]
    fn a_record_without_a_window_loses_such_headers() {
        let mut headers = with(&vec![Header::new("a", "1")].into(), Window { start: 0, end: 10 });
        strip(&mut headers);
        assert_eq!(headers.as_slice(), [Header::new("a", "1")]);
    }
}
