#!/usr/bin/env bash
# What `belay openapi` prints, judged by a published validator of OpenAPI (npm package @seriousme/openapi-schema-validator, pinned by
# package-lock.json): for the rules that come with Belay and for everything.yaml beside this file. Needs node and npm. Where no
# registry can be reached it says so and counts as skipped (exit 77): the machine lacks something, not Belay.
#
#   openapi.sh BELAY FOLDER      BELAY: the built program; FOLDER: where the package may lie
set -euo pipefail
belay=$(realpath "$1") folder=$2
here=$(cd "$(dirname "$0")" && pwd)

command -v npm >/dev/null || { echo "npm is missing; tools/test installs it (Debian packages nodejs and npm). Nothing was tested." >&2; exit 77; }
mkdir -p "$folder"
cd "$folder"
# What npm installed last time is good as long as the lock file is the same.
if ! cmp -s "$here/package-lock.json" installed-lock.json; then
  cp "$here/package.json" "$here/package-lock.json" .
  npm ci --fetch-retries 1 --ignore-scripts --no-audit --no-fund --loglevel error >&2 || {
    echo "npm cannot install @seriousme/openapi-schema-validator: no registry, or another package behind the name. Nothing was tested." >&2
    exit 77
  }
  cp package-lock.json installed-lock.json
fi
export BELAY_PRESETS="$here/../../../conf/presets"
"$belay" openapi -c "$here/../../../conf/belay.yaml" >conf.json
"$belay" openapi -c "$here/everything.yaml" >everything.json
exec node "$here/validate.mjs" conf.json everything.json
