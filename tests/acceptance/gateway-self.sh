# SPDX-License-Identifier: Apache-2.0
# A gateway is a device like any other: it takes firmware and software, is diagnosed, watched and scheduled, while
# devices are behind it and stay what they are.  Sourced by tests/acceptance/run, whose world it uses.

. "$here/gateway-world.sh"
gown=$home/gateway-self
own_note=./Vendor/xrem/Config/Note
mkdir -p "$gown/www" "$gown/keys"
step_out

sign_own() # file
{
        openssl dgst -sha256 -binary "$1" >"$gown/hash" && openssl pkeyutl -sign -rawin -in "$gown/hash" -inkey "$gown/maker.key" -out "$1.sig"
}

makes_what_it_takes()
{
        local v
        openssl genpkey -algorithm ed25519 -out "$gown/maker.key" && openssl pkey -in "$gown/maker.key" -pubout -out "$gown/keys/maker.pub" || return 1
        printf '#!/bin/sh\n! head -n 1 "$1" | grep -q bad || { echo "its self-test failed"; exit 1; }\n' >"$gown/check" && chmod +x "$gown/check" || return 1
        for v in 2.0 bad; do
                { echo "image $v" && head -c 100000 /dev/urandom; } >"$gown/www/$v" && sign_own "$gown/www/$v" || return 1
        done
        mkdir -p "$gown/in/bin" && printf 'id=net.example.tool\nversion=1.5\nname=A tool\n' >"$gown/in/component" &&
                printf '#!/bin/sh\necho 1.5\n' >"$gown/in/bin/tool" && chmod +x "$gown/in/bin/tool" &&
                tar -C "$gown/in" -cf "$gown/www/tool.tar" . && sign_own "$gown/www/tool.tar"
}

starts_one_that_can_be_updated()
{
        makes_what_it_takes || return 1
        python3 "$here/serve.py" "$gown/www" >"$gown/port" &
        pid[gownwww]=$!
        eventually 20 test -s "$gown/port" || return 1
        gown_url=http://127.0.0.1:$(cat "$gown/port")
        start_server gownserver || return 1
        start_gateway selfgate '[firmware]' 'installer = slots' "keys = $gown/keys" "slots = $gown/slots" "command = $gown/check" \
                '[software]' "archive = $gown/apps" "keys = $gown/keys" 'retry_wait = 100ms' "fetch = $bin/drem/fetch/dremd-fetch" \
                "installers = $bin/drem/install" && stop selfgate && run_gateway selfgate || return 1 # its ports are those of the configuration
        {
                printf '[run]\nseed = 7\n'
                behind_dm dm own/ 1 2 'tags = own'
                behind_lwm2m nodes own/ 11 2 'tags = own'
        } >"$gown/scenario"
        simulate gownsim "$gown/scenario"
        eventually 20 is_active selfgate && "$xrem" set selfgate ./GwMO/Config/Alerts/BatchWindow 0 && eventually 20 devices_with --tag own --state active 4 || return 1
        who_is_behind >"$gown/before" && equal "$(grep -c '^own/' "$gown/before")" 4 'devices behind it'
}

# What makes them who they are: their numbers at the server, their keys at the gateway.
who_is_behind()
{
        "$xrem" --json gateway devices selfgate | python3 -c '
import json, sys
for d in sorted(json.load(sys.stdin)["items"], key=lambda d: d["device"]):
    print(d["device"], d["key"], d["devid"])' || return 1
        python3 - "$home/gownserver/nrem.db" <<'END'
import sqlite3, sys
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, timeout=10)
print(*db.execute("SELECT id, name FROM device ORDER BY id"), sep="\n")
END
}

are_the_same() # devices behind it
{
        who_is_behind | diff "$gown/before" - && equal "$(gw_get own/1 ./DevDetail/FwV)" 1.0 'FwV of own/1' &&
                equal "$(gw_get own/11 ./DevDetail/FwV)" 1.0 'FwV of own/11'
}

order_own() # version, folder, options: the exit code of the Exec
{
        "$xrem" set selfgate ./FUMO/main/PkgVersion "$1" >/dev/null &&
                "$xrem" set selfgate ./FUMO/main/DownloadAndUpdate/PkgURL "$gown_url$2/$1" >/dev/null || return 99
        "$xrem" exec selfgate ./FUMO/main/DownloadAndUpdate --timeout 60 "${@:3}"
}

# While it fetches its image, a device behind it is given an order; then it starts again.
updates_itself()
{
        local job own from
        from=$(wc -l <"$home/selfgate.log")
        touch "$gown/hold"
        own=$(order_own 2.0 /slow --no-wait) && eventually 20 sh -c "tail -n +$((from + 1)) '$home/selfgate.log' | grep -q 'step begins.*step=download'" &&
                job=$("$xrem" set own/2 ./Vendor/sim/Level 42 --no-wait) || return 1
        rm "$gown/hold"
        "$xrem" job watch "$own" --timeout 60 || return 1
        tail -n +$((from + 1)) "$home/selfgate.log" | grep -q 'gremd: ready' || fail 'it did not start again' || return 1
        equal "$("$xrem" get selfgate ./DevDetail/FwV)" 2.0 FwV && equal "$("$xrem" get selfgate ./FUMO/main/State)" 100 State &&
                cmp "$gown/www/2.0" "$gown/slots/$(sed -n 's/^slot=//p' "$gown/slots/marker")" || return 1
        "$xrem" job watch "$job" && equal "$(gw_get own/2 ./Vendor/sim/Level)" 42 Level && are_the_same
}

