//! Refuses text that is nested so deeply that reading it would exhaust the stack: the TOML parser limits brackets, but
//! makes a table for every part of a dotted key, and drops them recursively.

use std::ops::Range;

use toml_parser::Source;
use toml_parser::lexer::{Token, TokenKind};

/// Levels of brackets and dotted keys together, in a header or below it.
const DEEPEST: usize = 64;

/// The bytes where the nesting of TOML text is too deep. What isn't TOML may count for more than it is, never for less.
pub(super) fn too_deep(text: &str) -> Option<Range<usize>> {
    let mut depth = Depth::default();
    let deep = Source::new(text).lex().into_vec().into_iter().find(|token| depth.after(token) > DEEPEST)?;
    Some(deep.span().start()..deep.span().end())
}

#[derive(Default)]
struct Depth {
    /// What closes each open bracket, with the levels down to it.
    open: Vec<(TokenKind, usize)>,
    /// Dots since the last bracket, comma or new line.
    dots: usize,
}

impl Depth {
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
