#!/usr/bin/env bash
# A database that is damaged, of another program or of a newer version is
# refused with status 4 and one line, by every command that opens one, and is
# left as it was.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

make_database
commands=(
    "status bad.db"
    "query bad.db 'SELECT * FROM runs'"
    "export bad.db --what runs --format csv"
    "fit bad.db --law hyper"
    "predict bad.db --flops 1e9"
    "plan tiny.yaml --db bad.db"
    "report bad.db -o report.html"
    "run tiny.yaml --db bad.db"
)

# refused TEXT: by all of them
refused() {
    local text=$1 c before words
    before=$(sha256sum <bad.db)
    for c in "${commands[@]}"; do
        eval "words=($c)"
        run "$LOGLOG" "${words[@]}"
        # rows that were read before the damage may have been printed
        if [ "$rc" -eq 4 ] && grep -qE -- "bad\.db: .*$text" err; then
            ok
        else
            not_ok "exit $rc, expected 4 and '$text': loglog $c"
            show
        fi
        [ "$(wc -l <err)" -le 2 ] || not_ok "more than two lines: loglog $c"
    done
    [ "$(sha256sum <bad.db)" = "$before" ] || not_ok "bad.db was changed ($text)"
    [ -e report.html ] && not_ok "a report was made ($text)"
    rm -f bad.db*
}

head -c 5000 /dev/urandom >bad.db
refused 'not a loglog database'
printf 'study: this is a study file\n' >bad.db
refused 'not a loglog database'
head -c 20000 tiny.db >bad.db
refused 'damaged'
if command -v sqlite3 >/dev/null; then
    sqlite3 bad.db 'CREATE TABLE t (a); PRAGMA application_id = 12345'
    refused 'another program'
    cp tiny.db bad.db
    sqlite3 bad.db 'PRAGMA user_version = 999'
    refused 'newer loglog .version 999'
fi

refuses 4 'nowhere.db: No such file' "$LOGLOG" status nowhere.db
refuses 4 'nowhere.db: No such file' "$LOGLOG" fit nowhere.db --law hyper
[ -e nowhere.db ] && not_ok "asking makes a database"

# what only reads cannot write, whatever the SQL
for sql in "DELETE FROM run" "DROP TABLE run" "PRAGMA user_version = 3" \
    "ATTACH 'other.db' AS o" "VACUUM INTO 'copy.db'" \
    "SELECT 1; DELETE FROM run" "CREATE TEMP TABLE t (a)"; do
    run "$LOGLOG" query tiny.db "$sql"
    if [ "$rc" -ne 0 ]; then ok; else not_ok "query ran: $sql"; fi
done
[ -e other.db ] || [ -e copy.db ] && not_ok "query made a file"
exits 0 "$LOGLOG" query tiny.db --csv 'SELECT count(*) FROM runs'
says '^8$'
conclude
