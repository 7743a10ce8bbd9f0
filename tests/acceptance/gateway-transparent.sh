# SPDX-License-Identifier: Apache-2.0
# A device behind a gateway that is not its server: it gets its account of the gateway by bootstrap, is woken
# through the gateway, and has its sessions with its own server.  Sourced by tests/acceptance/run, whose world
# it uses.

. "$here/gateway-world.sh"
gt=$home/transparent
mkdir -p "$gt"
step_out
record=./GwMO/Inventory/Records/d0001

tnds_leaf() # name, value
{
        printf '<Node><NodeName>%s</NodeName><RTProperties><Format><chr/></Format><Type><MIME>text/plain</MIME></Type></RTProperties><Value>%s</Value></Node>' "$1" "$2"
}

tnds_node() # name, what is in it
{
        printf '<Node><NodeName>%s</NodeName><RTProperties><Format><node/></Format></RTProperties>%s</Node>' "$1" "$2"
}

tnds_secret() # name, level, user, password
{
        tnds_node "$1" "$(tnds_leaf AAuthLevel "$2")$(tnds_leaf AAuthType DIGEST)$(tnds_leaf AAuthName "$3")$(tnds_leaf AAuthSecret "$4")"
}

account_of_the_gateway()
{
        printf '<MgmtTree xmlns="syncml:dmddf1.2"><VerDTD>1.2</VerDTD><Node><NodeName>porch</NodeName><RTProperties><Format><node/></Format>'
        printf '<Type><DDFName>urn:oma:mo:oma-dm-dmacc:1.0</DDFName></Type></RTProperties>'
        tnds_leaf AppID w7
        tnds_leaf ServerID gw
        tnds_node AppAddr "$(tnds_node 1 "$(tnds_leaf Addr "http://127.0.0.1:$gw_dm/dm")$(tnds_leaf AddrType URI)")"
        tnds_node AppAuth "$(tnds_secret 1 CLCRED '{DeviceID}' behind)$(tnds_secret 2 SRVCRED gw behind)"
        printf '</Node></MgmtTree>'
}

starts_a_transparent_gateway()
{
        local relay
        start_server gtserver && start_gateway porch '[omadm]' 'bootstrap_key = known-to-both' 'relay = 127.0.0.1:0' || return 1
        relay=$(sed -n 's/.*wake-ups of other servers are passed on.* port=\([0-9]*\).*/\1/p' "$home/porch.log")
        account_of_the_gateway >"$gt/account.xml"
        eventually 20 is_active porch && "$xrem" set porch ./GwMO/Config/Alerts/BatchWindow 0 &&
                "$xrem" set porch ./GwMO/Config/GwAddress/Addr "udp://127.0.0.1:$relay" &&
                "$xrem" add porch ./GwMO/Config/Bootstrap/edge --node &&
                "$xrem" add porch ./GwMO/Config/Bootstrap/edge/Match 'id=urn:test:edge' &&
                "$xrem" add porch ./GwMO/Config/Bootstrap/edge/Data --file "$gt/account.xml" --format xml
}

has_its_own_server()
{
        add_device edge || return 1
        start_device edge "http://127.0.0.1:$plain_port/dm" '[bootstrap]' 'network_key = known-to-both' '[session]' 'interval = 1h'
        eventually 20 is_active edge
}

is_bootstrapped()
{
        stop edge || return 1
        curl -sSf "http://127.0.0.1:$gw_dm/dm/bootstrap?id=urn:test:edge" >"$gt/message" || return 1
        code_of 1 "$dremd" --config "$home/edge/dremd.conf" --set bootstrap.network_key=wrong --bootstrap "$gt/message" || return 1
        "$dremd" --config "$home/edge/dremd.conf" --bootstrap "$gt/message" | grep -q 'account of gw' && run_device edge
}

is_told_of() # name, word of its record
{
        "$xrem" tree porch $record | grep -q "$1.*$2"
}

attaches_as_transparent()
{
        eventually 20 is_told_of Mode 1 && eventually 20 is_told_of '[0-9]' 'xrem$' || return 1
        eventually 20 sh -c "'$xrem' gateway devices porch | grep -q '^edge .*transparent'"
}

knows_its_gateway()
{
        eventually 20 sh -c "'$xrem' get edge ./GwMO/Config/Mode --timeout 10 | grep -qx 1" &&
                equal "$("$xrem" get edge ./GwMO/Config/GwAddress/Addr)" "$("$xrem" get porch ./GwMO/Config/GwAddress/Addr)" address
}

tells_its_server()
{
        eventually 20 sh -c "python3 '$here/events.py' '$home/gtserver' edge | grep AssociatedGateway:1.0 | grep -q 'udp://127'" ||
                return 1
        eventually 20 sh -c "'$xrem' tree edge ./GwMO/Config/BootstrappedDMS | grep -q xrem"
}

job_went() # route, words of its log
{
        local id
        id=$("$xrem" set edge ./Vendor/xrem/Config/Note "$1" --no-wait) || return 1
        eventually 20 sh -c "'$xrem' job show $id | grep -q done" || fail "$("$xrem" job show "$id")" || return 1
        "$xrem" --json job show "$id" >"$gt/job"
        grep -q "\"route\": *\"$1\"" "$gt/job" && grep -q "$2" "$gt/job" || fail "$(cat "$gt/job")"
}

is_woken_through_its_gateway()
{
        job_went 'gateway trigger' 'sent through its gateway porch' && eventually 20 is_idle &&
                [ "$("$xrem" get edge ./Vendor/xrem/Config/Note)" = 'gateway trigger' ] &&
                "$xrem" tree porch ./GwMO/EDTrigger | grep -q 'Status'
}

is_idle()
{
        local jobs
        jobs=$("$xrem" --json job list edge) && ! echo "$jobs" | grep '"notified"\|"queued"'
}

is_woken_by_the_relay()
{
        "$xrem" gateway forget porch || return 1
        eventually 20 sh -c "! '$xrem' gateway devices porch 2>/dev/null | grep -q '^edge '" || return 1
        job_went 'gateway relay' 'relay of its gateway'
}

promise 'a gateway may leave devices to their servers' starts_a_transparent_gateway
promise 'a device has a server of its own' has_its_own_server
promise 'it gets an account of its gateway by a message that the network proved' is_bootstrapped
promise 'it is behind the gateway, and its own server manages it' attaches_as_transparent
promise 'its gateway tells it so' knows_its_gateway
promise 'it tells its server where it is, and its gateway whose it is' tells_its_server
promise 'a job wakes it through the gateway, and is done in its own session' is_woken_through_its_gateway
promise 'a server that does not manage the gateway wakes it by the address it told' is_woken_by_the_relay
promise 'the device ends cleanly' stop edge
promise 'and its gateway' stop porch
promise 'and its server' stop gtserver

step_back
