//! Prints mistakes in pipelines: with the lines of the file on a terminal, one line each elsewhere.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::io::IsTerminal;
use std::ops::Range;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use millrace_engine::manifest::Manifest;
use millrace_engine::topology::Topology;
use millrace_pipeline::{Diagnostic, Pipeline, PluginLoadError, SourceFile, without_secrets};

/// Columns of text in a frame: enough for a line of a pipeline file with a comment.
const WIDTH: usize = 100;

/// How mistakes are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `file:line:column: message` and a line of help: for files, pipes and other programs.
    Plain,
    /// The lines of the file in a frame, without colours.
    Framed,
    /// The lines of the file in a frame, with colours.
    Coloured,
}

impl Style {
    /// The style for standard error. Colours are for a terminal, unless `NO_COLOR` is set and not empty
    /// (<https://no-color.org>).
    pub fn of_stderr() -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self::of(std::io::stderr().is_terminal(), no_colour)
    }

    fn of(terminal: bool, no_colour: bool) -> Self {
        match (terminal, no_colour) {
            (false, _) => Self::Plain,
            (true, true) => Self::Framed,
            (true, false) => Self::Coloured,
        }
    }
}

/// Writes all mistakes in their order, given the files.
///
/// # Errors
/// When `out` fails.
pub fn render(out: &mut impl Write, diagnostics: &[Diagnostic], files: &[SourceFile], style: Style) -> fmt::Result {
    let theme = match style {
        Style::Plain => return diagnostics.iter().try_for_each(|diagnostic| writeln!(out, "{diagnostic}")),
        Style::Framed => GraphicalTheme::unicode_nocolor(),
        Style::Coloured => GraphicalTheme::unicode(),
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_links(false);
    for diagnostic in diagnostics {
        handler.render_report(out, &Framed::new(diagnostic, files))?;
    }
    Ok(())
}

/// The topology of a pipeline whose plugins have these manifests.
///
/// # Errors
/// All mistakes with their places, as one text.
pub(crate) fn check(
    pipeline: &Pipeline,
    manifests: &BTreeMap<String, Result<Manifest, PluginLoadError>>,
    files: &[SourceFile],
    style: Style,
) -> Result<Topology, Wrong> {
    match millrace_pipeline::check(pipeline, manifests) {
        Ok(topology) => Ok(topology),
        Err(diagnostics) => {
            let mut text = String::new();
            // Writing to a string can't fail.
            _ = render(&mut text, &diagnostics, files, style);
            Err(Wrong(text.trim_end().to_owned()))
        }
    }
}

/// Mistakes, already formatted.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(pub String);

/// A mistake with the text of its file, as miette draws frames.
#[derive(Debug)]
struct Framed<'a> {
    diagnostic: &'a Diagnostic,
    place: Option<(NamedSource<String>, Range<usize>)>,
}

impl<'a> Framed<'a> {
    fn new(diagnostic: &'a Diagnostic, files: &[SourceFile]) -> Self {
        let file = files.iter().find(|file| file.path == diagnostic.file);
        let place = file.zip(diagnostic.span.clone()).map(|(file, span)| {
            let text = without_secrets(&file.text);
            (NamedSource::new(file.path.display().to_string(), text).with_language("toml"), span)
        });
        Self { diagnostic, place }
    }
}

impl fmt::Display for Framed<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some(_) => out.write_str(&self.diagnostic.message),
            None => write!(out, "{}: {}", self.diagnostic.file.display(), self.diagnostic.message),
        }
    }
}

impl std::error::Error for Framed<'_> {}

impl miette::Diagnostic for Framed<'_> {
    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        self.diagnostic.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|(source, _)| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (_, span) = self.place.as_ref()?;
        Some(Box::new(std::iter::once(LabeledSpan::at(span.clone(), "here"))))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::path::PathBuf;

    use insta::assert_snapshot;

    use super::*;

    const TEXT: &str = "app = \"orders\"\n\n[[source]]\nname = \"payments\"\ntopik = \"payment-orders\"\n";

    fn rendered(style: Style) -> String {
        let start = TEXT.find("topik").unwrap();
        let path = PathBuf::from("pipelines/orders.toml");
        let files = [SourceFile { path: path.clone(), text: TEXT.to_owned() }];
        let unknown = Diagnostic {
            file: path.clone(),
            span: Some(start..start + 5),
            line: 5,
            column: 1,
            message: "a source has no key `topik`".to_owned(),
            help: Some("did you mean `topic`?".to_owned()),
        };
        let whole = Diagnostic {
            file: path,
            span: None,
            line: 0,
            column: 0,
            message: "nothing leaves this pipeline".to_owned(),
            help: None,
        };
        let mut out = String::new();
        render(&mut out, &[unknown, whole], &files, style).unwrap();
        out
    }

    #[test]
    fn a_mistake_is_one_line_with_its_place_if_there_is_no_terminal() {
        assert_snapshot!(rendered(Style::Plain), @"
        pipelines/orders.toml:5:1: a source has no key `topik`
          help: did you mean `topic`?
        pipelines/orders.toml: nothing leaves this pipeline
        ");
    }

    #[test]
    fn a_mistake_is_shown_in_a_frame_on_a_terminal() {
        assert_snapshot!(rendered(Style::Framed), @r#"
        × a source has no key `topik`
         ╭─[pipelines/orders.toml:5:1]
       4 │ name = "payments"
       5 │ topik = "payment-orders"
         · ──┬──
         ·   ╰── here
         ╰────
        help: did you mean `topic`?
        × pipelines/orders.toml: nothing leaves this pipeline
        "#);
    }

    #[test]
    fn a_frame_hides_the_values_of_kafka_settings() {
        let text =
            "app = \"a\"\n[kafka]\nsasl.password = \"hunter2\"\ngroup.id = \"x\"\nssl.key.password = \"hunter2\"\n";
        let start = text.find("id").unwrap();
        let path = PathBuf::from("a.toml");
        let files = [SourceFile { path: path.clone(), text: text.to_owned() }];
        let message = "`group.id` of [kafka] is the host's to set".to_owned();
        let span = Some(start..start + 2);
        let mistake = Diagnostic { file: path, span, line: 4, column: 7, message, help: None };
        let mut out = String::new();
        render(&mut out, &[mistake], &files, Style::Framed).unwrap();
        let out: Vec<_> = out.lines().map(str::trim_end).collect();
        assert_snapshot!(out.join("\n"), @"
         × `group.id` of [kafka] is the host's to set
          ╭─[a.toml:4:7]
        3 │ sasl.password = ***
        4 │ group.id = ***
          ·       ─┬
          ·        ╰── here
        5 │ ssl.key.password = ***
          ╰────
        ");
    }

    #[test]
    fn a_mistake_is_coloured_only_on_a_terminal_that_wants_colours() {
        assert!(rendered(Style::Coloured).contains("\u{1b}["));
        assert!(!rendered(Style::Framed).contains("\u{1b}["));
        assert_eq!(Style::of(false, false), Style::Plain);
        assert_eq!(Style::of(true, true), Style::Framed);
        assert_eq!(Style::of(true, false), Style::Coloured);
    }
}
