# Recipes for daily work. `./justw RECIPE` sets up their requirements and then runs them; see there.

set shell := ["bash", "-euo", "pipefail", "-c"]
set positional-arguments := true

target := env("CARGO_TARGET_DIR", env("HOME") / ".cache/millrace/target")
export CARGO_TARGET_DIR := target
export MILLRACE_GUESTS := env("MILLRACE_GUESTS", target / "guests")
guest_rustc := env("MILLRACE_GUEST_RUSTC", "")

# Our crates as in a release. Dependencies have these settings in every build, and aren't built again. Cargo keeps both
# builds of our crates side by side, since the settings are part of the names of the files.
as_released := "--config profile.dev.opt-level=3 " + command_released + " --config profile.dev.debug-assertions=false --config profile.dev.overflow-checks=false"
command_released := "--config profile.dev.package.millrace-cli.opt-level=3"

# Always the same selection of crates: cargo unites the features of the crates that it builds together, and would
# compile wasmtime and other dependencies again for another selection. With the examples, it has the features of tests.
ours := "--workspace --bins --examples"

# The `millrace` command alone. One example, the quickest, gives it the same features.
command := "--workspace --bin millrace --example transform"

# The broker alone compiles in seconds, where the workspace takes minutes. In a folder of its own it doesn't wait for
# another build, and needs no optimisation.
broker_target := target / "broker"
quick := "--config 'profile.dev.package.\"*\".opt-level=0'"
broker := "--package millrace-broker --target-dir '" + broker_target + "' " + quick

# Lists the recipes.
default:
    @"{{ just_executable() }}" --justfile "{{ justfile() }}" --list --unsorted

# Builds guests and everything else.
build: guests
    cargo build {{ ours }}

