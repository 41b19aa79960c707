#!/usr/bin/env bash
# Every study under examples/ can be planned as it stands.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

for study in "$LOGLOG_SOURCE"/examples/*.yaml "$LOGLOG_SOURCE"/examples/*/*.yaml; do
    if "$LOGLOG" plan "$study" --json >plan.json 2>err &&
        grep -q '"runs"' plan.json; then
        ok
    else
        not_ok "plan $study: $(head -n 1 err)"
    fi
done
conclude
