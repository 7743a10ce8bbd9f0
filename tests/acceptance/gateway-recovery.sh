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
        start_gateway keeper '[gateway]' 'validate_every = 500ms' '[diag]' || return 1
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
        equal "$("$xrem" get "$1" $level --timeout 5)" 5 Level
}

quarantined() # how often a device was, by the gateway's log
{
        [ "$(grep -c 'put into quarantine' "$home/keeper.log")" -ge "$1" ]
}

heals_those_that_differ()
{
        eventually 20 quarantined 2 && eventually 20 is_healed ward/1 && eventually 10 is_healed ward/2 || return 1
        grep -q 'a device is healed' "$home/keeper.log" &&
                server=grserver events keeper | grep urn:oma:at:x-xrem-fm:1.0:Alarm | grep -q 'device-quarantined'
}

heals_one_again()
{
        "$xrem" set ward/1 $level 9 --timeout 20 && eventually 20 quarantined 3 && eventually 20 is_healed ward/1 &&
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

mends_its_store()
{
        stop keeper || return 1
        [ -f "$home/keeper/gateway.db.copy" ] || fail 'no copy' || return 1
        flip "$home/keeper/gateway.db" 3 && run_gateway keeper || return 1
        eventually 20 integrity_alarm gateway.db && [ -f "$home/keeper/gateway.db.damaged" ] &&
                eventually 20 is_healed ward/2 && eventually 20 devices_with --tag ward --state active 2
}

promise 'a gateway has devices that should be alike' starts_with_devices
promise 'the server says what they should be' says_what_they_should_be
promise 'those that are not are put into quarantine, healed and let go' heals_those_that_differ
promise 'one that is changed later as well' heals_one_again
promise 'a tree that was damaged is mended, with an alarm' mends_its_tree
promise 'a store that was damaged is taken from its copy, with an alarm' mends_its_store
promise 'the gateway that mends itself ends cleanly' stop keeper
promise 'and so do its devices' stop grsim
promise 'and the server of both' stop grserver

step_back
