# SPDX-License-Identifier: Apache-2.0
# Packages: an upload that is killed and goes on, content in parts, a device updated from the server's own package,
# signatures that are not good.  Sourced by tests/acceptance/run, whose world it uses.

pk=$home/pk
step_out

make_packages()
{
        local v
        mkdir -p "$pk/trusted" "$pk/keys" && cd "$pk" || return 1
        for v in maker other stranger; do
                openssl genpkey -algorithm ed25519 -out $v.key && openssl pkey -in $v.key -pubout -out $v.pub || return 1
        done
        cp maker.pub other.pub trusted/ && cp maker.pub keys/
        for v in 1.0 2.0 3.0; do
                { echo "image $v" && head -c 9000000 /dev/urandom; } >"image-$v" || return 1
        done
        openssl dgst -sha256 -binary image-1.0 >hash &&
                openssl pkeyutl -sign -rawin -in hash -inkey maker.key -out image-1.0.sig || return 1
        cd - >/dev/null || return 1
}

start_package_world()
{
        make_packages || return 1
        start_server packages '[packages]' "keys = $pk/trusted" || return 1
        add_device pk
        start_device pk "http://127.0.0.1:$plain_port/dm" '' "[firmware]
installer = slots
keys = $pk/keys
slots = $pk/slots
retry_wait = 100ms
fetch = $bin/drem/fetch/dremd-fetch
patch = $bin/drem/patch/dremd-patch
[software]
archive = $pk/apps
keys = $pk/keys
retry_wait = 100ms
fetch = $bin/drem/fetch/dremd-fetch
installers = $bin/drem/install"
        eventually 20 is_active pk
}

rest() # method, path below packages, options of curl
{
        curl -sS -X "$1" -H "Authorization: Bearer $XREM_TOKEN" "${@:3}" "$XREM_SERVER/api/v1/packages$2"
}

member() # package, name
{
        "$xrem" --json package show "$1" | sed -n "s/^ *\"$2\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p"
}

has_received() # package, at least so many octets
{
        local n
        n=$(member "$1" received) && [ "${n:-0}" -ge "$2" ]
}

# curl brings the content slowly and dies, then the server dies; xrem brings what is left of it.
goes_on_after_kills()
{
        local size sha sig before curl
        size=$(stat -c %s "$pk/image-1.0") && sha=$(sha256sum "$pk/image-1.0" | cut -d ' ' -f 1) &&
                sig=$(base64 -w 0 "$pk/image-1.0.sig") || return 1
        rest POST '' -H 'Content-Type: application/json' -d '{"name":"box","version":"1.0","kind":"firmware","file":"box.img",
                "sha256":"'"$sha"'","size":'"$size"',"signature":"'"$sig"'"}' | grep -q '"state":"wanted"' || return 1
        curl -sS -X PUT -H "Authorization: Bearer $XREM_TOKEN" --limit-rate 2M -T "$pk/image-1.0" \
                "$XREM_SERVER/api/v1/packages/1/content" >/dev/null 2>&1 &
        curl=$!
        eventually 10 has_received 1 500000 || return 1
        kill -KILL $curl && wait $curl
        before=$(member 1 received)
        [ "$before" -lt "$size" ] || fail "all of it came: $before" || return 1
        stop packages KILL && run_server packages && has_received box@1.0 500000 || return 1
        "$xrem" package add "$pk/image-1.0" --name box --version 1.0 || return 1
        equal "$(member box@1.0 state)" ready state && equal "$(member 1 signer)" maker signer || return 1
        curl -sS "$XREM_SERVER/metrics" >"$pk/metrics" || return 1
        [ "$(sed -n 's/^nrem_package_uploaded_bytes_total //p' "$pk/metrics" | cut -d . -f 1)" -lt "$size" ] ||
                fail "it was sent again: $(grep nrem_package "$pk/metrics")" || return 1
        cmp "$pk/image-1.0" "$home/packages/packages/$sha"
}

link_of() # package, device
{
        "$xrem" --json package show "$1" --device "$2" | sed -n 's/^ *"url": "\([^"]*\)".*/\1/p'
}

gives_parts() # base of the URL, options of curl
{
        local path url sha
        path=$(member box@1.0 path) && sha=$(member box@1.0 sha256) && url=$1$path || return 1
        curl -sS "${@:2}" -D "$pk/head" --compressed -o "$pk/got" "$url" && cmp "$pk/got" "$pk/image-1.0" || return 1
        grep -qi "^etag: \"$sha\"" "$pk/head" && ! grep -qi '^content-encoding' "$pk/head" || fail "$(cat "$pk/head")" || return 1
        curl -sS "${@:2}" -r 1000-2999 -D "$pk/head" -o "$pk/got" "$url" || return 1
        tail -c +1001 "$pk/image-1.0" | head -c 2000 | cmp - "$pk/got" && grep -q ' 206 ' "$pk/head" || return 1
        head -c 4000000 "$pk/image-1.0" >"$pk/got" && curl -sS "${@:2}" -C - -o "$pk/got" "$url" && cmp "$pk/got" "$pk/image-1.0" || return 1
        equal "$(curl -sS "${@:2}" -o /dev/null -w '%{http_code}' -H "Range: bytes=99999999-" "$url")" 416 'beyond its end' &&
                equal "$(curl -sS "${@:2}" -o "$pk/got" -w '%{http_code}' -H "Range: bytes=1-2,5-6" "$url")" 200 'several ranges' &&
                cmp "$pk/got" "$pk/image-1.0" || return 1
        equal "$(curl -sS "${@:2}" -o /dev/null -w '%{http_code}' -H 'If-Range: "x"' -r 1-2 "$url")" 200 If-Range &&
                equal "$(curl -sS "${@:2}" -o /dev/null -w '%{http_code}' -H "If-None-Match: \"$sha\"" "$url")" 304 If-None-Match &&
                equal "$(curl -sS "${@:2}" -I -o /dev/null -w '%{http_code}' "$url")" 200 HEAD &&
                equal "$(curl -sS "${@:2}" -o /dev/null -w '%{http_code}' "${url/${sha:0:8}/00000000}")" 404 'another hash'
}

