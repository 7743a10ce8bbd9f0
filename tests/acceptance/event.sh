# SPDX-License-Identifier: Apache-2.0
# The log of events: followed across a restart of the server, streamed to curl, and carried to a
# receiver that is away for a while.  Sourced by tests/acceptance/run, whose world it uses.

ev=$home/ev-things

sets_it() # value
{
        "$xrem" --quiet device set ev-one --note "$1" >/dev/null
}

changes_in() # file: how many device.changed it has
{
        grep -c 'device.changed' "$1"
}

has_changes() # file, how many
{
        [ "$(changes_in "$1")" -ge "$2" ]
}

# Numbers that rise, each once, and as many changes as were made.
follows_without_loss()
{
        eventually 20 has_changes "$ev/followed" 6 || { cat "$ev/followed"; return 1; }
        equal "$(changes_in "$ev/followed")" 6 changes || return 1
        sed -n 's/.*"id":"\([0-9]*\)".*/\1/p' "$ev/followed" >"$ev/ids"
        sort -n -u "$ev/ids" | cmp - "$ev/ids"
}

follow_over_a_restart()
{
        "$xrem" --quiet --json event --follow >"$ev/followed" 2>"$ev/follow.err" &
        pid[follow]=$!
        sets_it 1 && sets_it 2 || return 1
        eventually 20 has_changes "$ev/followed" 2 || return 1
        stop server-ev && run_server server-ev && sets_it 3 && sets_it 4 || return 1
        kill -KILL "${pid[server-ev]}" && wait "${pid[server-ev]}" 2>/dev/null
        run_server server-ev && sets_it 5 && sets_it 6 && follows_without_loss || return 1
        kill -INT "${pid[follow]}" && wait "${pid[follow]}"
        equal $? 0 'exit code after Ctrl-C'
}

streams_to_curl()
{
        local last
        last=$("$xrem" --json event -n 1 | sed -n 's/.*"id":"\([0-9]*\)".*/\1/p')
        curl -sN --max-time 120 -H "Authorization: Bearer $XREM_TOKEN" -H 'Accept: text/event-stream' \
                -H "Last-Event-ID: $((last - 1))" "$XREM_SERVER/api/v1/events" >"$ev/stream" &
        pid[curl]=$!
        sets_it 7 || return 1
        eventually 20 has_changes "$ev/stream" 2 || { cat "$ev/stream"; return 1; }
        grep -q "^id: $last\$" "$ev/stream" && grep -q '^event: device.changed$' "$ev/stream" || { cat "$ev/stream"; return 1; }
        kill "${pid[curl]}"; wait "${pid[curl]}" 2>/dev/null
        unset 'pid[curl]'
}

start_receiver() # port or 0
{
        python3 "$here/receiver.py" "$1" "$ev/secret" "$ev/received" >"$ev/receiver.port" &
        pid[receiver]=$!
        eventually 20 test -s "$ev/receiver.port"
}

carried_though_away()
{
        local port
        : >"$ev/received"
        start_receiver 0 || return 1
        port=$(cat "$ev/receiver.port")
        "$xrem" --quiet --json webhook add "http://127.0.0.1:$port/in" --kind device. --secret 'a secret of sixteen' >/dev/null || return 1
        sets_it 8 && eventually 20 has_changes "$ev/received" 1 || return 1
        kill "${pid[receiver]}" && wait "${pid[receiver]}" 2>/dev/null
        sets_it 9 && sets_it 10 || return 1
        eventually 20 sh -c "'$xrem' --json webhook list | grep -q '\"failures\": *[1-9]'" || return 1
        rm "$ev/receiver.port" && start_receiver "$port" && eventually 20 has_changes "$ev/received" 3 || { cat "$ev/received"; return 1; }
        equal "$(cut -d ' ' -f 1 "$ev/received" | sort -u)" good signatures && cut -d ' ' -f 2 "$ev/received" | sort -n -c -u
}

mkdir -p "$ev"
printf 'a secret of sixteen' >"$ev/secret"
step_out
if start_server server-ev && add_device ev-one; then
        promise 'events are followed across a restart and a kill of the server, none lost' follow_over_a_restart
        promise 'a stream of events goes on where it was' streams_to_curl
        promise 'a webhook carries events to a receiver that was away, signed, in order' carried_though_away
        kill "${pid[receiver]}" 2>/dev/null; wait "${pid[receiver]}" 2>/dev/null
        promise 'a server with listeners ends cleanly' stop server-ev
else
        promise 'a server for events starts' false
fi
step_back
