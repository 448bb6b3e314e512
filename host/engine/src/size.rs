//! Sizes in messages, in the form of settings.

/// A number of bytes as in settings: `64MiB` if that is exact, else `1000 bytes`.
pub fn shown(bytes: usize) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", bytes / unit),
        None if bytes == 1 => "1 byte".to_owned(),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_size_is_a_whole_number_of_the_largest_possible_unit() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1_000, "1000 bytes"),
            (1 << 10, "1KiB"),
            (1 << 18, "256KiB"),
            (64 << 20, "64MiB"),
            ((64 << 20) + 1, "67108865 bytes"),
            (3 << 30, "3GiB"),
        ] {
            assert_eq!(shown(bytes), text);
        }
    }
}
