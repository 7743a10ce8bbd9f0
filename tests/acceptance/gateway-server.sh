# SPDX-License-Identifier: Apache-2.0
# The server's side of a gateway: jobs of devices behind it go through by themselves, each once, whenever the server is
# killed; a campaign is one image and one fan-out; a unit is replaced under its name.  Sourced by
# tests/acceptance/run, whose world it uses.

. "$here/gateway-world.sh"
gs=$home/gateway-server
step_out

begins()
{
        mkdir -p "$gs/keys" && openssl genpkey -algorithm ed25519 -out "$gs/maker.key" &&
                openssl pkey -in "$gs/maker.key" -pubout -out "$gs/keys/maker.pub" &&
                { echo 'version: 2.0' && head -c 20000 /dev/urandom; } >"$gs/image" || return 1
        start_server gsserver && start_gateway gs || return 1
        eventually 20 is_active gs && "$xrem" set gs ./GwMO/Config/Alerts/BatchWindow 0 || return 1
        { echo '[run]' && echo 'seed = 7' && behind_dm meters meter/ 1 12 "keys = $gs/keys"; } >"$gs/scenario"
        "$xremsim" --scenario "$gs/scenario" --quiet >"$home/gssim.out" 2>"$home/gssim.log" &
        pid[gssim]=$!
}

has_devices() # how many
{
        [ "$("$xrem" --json gateway devices gs | grep -c '"device"')" = "$1" ]
}

finds_them()
{
        eventually 20 has_devices 12 || fail "$("$xrem" gateway devices gs)" || return 1
        "$xrem" gateway list | grep -qE '^gs +active +12 ' || fail "$("$xrem" gateway list)"
}

reads_and_is_refused()
{
        equal "$("$xrem" get gs/d0003 ./DevDetail/FwV)" 1.0 FwV || return 1
        code_of 3 "$xrem" set gs/d0003 ./Nope 1 2>"$gs/refusal" || return 1
        grep -q 'replace ./Nope: 404' "$gs/refusal" || fail "$(cat "$gs/refusal")" || return 1
        equal "$("$xrem" get --mirror gs/d0003 ./DevDetail/FwV 2>/dev/null || "$xrem" tree --mirror gs/d0003 ./DevDetail |
                grep -c FwV)" 1 'the mirror of the device' || return 1
        ! "$xrem" tree --mirror gs . | grep -q GwDev || fail "the gateway's mirror has its devices"
}

hides_addresses()
{
        local viewer
        viewer=$("$xrem" --json token add looker --role viewer | sed -n 's/.*"token": "\([^"]*\)".*/\1/p')
        "$xrem" gateway devices gs --addresses | grep -q 127.0.0 || fail 'an admin sees none' || return 1
        ! XREM_TOKEN=$viewer "$xrem" --json gateway devices gs | grep -q 127.0.0 &&
                code_of 6 sh -c "XREM_TOKEN=$viewer '$xrem' gateway devices gs --addresses 2>/dev/null"
}

# So many jobs that some are under way whenever the server is killed.
survives_kills()
{
        local n i jobs=() j
        for i in 1 2 3 4; do
                for n in 01 02 03 04 05 06 07 08 09 10 11 12; do
                        jobs+=("$("$xrem" get "gs/d00$n" ./DevDetail/HwV --no-wait)") || return 1
                done
                stop gsserver KILL
                run_server gsserver || return 1
        done
        for j in "${jobs[@]}"; do
                eventually 20 job_is "$j" 'done' || fail "$("$xrem" job show "$j")" || return 1
        done
        eventually 20 none_waits || fail "$("$xrem" job list gs --state waiting)"
}

none_waits() # at the gateway
{
        local jobs
        jobs=$("$xrem" --json job list gs --state waiting) && ! echo "$jobs" | grep '"id"'
}

job_is() # id, state
{
        "$xrem" --json job show "$1" | grep -q "\"state\": \"$2\""
}

updates_all()
{
        local id served
        "$xrem" --quiet package add "$gs/image" --name meter --version 2.0 --sign "$gs/maker.key" >/dev/null &&
                id=$("$xrem" campaign create roll --package meter@2.0 --prefix gs/ | grep -oE '[0-9]+' | head -n 1) &&
                "$xrem" campaign start "$id" >/dev/null || return 1
        eventually 30 sh -c "'$xrem' --json campaign show $id | grep -q '\"state\": \"done\"'" || fail 'it goes on' || return 1
        equal "$("$xrem" --json campaign devices "$id" --state succeeded | grep -c '"device"')" 12 'devices updated' ||
                fail "$("$xrem" campaign devices "$id")" || return 1
        "$xrem" gateway show gs | grep -qE 'meter 2.0 +ready' || fail "$("$xrem" gateway show gs)" || return 1
        served=$(curl -sS "$XREM_SERVER/metrics" | sed -n 's/^nrem_package_downloads_total //p')
        equal "$served" 1 'contents served by the server'
}

moves_house()
{
        local old
        old=$("$xrem" --json device show gs/d0012 | sed -n 's/.*"devid": "\([^"]*\)".*/\1/p')
        "$xrem" device set gs/d0001 --name meter/one >/dev/null &&
                code_of 1 "$xrem" gateway replace meter/one "$old" 2>"$gs/refusal" && grep -q 'gs/d0012 has that DevId' "$gs/refusal" &&
                "$xrem" gateway replace meter/one "$old" --yes || return 1
        equal "$("$xrem" get meter/one ./DevInfo/DevId)" "$old" 'DevId of the new unit' || return 1
        code_of 3 "$xrem" device show gs/d0012 2>/dev/null
}

promise 'a gateway of meters begins' begins
promise 'its devices are found' finds_them
promise 'they are read, and refuse, as any device' reads_and_is_refused
promise 'local addresses are for an admin who asks' hides_addresses
promise 'killed four times, the server has every job done once' survives_kills
promise 'a campaign is one image and one fan-out' updates_all
promise 'a new unit takes the place and the name of a broken one' moves_house
stop gssim
stop gs
stop gsserver
step_back
