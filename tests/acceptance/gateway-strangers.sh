# SPDX-License-Identifier: Apache-2.0
# LwM2M clients that others wrote, as devices behind a gateway: coap-node and lwm2m-node-lib of npm, installed by
# tools/strangers.  Without npm, or without a registry at hand, they are skipped.  Sourced by tests/acceptance/run.

. "$here/gateway-world.sh"
st=${STRANGERS:-$here/../../build/strangers}
step_out

starts_for_strangers()
{
        start_server stserver && start_gateway door && eventually 20 is_active door &&
                "$xrem" set door ./GwMO/Config/Alerts/BatchWindow 0
}

# Objects that the gateway learns of while it runs: then their values are numbers.
defines_a_light()
{
        cat >"$home/light.xml" <<'END'
<LWM2M><Object ObjectType="MODefinition"><Name>Light</Name><ObjectID>3311</ObjectID><ObjectURN>urn:oma:lwm2m:ext:3311</ObjectURN>
<MultipleInstances>Multiple</MultipleInstances><Mandatory>Optional</Mandatory><Resources><Item ID="5851"><Name>Level</Name>
<Operations>RW</Operations><MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory><Type>Integer</Type></Item></Resources></Object></LWM2M>
END
        mv "$home/light.xml" "$home/door/objects/"
}

start_stranger() # program, endpoint
{
        "$xrem" --quiet device add "$2" --devid "$2" >/dev/null || return 1
        cp "$here/../strangers/$1.js" "$st/" && { (cd "$st" && exec node "$1.js" "$gw_coap" "$2") >"$home/$1.out" 2>&1 & }
        pid[$1]=$!
        eventually 20 grep -q '^registered' "$home/$1.out" || { cat "$home/$1.out"; return 1; }
        eventually 20 sh -c "'$xrem' device list | grep -q '^$2 .*active'"
}

is_read() # endpoint, node, value
{
        equal "$(gw_get "$1" "$2")" "$3" "$2"
}

is_restarted() # program, endpoint
{
        "$xrem" exec "$2" ./LwM2M/3/0/4 && eventually 10 grep -q '^execute /3/0/4' "$home/$1.out"
}

is_written() # program, endpoint, node, value, what the program says of it
{
        "$xrem" set "$2" "$3" "$4" && eventually 10 grep -q "^write $5" "$home/$1.out" && is_read "$2" "$3" "$4"
}

has_sample() # endpoint, metric, value: it is the latest
{
        [ "$("$xrem" metric get "$1" "$2" --from -10m --step raw --csv | tr -d '\r' | awk -F, 'NR > 1 && $4 != "" {v = $4} END {print v}')" = "$3" ]
}

# It tells a value when that is ordered, and once more when it is another.
is_observed() # endpoint, node, metric, value, the other one
{
        local at=./LwM2M/Observe/it
        cat >"$home/observe.json" <<END
[{"cmd": "add", "uri": "$at", "format": "node"}, {"cmd": "add", "uri": "$at/Ref", "data": "$2"}]
END
        "$xrem" run "$1" --file "$home/observe.json" && eventually 10 has_sample "$1" "$3" "$4" || return 1
        "$xrem" set "$1" "$2" "$5" && eventually 15 has_sample "$1" "$3" "$5"
}

if [ -d "$st/node_modules" ] && command -v node >/dev/null; then
        promise 'a gateway for strangers' starts_for_strangers
        promise 'which is told of one more object' defines_a_light
        promise 'lwm2m-node-lib registers' start_stranger lwm2m-node-lib nodelib
        promise 'it is read' is_read nodelib ./DevDetail/FwV 7.1
        promise 'written' is_written lwm2m-node-lib nodelib ./DevDetail/Ext/TZ Etc/UTC '/3/0/15 Etc/UTC'
        promise 'executed' is_restarted lwm2m-node-lib nodelib
        promise 'and observed' is_observed nodelib ./LwM2M/3311/0/5851 LwM2M.3311.0.5851 5 8
        promise 'coap-node registers' start_stranger coap-node coapnode
        promise 'it is read' is_read coapnode ./DevDetail/FwV 6.2
        promise 'written' is_written coap-node coapnode ./LwM2M/3311/0/5851 7 '/3311/0/5851 7'
        promise 'executed' is_restarted coap-node coapnode
        promise 'and observed' is_observed coapnode ./LwM2M/3311/0/5851 LwM2M.3311.0.5851 7 9
        kill "${pid[lwm2m-node-lib]}" "${pid[coap-node]}" 2>/dev/null
        wait "${pid[lwm2m-node-lib]}" "${pid[coap-node]}" 2>/dev/null
        unset "pid[lwm2m-node-lib]" "pid[coap-node]"
        promise 'that gateway ends cleanly' stop door
        promise 'and its server' stop stserver
else
        count=$((count + 1))
        echo "ok $count - LwM2M clients of npm # SKIP not installed: tools/strangers needs npm and its registry"
fi
step_back
