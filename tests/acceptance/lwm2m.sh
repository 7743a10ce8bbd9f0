# SPDX-License-Identifier: Apache-2.0
# LwM2M devices with all that LwM2M has: keys and certificates, accounts by bootstrap, each of the formats, composite
# reads, objects that only a definition tells of, observations.  Sourced by tests/acceptance/run, whose world it uses.

. "$here/gateway-world.sh"
lw=$home/lwm2m
mkdir -p "$lw"
step_out

hex()
{
        printf %s "$1" | od -An -v -tx1 | tr -d ' \n'
}

# A CA, and certificates of it: for the gateway, and for a device by its endpoint name.
make_certificates()
{
        printf 'cn = "a CA"\nca\ncert_signing_key\nexpiration_days = 2\n' >"$lw/ca.tmpl"
        printf 'cn = "gateway"\ntls_www_server\nsigning_key\nexpiration_days = 2\n' >"$lw/gateway.tmpl"
        printf 'cn = "urn:xremsim:lw/cert/1"\ntls_www_client\nsigning_key\nexpiration_days = 2\n' >"$lw/1.tmpl"
        for who in ca gateway 1; do
                certtool --generate-privkey --key-type ecdsa --curve secp256r1 --outfile "$lw/$who.key" || return 1
        done
        certtool --generate-self-signed --load-privkey "$lw/ca.key" --template "$lw/ca.tmpl" --outfile "$lw/ca.pem" || return 1
        for who in gateway 1; do
                certtool --generate-certificate --load-privkey "$lw/$who.key" --load-ca-certificate "$lw/ca.pem" \
                        --load-ca-privkey "$lw/ca.key" --template "$lw/$who.tmpl" --outfile "$lw/$who.pem" || return 1
        done
}

starts_an_lwm2m_gateway()
{
        local n
        make_certificates || return 1
        {
                for n in 1 2; do
                        printf 'urn:xremsim:lw/psk/%s %s\n' $n "$(hex secret-of-$n)"
                done
                printf 'urn:xremsim:lw/boot/1 %s\n' "$(hex first-secret-1)" # for the bootstrap
                printf 'given-1 %s urn:xremsim:lw/boot/1\n' "$(hex given-secret-1)"
        } >"$lw/keys"
        touch "$lw/accounts"
        start_server lwserver || return 1
        start_gateway lwgate 'listen_secure = 127.0.0.1:0' "keys = $lw/keys" "cert = $lw/gateway.pem" \
                "key = $lw/gateway.key" "client_ca = $lw/ca.pem" "bootstrap = $lw/accounts" || return 1
        printf 'urn:xremsim:lw/boot/1 coaps://127.0.0.1:%s given-1 %s\n' "$gw_coaps" "$(hex given-secret-1)" >"$lw/accounts"
        eventually 20 is_active lwgate && "$xrem" set lwgate ./GwMO/Config/Alerts/BatchWindow 0
}

secure()
{
        behind_lwm2m "$@" | sed "s|^server = .*|server = coaps://127.0.0.1:$gw_coaps|"
}

meets_its_devices()
{
        local n
        for n in 1 2; do # of which no registration tells
                "$xrem" --quiet device add lw/leaf/$n --devid urn:xremsim:lw/front/1/$n >/dev/null || return 1
        done
        {
                printf '[run]\nseed = 7\n'
                secure psk lw/psk/ 1 2 'tags = lw' 'security = psk' 'password = secret-of-{n}' 'version = 1.1'
                secure cert lw/cert/ 1 1 'tags = lw' 'security = cert' "cert = $lw/{n}.pem" "key = $lw/{n}.key" "ca = $lw/ca.pem"
                secure boot lw/boot/ 1 1 'tags = lw' 'security = psk' 'password = first-secret-{n}' 'bootstrap = yes'
                behind_lwm2m json lw/json/ 1 1 'tags = lw' 'formats = json'
                behind_lwm2m senml lw/senml/ 1 1 'tags = lw' 'version = 1.1' 'formats = senml-json'
                behind_lwm2m cbor lw/cbor/ 1 1 'tags = lw' 'version = 1.1' 'formats = senml-cbor'
                behind_lwm2m front lw/front/ 1 1 'tags = lw' 'leaves = 2'
        } >"$lw/scenario"
        simulate lwsim "$lw/scenario"
        eventually 30 devices_with --tag lw --state active 8 || fail "$("$xrem" device list)"
}

reads_through_dtls()
{
        equal "$(gw_get lw/psk/1 ./DevDetail/FwV)" 1.0 FwV && equal "$(gw_get lw/cert/1 ./DevInfo/Mod)" M1 Mod || return 1
        eventually 10 has_sessions 4 || fail "$(metric_of xrem_lwm2m_sessions_dtls) sessions"
}

