#!/usr/bin/env bash
# Grades, with what GitHub shows of it. The grader itself keeps submissions from giving commands to the runner.
set -uo pipefail
out="${RUNNER_TEMP:-/tmp}/mlsys-grade"
mkdir -p "$out"
mapfile -t paths < <(sed '/^[[:space:]]*$/d' <<< "$GRADE_PATHS")
options=(--solutions "$GRADE_SOLUTIONS" --threshold "$GRADE_THRESHOLD" --jobs "$GRADE_JOBS" --github
  --audience "$GRADE_AUDIENCE" --json "$out/results.json" --junit "$out/junit.xml" --html "$out/feedback/")
[ -z "$GRADE_ASSIGNMENT" ] || options+=(--assignment "$GRADE_ASSIGNMENT")
{
  echo "results=$out/results.json"
  echo "junit=$out/junit.xml"
  echo "feedback=$out/feedback"
} >> "$GITHUB_OUTPUT"
grader=(node "$GITHUB_ACTION_PATH/bin/mlsys-grade.mjs")
# Ubuntu's runners allow namespaces to root only.
if ! bwrap --unshare-user --ro-bind / / true 2> /dev/null && sudo -n true 2> /dev/null; then
  grader=(sudo --preserve-env=GITHUB_ACTIONS,GITHUB_STEP_SUMMARY "$(command -v node)" "$GITHUB_ACTION_PATH/bin/mlsys-grade.mjs")
fi
"${grader[@]}" grade "${options[@]}" -- "${paths[@]}"
