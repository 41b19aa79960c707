#!/usr/bin/env bash
# The live view while a study runs: on a terminal (tmux is one), and as lines
# where there is none.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

refuses 2 '--list lanse: running, runs' "$LOGLOG" top x.db --list lanse
refuses 2 '--color sometimes: auto, always or never' \
    "$LOGLOG" top x.db --color sometimes
refuses 4 'x.db' "$LOGLOG" top x.db

# a study of stand-ins, slow enough to be watched
make_study
"$LOGLOG" run tiny.yaml --db slow.db --slots 2 --stand-in 1e-3 >log 2>&1 &
study=$!
terminal() {
    tmux -L "loglog-$$" -f /dev/null "$@"
}
end() {
    command -v tmux >/dev/null && terminal kill-server 2>/dev/null
    kill -9 "$study" 2>/dev/null
    finish
}
trap end EXIT
for _ in $(seq 100); do
    "$LOGLOG" query slow.db --csv "SELECT count(*) > 1 FROM curves" \
        2>/dev/null | grep -q '^1' && break
    sleep 0.1
done

# no terminal: a page, or lines
exits 0 "$LOGLOG" status slow.db
says '^tiny in slow.db'
says '^2 of 2 slots busy'
says '^running  '
exits 124 timeout 1 "$LOGLOG" top slow.db
says '^..:..:.. tiny: . of 8 runs done, 2 running; .* of .* flops'
exits 124 timeout 2 "$LOGLOG" status slow.db --watch --interval 0.5
[ "$(grep -c ' tiny: ' out)" -ge 3 ] || not_ok "lines: $(cat out)"
exits 0 "$LOGLOG" status slow.db --color always
says $'\033\\[0;1m'
exits 0 "$LOGLOG" status slow.db --color never
grep -q $'\033' out && not_ok "escape sequences in spite of --color never"

command -v tmux >/dev/null || {
    printf 'not tried: the terminal (needs tmux)\n'
    conclude
}
# shows TEXT: the screen does, within five seconds.
shows() {
    for _ in $(seq 50); do
        screen=$(terminal capture-pane -p 2>&1)
        if grep -qE -- "$1" <<<"$screen"; then
            ok
            return
        fi
        sleep 0.1
    done
    not_ok "no '$1' on the screen:"
    printf '%s\n' "$screen"
}
press() {
    terminal send-keys "$@"
}
# chosen KEY N: after that key the selected row is the N-th of the list `ids`.
chosen() {
    local want row
    want=$(sed -n "$2p" ids)
    press "$1"
    for _ in $(seq 50); do
        row=$(terminal capture-pane -e -p | grep $'^\033\\[\\(0;\\)*7m' | tail -1)
        if [[ $row == *"$want"* ]]; then
            ok
            return
        fi
        sleep 0.1
    done
    not_ok "$1: row $2 ($want) expected, not $row"
}
# coloured YES|NO: escape sequences for colours are on the screen.
coloured() {
    local found=NO
    terminal capture-pane -p -e | grep -q $'\033\\[\\(0;\\)*3[0-7]m' && found=YES
    [ "$found" = "$1" ] || not_ok "colours: $found"
}

terminal new-session -d -x 80 -y 24 "$LOGLOG top slow.db -i 0.5; cat"
shows 'tiny in slow.db|without ncurses'
if grep -q 'without ncurses' <<<"$screen"; then
    printf 'not tried: the terminal (built without ncurses)\n'
    conclude
fi
shows '^tiny in slow.db.* [0-9][0-9]:[0-9][0-9]:[0-9][0-9]$'
shows '^running  .*loss so far'
awk 'length > 80' <<<"$screen" | grep -q . && not_ok "wider than 80 columns"
press 2
shows '^run  .* bpb$'
press /
press pending
shows '^/pending_  \([0-9] rows\)'
press Escape
shows ' q quit '

# a row, by every key
"$LOGLOG" query slow.db --csv 'SELECT run FROM runs ORDER BY ord' | sed 1d >ids
chosen j 2
chosen Down 3
chosen k 2
chosen G 8
chosen g 1
chosen Up 1
chosen NPage 8
chosen Home 1
chosen End 8
press s
shows 'by state$'
press r
shows 'by state down$'
press s
shows 'by budget down$'
press s s s s s
shows 'by done down$'
press s
shows 'by plan down$'
chosen r 1

# the lists beside it
press Tab
shows '^best of'
press Right
shows '^ rank  host'
press Left BTab
shows 'by plan$'

# its curve, and those of its neighbours
press Enter
shows "^run $(sed -n 1p ids)"
press n
shows "^run $(sed -n 2p ids)"
press n
shows "^run $(sed -n 3p ids)"
press p p
shows "^run $(sed -n 1p ids)"
press Escape

# how often it looks
press Space
shows 'paused$'
press Space
shows ' 0.5 s$'
press -
shows ' 1 s$'
press - +
shows ' 1 s$'
press 4
shows '^ rank  host'
shows 'hyper, step [0-9]+/'
press 1
shows '^running  '
press Enter
shows '^run [0-9]+, loss [0-9.]+ by step'
shows '^ +[0-9.]+ .*[|│]'
press x y
shows 'step, log'
shows 'validation\), log'
press Escape
press '?'
shows 'keys of loglog top'
press q
terminal resize-window -x 120 -y 30
shows 'shape, host$'
press q
shows '^$'

# nobody who only watched has disturbed the study
kill -0 "$study" || not_ok "the study goes on: $(cat log)"
grep -q 'locked' log && not_ok "$(cat log)"

# where there are no colours and no UTF-8
terminal resize-window -x 80 -y 24
terminal respawn-pane -k "NO_COLOR=1 LC_ALL=C $LOGLOG top slow.db; cat"
shows '^running  '
coloured NO
press Enter
shows '^ +[0-9.]+ \|'
for colour in always:YES never:NO; do
    terminal respawn-pane -k \
        "NO_COLOR=1 $LOGLOG top slow.db --color ${colour%:*}; cat"
    shows '^running  '
    coloured "${colour#*:}"
done
conclude
