#!/usr/bin/env bash
# PrairieLearn's external grader: grades /grade/student/*.ipynb with /grade/serverFilesCourse/solutions (or GRADE_SOLUTIONS).
# In the question's info.json:
#   "externalGradingOptions": { "enabled": true, "image": "your/image-with-the-grader", "timeout": 120,
#     "entrypoint": "/opt/mlsys-grade/platforms/prairielearn/entrypoint.sh",
#     "environment": { "GRADE_ASSIGNMENT": "03-computational-graphs" }, "serverFilesCourse": ["solutions/"] }
# GRADE_TIMEOUT (90 s) must end before PrairieLearn's own timeout, which leaves no results.
set -uo pipefail
root="${GRADE_ROOT:-/grade}"
results="$root/results/results.json"
mkdir -p "$root/results"
solutions="${GRADE_SOLUTIONS:-$root/serverFilesCourse/solutions}"
chmod 700 "$root/student" "$root/results" "$solutions"

give_up() {
  printf '{"gradable":false,"message":"%s","format_errors":["%s"]}\n' "$1" "$1" > "$results"
  exit 0
}

mapfile -d '' -t files < <(find "$root/student" -name '*.ipynb' -not -path '*/.*' -print0 | sort -z)
[ "${#files[@]}" -eq 1 ] || give_up "Expected one notebook, got ${#files[@]}."
${MLSYS_GRADE:-npx mlsys-grade} grade "${files[0]}" --assignment "$GRADE_ASSIGNMENT" --solutions "$solutions" \
  --timeout "${GRADE_TIMEOUT:-90}" --prairielearn "$results" > "$root/grading.log" 2>&1
[ -s "$results" ] || give_up "The grader failed. This is not your fault and not a score; your instructor has been told."
