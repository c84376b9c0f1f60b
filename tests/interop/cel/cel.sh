#!/usr/bin/env bash
# CEL's published conformance cases through the rules library: fetches them (npm package @bufbuild/cel-spec, pinned by
# package-lock.json) into the build folder, converts them, runs them. Needs node and npm. Where no registry can be
# reached it says so and counts as skipped (exit 77): the machine lacks something, not Belay.
#
#   cel.sh RUNNER FOLDER      RUNNER: the built run.cc; FOLDER: where the package may lie
set -euo pipefail
runner=$(realpath "$1") folder=$2
here=$(cd "$(dirname "$0")" && pwd)

command -v npm >/dev/null || { echo "npm is missing; tools/test installs it (Debian packages nodejs and npm). Nothing was tested." >&2; exit 77; }
mkdir -p "$folder"
cd "$folder"
# What npm installed last time is good as long as the lock file is the same.
if ! cmp -s "$here/package-lock.json" installed-lock.json; then
  cp "$here/package.json" "$here/package-lock.json" .
  npm ci --fetch-retries 1 --ignore-scripts --no-audit --no-fund --loglevel error >&2 || {
    echo "npm cannot install @bufbuild/cel-spec: no registry, or another package behind the name. Nothing was tested." >&2
    exit 77
  }
  cp package-lock.json installed-lock.json
fi
node "$here/convert.mjs" >cases.jsonl
exec "$runner" cases.jsonl "$here/exceptions.txt"
