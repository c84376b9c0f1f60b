#!/usr/bin/env bash
# Belay against the vendors' own libraries: fetches them (npm packages, pinned by package-lock.json) into the build folder and runs
# main.mjs there. Needs node and npm. Where no registry can be reached it says so and counts as skipped (exit 77): the machine lacks
# something, not Belay.
#
#   sdk.sh BELAY FOLDER [VENDOR…]      FOLDER: where the packages and the gateway's files may lie; VENDOR: these alone
set -euo pipefail
belay=$(realpath "$1") folder=$2
here=$(cd "$(dirname "$0")" && pwd)
shift 2

. "$here/../packages.sh"
npm_packages "$folder" "the vendors' packages" --prefer-offline --legacy-peer-deps --omit=optional
# Beside the packages, because that is where node looks for them.
rm -rf vendors
cp -r "$here"/*.mjs "$here/vendors" .
diff <(sed -n '/^| vendor /,/^$/p' "$here/../README.md" | sed '/^$/d') <(node main.mjs --table) || {
  echo "the table in tests/interop/README.md is not what node main.mjs --table prints" >&2
  exit 1
}
exec node main.mjs "$belay" "$folder/run" "$@"
