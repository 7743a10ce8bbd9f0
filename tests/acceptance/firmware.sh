# SPDX-License-Identifier: Apache-2.0
# Firmware of a device with two slots: images signed by OpenSSL, served over HTTP, ordered through FUMO.
# Sourced by tests/acceptance/run, whose world it uses.

fw=$home/fw
fumo=./FUMO/main
box=fw # the device that is spoken of

make_images()
{
        local v
        mkdir -p "$fw/keys" "$fw/www" && cd "$fw" || return 1
        for v in maker stranger; do
                openssl genpkey -algorithm ed25519 -out $v.key && openssl pkey -in $v.key -pubout -out $v.pub || return 1
        done
        cp maker.pub keys/
        head -c 600000 /dev/urandom >body || return 1
        for v in 1.0 2.0 3.0 4.0 5.0 6.0 bad stranger unsigned; do
                { echo "image $v" && cat body && date +%N; } >"www/$v" || return 1
                openssl dgst -sha256 -binary "www/$v" >hash || return 1
                [ $v = unsigned ] || openssl pkeyutl -sign -rawin -in hash -out "www/$v.sig" \
                        -inkey "$([ $v = stranger ] && echo stranger.key || echo maker.key)" || return 1
        done
        cat >check <<'END'
#!/bin/sh
while head -n 1 "$1" | grep -q 3.0 && [ -e "${0%/*}/hold-check" ]; do sleep 0.05; done
head -n 1 "$1" | grep -q bad || exit 0
echo 'its self-test failed'
exit 1
END
        chmod +x check
        cd - >/dev/null || return 1
}

start_firmware_device()
{
        make_images || return 1
        python3 "$here/serve.py" "$fw/www" >"$fw/port" &
        pid[www]=$!
        eventually 20 test -s "$fw/port" || return 1
        www=http://127.0.0.1:$(cat "$fw/port")
        add_device fw
        start_device fw "http://127.0.0.1:$plain_port/dm" '' "[firmware]
installer = slots
keys = $fw/keys
slots = $fw/slots
command = $fw/check
max_size = 16M
retry_wait = 100ms
fetch = $bin/drem/fetch/dremd-fetch
patch = $bin/drem/patch/dremd-patch"
        eventually 20 is_active fw
}

order() # version, path, options: the exit code of the Exec
{
        "$xrem" set $box $fumo/PkgVersion "$1" && "$xrem" set $box $fumo/DownloadAndUpdate/PkgURL "$www$2" || return 99
        "$xrem" exec $box $fumo/DownloadAndUpdate "${@:3}" --timeout 60
}

leaf() # URI, value
{
        equal "$("$xrem" get $box "$1")" "$2" "$1"
}

holds() # version, state, reason
{
        leaf ./DevDetail/FwV "$1" && leaf $fumo/State "$2" && leaf $fumo/Ext/xrem/Reason "$3"
}

takes_a_signed_image() # version
{
        order "$1" "/$1" && holds "$1" 100 '' && cmp "$fw/www/$1" "$fw/slots/$(sed -n 's/^slot=//p' "$fw/slots/marker")"
}

refuses() # path, code, state, reason
{
        local out
        out=$(order x "$1" 2>&1) && fail 'it was installed' && return 1
        echo "$out" | grep -q "$2" || fail "$out" || return 1
        holds 1.0 "$3" "$4"
}

pushes_in_the_session()
{
        "$xrem" set fw $fumo/Ext/xrem/Signature --file "$fw/www/2.0.sig" || return 1
        "$xrem" set fw $fumo/PkgVersion 2.0 && "$xrem" set fw $fumo/Update/PkgData --file "$fw/www/2.0" || return 1
        leaf $fumo/State 50 && "$xrem" exec fw $fumo/Update --timeout 60 && holds 2.0 100 '' &&
                "$xrem" set fw $fumo/Ext/xrem/Signature ''
}

# dremd dies without a word in the middle of steps, and is started again: the download goes on where it was, and
# the job ends as if nothing had been.
survives_kills()
{
        local job from=0 step alerts
        alerts=$(events fw | wc -l)
        "$xrem" set fw $fumo/PkgVersion 3.0 && "$xrem" set fw $fumo/DownloadAndUpdate/PkgURL "$www/slow/3.0" || return 1
        from=$(wc -l <"$home/fw.log")
        touch "$fw/hold" "$fw/hold-check"
        job=$("$xrem" exec fw $fumo/DownloadAndUpdate --no-wait) || return 1
        for step in download again install check; do
                eventually 30 sh -c "tail -n +$((from + 1)) '$home/fw.log' | grep -q 'step begins.*step=${step/again/download}'" || return 1
                [ $step != download ] || eventually 10 test -s "$home/fw/firmware/package.part" || return 1
                stop fw KILL
                from=$(wc -l <"$home/fw.log")
                [ $step != again ] || rm "$fw/hold"
                [ $step != check ] || rm "$fw/hold-check"
                run_device fw
        done
        "$xrem" job watch "$job" --timeout 60 || return 1
        holds 3.0 100 '' || return 1
        grep -q '^3.0 [1-9]' "$fw/requests" || fail "no download went on: $(cat "$fw/requests")" || return 1
        equal "$(events fw | wc -l)" $((alerts + 1)) alerts || fail "$(events fw | tail -n +$((alerts + 1)))"
}

