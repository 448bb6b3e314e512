//! Shows a topology.

mod diagram;
mod json;
mod text;
mod view;

use millrace_engine::topology::Topology;

/// How a topology is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a person at a terminal.
    Text,
    /// A Mermaid flowchart.
    Mermaid,
    /// A Graphviz digraph.
    Dot,
    /// For tools.
    Json,
}

/// Shows a topology. The text ends in a newline.
pub fn render(topology: &Topology, format: Format) -> String {
    match format {
        Format::Text => text::text(topology),
        Format::Mermaid => diagram::mermaid(topology),
        Format::Dot => diagram::dot(topology),
        Format::Json => json::json(topology),
    }
}
