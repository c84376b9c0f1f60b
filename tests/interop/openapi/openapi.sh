#!/usr/bin/env bash
# What `belay openapi` prints, judged by a published validator of OpenAPI (npm package @seriousme/openapi-schema-validator, pinned by
# package-lock.json): for the rules that come with Belay, for everything.yaml beside this file, and for the admin API. Needs node and npm. Where no
# registry can be reached it says so and counts as skipped (exit 77): the machine lacks something, not Belay.
#
#   openapi.sh BELAY FOLDER      BELAY: the built program; FOLDER: where the package may lie
set -euo pipefail
belay=$(realpath "$1") folder=$2
here=$(cd "$(dirname "$0")" && pwd)

. "$here/../packages.sh"
npm_packages "$folder" @seriousme/openapi-schema-validator
export BELAY_PRESETS="$here/../../../conf/presets"
"$belay" openapi -c "$here/../../../conf/belay.yaml" >conf.json
"$belay" openapi -c "$here/everything.yaml" >everything.json
"$belay" openapi --admin-api >admin.json
exec node "$here/validate.mjs" conf.json everything.json admin.json
