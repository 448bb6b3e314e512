//! Imports and exports of a binary, by name, checked before it is compiled.

use wasmparser::{Encoding, Parser, Payload};

use crate::abi::{CONTRACT_VERSION, PACKAGE};
use crate::error::Refusal;

/// The kind of a plugin's binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A core module with the component's type in a custom section, as `wit-bindgen` makes it.
    Module,
    /// A component.
    Component,
}

/// Names at the outermost level of a binary.
#[derive(Debug)]
pub(crate) struct BinaryNames {
    pub kind: Kind,
    pub imports: Vec<String>,
    pub exports: Vec<String>,
}

/// Reads the names. An error says that the binary is truncated, or no WebAssembly.
pub(crate) fn names(bytes: &[u8]) -> Result<BinaryNames, Refusal> {
    let mut names = BinaryNames { kind: Kind::Module, imports: Vec::new(), exports: Vec::new() };
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        read(payload.map_err(not_wasm)?, &mut depth, &mut names)?;
    }
    Ok(names)
}

fn read(payload: Payload<'_>, depth: &mut usize, names: &mut BinaryNames) -> Result<(), Refusal> {
    match payload {
        Payload::Version { encoding, .. } if *depth == 0 => {
            names.kind = if encoding == Encoding::Component { Kind::Component } else { Kind::Module };
        }
        Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => *depth += 1,
        Payload::End(_) => *depth = depth.saturating_sub(1),
        Payload::ImportSection(section) if *depth == 0 => {
            for import in section.into_imports() {
                names.imports.push(import.map_err(not_wasm)?.module.to_owned());
            }
        }
        Payload::ComponentImportSection(section) if *depth == 0 => {
            for import in section {
                names.imports.push(import.map_err(not_wasm)?.name.name.to_owned());
            }
        }
        Payload::ComponentExportSection(section) if *depth == 0 => {
            for export in section {
                names.exports.push(export.map_err(not_wasm)?.name.name.to_owned());
            }
        }
        _ => {}
    }
    Ok(())
}

fn not_wasm(error: wasmparser::BinaryReaderError) -> Refusal {
    Refusal::NotWasm(error.to_string())
}

/// Refuses imports outside the contract, and names of another version of it.
pub(crate) fn check(names: &BinaryNames) -> Result<(), Refusal> {
    for name in names.imports.iter().chain(&names.exports) {
        if let Some(found) = name.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@')).map(|(_, found)| found)
            && found != CONTRACT_VERSION
        {
            return Err(Refusal::ContractVersion { name: name.clone(), found: found.to_owned() });
        }
    }
    match names.imports.iter().find(|import| !import.starts_with(PACKAGE)) {
        Some(import) => Err(Refusal::ForeignImport { import: import.clone(), hint: hint(import) }),
        None => Ok(()),
    }
}

/// Why a plugin can't have this import.
fn hint(import: &str) -> &'static str {
    const HINTS: &[(&str, &str)] = &[
        ("wasi:clocks", "a plugin has no clock; time comes with the records"),
        ("wasi:random", "a plugin has no randomness; the same records must always give the same outputs"),
        ("wasi:filesystem", "a plugin has no files"),
        ("wasi:sockets", "a plugin has no network"),
        ("wasi:http", "a plugin has no network"),
        ("wasi:cli", "a plugin has no environment and no standard streams; it logs through the SDK"),
        ("wasi", "a plugin has no WASI; build it for wasm32-unknown-unknown"),
        ("env", "a plugin links to nothing outside itself; a C function may be missing from its build"),
    ];
    let found = HINTS.iter().find(|(prefix, _)| import.starts_with(prefix));
    found.map_or("a plugin can import only what is in the plugin contract", |(_, hint)| hint)
}
