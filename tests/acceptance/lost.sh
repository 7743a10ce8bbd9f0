# SPDX-License-Identifier: Apache-2.0
# Orders and answers that are lost on the way, and both ends killed meanwhile: what was ordered is done, once.
# Sourced by tests/acceptance/run, whose world it uses.

ls=$home/ls-things
erase=./LAWMO/Operations/Wipe

start_far_device()
{
        mkdir -p "$ls"
        python3 "$here/lossy.py" 127.0.0.1 "$plain_port" "$ls" >"$ls/port" &
        pid[way]=$!
        eventually 20 test -s "$ls/port" || return 1
        add_device ls
        start_device ls "http://127.0.0.1:$(cat "$ls/port")/dm" '' "[lawmo]
wipe = echo wiped >>$ls/wiped"
        eventually 20 is_active ls && eventually 10 has_status ls state idle
}

# Orders, and has the device die when what is to be lost was lost.
loses() # what: sets $job
{
        rm -f "$ls/lost" && echo "$1 $erase" >"$ls/lose" || return 1
        job=$("$xrem" exec ls $erase --no-wait) && eventually 10 grep -q "^$1" "$ls/lost" || return 1
        stop ls KILL
        rm "$ls/lose"
}

# As often as it was done, and as often as it was sent.
comes_to() # wipes, sessions that tried
{
        "$xrem" job watch "$job" || return 1
        equal "$("$xrem" --json job show "$job" | python3 -c 'import json,sys; print(json.load(sys.stdin)["attempts"])')" "$2" attempts &&
                equal "$(wc -l <"$ls/wiped")" "$1" wipes
}

order_is_lost()
{
        loses order && [ ! -e "$ls/wiped" ] || return 1
        run_device ls
        comes_to 1 2
}

answer_is_lost()
{
        loses answer || return 1
        run_device ls
        comes_to 2 1
}

order_is_lost_and_the_server_dies()
{
        loses order && stop "${server:-server2}" KILL || return 1
        run_server "${server:-server2}" && run_device ls && comes_to 3 2
}

answer_is_lost_and_the_server_dies()
{
        loses answer && stop "${server:-server2}" KILL || return 1
        run_server "${server:-server2}" && run_device ls && comes_to 4 1
}

promise 'a device at the end of a bad way' start_far_device
promise 'an order that was lost is found out and sent again' order_is_lost
promise 'one whose answer was lost is not' answer_is_lost
promise 'an order that was lost, and the server killed' order_is_lost_and_the_server_dies
promise 'an answer that was lost, and the server killed' answer_is_lost_and_the_server_dies
promise 'that device ends cleanly' stop ls
kill "${pid[way]}" && wait "${pid[way]}" 2>/dev/null
unset 'pid[way]'