has_sessions() # of DTLS; they are written down each second
{
        [ "$(metric_of xrem_lwm2m_sessions_dtls)" -ge "$1" ]
}

gives_an_account()
{
        equal "$(gw_get lw/boot/1 ./DevDetail/FwV)" 1.0 FwV && grep -q 'bootstrapped.*lw/boot/1' "$home/lwgate.log" || return 1
        equal "$(gw_get lw/boot/1 ./DMAcc/0/Ext/Lifetime)" 86400 'lifetime of the account'
}

code_from() # client, its options: the code of the response
{
        "$@" -B 20 -v 6 -m post -t 40 -e '</1/0>,</3/0>' 2>&1 | sed -n 's/.*t:\(ACK\|CON\|NON\) c:\([45]\.[0-9][0-9]\).*/\2/p' | tail -n 1
}

refuses_impostors()
{
        equal "$(code_from coap-client-gnutls -u urn:xremsim:lw/psk/1 -k secret-of-1 \
                "coaps://127.0.0.1:$gw_coaps/rd?ep=urn:xremsim:lw/psk/2&lwm2m=1.0")" 4.03 'another endpoint with its key' &&
                equal "$(code_from coap-client-notls "coap://127.0.0.1:$gw_coap/rd?ep=urn:xremsim:lw/psk/1&lwm2m=1.0")" \
                        4.03 'its endpoint without a key' || return 1
        equal "$(gw_get lw/psk/1 ./DevDetail/FwV)" 1.0 'FwV of the device all the while'
}

opens_no_door_unasked()
{
        mkdir -p "$lw/open" && sed "s|^state = .*|state = $lw/open|; s/^metrics = .*//; /^\[lwm2m\]/,\$s/^listen = .*/listen = 0.0.0.0:0/" \
                "$home/lwgate/gremd.conf" >"$lw/open.conf" || return 1
        code_of 2 timeout 20 "$gremd" --config "$lw/open.conf" 2>"$lw/open.log" && grep -q 'without protection' "$lw/open.log"
}

# Several instances of a device of 1.1 are one request; the devices tell at the end that there were such.
reads_composites()
{
        "$xrem" tree lw/psk/2 ./DiagMon >"$lw/tree" && grep -q BatteryLevel "$lw/tree" && grep -q RSSI "$lw/tree" || fail "$(cat "$lw/tree")"
}

speaks_all_formats()
{
        local n
        for n in json senml cbor; do
                "$xrem" tree lw/$n/1 ./DevDetail >"$lw/tree" && grep -q 'FwV.*1\.0' "$lw/tree" || fail "$n: $(cat "$lw/tree")" || return 1
                "$xrem" set lw/$n/1 ./LwM2M/26241/0/1 "by $n" && equal "$(gw_get lw/$n/1 ./LwM2M/26241/0/1)" "by $n" Text || return 1
        done
}

format_of() # device, node: chr is not said
{
        "$xrem" --json get "$1" "$2" >"$lw/got" || return 1
        sed -n 's/.*"format": "\([a-z]*\)".*/\1/p;$s/.*/chr/p' "$lw/got" | head -n 1
}

knows_what_is_defined()
{
        equal "$(format_of lw/json/1 ./LwM2M/3303/0/5700)" float 'Sensor Value' && equal "$(format_of lw/json/1 ./LwM2M/26241/0/0)" int Level &&
                equal "$(format_of lw/json/1 ./LwM2M/26241/0/1)" chr Text || return 1
        code_of 1 "$xrem" set lw/json/1 ./LwM2M/26241/0/0 seven 2>"$lw/refusal" && grep -q 415 "$lw/refusal" &&
                code_of 1 "$xrem" set lw/json/1 ./LwM2M/3303/0/5700 1 2>"$lw/refusal" && grep -q 405 "$lw/refusal" || fail "$(cat "$lw/refusal")" || return 1
        "$xrem" exec lw/json/1 ./LwM2M/26241/0/2 && equal "$(gw_get lw/json/1 ./LwM2M/26241/0/3)" 1 Count
}

is_int() # device, node
{
        [ "$(format_of "$1" "$2")" = int ]
}

is_no_int()
{
        ! is_int "$@"
}

# Without a restart, and for devices that are there already.
forgets_and_learns_definitions()
{
        local objects=$home/lwgate/objects
        is_int lw/psk/1 ./LwM2M/26241/0/0 && mv "$objects/simulated.xml" "$lw/" && eventually 10 is_no_int lw/psk/1 ./LwM2M/26241/0/0 || return 1
        mv "$lw/simulated.xml" "$objects/" && eventually 10 is_int lw/psk/1 ./LwM2M/26241/0/0
}