leaves_a_bad_image()
{
        local out
        out=$(order_own bad '' 2>&1) && fail 'it was installed' && return 1
        echo "$out" | grep -q 410 || fail "$out" || return 1
        equal "$("$xrem" get selfgate ./DevDetail/FwV)" 2.0 FwV && are_the_same
}

takes_software()
{
        local at=./SCM/Download/tool
        "$xrem" add selfgate $at --node && "$xrem" add selfgate $at/PkgID net.example.tool-1.5 && "$xrem" add selfgate $at/PkgURL "$gown_url/tool.tar" &&
                "$xrem" exec selfgate $at/Operations/DownloadInstall || return 1
        equal "$("$xrem" get selfgate ./SCM/Inventory/Deployed/net.example.tool/Version)" 1.5 Version &&
                equal "$("$gown/apps/net.example.tool/current/bin/tool")" 1.5 'the tool'
}

is_diagnosed()
{
        local kib at=./DiagMon/Memory
        kib=$(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo)
        "$xrem" set selfgate $at/DiagMonConfig/ConfigParms/SampIntrvl 1 && "$xrem" set selfgate $at/DiagMonConfig/DefDuration 2 &&
                "$xrem" exec selfgate $at/Operations/Start || return 1
        equal "$("$xrem" get selfgate $at/DiagMonData/RAMTotal)" $((kib * 1024 / 1000)) RAMTotal &&
                "$xrem" metric get selfgate memory.RAMAvail --from -5m --step raw --csv | tr -d '\r' | awk -F, 'NR > 1 && $4 > 0 {n++} END {exit !n}'
}

# A trap on a leaf of its own starts a task of its own, which is for a device behind it, too.
is_watched_and_scheduled()
{
        local key
        key=$(sed -n 's/^own\/11 \([^ ]*\) .*/\1/p' "$gown/before")
        cat >"$gown/watch.json" <<END
[{"cmd": "add", "uri": "./Trap/Slow", "format": "node"},
 {"cmd": "add", "uri": "./Trap/Slow/TrapConfig/Ref", "data": "./Vendor/xrem/Config/Interval"},
 {"cmd": "add", "uri": "./Trap/Slow/TrapConfig/High", "data": "5000"},
 {"cmd": "add", "uri": "./Trap/Slow/TrapConfig/SampIntrvl", "data": "1"},
 {"cmd": "add", "uri": "./Trap/Slow/ServerIDs/a/ServerID", "data": "xrem"},
 {"cmd": "add", "uri": "./Schedule/watch/ID", "data": "watch"},
 {"cmd": "add", "uri": "./Schedule/watch/Gating", "data": "51"},
 {"cmd": "add", "uri": "./Schedule/watch/Condition/1/Trap/TrapID", "data": "urn:oma:mo:x-xrem-trap-threshold:1.0/Slow"},
 {"cmd": "add", "uri": "./Schedule/watch/Task/1/Cmd", "format": "xml",
  "data": "<Replace><Item><Target><LocURI>$own_note</LocURI></Target><Data>it fired</Data></Item></Replace>"},
 {"cmd": "add", "uri": "./Schedule/watch/Task/2/Cmd", "format": "xml",
  "data": "<Replace><Item><Target><LocURI>./GwDev/$key/LwM2M/26241/0/0</LocURI></Target><Data>17</Data></Item></Replace>"},
 {"cmd": "exec", "uri": "./Schedule/watch/Operations/Activate"}]
END
        "$xrem" run selfgate --file "$gown/watch.json" >/dev/null && "$xrem" set selfgate ./Vendor/xrem/Config/Interval 6000 || return 1
        eventually 15 told_of "${trap_type}Notification ./Trap/Slow" && eventually 15 told_of 'TaskResult ./Schedule/watch .*<ResultCode>1200' &&
                equal "$("$xrem" get selfgate $own_note)" 'it fired' Note && equal "$(gw_get own/11 ./LwM2M/26241/0/0)" 17 'Level of own/11'
}

told_of() # text
{
        server=gownserver events selfgate | grep -q -- "$1"
}

keeps_all_of_it() # over a kill
{
        stop selfgate KILL
        run_gateway selfgate || return 1
        are_the_same && equal "$("$xrem" get selfgate ./DevDetail/FwV)" 2.0 FwV &&
                equal "$("$xrem" get selfgate ./Schedule/watch/State)" 20 State &&
                equal "$("$xrem" get selfgate ./SCM/Inventory/Deployed/net.example.tool/Version)" 1.5 Version
}

promise 'a gateway with two slots for its own firmware, and devices behind it' starts_one_that_can_be_updated
promise 'it updates itself; devices behind it stay who they are, and get what was ordered meanwhile' updates_itself
promise 'it leaves an image that fails its check' leaves_a_bad_image
promise 'it takes software' takes_software
promise 'it is diagnosed' is_diagnosed
promise 'a trap of its own starts a task of its own' is_watched_and_scheduled
promise 'and has all of that after a kill' keeps_all_of_it
promise 'that gateway ends cleanly' stop selfgate
promise 'and its devices' stop gownsim
promise 'and its server' stop gownserver
kill "${pid[gownwww]}" && wait "${pid[gownwww]}" 2>/dev/null
unset 'pid[gownwww]'

step_back
