# Sourced by the tests of this folder, never run. npm_packages FOLDER WHAT [OPTION…]: makes FOLDER the working folder with the packages
# that package-lock.json beside the calling script pins; what npm installed last time is good as long as the lock file is the same.
# Without npm or a registry it says so and ends the test with 77, skipped: the machine lacks something, not Belay.
npm_packages() {
  local folder=$1 what=$2
  shift 2
  command -v npm >/dev/null || { echo "npm is missing; tools/test installs it (Debian packages nodejs and npm). Nothing was tested." >&2; exit 77; }
  mkdir -p "$folder"
  cd "$folder"
  ! cmp -s "$here/package-lock.json" installed-lock.json || return 0
  cp "$here/package.json" "$here/package-lock.json" .
  npm ci --fetch-retries 1 --ignore-scripts --no-audit --no-fund --loglevel error "$@" >&2 || {
    echo "npm cannot install $what: no registry, or another package behind a name. Nothing was tested." >&2
    exit 77
  }
  cp package-lock.json installed-lock.json
}
