#!/usr/bin/env bash
# The pages of serve in headless Chromium; browser.py says what is tried.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
[ -e "$(dirname "$LOGLOG")/libloglog_http.so" ] ||
    skip 'no libmicrohttpd: there is nothing to look at'
python=
for p in /usr/bin/python3 python3; do
    "$p" -c 'import selenium' 2>/dev/null && python=$p && break
done
[ -n "$python" ] || skip 'no python3-selenium'
[ -x /usr/bin/chromedriver ] || skip 'no chromium-driver'
make_database

"$LOGLOG" serve tiny.db >url 2>serve.err &
pid=$!
for _ in $(seq 100); do
    grep -q token= url && break
    sleep 0.05
done
"$python" "$(dirname "$0")/browser.py" "$(head -n 1 url)" \
    ${LOGLOG_PICTURES:+"$LOGLOG_PICTURES"} >browser.out 2>&1
rc=$?
kill "$pid"
wait "$pid"
cat browser.out
[ "$rc" -ne 77 ] || skip 'Chromium does not start here'
[ "$rc" -eq 0 ]