updates() # package, version, exit code of the Exec
{
        local url
        url=$(link_of "$1" pk) && [ -n "$url" ] || fail "no URL for pk" || return 1
        "$xrem" set pk ./FUMO/main/PkgVersion "$2" && "$xrem" set pk ./FUMO/main/DownloadAndUpdate/PkgURL "$url" || return 1
        code_of "$3" "$xrem" exec pk ./FUMO/main/DownloadAndUpdate --timeout 60
}

a_device_takes_it()
{
        updates box@1.0 1.0 0 && equal "$("$xrem" get pk ./DevDetail/FwV)" 1.0 FwV &&
                cmp "$pk/image-1.0" "$pk/slots/$(sed -n 's/^slot=//p' "$pk/slots/marker")"
}

signs_itself()
{
        "$xrem" package add "$pk/image-2.0" --name box --version 2.0 --sign "$pk/maker.key" --fwv '>=1.0 <2.0' >/dev/null &&
                equal "$(member box@2.0 signer)" maker signer || return 1
        "$xrem" package show box@2.0 --device pk | grep -q 'it fits' && updates box@2.0 2.0 0 &&
                equal "$("$xrem" get pk ./DevDetail/FwV)" 2.0 FwV || return 1
        "$xrem" package show box@2.0 --device pk | grep -q 'its firmware version is 2.0; wanted is >=1.0 <2.0'
}

refuses_a_stranger()
{
        local out
        out=$("$xrem" package add "$pk/image-3.0" --name box --version 3.0 --sign "$pk/stranger.key" 2>&1)
        equal $? 7 'exit code' && echo "$out" | grep -q 'the signature is not by any key' || fail "$out" || return 1
        equal "$(member box@3.0 state)" wanted state && [ -z "$(link_of box@3.0 pk)" ] && "$xrem" package remove box@3.0
}

the_device_has_the_last_word()
{
        "$xrem" package add "$pk/image-3.0" --name box --version 3.0 --sign "$pk/other.key" >/dev/null &&
                equal "$(member box@3.0 signer)" other signer && updates box@3.0 3.0 3 &&
                equal "$("$xrem" get pk ./DevDetail/FwV)" 2.0 FwV && equal "$("$xrem" get pk ./FUMO/main/State)" 20 State
}

a_device_takes_software()
{
        local url
        mkdir -p "$pk/app" && printf 'id=net.example.app\nversion=1.0\nname=An application\n' >"$pk/app/component" &&
                tar -C "$pk/app" -cf "$pk/app.tar" . || return 1
        "$xrem" package add "$pk/app.tar" --name app --version 1.0 --kind software --component net.example.app \
                --sign "$pk/maker.key" >/dev/null && url=$(link_of app@1.0 pk) || return 1
        "$xrem" add pk ./SCM/Download/app --node && "$xrem" add pk ./SCM/Download/app/PkgID net.example.app-1.0 &&
                "$xrem" add pk ./SCM/Download/app/PkgURL "$url" &&
                "$xrem" exec pk ./SCM/Download/app/Operations/DownloadInstall --timeout 60 &&
                "$xrem" tree pk ./SCM/Inventory/Deployed | grep -q 'net.example.app'
}

keeps_content_once()
{
        local file=$home/packages/packages/$(sha256sum "$pk/image-2.0" | cut -d ' ' -f 1)
        "$xrem" package add "$pk/image-2.0" --name copy --version 1 --sign "$pk/maker.key" --kind configuration >/dev/null &&
                "$xrem" package remove box@2.0 && test -f "$file" || return 1
        "$xrem" package fetch copy@1 -o "$pk/fetched" && cmp "$pk/fetched" "$pk/image-2.0" || return 1
        head -c 5000000 "$pk/image-2.0" >"$pk/again.part" && "$xrem" package fetch copy@1 -o "$pk/again" &&
                cmp "$pk/again" "$pk/image-2.0" && "$xrem" package remove copy@1 && eventually 10 test ! -f "$file"
}

tells_in_events()
{
        equal "$("$xrem" --json event --kind package. --limit 100 | grep -o '"kind": *"package\.[a-z]*"' | sort | uniq -c |
                tr -d ' ' | tr '\n' ' ')" '5"kind":"package.added" 3"kind":"package.removed" ' events
}

if promise "packages: a server with keys, and a device" start_package_world; then
        promise "packages: an upload that is killed, and its server, goes on" goes_on_after_kills
        promise "packages: content in parts" gives_parts "http://127.0.0.1:$plain_port"
        promise "packages: the same over TLS" gives_parts "https://localhost:$tls_port" --cacert "$home/tls/ca.pem"
        promise "packages: a device is updated from it" a_device_takes_it
        promise "packages: xrem signs; a package fits by version" signs_itself
        promise "packages: the server refuses a wrong signature" refuses_a_stranger
        promise "packages: the device refuses a key it does not trust" the_device_has_the_last_word
        promise "packages: a device takes software from it" a_device_takes_software
        promise "packages: the same content is kept once, and goes with its last package" keeps_content_once
        promise "packages: events tell" tells_in_events
fi
stop pk
stop packages
step_back
