#!/usr/bin/env bash
# What `brownout run` costs as a whole, beside bare wrk, against the same nginx; then how precisely it keeps to a
# schedule, and its memory.
#
#   benches/run.sh [SECONDS] [ROUNDS]     defaults: 10 5; SECONDS is how long each run lasts
#
# PROFILE=dist measures the binary that is distributed; BEFORE=path/to/brownout measures another build in the same
# rounds, and then nothing else. See benches/README.md for what each figure means.
set -euo pipefail
source "$(dirname "$0")/responder.sh"
need wrk nginx jq /usr/bin/time

seconds=${1:-10} rounds=${2:-5}
cargo build --profile "${PROFILE:-release}" 2>"$work/build" || { cat "$work/build" >&2; exit 1; }
now=${CARGO_TARGET_DIR:-target}/${PROFILE:-release}/brownout

# One run of a plan by a binary on the second core, with the settings given; prints "user system". A run that does not pass, or
# that left one answer unchecked, would be no measurement.
run() {
    local brownout=$1 plan=$2 settings=()
    shift 2
    for setting in port="$port" "$@"; do settings+=(--set "$setting"); done
    measure /usr/bin/time -o "$work/peak" -f %M "$brownout" run --quiet --force --out "$work/run" "${settings[@]}" "$plan" \
        || { cat "$work/out" >&2; exit 1; }
    jq -e '.accounting.attempts == .contract.inspected' "$work/run/report.json" >/dev/null || { echo "not every answer was checked" >&2; exit 1; }
}

report() {
    jq -r "$1" "$work/run/report.json"
}

answer
echo "# cost per request, 64 connections; load average $(cut -d' ' -f1-3 /proc/loadavg)"
for _ in $(seq "$rounds"); do
    echo "wrk $(measure_wrk 64 "$seconds")"
    for who in ${BEFORE:+before} now; do
        cpu=$(run "$([ $who = now ] && echo "$now" || echo "$BEFORE")" benches/closed.toml users=64 seconds="$seconds")
        echo "$who $(report .accounting.attempts) $cpu"
    done
done | costs
[ -z "${BEFORE:-}" ] || exit 0

echo "# what judging one answer costs, beside serde_json and a general validator"
cargo bench --quiet --bench contract

echo "# arrivals at 5000/s; load average $(cut -d' ' -f1-3 /proc/loadavg)"
for _ in $(seq "$rounds"); do
    cpu=$(run "$now" benches/open.toml seconds="$seconds")
    report '.metrics.overall.lag_us.ok | "lag p50 \(.p50) µs, p99 \(.p99) µs, max \(.max) µs over \(.n) arrivals"' | tr '\n' ' '
    echo "$cpu" | awk -v seconds=$((seconds + 1)) '{ printf "at %.1f %% of a core\n", 100 * ($1 + $2) / seconds }'
done

echo "# peak memory at 256 connections"
for length in 5 30; do
    run "$now" benches/closed.toml users=256 seconds=$length >/dev/null
    echo "$length s: $(($(tail -1 "$work/peak") / 1024)) MiB after $(report .accounting.attempts) requests"
done
