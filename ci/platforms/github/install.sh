#!/usr/bin/env bash
# Builds the grader that this action belongs to, and installs what fences submissions off.
set -euo pipefail
cd "$GITHUB_ACTION_PATH/.."
[ -d node_modules ] || npm ci --ignore-scripts --no-audit --no-fund
[ -f ci/dist/cli/main.js ] || npm run build
if ! command -v bwrap > /dev/null; then
  sudo apt-get update -qq
  sudo apt-get install -y -qq bubblewrap
fi
