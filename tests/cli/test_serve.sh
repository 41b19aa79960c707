#!/usr/bin/env bash
# serve from outside: who is let in, what is answered, a file that is written
# at the same time, and its end.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
command -v curl >/dev/null || skip 'no curl'
[ -e "$(dirname "$LOGLOG")/libloglog_http.so" ] || {
    make_database
    refuses 3 'libmicrohttpd' "$LOGLOG" serve tiny.db
    printf 'the rest needs libmicrohttpd\n'
    conclude
}
make_database

claim() { # TEXT COMMAND...: the command succeeds.
    local text=$1
    shift
    if "$@"; then ok; else not_ok "$text"; fi
}

# start FILE [OPTIONS]: $pid, $port, $token, $site.
start() {
    rm -f url
    "$LOGLOG" serve "$@" >url 2>serve.err &
    pid=$!
    for _ in $(seq 100); do
        grep -q token= url 2>/dev/null && break
        sleep 0.05
    done
    port=$(sed -n 's,^http://localhost:\([0-9]*\)/.*,\1,p' url)
    token=$(sed -n 's,.*token=,,p' url)
    site=http://127.0.0.1:$port
}
stop() {
    kill -TERM "$pid"
    wait "$pid"
}
# get STATUS PATH [CURL OPTIONS]: with the token, into `body` and `head`.
get() {
    local want=$1 path=$2 got
    shift 2
    got=$(curl -s --path-as-is -m 20 -D head -o body -w '%{http_code}' \
        -H "Authorization: Bearer $token" "$@" "$site$path")
    if [ "$got" = "$want" ]; then
        ok
    else
        not_ok "$got, expected $want: $path $*"
        head -c 200 body
    fi
}
# knock STATUS PATH [CURL OPTIONS]: without it.
knock() {
    local want=$1 path=$2 got
    shift 2
    got=$(curl -s -m 20 -D head -o body -w '%{http_code}' "$@" "$site$path")
    if [ "$got" = "$want" ]; then ok; else not_ok "$got, expected $want: $path $*"; fi
}
json() { # EXPRESSION: of the last answer, as d, is true
    if python3 -c "import json, sys
d = json.load(open('body'))
sys.exit(0 if ($1) else 1)"; then ok; else not_ok "not so: $1"; fi
}

start tiny.db
claim 'a tunnel is offered' grep -q "ssh -N -L $port:localhost:$port" url
claim 'the token has 128 bits' grep -qE 'token=[0-9a-f]{32}$' url
claim 'loopback only' test "$(awk -v p="$(printf ':%04X' "$port")" \
    '$4 == "0A" && index($2, p) { print $2 }' /proc/net/tcp)" = \
    "0100007F$(printf ':%04X' "$port")"

# ---- who is let in
knock 403 /
knock 403 /api/status
knock 403 "/?token=${token%?}x"
knock 403 "/?token=$token$token"
knock 403 /api/status -H 'Authorization: Bearer'
knock 200 "/?token=$token" -c jar
claim 'the cookie is for this site and no script' grep -qiE \
    'set-cookie: loglog_[0-9]+=[0-9a-f]{32};.*HttpOnly; SameSite=Strict' head
claim 'the cookie is not the token' test -z "$(grep "$token" jar)"
knock 200 /api/status -b jar
knock 403 /api/status -b "loglog_$port=$token"
knock 403 /api/status -b "loglog_$port=$(printf '0%.0s' {1..32})"
get 421 /api/status -H 'Host: evil.example'
get 421 /api/status -H 'Host: localhost.evil.example'
get 421 /api/status -H 'Host: 127.0.0.1:1@evil.example'
get 200 /api/status -H 'Host: localhost:1234' # the other end of a tunnel
get 403 /api/status -H 'Origin: http://evil.example'
get 403 /api/status -H 'Sec-Fetch-Site: cross-site'
get 200 /api/status -H "Origin: $site"
for method in POST PUT DELETE OPTIONS PATCH TRACE; do
    get 405 /api/status -X "$method"
done
claim 'what is allowed is said' grep -qi '^allow: GET, HEAD' head
get 405 /api/status --data x=1
for path in /../../etc/passwd /%2e%2e/%2e%2e/etc/passwd //etc/passwd \
    /tiny.db /app.js/ /api /api/ /index.html '/%00' '/app.css%00'; do
    get 404 "$path"
done

# ---- what every answer carries
for path in / /app.js /plot.css /api/status /api/nothing /report; do
    curl -s -D head -o /dev/null -H "Authorization: Bearer $token" "$site$path"
    for line in "Content-Security-Policy: default-src 'none'.*frame-ancestors 'none'" \
        'X-Content-Type-Options: nosniff' 'Referrer-Policy: no-referrer' \
        'Cross-Origin-Opener-Policy: same-origin' 'X-Frame-Options: DENY'; do
        claim "$path: $line" grep -qE "^$line" head
    done
    claim "$path: no stranger may read it" test -z \
        "$(grep -i '^access-control' head)"
