# SPDX-License-Identifier: Apache-2.0
# Gateways for the promises about them: gremd with simulated devices behind it.  Sourced by the scripts
# that need it, within the world of tests/acceptance/run.

gremd=$bin/grem/gremd
xremsim=$bin/sim/xremsim

# name, then lines of configuration beyond the usual; gw_url: where its server is.  Sets gw_dm, gw_coap, gw_metrics
start_gateway()
{
        local dir=$home/$1
        [ ! -e "$dir" ] || { echo "$1 is the name of another one" >&2 && return 1; } # whose account it would have
        add_device "$1" && mkdir -p "$dir/objects" && "$xremsim" --print-objects >"$dir/objects/simulated.xml" || return 1
        {
                printf '[agent]\nstate = %s\n[device]\nid = urn:test:%s\n' "$dir" "$1"
                printf '[account]\nserver_id = xrem\nurl = %s\nuser = %s\n' "${gw_url:-http://127.0.0.1:$plain_port/dm}" "$1"
                printf 'password = pw-%s\nserver_password = sv-%s\n' "$1" "$1"
                printf '[wake]\nlisten = 127.0.0.1:0\nmin_interval = 0s\n[session]\nretry_min = 200ms\n'
                printf '[gateway]\nmetrics = 127.0.0.1:0\n'
                printf '[omadm]\nlisten = 127.0.0.1:0\nserver_id = gw\nunknown = accept\naccept_password = behind\n'
                printf 'accept_server_password = behind\nwake_first = 200ms\n'
                printf '[images]\nlisten = 127.0.0.1:0\nretry_wait = 500ms\n'
                printf '[firmware]\nfetch = %s\nretry_wait = 200ms\n' "$bin/drem/fetch/dremd-fetch"
                printf '[lwm2m]\nlisten = 127.0.0.1:0\nobjects = %s\nawake = 2s\nack = 300ms\nretransmit = 2\n' "$dir/objects"
                printf '%s\n' "${@:2}"
        } >"$dir/gremd.conf"
        run_gateway "$1"
}

run_gateway() # name: with the configuration it has; the same ports again
{
        local dir=$home/$1 log=$home/$1.log mark
        touch "$log"
        mark=$(wc -l <"$log")
        "$gremd" --config "$dir/gremd.conf" 2>>"$log" &
        pid[$1]=$!
        eventually 20 sh -c "tail -n +$((mark + 1)) '$log' | grep -q 'gremd: ready'" || {
                tail -n 5 "$log" >&2
                return 1
        }
        gw_dm=$(port_of "$log" "$mark" 'OMA DM')
        gw_coap=$(port_of "$log" "$mark" 'LwM2M.* dtls=false')
        gw_coaps=$(port_of "$log" "$mark" 'LwM2M.* dtls=true')
        gw_metrics=$(port_of "$log" "$mark" 'metrics=true')
        sed -i "/^\[omadm\]/,/^\[/s/^listen = 127.0.0.1:0/listen = 127.0.0.1:$gw_dm/
                /^\[lwm2m\]/,/^\[/s/^listen = 127.0.0.1:0/listen = 127.0.0.1:$gw_coap/
                s/^listen_secure = 127.0.0.1:0/listen_secure = 127.0.0.1:$gw_coaps/
                s/^metrics = 127.0.0.1:0/metrics = 127.0.0.1:$gw_metrics/" "$dir/gremd.conf"
}

behind_dm() # group, prefix, first, count, then lines: OMA DM devices behind the gateway, as a scenario
{
        printf '[group %s]\nprefix = %s\nfirst = %s\ncount = %s\n' "$1" "$2" "$3" "$4"
        printf 'server = http://127.0.0.1:%s/dm\nserver_id = gw\npassword = behind\n' "$gw_dm"
        printf 'maker = Acme\nmodel = M1\nfwv = 1.0\ncall = %s\nstart = 1s\ninstall = 100ms\nreboot = 100ms\n' "${call:-2s}"
        printf '%s\n' "${@:5}"
}

behind_lwm2m() # the same of LwM2M
{
        printf '[group %s]\nprotocol = lwm2m\nprefix = %s\nfirst = %s\ncount = %s\n' "$1" "$2" "$3" "$4"
        printf 'server = coap://127.0.0.1:%s\n' "$gw_coap"
        printf 'maker = Acme\nmodel = M1\nfwv = 1.0\ncall = %s\nstart = 1s\ninstall = 100ms\nreboot = 100ms\n' "${call:-2s}"
        printf '%s\n' "${@:5}"
}

simulate() # name, file of the scenario, options
{
        "$xremsim" --scenario "$2" --create --api "$XREM_SERVER" --quiet --json "${@:3}" >"$home/$1.out" 2>>"$home/$1.log" &
        pid[$1]=$!
}

gw_get() # device, node
{
        "$xrem" get "$1" "$2"
}

gw_says() # gateway, field of what it says of itself
{
        "$gremd" --config "$home/$1/gremd.conf" --status | sed -n "s/^$2: //p"
}

gw_is() # gateway, field, value
{
        [ "$(gw_says "$1" "$2")" = "$3" ]
}

# No alert waits, and no session is under way.
gw_has_told_all() # gateway
{
        gw_is "$1" north-alerts-waiting 0 && gw_is "$1" state idle
}

devices_with() # query words of device list, how many
{
        [ "$("$xrem" --json device list "${@:1:$#-1}" |
                python3 -c 'import json,sys; print(len(json.load(sys.stdin)["items"]))')" = "${!#}" ]
}

metric_of() # name of a counter of the gateway
{
        curl -sS "http://127.0.0.1:$gw_metrics/metrics" | sed -n "s/^$1 //p"
}
