#!/usr/bin/env bash
# CEL's published conformance cases through the rules library: fetches them (npm package @bufbuild/cel-spec, pinned by
# package-lock.json) into the build folder, converts them, runs them. Needs node and npm. Where no registry can be
# reached it says so and counts as skipped (exit 77): the machine lacks something, not Belay.
#
#   cel.sh RUNNER FOLDER      RUNNER: the built run.cc; FOLDER: where the package may lie
set -euo pipefail
runner=$(realpath "$1") folder=$2
here=$(cd "$(dirname "$0")" && pwd)

. "$here/../packages.sh"
npm_packages "$folder" @bufbuild/cel-spec
node "$here/convert.mjs" >cases.jsonl
exec "$runner" cases.jsonl "$here/exceptions.txt"