done
get 200 / -I
get 200 /
claim 'nothing from elsewhere' test -z "$(grep -oE '(src|href)="[^/#]' body)"

# ---- what is answered, while somebody asks for what never ends
curl -s -m 60 -o slow.body -w '%{http_code}' -H "Authorization: Bearer $token" \
    "$site/api/query?q=WITH%20RECURSIVE%20c(x)%20AS%20(SELECT%201%20UNION%20ALL%20SELECT%20x%2B1%20FROM%20c)%20SELECT%20sum(x)%20FROM%20c" >slow.code &
slow=$!
get 200 '/api/status?events=5'
run "$LOGLOG" status --json tiny.db
claim 'the status is that of the command' python3 -c "import json
assert json.load(open('out')) == json.load(open('body'))"
get 200 '/api/runs?sort=bpb&limit=3'
json "d['total'][0]['n'] == 8 and len(d['rows']) == 3"
json "d['rows'] == sorted(d['rows'], key=lambda r: r['bpb'])"
json "all(isinstance(r['run'], str) for r in d['rows'])"
get 200 '/api/runs?state=done&stage=hyper&budget=2e7'
json "d['total'][0]['n'] == 4"
get 200 "/api/runs?text=%27%20OR%201%3D1%20--"
json "d['total'][0]['n'] == 0"
get 400 '/api/runs?sort=lr;DROP'
get 400 '/api/runs?limit=1e9'
run_id=$("$LOGLOG" query tiny.db --csv 'SELECT run FROM runs ORDER BY ord' |
    sed -n 2p)
get 200 "/api/run?run=$run_id"
json "d['run'][0]['state'] == 'done' and d['evaluations'][-1]['bpb'] > 0"
get 200 "/api/curves?run=$run_id&n=2000"
"$LOGLOG" query tiny.db --json @curves --param "run=$run_id" >steps
claim 'a short curve is whole' python3 -c "import json
rows = [json.loads(l) for l in open('steps')]
c = json.load(open('body'))[0]
assert c['run'] == '$run_id' and not c['thinned']
assert c['step'] == [r['step'] for r in rows]
assert c['loss'] == [r['loss'] for r in rows]"
get 200 "/api/curves?run=$run_id&n=5"
json "len(d[0]['step']) == 5 and all(l <= m <= h for l, m, h in
    zip(d[0]['lo'], d[0]['loss'], d[0]['hi']))"
get 400 '/api/curves?run=1,x'
get 200 /api/lanes
json "len(d) == 8 and d[0]['ranks'] is not None"
get 200 '/api/query?q=@frontier'
json "len(d) == 2"
get 200 "/api/query?q=SELECT%20count(*)%20AS%20n%20FROM%20runs%3B"
json "d == [{'n': 8}]"
for sql in 'DELETE%20FROM%20run' "ATTACH%20'x'%20AS%20y" \
    'PRAGMA%20journal_mode=delete' '1)%3BDELETE%20FROM%20run--' '@nothing'; do
    get 400 "/api/query?q=$sql"
done
wait "$slow"
claim 'a query has its time, others meanwhile theirs' test "$(cat slow.code)" = 503
# settled: until nothing is being fitted; a request waits a second for it.
settled() {
    for _ in $(seq 60); do
        curl -s -m 20 -o body -H "Authorization: Bearer $token" "$site/api/laws"
        grep -q '"fitting"' body || return 0
    done
    not_ok 'still fitting after a minute'
}
settled
get 200 /api/figures
json "any(f['name'] == 'grid-1' and '<svg' in f['svg'] for f in d)"
get 200 /api/laws
json "d['fits'][0]['law'] == 'hyper'"
get 200 /report
claim 'the report is that of the command' grep -q '<h2>Provenance</h2>' body
get 400 '/api/status?study=other'

# ---- nothing new, nothing sent
settled
get 200 /api/status
tag=$(sed -n 's/^ETag: \(.*\)\r$/\1/pI' head)
claim 'answers have a tag' test -n "$tag"
get 304 /api/status -H "If-None-Match: $tag"
get 200 /report
grep -i '^content-security' head >policy
tag=$(sed -n 's/^ETag: \(.*\)\r$/\1/pI' head)
get 304 /report -H "If-None-Match: $tag"
claim 'an old answer keeps its policy' grep -qFf policy head
touch tiny.db
sleep 0.1
get 200 /api/status -H "If-None-Match: $tag"

# ---- its end
refuses 3 "port $port" "$LOGLOG" serve tiny.db --port "$port"
stop
claim 'SIGTERM is an orderly end' test "$?" -eq 0
claim 'it said nothing' test ! -s serve.err
exits 0 "$LOGLOG" serve tiny.db --seconds 0.2
refuses 2 'port' "$LOGLOG" serve tiny.db --port 99999
refuses 2 'no study' "$LOGLOG" serve tiny.db --study other
refuses 4 'no-such' "$LOGLOG" serve no-such.db

# ---- a file that grows meanwhile: neither disturbs the other
sed -i 's/\[2e7, 4e7\]/[3e8, 6e8]/' tiny.yaml
"$LOGLOG" run tiny.yaml --db live.db >live.log 2>&1 &
writer=$!
for _ in $(seq 100); do
    "$LOGLOG" status live.db >/dev/null 2>&1 && break
    sleep 0.05
done
start live.db
answers=0
while kill -0 "$writer" 2>/dev/null; do
    for path in /api/status /api/runs /api/lanes '/api/query?q=@frontier' /report; do
        got=$(curl -s -o body -w '%{http_code}' \
            -H "Authorization: Bearer $token" "$site$path")
        [ "$got" = 200 ] || not_ok "$got while the file grows: $path $(cat body)"
        answers=$((answers + 1))
    done
done
claim "it was asked while the study ran ($answers answers)" test "$answers" -gt 8
claim 'the writer was not held up' test -z "$(grep -iE 'lock|busy' live.log)"
get 200 /api/status
json "d['runs']['done'] == 8"
kill -INT "$pid"
wait "$pid"
claim 'Ctrl-C is an orderly end' test "$?" -eq 0
conclude
