#!/bin/sh
# Compiles RocksDB into an archive that all target folders share: `rocksdb.sh CACHE` prints the archive's folder, for
# ROCKSDB_LIB_DIR. With that, the crate librocksdb-sys links the archive, and doesn't compile RocksDB itself.
#
# The crate compiles RocksDB's 343 sources one by one, and with each of them the same headers and templates again. Here
# sixteen sources are one unit, which takes two fifths of the time. RocksDB's own makefile knows such a build (`unity.a`).
# The sources, their order, and the flags are the crate's; the flags are those of its feature `lz4` on Linux.
#
# Ends with 2, and says nothing, where the crate would compile with other flags than these; with 1 and the reason on standard
# error otherwise. Then the crate is left to compile RocksDB. After an error in a source the script doesn't try again, since
# it would end like the first time; after a signal, without a network and on a full disk it does.
set -eu

cache=$1
cd "$(dirname "$0")/../.."

# locked CRATE: its version in Cargo.lock.
locked() { sed -n "/^name = \"$1\"\$/{n;s/^version = \"\(.*\)\"\$/\1/p;}" Cargo.lock; }

[ "$(uname -s)" = Linux ] || exit 2
# What is set here, the crate or cargo hands on to the compiler.
[ -z "${RUSTFLAGS:-}${CARGO_ENCODED_RUSTFLAGS:-}${CXXFLAGS:-}${CARGO_BUILD_TARGET:-}" ] || exit 2
compiler=${CXX:-c++}
$compiler --version >/dev/null 2>&1 || exit 2

flags="-O3 -std=c++20 -fPIC -ffunction-sections -fdata-sections -include cstdint -w -DNDEBUG=1 -DLZ4=1
    -DHAVE_ALIGNED_NEW -DHAVE_UINT128_EXTENSION -DOS_LINUX -DROCKSDB_PLATFORM_POSIX -DROCKSDB_LIB_IO_POSIX
    -DROCKSDB_SCHED_GETCPU_PRESENT -DROCKSDB_AUXV_GETAUXVAL_PRESENT -DROCKSDB_FALLOCATE_PRESENT -DROCKSDB_RANGESYNC_PRESENT"
units_of=16
key=$({ echo "$flags $units_of" && $compiler --version && uname -m && locked lz4-sys; } | cksum | cut -d ' ' -f 1)
folder=$cache/rocksdb-$(locked librocksdb-sys)-$key
failed=$folder.failed
left_to_crate() {
    printf 'rocksdb.sh: %s: RocksDB is left to its crate, which takes longer\n' "$1" >&2
    exit 1
}
[ ! -e "$failed" ] || left_to_crate "it didn't compile (delete $failed to try again)"
if [ -e "$folder/librocksdb.a" ]; then
    printf '%s\n' "$folder"
    exit 0
fi

work=$folder.$$
trap 'rm -rf "$work"' EXIT
trap 'exit 130' HUP INT TERM
mkdir -p "$work" || left_to_crate "$cache can't be written to"

# Where cargo keeps the sources of both crates; it fetches them first where they are missing.
host=$(rustc --version --verbose | sed -n 's/^host: //p')
cargo metadata --filter-platform "$host" --format-version 1 2>"$work/log" >"$work/metadata" ||
    left_to_crate "cargo metadata: $(grep -m 1 error: "$work/log")"
folder_of() { tr ',' '\n' <"$work/metadata" | sed -n "s/^\"manifest_path\":\"\(.*\/$1-[^/]*\)\/Cargo.toml\"\$/\1/p"; }
rocksdb=$(folder_of librocksdb-sys)
lz4=$(folder_of lz4-sys)/liblz4/lib
[ -e "$lz4/lz4.h" ] && [ -e "$rocksdb/rocksdb_lib_sources.txt" ] ||
    left_to_crate "the sources aren't where they are expected"

# In place of build_version.cc the crate has a file of its own, and compiles that one last.
{ grep -v '^util/build_version.cc$' "$rocksdb/rocksdb_lib_sources.txt" | sed 's/^/rocksdb\//' && echo build_version.cc; } |
    sed 's/.*/#include "&"/' | split -l "$units_of" -d -a 3 --additional-suffix=.cc - "$work/unit"
set -- "$work"/unit*.cc

printf 'rocksdb.sh: compiling RocksDB, a dot for each of %s units ' $# >&2
# shellcheck disable=SC2016,SC2086 # the inner shell's arguments; flags are words
(
    cd "$rocksdb"
    printf '%s\n' "$@" | xargs -P "$(nproc)" -I '{}' sh -c '"$@" 2>>"$0" && printf . >&2 || exit 255' "$work/log" \
        $compiler $flags -Irocksdb/include -Irocksdb -I. -I"$lz4" -c '{}' -o '{}.o'
) || {
    printf '\n' >&2
    if grep -q 'error:' "$work/log" && ! grep -q 'No space left' "$work/log"; then cp "$work/log" "$failed"; fi
    left_to_crate "a unit doesn't compile: $(grep -m 1 'error:' "$work/log" || tail -n 1 "$work/log")"
}
printf '\n' >&2
ar crs "$work/librocksdb.a" "$work"/unit*.o
rm "$work"/unit* "$work/log" "$work/metadata"
# Another checkout may have been faster.
mv -T "$work" "$folder" 2>/dev/null || [ -e "$folder/librocksdb.a" ]
printf '%s\n' "$folder"
