//! What the macros say to mistakes: the text that the compiler prints is in `ui/*.stderr`, and is written anew with
//! `TRYBUILD=overwrite cargo test -p millrace-sdk --test messages`.

#[test]
fn mistakes_are_told_with_what_would_be_right() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
