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
        "$xrem" exec "$2" ./LwM2M/3/0/4 --timeout 10 && eventually 10 grep -q '^execute /3/0/4' "$home/$1.out"
}

if [ -d "$st/node_modules" ] && command -v node >/dev/null; then
        promise 'a gateway for strangers' starts_for_strangers
        promise 'lwm2m-node-lib registers' start_stranger lwm2m-node-lib nodelib
        promise 'it is read' is_read nodelib ./DevDetail/FwV 7.1
        promise 'and executed' is_restarted lwm2m-node-lib nodelib
        promise 'coap-node registers' start_stranger coap-node coapnode
        promise 'it is read' is_read coapnode ./DevDetail/FwV 6.2
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
