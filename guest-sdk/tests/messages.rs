//! The messages of the macros about mistakes. The text of the compiler is in `ui/*.stderr`; write it anew with
//! `TRYBUILD=overwrite cargo test -p millrace-sdk --test messages`.

#[test]
fn mistakes_are_told_with_what_would_be_right() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
