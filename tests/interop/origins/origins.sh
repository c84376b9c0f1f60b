#!/usr/bin/env bash
# The same odd requests to Belay, nginx and HAProxy in front of seven origin servers; see origins.py. Needs the Debian packages of the
# group `origins` in tools/packages.sh, which tools/test installs. Where one is missing it says so and counts as skipped (exit 77).
#
#   origins.sh BELAY [--cases N] [--seed N] [--keep]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/usr/sbin
for program in apache2 lighttpd nginx node haproxy gunicorn; do
  command -v "$program" >/dev/null || { echo "$program is missing; see packages_origins in tools/packages.sh. Nothing was tested." >&2; exit 77; }
done
/usr/bin/python3 -c 'import waitress, gunicorn' || { echo "python3-waitress or gunicorn is missing. Nothing was tested." >&2; exit 77; }
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 "$here/origins.py" "$@"
