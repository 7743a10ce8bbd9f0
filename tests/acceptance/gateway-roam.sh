# SPDX-License-Identifier: Apache-2.0
# Two gateways: a device roams from one to the other, a broken unit is replaced, one is unplugged, a gateway is lost and
# comes back, one is forgotten.  Names, history and addresses of REST stay; each change is told once.  Sourced by
# tests/acceptance/run, whose world it uses.

. "$here/gateway-world.sh"
rm=$home/roam
mkdir -p "$rm"
step_out

things() # name, then lines of the group: LwM2M devices behind the gateway whose ports are set
{
        {
                printf '[run]\nseed = 3\n'
                call=${call:-1s} behind_lwm2m "${@:2}"
        } >"$rm/$1.scenario"
        simulate "$1" "$rm/$1.scenario"
}

starts_two_gateways()
{
        start_server rmserver || return 1
        start_gateway west && west_coap=$gw_coap && start_gateway east && east_coap=$gw_coap || return 1
        eventually 20 is_active west && eventually 20 is_active east || return 1
        "$xrem" --quiet device set west --tag gateway >/dev/null && "$xrem" --quiet device set east --tag gateway >/dev/null || return 1
        "$xrem" set west ./GwMO/Config/Alerts/BatchWindow 0 && "$xrem" set east ./GwMO/Config/Alerts/BatchWindow 0 || return 1
        "$xrem" --quiet --json event --follow --limit 1000 >"$rm/followed" 2>"$rm/follow.err" &
        pid[rmfollow]=$!
        gw_coap=$west_coap
        things rmvan van van/ 1 1 'tags = roaming' && things rmplug plug plug/ 1 1 'tags = staying' 'lifetime = 2s' || return 1
        call=5s && things rmnap nap nap/ 1 1 'tags = staying' 'awake = 1s'
        unset call
        gw_coap=$east_coap
        things rmold old pump/ 1 1 'tags = staying, pumps' && things rmspare spare spare/ 1 1 'behind = yes' || return 1
        eventually 30 all_in_place || fail "$("$xrem" gateway devices west; "$xrem" gateway devices east)"
}

all_in_place()
{
        is_behind van/1 west && is_behind plug/1 west && is_behind pump/1 east && "$xrem" gateway devices west | grep -q '^nap/1 ' &&
                spare=$(name_of urn:xremsim:spare/1 east) && [ -n "$spare" ]
}

name_of() # DeviceID, gateway
{
        "$xrem" --json gateway devices "$2" |
                python3 -c 'import json,sys; print(*[d["device"] for d in json.load(sys.stdin)["items"] if d["devid"] == sys.argv[1]])' "$1"
}

is_behind() # device, gateway, state
{
        "$xrem" --json device show "$1" | python3 -c '
import json, sys
d = json.load(sys.stdin)
sys.exit((d.get("gateway", {}).get("name"), d["state"]) != (sys.argv[1], sys.argv[2]))' "$2" "${3:-active}"
}

heard_of() # kind, device, how many: as a subscriber heard it
{
        eventually 10 heard_times "$@" || { grep "\"device_name\":\"$2\"\|\"device\":\"$2\"" "$rm/followed"; return 1; }
}

heard_times()
{
        [ "$(times "$1" "$2")" = "$3" ]
}

