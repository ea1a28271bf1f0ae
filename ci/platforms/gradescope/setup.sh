#!/usr/bin/env bash
# Runs once, when Gradescope builds the image: Node, bubblewrap, and the grader from the packages in this zip.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq bubblewrap ca-certificates curl
if ! command -v node > /dev/null || [ "$(node -p 'parseInt(process.versions.node)')" -lt 20 ]; then
  curl -fsSL https://deb.nodesource.com/setup_22.x | bash -
  apt-get install -y -qq nodejs
fi
cd /autograder/source/course
npm install --no-audit --no-fund ../packages/*.tgz
chmod 700 solutions