hash_of() # version
{
        sha256sum <"$fw/www/$1" | cut -d ' ' -f 1
}

offer_delta() # version, of which version
{
        zstd -q -f --patch-from="$fw/www/$2" "$fw/www/$1" -o "$fw/www/$1.delta" &&
                "$xrem" set fw $fumo/Ext/xrem/DeltaURL "$www/$1.delta" &&
                "$xrem" set fw $fumo/Ext/xrem/DeltaBase "$(hash_of "$2")"
}

takes_a_delta()
{
        local saved
        leaf $fumo/Ext/xrem/ImageHash "$(hash_of 3.0)" && offer_delta 4.0 3.0 && takes_a_signed_image 4.0 || return 1
        saved=$(($(stat -c %s "$fw/www/4.0") - $(stat -c %s "$fw/www/4.0.delta")))
        [ $saved -gt 590000 ] || fail "only $saved octets saved" || return 1
        leaf $fumo/Ext/xrem/Saved $saved && has_status fw saved-by-delta $saved &&
                grep -q "step over.*saved=$saved" "$home/fw.log" || return 1
        ! grep -q '^4.0 ' "$fw/requests" || fail 'the whole was fetched too'
}

prefers_the_whole() # version, of which version, reason, damaged
{
        offer_delta "$1" "$2" || return 1
        [ -z "${4:-}" ] || printf 'xxxx' | dd of="$fw/www/$1.delta" bs=1 seek=12 conv=notrunc status=none
        takes_a_signed_image "$1" && leaf $fumo/Ext/xrem/Saved 0 && grep -q '^'"$1"' 0' "$fw/requests" &&
                grep -q "the whole is fetched.*$3" "$home/fw.log"
}

alarm_of_room() # severity
{
        alarms $box | tail -n 1 | grep -q "<Severity>$1</Severity><Cause>storage-full</Cause><Object>$fumo</Object>"
}

# Larger than what is taken: an alarm, which the next image that fits ends.
tells_that_there_is_no_room()
{
        truncate -s 17M "$fw/www/huge" && refuses /huge 501 20 'larger than there is room for' && rm "$fw/www/huge" &&
                eventually 10 alarm_of_room minor && takes_a_signed_image 1.0 && eventually 10 alarm_of_room cleared
}

# The server keeps the request for people to see; it ends no job.
asks() # who
{
        eventually 10 has_status fw state idle || return 1
        if [ "$1" = user ]; then
                "$dremd" --config "$home/fw/dremd.conf" --request-update | grep -q 'is asked' || return 1
        else
                stop fw && echo 'ask = 100ms' >>"$home/fw/dremd.conf" && run_device fw
        fi
        eventually 10 grep -q "server was asked.*for=.new firmware. by=$1 status=202" "$home/fw.log" &&
                eventually 10 has_status fw update-request 'answered with 202' || return 1
        python3 "$here/events.py" "$home/${server:-server2}" fw |
                grep -q "^org.openmobilealliance.dm.firmwareupdate.${1}request ./FUMO/main informational"
}

promise 'a device with two slots for its firmware' start_firmware_device
promise 'a signed image is installed, tried and kept' takes_a_signed_image 1.0
promise 'an image that fails its check is left again, and why is told' \
        refuses /bad 410 80 'x was started 3 times and never confirmed'
promise 'an image without a signature is refused' refuses /unsigned 404 20 'the package has no signature'
promise 'an image signed by a stranger is refused' refuses /stranger 404 20 "the signature is not by any key of $fw/keys"
promise 'an address that leads nowhere is told' refuses /nowhere 411 20 'the server has no such file'
promise 'an image too large is refused, with an alarm until one fits' tells_that_there_is_no_room
promise 'an image sent within the session is installed' pushes_in_the_session
promise 'kill -9 in each step ends in a whole device and one result' survives_kills
if command -v zstd >/dev/null; then
        promise 'an image is made of the one that runs and a delta, and the octets saved are shown' takes_a_delta
        promise 'a delta against another image is left for the whole' prefers_the_whole 5.0 1.0 'against another image'
        promise 'a damaged delta is left for the whole' prefers_the_whole 6.0 5.0 'does not fit' damaged
else
        promise 'deltas # SKIP there is no zstd to make them' true
fi
promise 'the user asks for new firmware, and hears that there is none' asks user
promise 'so does the device by itself' asks device
promise 'that device ends cleanly' stop fw
. "$here/bundles.sh"
kill "${pid[www]}" && wait "${pid[www]}" 2>/dev/null
unset 'pid[www]'
