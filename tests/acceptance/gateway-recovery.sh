# SPDX-License-Identifier: Apache-2.0
# What is damaged behind a gateway, and in it: a device that was configured otherwise, the gateway's tree, its
# store.  Sourced by tests/acceptance/run, whose world it uses.

. "$here/gateway-world.sh"
gr=$home/recovery
mkdir -p "$gr"
step_out
level=./LwM2M/26241/0/0
golden=./GwMO/Config/ConfigData/c1
rule=./GwMO/Config/Ext/Validation/v1

starts_with_devices()
{
        start_server grserver || return 1
        start_gateway keeper '[gateway]' 'validate_every = 500ms' 'copy_every = 500ms' || return 1
        eventually 20 is_active keeper && "$xrem" set keeper ./GwMO/Config/Alerts/BatchWindow 0 || return 1
        {
                printf '[run]\nseed = 5\n'
                behind_lwm2m nodes ward/ 1 2 'tags = ward'
        } >"$gr/scenario"
        simulate grsim "$gr/scenario"
        eventually 20 devices_with --tag ward --state active 2 || fail "$("$xrem" device list)"
}

body() # value of Level
{
        printf '<SyncBody><Replace><CmdID>1</CmdID><Item><Target><LocURI>%s</LocURI></Target><Data>%s</Data></Item></Replace></SyncBody>' \
                "$level" "$1"
}

says_what_they_should_be()
{
        "$xrem" add keeper $golden --node && "$xrem" add keeper $golden/ID c1 &&
                "$xrem" add keeper $golden/Match 'man=Acme' && "$xrem" add keeper $golden/Data "$(body 5)" --format xml &&
                "$xrem" add keeper $golden/AutoApply true --format bool && "$xrem" add keeper $rule --node &&
                "$xrem" add keeper $rule/Config true --format bool && "$xrem" add keeper $rule/Match 'man=Acme'
}

is_healed() # device
{
        equal "$("$xrem" get "$1" $level --timeout 10)" 5 Level
}

quarantines() # how often a device was put into it, by the gateway's log
{
        grep -c 'put into quarantine' "$home/keeper.log"
}

quarantined() # so often at least
{
        [ "$(quarantines)" -ge "$1" ]
}

told_of_quarantine()
{
        grep -q 'a device is healed' "$home/keeper.log" &&
                server=grserver events keeper | grep urn:oma:at:x-xrem-fm:1.0:Alarm | grep -q 'device-quarantined'
}

heals_those_that_differ()
{
        eventually 20 quarantined 2 && eventually 20 is_healed ward/1 && eventually 10 is_healed ward/2 && eventually 20 told_of_quarantine
}

heals_one_again()
{
        local before
        eventually 20 devices_with --tag ward --state active 2 && before=$(quarantines) || return 1
        "$xrem" set ward/1 $level 9 && eventually 20 quarantined $((before + 1)) && eventually 20 is_healed ward/1 &&
                eventually 20 devices_with --tag ward --state active 2
}

mends_its_tree()
{
        local at
        stop keeper KILL
        at=$(($(stat -c %s "$home/keeper/journal") / 2))
        flip "$home/keeper/journal" $at && run_gateway keeper || return 1
        eventually 20 integrity_alarm journal && eventually 20 is_healed ward/1 &&
                equal "$("$xrem" get keeper $golden/ID)" c1 'stored configuration'
}

integrity_alarm() # a word of its object
{
        server=grserver events keeper | grep '<Cause>integrity</Cause>' | grep -v '<Severity>cleared' | grep -q "$1"
}

guest() # number: another device comes
{
        printf '[run]\nseed = 6\n' >"$gr/guest$1" && call=30s behind_lwm2m nodes guest/ "$1" 1 'tags = guest' >>"$gr/guest$1"
        simulate "grguest$1" "$gr/guest$1"
        eventually 20 is_active "guest/$1"
}

key_of() # device
{
        "$xrem" --json gateway devices keeper | python3 -c '
import json, sys
print([d["key"] for d in json.load(sys.stdin)["items"] if sys.argv[1] in (d.get("name"), d.get("device"))][0])' "$1"
}

is_copied() # as it is now
{
        local db=$home/keeper/gateway.db
        [ "$db.copy" -nt "$db" ] && [ "$db.copy" -nt "$db-wal" ]
}

# Killed, so that the copy is one made while it ran; a device has come since.
mends_its_store()
{
        eventually 20 is_copied && cp "$home/keeper/gateway.db.copy" "$gr/copy" || return 1
        guest 1 && key_of guest/1 >"$gr/key" || return 1
        stop keeper KILL
        cp "$gr/copy" "$home/keeper/gateway.db.copy" && stop grguest1 || return 1
        rm -f "$home/keeper/gateway.db-wal" && flip "$home/keeper/gateway.db" 3 && run_gateway keeper || return 1
        eventually 20 integrity_alarm gateway.db && [ -f "$home/keeper/gateway.db.damaged" ] &&
                eventually 20 is_healed ward/2 && eventually 20 devices_with --tag ward --state active 2
}