# With folders, such as `guests plugins/order-status`, it builds those alone.
#
# Builds the plugins and the guests of tests, and copies them to where pipelines and tests look for them.
guests *folders:
    #!/usr/bin/env bash
    set -euo pipefail
    names=() folders=()
    shopt -s nullglob
    manifests=(plugins/*/Cargo.toml tests/guests/*/Cargo.toml)
    [ $# = 0 ] || manifests=("${@/%//Cargo.toml}")
    # A bare name is that of a plugin.
    for i in "${!manifests[@]}"; do
        [ $# = 0 ] || [ "${manifests[i]%/*/*}" != "${manifests[i]}" ] || manifests[i]="plugins/${manifests[i]}"
    done
    guest-sdk/plugins.sh check "${manifests[@]}"
    for manifest in "${manifests[@]}"; do
        names+=("$(sed -n 's/^name = "\(.*\)"/\1/p' "$manifest" | head -n 1)") folders+=("${manifest%/*}")
    done
    # A folder of their own: another compiler may build them, and neither build should wait for the other.
    out="$CARGO_TARGET_DIR/wasm"
    build=(cargo build --target wasm32-unknown-unknown --target-dir "$out" --profile guest "${names[@]/#/--package=}")
    if [ -n "{{ guest_rustc }}" ]; then
        export RUSTC="{{ guest_rustc }}" RUSTC_BOOTSTRAP=1
        build+=(-Zbuild-std=std,panic_abort)
    fi
    "${build[@]}"
    lay() { cmp -s "$1" "$2/$(basename "$1")" || { cp "$1" "$2/" && echo "guests: $2/$(basename "$1") is new" >&2; }; }
    mkdir -p "$MILLRACE_GUESTS"
    for i in "${!names[@]}"; do
        wasm="$out/wasm32-unknown-unknown/guest/${names[i]//-/_}.wasm"
        lay "$wasm" "$MILLRACE_GUESTS"
        case ${folders[i]} in plugins/*) lay "$wasm" pipelines ;; esac
    done

# Builds the plugin of this demo alone, or all where another pipeline is named.
#
# Runs a sample through its pipeline and shows the outcome: `demo [orders|fraud|recommendations|pricing|activity]`.
demo *args:
    #!/usr/bin/env bash
    set -euo pipefail
    folders=(plugins/order-status)
    for word in "$@"; do
        case $word in
            fraud) folders=(plugins/fraud-scoring) ;;
            recommendations) folders=(plugins/recommendations) ;;
            pricing) folders=(plugins/dynamic-pricing) ;;
            activity) folders=(plugins/customer-activity) ;;
            --pipeline*) folders=() && break ;;
        esac
    done
    "{{ just_executable() }}" --justfile "{{ justfile() }}" guests "${folders[@]}"
    cargo build {{ command }}
    "$CARGO_TARGET_DIR/debug/millrace" demo "$@"

# Runs all tests, those in the documentation too, and names the tests that didn't run because Kafka is missing.
test *args: guests
    #!/usr/bin/env bash
    set -euo pipefail
    not_run="$CARGO_TARGET_DIR/kafka-tests-not-run"
    rm -f "$not_run"
    status=0
    cargo test --workspace "$@" || status=$?
    if [ -s "$not_run" ]; then
        printf '\nNOT RUN, since Kafka is not to be had on this machine:\n' >&2
        sort -u "$not_run" | sed 's/^/  /' >&2
        # A change has to pass all tests.
        if [ "${CI:-}" = true ] && [ "$status" = 0 ]; then status=1; fi
    fi
    exit "$status"

# Compiles only the dependencies of plugins, in a folder of its own: otherwise crates of the workspace would be built
# again with other features.
#
# Tests one plugin, with the examples in its documentation: `test-plugin order-status`.
[no-exit-message]
test-plugin name *args:
    #!/usr/bin/env bash
    set -euo pipefail
    manifest="$(guest-sdk/plugins.sh find "$1")"
    guest-sdk/plugins.sh check "$manifest"
    package="$(sed -n 's/^name = "\(.*\)"/\1/p' "$manifest" | head -n 1)"
    cargo test --quiet --package "$package" --target-dir '{{ target }}/plugins' {{ quick }} "${@:2}"

# Runs processes under an hour of faults, against three brokers: `soak [--minutes 60] [--seed N]`; see `soak --help`.
[no-exit-message]
soak *args: guests
    @cargo test --quiet --workspace --test soak -- "$@"

# Formats the code; `just fmt --check` only prints the changes.
fmt *args:
    cargo fmt --all "$@"

# Writes the map of modules in ARCHITECTURE.md anew.
map:
    cargo run --quiet --package millrace-layering --bin module-map

# The soak has a line of its own: it belongs to no test run, and so isn't one of all targets.
#
# Checks with Clippy and builds the documentation, with warnings as errors.
lint:
    cargo clippy --workspace --all-targets -- -D warnings
    cargo clippy --workspace --test soak -- -D warnings
    RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --workspace

# Swaps plugins under load many times, on a data folder and on Kafka: `swaps 1000 100`; see docs/swapping.md.
swaps embedded="1000" kafka="100" rate="2000": guests
    MILLRACE_SWAPS={{ embedded }} cargo test --workspace --test deployments -- --nocapture swaps
    MILLRACE_SWAPS={{ kafka }} MILLRACE_RATE={{ rate }} cargo test --workspace --test kafka_deployments -- --nocapture swaps

# Replays records with a shadow that differs in seven of them: `shadows 1000000`; see docs/swapping.md.
shadows records="1000000": guests
    MILLRACE_PLANTED={{ records }} cargo test --workspace --test deployments -- --nocapture seven_planted

# Measures the orders pipeline on the embedded driver.
bench *args: guests
    cargo build {{ as_released }} {{ ours }}
    "$CARGO_TARGET_DIR/debug/examples/bench" "$@"

# Runs Apache Kafka on this machine: `kafka up [--nodes 3]`, `kafka status`, `kafka down`.
[no-exit-message]
kafka *args:
    @cargo build --quiet {{ broker }}
    @"{{ broker_target }}/debug/millrace-broker" "$@"

# Measures orders, fraud and others on Kafka, beside Kafka Streams: `bench-kafka --pipeline NAMES`; see benches/README.md.
bench-kafka *args: guests
    cargo build {{ as_released }} {{ ours }}
    mvn -q -B -f benches/kafka-streams/pom.xml "-Doutput=$CARGO_TARGET_DIR/kafka-streams" package
    "$CARGO_TARGET_DIR/debug/millrace-bench-kafka" "$@"

# Runs golden cases, and compares with the answers of Kafka Streams; see tests/golden/README.md.
[no-exit-message]
golden +files: guests
    cargo build --quiet {{ ours }}
    @"$CARGO_TARGET_DIR/debug/millrace-golden" "$@"

# Writes the golden cases anew: random cases, and the answers of Kafka Streams to the cases that are written by hand.
golden-data:
    "{{ just_executable() }}" --justfile "{{ justfile() }}" kafka-streams write 1,2,3 60 tests/golden
    "{{ just_executable() }}" --justfile "{{ justfile() }}" kafka-streams write-apps 1,2,3 7 tests/golden/apps
    "{{ just_executable() }}" --justfile "{{ justfile() }}" kafka-streams answer tests/golden/issues.jsonl
    "{{ just_executable() }}" --justfile "{{ justfile() }}" kafka-streams answer tests/golden/apps/edges.jsonl

# Prints the answers of Kafka Streams to cases: `kafka-streams ask < CASES`; see tests/golden/README.md.
[no-exit-message]
kafka-streams *args:
    #!/usr/bin/env bash
    set -euo pipefail
    out="$CARGO_TARGET_DIR/kafka-streams-golden"
    mvn -q -B -f tests/golden/kafka-streams/pom.xml "-Doutput=$out" package
    # It makes and deletes its state for each case: in memory, if the system has a folder for that.
    scratch="$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)"
    trap 'rm -rf "$scratch"' EXIT
    java "-Djava.io.tmpdir=$scratch" -cp "$out/kafka-streams-golden.jar:$out/lib/*" millrace.golden.Main "$@"

# Runs the `millrace` command of this checkout.
[no-exit-message]
millrace *args:
    @cargo build --quiet {{ command }}
    @"$CARGO_TARGET_DIR/debug/millrace" "$@"

# Writes the sample inputs anew.
samples:
    cargo build --quiet {{ ours }}
    "$CARGO_TARGET_DIR/debug/millrace-samples"