times() # kind, device
{
        python3 - "$rm/followed" "$1" "$("$xrem" --json device show "$2" | sed -n 's/.*"name": *"\([^"]*\)".*/\1/p' | head -n 1)" <<'PY'
import json, sys
n = 0
for line in open(sys.argv[1]):
    try:
        e = json.loads(line)
    except ValueError:
        continue
    n += e.get("kind") == sys.argv[2] and e.get("device") == sys.argv[3]
print(n)
PY
}

by_name() # path: as a program asks, which knows nothing but the name
{
        curl -sS -H "Authorization: Bearer $XREM_TOKEN" "$XREM_SERVER/api/v1/$1"
}

roams()
{
        local url=devices/van%2F1 waits
        equal "$(gw_get van/1 ./DevDetail/FwV)" 1.0 'FwV at west' || return 1
        stop rmvan KILL # west does not hear of it, and goes on to believe that it is there
        waits=$("$xrem" set van/1 ./LwM2M/26241/0/1 hello --no-wait) || return 1
        gw_coap=$east_coap && things rmvan2 van van/ 1 1 'tags = roaming' || return 1
        eventually 20 is_behind van/1 east || fail "$("$xrem" device show van/1)" || return 1
        equal "$(gw_get van/1 ./LwM2M/26241/0/0)" 0 'Level at east' || return 1
        eventually 30 ended "$waits" || fail "$("$xrem" job show "$waits")" || return 1
        by_name $url | grep -q '"name": *"van/1"' && by_name $url | grep -q '"roaming"' && ! by_name $url | grep -q 127.0.0 || fail "$(by_name $url)" || return 1
        [ "$("$xrem" --json job list van/1 | grep -c '"id"')" -ge 3 ] || fail 'its jobs are gone' || return 1
        heard_of device.attached van/1 2
}

ended() # job
{
        "$xrem" --json job show "$1" | grep -qE '"state": *"(done|failed)"'
}

# West still has a record that says that it is there; it has said so before.
stays_where_it_is()
{
        local before
        before=$(read_at west)
        "$xrem" gateway sync west && eventually 20 was_read_since west "$before" && is_behind van/1 east || fail "$("$xrem" device show van/1)" || return 1
        heard_of device.attached van/1 2
}

read_at() # gateway: how often its inventory was read
{
        times gateway.inventory "$1"
}

was_read_since()
{
        [ "$(read_at "$1")" -gt "$2" ]
}

replaces_a_unit()
{
        local id=urn:xremsim:spare/1
        stop rmold KILL
        eventually 20 gw_get "$spare" ./DevDetail/FwV || return 1
        refuses 7 'gateway in front' gateway replace pump/1 urn:test:east && refuses 7 'of the device already' gateway replace pump/1 urn:xremsim:pump/1 || return 1
        "$xrem" gateway replace pump/1 $id --yes || return 1
        equal "$(gw_get pump/1 ./DevInfo/DevId)" $id 'DevId of the new unit' || return 1
        is_behind pump/1 east && "$xrem" device show pump/1 | grep -q pumps && code_of 3 "$xrem" device show "$spare" 2>/dev/null || return 1
        heard_of device.replaced pump/1 1
}

refuses() # exit code, words, command ...
{
        local out got=0
        out=$("$xrem" "${@:3}" 2>&1) || got=$?
        [ $got = "$1" ] && echo "$out" | grep -q "$2" || fail "exit code $got: $out"
}

refuses_what_is_wrong()
{
        refuses 3 'plug/1 is no gateway' gateway forget plug/1 && refuses 7 'none that there is' gateway move plug/1 --gateway van/1 --key d9 &&
                refuses 7 'of another device there' gateway move plug/1 --gateway east --key "$(key_of van/1)" &&
                refuses 7 'another device' gateway move east --gateway east --key d9 && refuses 3 nobody gateway move nobody --none &&
                refuses 2 'key, or --none' gateway move plug/1
}

key_of()
{
        "$xrem" --json device show "$1" | python3 -c 'import json,sys; print(json.load(sys.stdin)["gateway"]["key"])'
}

# Its lifetime is two seconds, and the gateway waits five more for an update that is late.
is_unplugged()
{
        local begun=$SECONDS
        stop rmplug KILL
        eventually 30 is_behind plug/1 west detached || fail "$("$xrem" device show plug/1)" || return 1
        echo "detached after $((SECONDS - begun)) s"
        heard_of device.detached plug/1 1 || return 1
        gw_coap=$west_coap && things rmplug plug plug/ 1 1 'lifetime = 60s' && eventually 20 is_behind plug/1 west && heard_of device.active plug/1 2
}

naps()
{
        eventually 30 is_behind nap/1 west asleep || fail "$("$xrem" device show nap/1)" || return 1
        heard_of device.asleep nap/1 1 && heard_of device.unreachable nap/1 0 && heard_of device.detached nap/1 0 # it woke often since
}

loses_its_gateway()
{
        stop west KILL && "$xrem" device expect west --interval 1s || return 1
        eventually 30 is_behind plug/1 west unreachable && eventually 10 is_behind nap/1 west unreachable || fail "$("$xrem" device list)" || return 1
        heard_of device.unreachable plug/1 1 && heard_of device.unreachable nap/1 1 && heard_of device.unreachable west 1 || return 1
        grep -q 'its gateway is lost' "$rm/followed" && eventually 10 alarms_are west || fail "$("$xrem" alarm list)"
}

alarms_are() # devices with an alarm that they are silent
{
        [ "$("$xrem" --json alarm list |
                python3 -c 'import json,sys; print(*sorted(a["device"] for a in json.load(sys.stdin)["items"] if a["cause"] == "unreachable"))')" = "$*" ]
}

finds_it_again()
{
        "$xrem" device expect west --interval device && gw_coap=$west_coap && run_gateway west && eventually 20 is_active west || return 1
        eventually 20 is_behind plug/1 west || fail "$("$xrem" device show plug/1)" || return 1
        eventually 20 alarms_are || fail "$("$xrem" alarm list)" || return 1
        equal "$(gw_get plug/1 ./DevDetail/FwV)" 1.0 FwV
}

forgets_a_gateway()
{
        stop east KILL # or it would tell of them at once
        refuses 0 'behind it: 2' gateway forget east && eventually 20 now_is van/1 detached && eventually 20 now_is pump/1 detached || return 1
        heard_of device.detached van/1 1 && refuses 3 'east is no gateway' gateway show east || return 1
        run_gateway east && "$xrem" gateway sync east && eventually 30 is_behind van/1 east && eventually 10 is_behind pump/1 east || return 1
        equal "$(gw_get van/1 ./DevDetail/FwV)" 1.0 FwV
}

now_is() # device, state
{
        "$xrem" --json device show "$1" | grep -q "\"state\": *\"$2\""
}

promise 'two gateways, with devices behind both' starts_two_gateways
promise 'a device roams: name, tags, jobs, history and address of REST stay' roams
promise 'what its old gateway remembers of it changes nothing' stays_where_it_is
promise 'a new unit takes the name and the place of a broken one' replaces_a_unit
promise 'what is wrong is refused in words' refuses_what_is_wrong
promise 'one that is unplugged is found in time, and that is told once' is_unplugged
promise 'one that sleeps is asleep, and nobody had to ask' naps
promise 'a lost gateway is one alarm, and all behind it unreachable' loses_its_gateway
promise 'when it is back, so are they' finds_it_again
promise 'who was behind a gateway that is forgotten is detached until it tells' forgets_a_gateway
for rm_one in rmvan2 rmspare rmplug rmnap west east; do
        promise "$rm_one ends cleanly" stop $rm_one
done
kill -INT "${pid[rmfollow]}" && wait "${pid[rmfollow]}" 2>/dev/null
unset 'pid[rmfollow]'
promise 'and the server of all' stop rmserver

step_back
