#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lwm2m_test.sh GREMD: a gateway, and libcoap's own client as a device that registers with it: plain,
# in blocks, with DTLS, again after the gateway was killed.
set -u
gremd=$1
home=$(mktemp -d)
n=0 failed=0 pid=

finish()
{
        [ -z "$pid" ] || { kill "$pid" && wait "$pid"; } 2>/dev/null
        rm -rf "$home"
}
trap finish EXIT

if ! command -v coap-client-notls >/dev/null || ! command -v coap-client-gnutls >/dev/null; then
        echo '1..0 # SKIP libcoap has no client here'
        exit 0
fi

check() # what, then what it has to be, then what it is
{
        n=$((n + 1))
        if [ "$2" = "$3" ]; then
                echo "ok $n - $1"
        else
                echo "not ok $n - $1"
                printf '# wanted: %s\n# got: %s\n' "$2" "$3"
                failed=1
        fi
}

start()
{
        local mark
        touch "$home/log"
        mark=$(wc -l <"$home/log")
        "$gremd" --config "$home/conf" 2>>"$home/log" &
        pid=$!
        for _ in $(seq 1200); do
                tail -n +$((mark + 1)) "$home/log" | grep -q 'gremd: ready' && break
                kill -0 "$pid" 2>/dev/null || break
                sleep 0.05
        done
        port=$(sed -n 's/.*LwM2M.* port=\([0-9]*\) dtls=false.*/\1/p' "$home/log" | tail -n 1)
        secure=$(sed -n 's/.*LwM2M.* port=\([0-9]*\) dtls=true.*/\1/p' "$home/log" | tail -n 1)
        sed -i "/^\[lwm2m]/,\$ s/^listen = 127.0.0.1:0/listen = 127.0.0.1:$port/
                s/^listen_secure = 127.0.0.1:0/listen_secure = 127.0.0.1:$secure/" "$home/conf"
}

mkdir "$home/state"
printf 'bound 3031323334353637\nother 6162636465666768 urn:dev:os:1-2\n' >"$home/keys"
cat >"$home/conf" <<END
[agent]
state = $home/state
[device]
id = urn:test:gateway
[account]
server_id = xrem
url = http://127.0.0.1:9/dm
user = gateway
password = pw
server_password = sv
[wake]
listen = 127.0.0.1:0
[lwm2m]
listen = 127.0.0.1:0
listen_secure = 127.0.0.1:0
keys = $home/keys
END
start
links='</1/0>,</3/0>,</5/0>'

say() # method, path and query, then options of the client: "code location"
{
        coap-client-notls -B 30 -v 6 -m "$1" "${@:3}" "coap://127.0.0.1:$port/$2" 2>&1 | heard
}

say_secure() # identity, key, method, path and query, then options
{
        coap-client-gnutls -B "${wait:-30}" -v 6 -u "$1" -k "$2" -m "$3" "${@:5}" "coaps://127.0.0.1:$secure/$4" 2>&1 | heard
}

heard()
{
        sed -n 's/.*t:\(ACK\|CON\|NON\) c:\([2-5]\.[0-9][0-9]\).*/\2 &/p' | grep -v ' c:2.31' | tail -n 1 |
                sed 's/^\(....\).*Location-Path:rd, Location-Path:\([0-9a-f]*\).*/\1 \2/
                     t
                     s/^\(....\).*/\1/'
}

got=$(say post 'rd?ep=plain&lwm2m=1.0&lt=60&b=U' -t 40 -e "$links")
check 'a device registers' 2.01 "${got% *}"
id=${got#* }
check 'and updates its registration, from another port' 2.04 "$(say post "rd/$id?lt=120")"
check 'a version that is not ours' 4.12 "$(say post 'rd?ep=newer&lwm2m=3.0' -t 40 -e "$links")"
check 'no name' 4.00 "$(say post 'rd?lwm2m=1.0' -t 40 -e "$links")"
check 'a registration that is none' 4.04 "$(say post rd/00000000000000)"
many=$links$(for i in $(seq 300); do printf ',</3303/%s>' "$i"; done)
got=$(say post 'rd?ep=blocks&lwm2m=1.1&lt=60' -t 40 -b 128 -e "$many")
check 'a long list of objects, in blocks' 2.01 "${got% *}"
check 'what it offers' '</rd>;rt="core.rd",</dp>' "$(coap-client-notls -B 10 "coap://127.0.0.1:$port/.well-known/core")"

check 'a device with a key registers' 2.01 \
        "$(say_secure bound 01234567 post 'rd?ep=bound&lwm2m=1.0' -t 40 -e "$links" | cut -c 1-4)"
check 'the endpoint that its line says' 2.01 \
        "$(say_secure other abcdefgh post 'rd?ep=urn:dev:os:1-2&lwm2m=1.0' -t 40 -e "$links" | cut -c 1-4)"
check 'not as another' 4.03 "$(say_secure bound 01234567 post 'rd?ep=other&lwm2m=1.0' -t 40 -e "$links")"
check 'not with another key' '' "$(wait=2 say_secure bound 76543210 post 'rd?ep=bound&lwm2m=1.0' -t 40 -e "$links")"
check 'not without one' 4.03 "$(say post 'rd?ep=bound&lwm2m=1.0' -t 40 -e "$links")"

kill -9 "$pid" && wait "$pid" 2>/dev/null
start
check 'the gateway was killed, and the device need not notice' 2.04 "$(say post "rd/$id")"
check 'it leaves' 2.02 "$(say delete "rd/$id")"
check 'and is not known any more' 4.04 "$(say post "rd/$id")"
kill "$pid" && wait "$pid"
check 'the gateway ends in good order' 0 $?
pid=
[ $failed = 0 ] || sed 's/^/# /' "$home/log"
echo "1..$n"
exit $failed
