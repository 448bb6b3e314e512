#!/usr/bin/env bash
# Finds plugins and checks their manifests before cargo does: cargo's messages about these mistakes don't mention
# plugins.
#
#   plugins.sh check MANIFEST...   names the parts of a plugin's Cargo.toml that are missing
#   plugins.sh find NAME           prints the path of plugins/NAME/Cargo.toml; `_` stands for `-`, as in the built file
set -euo pipefail

check() {
    local manifest good=true
    for manifest in "$@"; do
        if [ ! -e "$manifest" ]; then
            echo "$manifest: there is no such plugin" >&2 && good=false
            continue
        fi
        lacks() { grep -qE "$1" "$manifest" || { echo "$manifest: $2" >&2 && good=false; }; }
        lacks '"cdylib"' 'a plugin is a library for the sandbox: add crate-type = ["cdylib", "rlib"] under [lib]'
        lacks '^ *edition *[.=]' \
            'a plugin is Rust of the edition 2024, and without `edition` cargo takes 2015: add edition = "2024" under [package]'
        lacks '^[^#]*\bmillrace-sdk\b' \
            'a plugin needs the SDK: add millrace-sdk.workspace = true under [dependencies]'
    done
    "$good"
}

find() {
    local manifest folder
    for manifest in plugins/*/Cargo.toml; do
        folder="${manifest%/Cargo.toml}"
        if [ "${folder//_/-}" = "plugins/${1//_/-}" ]; then
            echo "$manifest"
            return
        fi
    done
    echo "there is no plugin plugins/$1; there are:" >&2
    for manifest in plugins/*/Cargo.toml; do echo "  $(basename "${manifest%/Cargo.toml}")" >&2; done
    return 1
}

"$@"