is_read()
{
        "$xrem" get "$1" ./DevDetail/FwV --timeout 10
}

# A device that is a gateway of LwM2M itself: what is behind it has names, records and trees of its own.
reaches_those_behind_a_device()
{
        eventually 20 is_read lw/leaf/1 && eventually 20 is_read lw/leaf/2 && equal "$(gw_get lw/leaf/2 ./DevInfo/Mod)" M1 Mod || return 1
        "$xrem" set lw/leaf/2 ./LwM2M/26241/0/0 9 && equal "$(gw_get lw/leaf/2 ./LwM2M/26241/0/0)" 9 'Level of the second' &&
                equal "$(gw_get lw/leaf/1 ./LwM2M/26241/0/0)" 0 'Level of the first' || return 1
        "$xrem" exec lw/leaf/1 ./DiagMon/Restart/Operations/Start || return 1
        equal "$(gw_get lw/front/1 ./GwMO/Inventory/Records/1/DeviceID)" urn:xremsim:lw/front/1/2 'what their gateway says of the second' || return 1
        equal "$("$xrem" gateway devices lwgate | grep -c '^lw/leaf/')" 2 'devices behind it'
}

sample_of() # device, metric, value: it is the latest
{
        [ "$("$xrem" metric get "$1" "$2" --from -10m --step raw --csv | tr -d '\r' | awk -F, 'NR > 1 && $4 != "" {v = $4} END {print v}')" = "$3" ]
}

# What a server orders is told by the device itself, with what it measures as samples, and beyond a limit as an alarm.
observes_what_is_ordered()
{
        local at=./LwM2M/Observe/level
        cat >"$lw/observe.json" <<END
[{"cmd": "add", "uri": "$at", "format": "node"},
 {"cmd": "add", "uri": "$at/Ref", "data": "./LwM2M/26241/0/0"},
 {"cmd": "add", "uri": "$at/pmin", "format": "int", "data": "0"},
 {"cmd": "add", "uri": "$at/gt", "format": "float", "data": "50"}]
END
        "$xrem" run lw/psk/1 --file "$lw/observe.json" && eventually 10 sample_of lw/psk/1 LwM2M.26241.0.0 0 || return 1
        equal "$(gw_get lw/psk/1 $at/Status)" 200 Status && "$xrem" set lw/psk/1 ./LwM2M/26241/0/0 60 || return 1
        eventually 10 sample_of lw/psk/1 LwM2M.26241.0.0 60 && eventually 10 sh -c "'$xrem' alarm list lw/psk/1 | grep -q 'above the limit'" || return 1
        "$xrem" set lw/psk/1 ./LwM2M/26241/0/0 40 && eventually 10 sample_of lw/psk/1 LwM2M.26241.0.0 40 || return 1
        eventually 10 sh -c "! '$xrem' alarm list lw/psk/1 | grep -q 'above the limit'" || return 1
        "$xrem" delete lw/psk/1 $at && code_of 3 "$xrem" get lw/psk/1 $at/Ref 2>/dev/null
}

# By the devices' own account of it.
was_seen_on_the_wire()
{
        stop lwsim && python3 - "$home/lwsim.out" <<'END'
import json, sys
of = json.load(open(sys.argv[1]))["lwm2m"]
assert all(of["formats"][f] > 0 for f in ("text", "tlv", "json", "senml-json", "senml-cbor")), of["formats"]
assert of["composites"] > 0 and of["bootstrapped"] == 1 and not of["trouble"], of
END
}

promise 'a gateway with keys, certificates and accounts' starts_an_lwm2m_gateway
promise 'devices register with each of them' meets_its_devices
promise 'devices are read through DTLS' reads_through_dtls
promise 'one that knew the bootstrap server alone has its account' gives_an_account
promise 'who has not the key of an endpoint is not it' refuses_impostors
promise 'no address of a network is open without protection' opens_no_door_unasked
promise 'several instances are read by one request' reads_composites
promise 'JSON, SenML JSON and SenML CBOR where a device has no other' speaks_all_formats
promise 'objects of a definition have its types' knows_what_is_defined
promise 'definitions are forgotten and learnt while the gateway runs' forgets_and_learns_definitions
promise 'devices behind a gateway of LwM2M are devices' reaches_those_behind_a_device
promise 'what a server orders to be observed arrives as samples and alarms' observes_what_is_ordered
promise 'the devices saw all of that on the wire' was_seen_on_the_wire
promise 'the gateway of LwM2M devices ends cleanly' stop lwgate
promise 'and its server' stop lwserver

step_back
