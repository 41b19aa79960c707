# bash completion of loglog, made from what the program says of itself: its
# commands from `loglog --help`, a command's options from its own --help.  So
# it knows new ones without a change here.
#
#     . packaging/completions/loglog.bash
# or, for everybody: copy it to /usr/share/bash-completion/completions/loglog

_loglog_commands() {
    "$1" --help 2>/dev/null |
        sed -n '/^commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p'
}

# Options with a "--"; those that take a value are shown without it.
_loglog_options() { # PROGRAM COMMAND...
    "$@" --help 2>/dev/null |
        sed -n '/^options:/,$s/^ *\(-[a-zA-Z], \)\{0,1\}\(--[a-z-]*\).*/\2/p'
}

# What an option wants: its word in the help ("DIR", "N"), or nothing.
_loglog_wants() { # OPTION PROGRAM COMMAND...
    local option=$1
    shift
    "$@" --help 2>/dev/null |
        sed -n "/^options:/,\$s/.*$option \([A-Z][A-Z=]*\) .*/\1/p;
                /^options:/,\$s/.*$option \([A-Z][A-Z=]*\)\$/\1/p"
}

_loglog() {
    local program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]}
    local before=${COMP_WORDS[COMP_CWORD - 1]} command=()

    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen \
            -W "$(_loglog_commands "$program") --help --version" -- "$word")
        return
    fi
    command=("$program" "${COMP_WORDS[1]}")
    if [ "${COMP_WORDS[1]}" = data ]; then
        if [ "$COMP_CWORD" -eq 2 ]; then
            mapfile -t COMPREPLY < <(compgen \
                -W "pack mix tokenize train-tokenizer synth info sample text link get --help" -- "$word")
            return
        fi
        command+=("${COMP_WORDS[2]}")
        if [ "${COMP_WORDS[2]}" = get ] && [ "$COMP_CWORD" -eq 3 ]; then
            mapfile -t COMPREPLY < <(compgen \
                -W "prose docs code chinese --out --help" -- "$word")
            return
        fi
    fi
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen \
            -W "$(_loglog_options "${command[@]}")" -- "$word")
        return
    fi
    if [[ $before == --* ]]; then
        case $(_loglog_wants "$before" "${command[@]}") in
        N | X | S | C | TIME | TEXT | NAME | SQL | HOW | SPEED | PATTERN)
            return # nothing to offer
            ;;
        DIR)
            mapfile -t COMPREPLY < <(compgen -d -- "$word")
            return
            ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
}

complete -o filenames -F _loglog loglog
