# SPDX-License-Identifier: Apache-2.0
# A gateway behind a gateway, and a device behind that, which has one name for the server.  Sourced by
# tests/acceptance/run, whose world it uses.

. "$here/gateway-world.sh"
gn=$home/nested
mkdir -p "$gn"
step_out

starts_the_outer_one()
{
        start_server gnserver && "$xrem" --quiet device add inner --devid urn:test:inner || return 1
        start_gateway outer '[dmdevice inner]' 'id = urn:test:inner' 'user = inner' 'password = pw-inner' 'server_password = sv-inner' || return 1
        outer_dm=$gw_dm
        eventually 20 is_active outer && "$xrem" set outer ./GwMO/Config/Alerts/BatchWindow 0
}

starts_the_inner_one()
{
        local dir=$home/inner
        mkdir -p "$dir/objects" && "$xremsim" --print-objects >"$dir/objects/simulated.xml" || return 1
        {
                printf '[agent]\nstate = %s\n[device]\nid = urn:test:inner\n' "$dir"
                printf '[account]\nserver_id = gw\nurl = http://127.0.0.1:%s/dm\nuser = inner\n' "$outer_dm"
                printf 'password = pw-inner\nserver_password = sv-inner\n'
                printf '[wake]\nlisten = 127.0.0.1:0\nmin_interval = 0s\n[session]\nretry_min = 200ms\n'
                printf '[lwm2m]\nlisten = 127.0.0.1:0\nobjects = %s\nawake = 20s\n' "$dir/objects"
                printf '[gateway]\nask = no\nmetrics = 127.0.0.1:0\n'
        } >"$dir/gremd.conf"
        run_gateway inner
}

is_behind() # device, gateway
{
        "$xrem" gateway devices "$2" | grep -q "^$1 "
}

is_found_behind_the_outer_one()
{
        eventually 20 is_behind inner outer || fail "$("$xrem" gateway devices outer)" || return 1
        eventually 20 "$xrem" set inner ./GwMO/Config/Alerts/BatchWindow 0 --timeout 10
}

has_a_device()
{
        {
                printf '[run]\nseed = 3\n'
                behind_lwm2m nodes deep/ 1 1 'tags = deep'
        } >"$gn/scenario"
        simulate gnsim "$gn/scenario"
        eventually 30 is_behind deep/1 inner || fail "$("$xrem" gateway devices inner)"
}

is_heard()
{
        "$xrem" get "$1" ./DevDetail/FwV --timeout 10
}

is_read_by_its_name()
{
        eventually 20 is_heard deep/1 && equal "$(gw_get deep/1 ./DevDetail/FwV)" 1.0 FwV &&
                equal "$(gw_get deep/1 ./DevInfo/Mod)" M1 Mod
}

is_written_to()
{
        "$xrem" set deep/1 ./LwM2M/26241/0/0 7 && equal "$(gw_get deep/1 ./LwM2M/26241/0/0)" 7 Level
}

is_restarted()
{
        "$xrem" exec deep/1 ./DiagMon/Restart/Operations/Start && eventually 20 is_heard deep/1
}

is_two_deep()
{
        gw_get outer './GwDev?list=Struct' | grep -q g0001 &&
                equal "$(gw_get outer ./GwDev/g0001/GwDev/d0001/DevDetail/FwV)" 1.0 'FwV from the outermost tree'
}

is_ordered_through_both()
{
        local at=./GwMO/Fanout/Fanout/deep told
        "$xrem" add outer $at --node && "$xrem" add outer $at/TaskID deep && "$xrem" add outer $at/Targets/1 all &&
                "$xrem" add outer $at/Cmds '<SyncBody><Exec><CmdID>1</CmdID><Item><Target><LocURI>./LwM2M/26241/0/2</LocURI></Target></Item></Exec></SyncBody>' --format xml &&
                "$xrem" exec outer $at/Operations/Start || return 1
        eventually 20 deep_is_over || fail "$(gw_get outer $at/State)" || return 1
        told=$(server=gnserver events outer | grep "resultaggregation:1.0 $at ")
        echo "$told" | grep -q 'g0001/d0001' && echo "$told" | grep -q 'Status="200"' || fail "$told" || return 1
        equal "$(gw_get deep/1 ./LwM2M/26241/0/3)" 1 'times it was done'
}

deep_is_over()
{
        server=gnserver events outer | grep -q 'completionstatus:1.0 ./GwMO/Fanout/Fanout/deep '
}

has_no_task_left()
{
        "$xrem" get inner './GwMO/Fanout/Fanout?list=Struct' --timeout 10 >"$gn/tasks" && ! grep -q 'Fanout/p[0-9]' "$gn/tasks"
}

promise 'a gateway is in front of' starts_the_outer_one
promise 'another gateway' starts_the_inner_one
promise 'which the server finds behind it' is_found_behind_the_outer_one
promise 'a device of the inner one is found, and has one name' has_a_device
promise 'it is read by that name through both' is_read_by_its_name
promise 'and written' is_written_to
promise 'and restarted' is_restarted
promise 'its address has both gateways in it' is_two_deep
promise 'an order to all behind the outer one is carried out by the inner one' is_ordered_through_both
promise 'which keeps nothing of it' eventually 20 has_no_task_left
promise 'the device ends cleanly' stop gnsim
promise 'and its gateway' stop inner
promise 'and the one before that' stop outer
promise 'and their server' stop gnserver

step_back