gives_no_key_twice()
{
        guest 2 || return 1
        [ -s "$gr/key" ] && [ "$(key_of guest/2)" != "$(cat "$gr/key")" ] || fail "$("$xrem" gateway devices keeper)"
        stop grguest2
}

asked_to_read_anew()
{
        server=grserver events keeper | grep 'TaskRequest' | grep -q resync
}

image=./GwMO/ImageInventory/Images/fw

has_an_image()
{
        mkdir -p "$gr/www" && head -c 300000 /dev/urandom >"$gr/www/image" || return 1
        python3 "$here/serve.py" "$gr/www" >"$gr/port" &
        pid[grwww]=$!
        eventually 20 test -s "$gr/port" || return 1
        "$xrem" add keeper $image --node && "$xrem" add keeper $image/ImageID fw/2 && "$xrem" add keeper $image/HashAlg sha-256 &&
                "$xrem" add keeper $image/Hash "$(sha256sum "$gr/www/image" | cut -d' ' -f1)" &&
                "$xrem" add keeper $image/URL "http://127.0.0.1:$(cat "$gr/port")/slow/image" &&
                "$xrem" exec keeper $image/Operations/Download && is_served
}

is_served()
{
        curl -sSf "$("$xrem" get keeper $image/LocalURL)" | cmp - "$gr/www/image"
}

# While it is being fetched again, nobody gets the damaged one.
offers_no_damaged_image()
{
        local url code
        touch "$gr/hold" && stop keeper KILL || return 1
        flip "$(ls "$home"/keeper/images/*.img)" 150000 && run_gateway keeper || return 1
        eventually 20 integrity_alarm Images/fw || return 1
        url=$(sed -n 's/.*images are served.*url=\([^ ]*\).*/\1/p' "$home/keeper.log" | tail -n 1)
        code=$(curl -s -o "$gr/got" -w '%{http_code}' "${url:-http://127.0.0.1:1}/img/fw%2F2")
        equal "$code" 503 'answer to who asks for it' && code_of 3 "$xrem" get keeper $image/LocalURL
}

fetches_it_again()
{
        rm "$gr/hold" && eventually 20 is_served && eventually 20 no_alarm_of Images/fw
}

no_alarm_of() # a word of the object
{
        "$xrem" alarm list keeper >"$gr/alarms" 2>&1 && ! grep -q "$1" "$gr/alarms"
}

runs_on_its_last_configuration()
{
        stop keeper && cp "$home/keeper/gremd.conf" "$gr/good.conf" || return 1
        sed -i 's/^validate_every = .*/validate_every = soon/' "$home/keeper/gremd.conf"
        code_of 2 "$gremd" --config "$home/keeper/gremd.conf" --check || return 1
        run_gateway keeper && eventually 20 integrity_alarm gremd.conf && eventually 20 is_healed ward/1
}

takes_an_edit()
{
        stop keeper && sed 's/^validate_every = .*/validate_every = 400ms/' "$gr/good.conf" >"$home/keeper/gremd.conf" &&
                run_gateway keeper && eventually 20 sh -c "'$xrem' alarm list keeper | grep gremd.conf | grep -q warning" &&
                stop keeper && sed 's/^validate_every = .*/validate_every = 600ms/' "$gr/good.conf" >"$home/keeper/gremd.conf" &&
                "$gremd" --config "$home/keeper/gremd.conf" --accept-config && run_gateway keeper &&
                eventually 20 no_alarm_of gremd.conf
}

promise 'a gateway has devices that should be alike' starts_with_devices
promise 'the server says what they should be' says_what_they_should_be
promise 'those that are not are put into quarantine, healed and let go' heals_those_that_differ
promise 'one that is changed later as well' heals_one_again
promise 'a tree that was damaged is mended, with an alarm' mends_its_tree
promise 'a store that was damaged is taken from its copy, with an alarm' mends_its_store
promise 'and the server is asked to read everything anew' eventually 20 asked_to_read_anew
promise 'a device that came after the copy was made keeps its key to itself' gives_no_key_twice
promise 'it has an image' has_an_image
promise 'an image that was damaged is not offered, with an alarm' offers_no_damaged_image
promise 'and is fetched again' fetches_it_again
promise 'a configuration that was damaged is not used, with an alarm' runs_on_its_last_configuration
promise 'one that was edited is, and told; one that was accepted is no news' takes_an_edit
promise 'the gateway that mends itself ends cleanly' stop keeper
promise 'and so do its devices' stop grsim
promise 'and the server of both' stop grserver

step_back
