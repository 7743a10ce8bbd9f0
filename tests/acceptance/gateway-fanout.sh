# SPDX-License-Identifier: Apache-2.0
# A hundred devices behind one gateway: one order to all of them, gathered; one that survives kill -9; an image that
# comes once; sleepers; a gateway that is lost and comes back.  Sourced by tests/acceptance/run, whose world it uses.

. "$here/gateway-world.sh"
fo=$home/fanout
mkdir -p "$fo"
step_out

starts_a_hundred()
{
        start_server foserver '[presence]' || return 1
        start_gateway hub && eventually 20 is_active hub && "$xrem" set hub ./GwMO/Config/Alerts/BatchWindow 1 || return 1
        {
                printf '[run]\nseed = 11\nparallel = 32\n'
                behind_lwm2m nodes node/ 1 60 'tags = hundred'
                behind_dm dm node/ 61 40 'tags = hundred'
                call=6s behind_lwm2m sleepers sleeper/ 1 2 'tags = sleeper' 'awake = 1s'
        } >"$fo/scenario"
        simulate fosim "$fo/scenario"
        eventually 30 devices_with --tag hundred --state active 100 && eventually 10 knows_sleepers
}

knows_sleepers()
{
        "$xrem" device show sleeper/1 | grep -q hub
}

task() # name, return format, selector, commands: a fan-out as the server would order it by hand
{
        local at=./GwMO/Fanout/Fanout/$1
        python3 - "$at" "$@" <<'EOF' >"$fo/$1.json"
import json, sys
at, name, form, target, commands = sys.argv[1:6]
def add(rel, data, format="chr", **more):
    return {"cmd": "add", "uri": at + rel, "format": format, "data": data, **more}
print(json.dumps([{"cmd": "add", "uri": at, "format": "node"}, add("/TaskID", name), add("/Targets/1", target),
                  add("/Operations/ReturnFormat", form, "int"), add("/MaxParallel", "32", "int"),
                  add("/Cmds", f"<SyncBody>{commands}</SyncBody>", "xml"),
                  {"cmd": "exec", "uri": at + "/Operations/Start"}]))
EOF
        "$xrem" run hub --file "$fo/$1.json" "${@:5}"
}

get_fwv='<Get><CmdID>1</CmdID><Item><Target><LocURI>./DevDetail/FwV</LocURI></Target></Item></Get>'

result_of() # task: the last document of its results
{
        server=foserver events hub | grep "resultaggregation:1.0 ./GwMO/Fanout/Fanout/$1 " | tail -n 1
}

is_over() # task, times
{
        [ "$(server=foserver events hub | grep -c "completionstatus:1.0 ./GwMO/Fanout/Fanout/$1 ")" = "${2:-1}" ]
}

asks_all_at_once()
{
        local sessions
        sessions=$(sessions_done)
        task all 2 'match:id=urn:xremsim:node/*' "$get_fwv" >"$fo/all.out" || { cat "$fo/all.out"; return 1; }
        eventually 20 is_over all || return 1
        result_of all | grep -q '<Data>1.0</Data>' && result_of all | grep -q 'Total="100" Ok="100"' || fail "$(result_of all)" || return 1
        sessions=$(($(sessions_done) - sessions))
        [ $sessions -ge 1 ] && [ $sessions -le 10 ] || fail "$sessions sessions with the server for a hundred devices"
}

sessions_done() # of the gateway with its server
{
        grep -c 'session done' "$home/hub.log"
}

# It listens for a second each time: what is not run within that is not run before the next.
wakes_and_runs()
{
        local id
        eventually 20 sleeps sleeper/1 || return 1
        id=$("$xrem" set sleeper/1 ./LwM2M/26241/0/1 'good morning' --no-wait) || return 1
        eventually 20 sh -c "'$xrem' job show $id | grep -qw 'done'" || { "$xrem" job show "$id"; return 1; }
        eventually 20 sleeps sleeper/1 && eventually 20 has_text sleeper/1 'good morning'
}

sleeps() # device: the gateway's last word on it
{
        grep "device .*id=urn:xremsim:$1 state=" "$home/hub.log" | tail -n 1 | grep -q 'state=2'
}

has_text()
{
        [ "$(gw_get "$1" ./LwM2M/26241/0/1)" = "$2" ]
}

naps() # how often one of the sleepers fell asleep
{
        grep -c 'device .*id=urn:xremsim:sleeper/1 state=2' "$home/hub.log"
}

has_napped() # more than so often
{
        [ "$(naps)" -gt "$1" ]
}

# Kills the gateway as soon as the order has begun.  It is for one that has just fallen asleep as well, so that it cannot
# be over by then.
kills_in_the_middle_of() # name, selector, commands
{
        local n
        n=$(naps)
        eventually 20 has_napped "$n" || return 1
        grep -q -m 1 "a fan-out begins  task=$1 " < <(exec tail -n 0 -f "$home/hub.log") && kill -KILL "${pid[hub]}" &
        n=$!
        task "$1" 1 "$2" "$3" --no-wait >/dev/null && eventually 20 gone "${pid[hub]}" || { kill $n; return 1; }
        wait "${pid[hub]}" 2>/dev/null
        ! grep "a fan-out is over  task=$1 " "$home/hub.log" && run_gateway hub
}

gone() # process
{
        ! kill -0 "$1"
}

