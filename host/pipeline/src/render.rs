//! Prints a topology.

mod diagram;
mod json;
mod text;
mod view;

use millrace_engine::topology::Topology;

/// The format of a printed topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text for a terminal.
    Text,
    /// A Mermaid flowchart.
    Mermaid,
    /// A Graphviz digraph.
    Dot,
    /// JSON, for tools.
    Json,
}

/// Prints a topology. The text ends in a newline.
pub fn render(topology: &Topology, format: Format) -> String {
    match format {
        Format::Text => text::text(topology),
        Format::Mermaid => diagram::mermaid(topology),
        Format::Dot => diagram::dot(topology),
        Format::Json => json::json(topology),
    }
}
