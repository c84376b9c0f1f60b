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

command -v npm >/dev/null || { echo "npm is missing; tools/test installs it (Debian packages nodejs and npm). Nothing was tested." >&2; exit 77; }
mkdir -p "$folder"
cd "$folder"
# What npm installed last time is good as long as the lock file is the same.
if ! cmp -s "$here/package-lock.json" installed-lock.json; then
  cp "$here/package.json" "$here/package-lock.json" .
  npm ci --prefer-offline --fetch-retries 1 --ignore-scripts --legacy-peer-deps --omit=optional --no-audit --no-fund --loglevel error >&2 || {
    echo "npm cannot install the vendors' packages: no registry, or another package behind a name. Nothing was tested." >&2
    exit 77
  }
  cp package-lock.json installed-lock.json
fi
# Beside the packages, because that is where node looks for them.
rm -rf vendors
cp -r "$here"/*.mjs "$here/vendors" .
diff <(sed -n '/^| vendor /,/^$/p' "$here/../README.md" | sed '/^$/d') <(node main.mjs --table) || {
  echo "the table in tests/interop/README.md is not what node main.mjs --table prints" >&2
  exit 1
}
exec node main.mjs "$belay" "$folder/run" "$@"
