//! Refuses text that is nested so deeply that parsing it would exhaust the stack: the TOML parser limits brackets, but
//! creates a table for every part of a dotted key, and drops these recursively.

use std::ops::Range;

use toml_parser::Source;
use toml_parser::lexer::{Token, TokenKind};

/// Levels of brackets and dotted keys together, in a header or below it.
const DEEPEST: usize = 64;

/// The bytes at which the nesting of a TOML text is too deep. For text that isn't TOML, it may overestimate the depth,
/// but never underestimate it.
pub(super) fn too_deep(text: &str) -> Option<Range<usize>> {
    let mut depth = NestingDepth::default();
    let deep = Source::new(text).lex().into_vec().into_iter().find(|token| depth.after(token) > DEEPEST)?;
    Some(deep.span().start()..deep.span().end())
}

#[derive(Default)]
struct NestingDepth {
    /// What closes each open bracket, with the levels down to it.
    open: Vec<(TokenKind, usize)>,
    /// Dots since the last bracket, comma or new line.
    dots: usize,
}

impl NestingDepth {
    /// The levels after one more token.
    fn after(&mut self, token: &Token) -> usize {
        match token.kind() {
            TokenKind::Dot => self.dots += 1,
            TokenKind::LeftSquareBracket => self.push(TokenKind::RightSquareBracket),
            TokenKind::LeftCurlyBracket => self.push(TokenKind::RightCurlyBracket),
            TokenKind::Comma | TokenKind::Newline => self.dots = 0,
            // The parser may step over a bracket that closes nothing.
            closing if self.open.last().is_some_and(|(expected, _)| *expected == closing) => {
                self.open.pop();
                self.dots = 0;
            }
            _ => {}
        }
        self.open.last().map_or(0, |(_, levels)| *levels) + self.dots
    }

    fn push(&mut self, closing: TokenKind) {
        let above = self.open.last().map_or(0, |(_, levels)| *levels);
        self.open.push((closing, above + self.dots + 1));
        self.dots = 0;
    }
}