# Killed while the order is under way: it goes on, ends once, and no device is forgotten.
survives_a_kill()
{
        kills_in_the_middle_of cut 'match:id=urn:xremsim:*' "$get_fwv" || return 1
        eventually 40 is_over cut || { tail -n 3 "$home/hub.log"; return 1; }
        eventually 20 gw_has_told_all hub && is_over cut 1 || fail 'told twice' || return 1
        server=foserver events hub | grep "resultaggregation:1.0 ./GwMO/Fanout/Fanout/cut " >"$fo/cut.xml"
        equal "$(grep -o '<Device ID="[^"]*"' "$fo/cut.xml" | sort | uniq -d | wc -l)" 0 'devices told twice' &&
                equal "$(grep -o '<Device ID="[^"]*"' "$fo/cut.xml" | sort -u | wc -l)" 102 'devices told'
}

run_it='<Exec><CmdID>1</CmdID><Item><Target><LocURI>./LwM2M/26241/0/2</LocURI></Target></Item></Exec>'

# What cannot be done twice is done once at most, and nobody is left without an outcome.
executes_once_at_most()
{
        local ran failed
        kills_in_the_middle_of once 'match:id=urn:xremsim:*;proto=LWM2M*' "$run_it" || return 1
        eventually 40 is_over once || { tail -n 3 "$home/hub.log"; return 1; }
        server=foserver events hub | grep "resultaggregation:1.0 ./GwMO/Fanout/Fanout/once " >"$fo/once.xml"
        equal "$(grep -o '<Device ID="[^"]*"' "$fo/once.xml" | sort | uniq -d | wc -l)" 0 'devices told twice' &&
                equal "$(grep -o '<Device ID="[^"]*"' "$fo/once.xml" | sort -u | wc -l)" 62 'devices told' || return 1
        task ran 1 'match:id=urn:xremsim:node/*;proto=LWM2M*' "${get_fwv/DevDetail\/FwV/LwM2M\/26241\/0\/3}" >/dev/null &&
                eventually 20 is_over ran || return 1
        python3 - "$fo/once.xml" <(result_of ran) <<'EOP'
import re, sys
def devices(path):
    return dict(re.findall(r'<Device ID="([^"]*)"[^>]*>(.*?)</Device>', open(path).read(), re.S))
told, counts = devices(sys.argv[1]), devices(sys.argv[2])
ran = {d: int(re.search(r'<Data>(\d+)</Data>', t).group(1)) for d, t in counts.items()}
assert len(ran) == 60 and max(ran.values()) <= 1, ran
status = {d: re.search(r'Status="(\d+)"', t).group(1) for d, t in told.items()}
wrong = {d: (status[d], ran[d]) for d in ran if status[d] == "200" and ran[d] != 1 or status[d] not in ("200", "408")}
assert not wrong, wrong
print("# %d ran, %d are not known of" % (sum(ran.values()), list(status.values()).count("408")))
EOP
}

# A campaign over all of them fetches the package once from the server: octet by octet.
fetches_once()
{
        local size images before fetched served data=./DiagMon/Traffic/DiagMonData
        images=$(metric_of grem_images_served_total) before=$(downloads)
        fetched=$(metric_of grem_image_bytes_fetched_total) served=$(metric_of grem_image_bytes_served_total)
        { printf 'version: 2.0\nmodel: M1\n' && head -c 60000 /dev/urandom; } >"$fo/image" && size=$(stat -c %s "$fo/image") &&
                "$xrem" --quiet package add "$fo/image" --name fofw --version 2.0 || return 1
        "$xrem" --quiet campaign create 'hundred to 2.0' --package fofw@2.0 --tag hundred --retries 0 --start >"$fo/campaign" &&
                "$xrem" campaign watch "$(cat "$fo/campaign")" --for 180 || return 1
        equal "$(gw_get node/17 ./DevDetail/FwV)" 2.0 'FwV of node/17' && equal "$(gw_get node/77 ./DevDetail/FwV)" 2.0 'FwV of node/77' || return 1
        equal $(($(downloads) - before)) 1 'packages the server gave out' &&
                grew grem_images_served_total "$images" 100 && grew grem_image_bytes_fetched_total "$fetched" "$size" &&
                grew grem_image_bytes_served_total "$served" $((100 * size)) &&
                equal "$("$xrem" get hub $data/ImageBytesIn)" $((fetched + size)) ImageBytesIn &&
                equal "$("$xrem" get hub $data/ImageBytesOut)" $((served + 100 * size)) ImageBytesOut
}

grew() # counter of the gateway, what it was, by how much; it is written down each second
{
        eventually 10 sh -c "[ \$(curl -sS http://127.0.0.1:$gw_metrics/metrics | sed -n 's/^$1 //p') = $(($2 + $3)) ]" ||
                fail "$1: $(metric_of "$1") - $2, not $3"
}

downloads()
{
        curl -sS -H "Authorization: Bearer $XREM_TOKEN" "$XREM_SERVER/metrics" | sed -n 's/^nrem_package_downloads_total //p'
}

promise 'a gateway with a hundred devices, some asleep' starts_a_hundred
promise 'one order to all of them comes back as one document' asks_all_at_once
promise 'what is ordered of a sleeper is done when it wakes' wakes_and_runs
promise 'kill -9 of the gateway in the middle of an order: it goes on, and is told once' survives_a_kill
promise 'and what cannot be done twice is done once at most: each device has an outcome' executes_once_at_most
promise 'a campaign over a hundred devices takes one image over the backhaul' fetches_once
promise 'that gateway ends cleanly' stop hub
promise 'so do its devices' stop fosim
promise 'and their server' stop foserver

step_back
