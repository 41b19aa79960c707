#!/usr/bin/env bash
# The layout of the code is clang-format 14's, and the scripts are clean.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$LOGLOG_SOURCE" || exit 1
format=$(command -v clang-format-14 || command -v clang-format || true)
tried=0
if [ -n "$format" ] && $format --version | grep -q 'version 14\.'; then
    tried=1
    while read -r file; do
        if $format --dry-run -Werror "$file" 2>/dev/null; then
            ok
        else
            not_ok "$file: run $format -i"
        fi
    done < <(find base sweep trainer db analysis runner tests \
        -name '*.[ch]' | sort)
fi
if command -v shellcheck >/dev/null; then
    tried=1
    while read -r file; do
        if shellcheck -x -S warning "$file"; then
            ok
        else
            not_ok "$file: shellcheck"
        fi
    done < <(grep -rlE '^#!.*\b(ba)?sh$|^# shellcheck shell' scripts tests \
        packaging .ci | sort)
fi
[ "$tried" -eq 1 ] || skip "neither clang-format 14 nor shellcheck here"
conclude
