//! Hints for rules that use a clock, a file or a thread of the standard library.
//!
//! A guest is built for `wasm32-unknown-unknown`. There the standard library compiles, but has no system behind it:
//! such a call fails, or panics in a line of the library and not of the rule.

/// Words in errors of the standard library, each with the hint for such an error.
const HINTS: [(&str, &str); 3] = [
    ("time not implemented on this platform", "a rule has no clock: take the time of the record, `Ctx::timestamp`"),
    ("failed to spawn thread", "a rule has no threads"),
    (
        "operation not supported on this platform",
        "a rule has no files, no network and no environment: it knows the record, its stores and the plugin's config",
    ),
];

/// The text of an error or a panic, with a hint if the rule has used something that a guest lacks.
pub(crate) fn explained(text: String) -> String {
    match HINTS.iter().find(|(words, _)| text.contains(words)) {
        Some((_, hint)) => format!("{text}: {hint}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::explained;

    #[test]
    fn what_a_guest_lacks_is_told_with_what_a_rule_has_instead() {
        for (text, hint) in [
            (
                "panicked at library/std/src/sys/time/unsupported.rs:31: time not implemented on this platform",
                "a rule has no clock: take the time of the record, `Ctx::timestamp`",
            ),
            (
                "panicked at src/lib.rs:9: called `Result::unwrap()` on an `Err` value: Error { kind: Unsupported, \
                 message: \"operation not supported on this platform\" }",
                "a rule has no files, no network and no environment: it knows the record, its stores and the plugin's \
                 config",
            ),
            (
                "panicked at library/std/src/thread/functions.rs:1: failed to spawn thread: Error { kind: Unsupported, \
                 message: \"operation not supported on this platform\" }",
                "a rule has no threads",
            ),
        ] {
            assert_eq!(explained(text.to_owned()), format!("{text}: {hint}"));
        }
        assert_eq!(explained("invalid digit found in string".to_owned()), "invalid digit found in string");
    }
}
