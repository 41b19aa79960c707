#!/usr/bin/env bash
# The layout of the code is clang-format 14's, and the scripts are clean.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$LOGLOG_SOURCE" || exit 1
format=$(command -v clang-format-14 || command -v clang-format || true)
tried=0
if [ -n "$format" ] && $format --version | grep -q 'version 14\.'; then
    tried=1
    mapfile -t files < <(find base sweep trainer db analysis runner tests \
        -name '*.[ch]' | sort)
    if "$format" --dry-run -Werror "${files[@]}" 2>"$dir/format"; then
        ok
    else
        not_ok "run $format -i on:"
        sed -n 's/^\([^:]*\):[0-9]*:.*/\1/p' "$dir/format" | sort -u
    fi
fi
if command -v shellcheck >/dev/null; then
    tried=1
    mapfile -t files < <(grep -rlE '^#!.*\b(ba)?sh$|^# shellcheck shell' \
        scripts tests packaging .ci | sort)
    if shellcheck -x -S warning "${files[@]}"; then
        ok
    else
        not_ok "shellcheck"
    fi
fi
[ "$tried" -eq 1 ] || skip "neither clang-format 14 nor shellcheck here"
conclude
