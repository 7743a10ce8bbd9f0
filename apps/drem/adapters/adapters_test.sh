#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The adapters with real bundles: RAUC's service on a bus of its own, with a boot loader that is a script and slots
# that are files; SWUpdate with a file as its device.  A restart is the service started as if from another slot.
# Prints TAP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
if [ "${1:-}" != inside ]; then
        command -v dbus-run-session >/dev/null || exec bash "$0" inside
        exec dbus-run-session -- bash "$0" inside 2> >(grep -v 'fd limit' >&2)
fi

home=$(mktemp -d)
service=
trap '[ -n "$service" ] && kill "$service" 2>/dev/null && wait "$service" 2>/dev/null; rm -rf "$home"' EXIT
count=0
failures=0
folder=$home/work
mkdir "$folder"

ok() # title, command ...
{
        local title=$1
        shift
        count=$((count + 1))
        if "$@" >"$home/out" 2>&1; then
                echo "ok $count - $title"
        else
                failures=$((failures + 1))
                echo "not ok $count - $title"
                sed 's/^/# /' "$home/out"
        fi
}

skip() # title, reason
{
        count=$((count + 1))
        echo "ok $count - $1 # SKIP $2"
}

# What the adapter ends with, and what it says last.
ends() # code, text or nothing, adapter, check, words ...
{
        local code=$1 text=$2 adapter=$3 check=$4 got=0 said
        shift 4
        said=$("$here/$adapter" --folder "$folder" --check "$check" --arguments "$arguments" "$@" 2>&1) || got=$?
        [ "$got" -eq "$code" ] || { echo "code $got, not $code: $said" && return 1; }
        [ -z "$text" ] || echo "$said" | tail -n 1 | grep -q -- "$text" || { echo "said: $said" && return 1; }
}

make_ca()
{
        openssl req -x509 -newkey rsa:2048 -nodes -keyout "$home/ca.key" -out "$home/ca.pem" -days 30 -subj /CN=test \
                2>/dev/null
        head -c 400000 /dev/urandom >"$home/image"
}

# ---- RAUC ---------------------------------------------------------------------------------------

make_bundle()
{
        mkdir "$home/bundle" && cp "$home/image" "$home/bundle/rootfs.img" || return 1
        printf '[update]\ncompatible=test\nversion=2.0\n[bundle]\nformat=plain\n[image.rootfs]\nfilename=rootfs.img\n' \
                >"$home/bundle/manifest.raucm"
        rauc --cert "$home/ca.pem" --key "$home/ca.key" bundle "$home/bundle" "$home/made.raucb" &&
                mv "$home/made.raucb" "$folder/package" && truncate -s 1M "$home/slot0" "$home/slot1" && echo A >"$home/primary"
        cat >"$home/loader" <<END
#!/bin/sh
case \$1 in
get-primary) cat '$home/primary' ;;
set-primary) echo "\$2" >'$home/primary' ;;
get-state) cat "$home/state.\$2" 2>/dev/null || echo good ;;
set-state) echo "\$3" >"$home/state.\$2" ;;
esac
END
        chmod +x "$home/loader" && mkdir "$home/mount" "$home/data"
        {
                printf '[system]\ncompatible=test\nbootloader=custom\nmountprefix=%s\ndata-directory=%s\n' \
                        "$home/mount" "$home/data"
                printf '[handlers]\nbootloader-custom-backend=%s\n[keyring]\npath=%s\n' "$home/loader" "$home/ca.pem"
                printf '[slot.rootfs.0]\ndevice=%s\ntype=raw\nbootname=A\n' "$home/slot0"
                printf '[slot.rootfs.1]\ndevice=%s\ntype=raw\nbootname=B\n' "$home/slot1"
        } >"$home/system.conf"
}

boot() # bootname
{
        local end=$((SECONDS + 10))
        [ -n "$service" ] && kill "$service" && wait "$service"
        rauc --conf="$home/system.conf" service --override-boot-slot="$1" >>"$home/rauc.log" 2>&1 &
        service=$!
        until rauc status >/dev/null 2>&1; do
                [ $SECONDS -lt $end ] || return 1
                sleep 0.05
        done
}

installs_and_confirms()
{
        boot A && ends 10 '' dremd-rauc '' install "$folder/package" 2.0 && cmp -n 400000 "$home/slot1" "$home/image" &&
                boot B && ends 0 '' dremd-rauc true check && [ "$(cat "$home/state.B")" = good ] &&
                ends 3 '' dremd-rauc '' check
}

loader_falls_back()
{
        boot A && echo A >"$home/primary" && ends 10 '' dremd-rauc '' install "$folder/package" 2.0 && boot A &&
                ends 1 'the boot loader fell back' dremd-rauc '' check && ends 3 '' dremd-rauc '' check
}

check_fails()
{
        printf '#!/bin/sh\necho "no sensor at $1"\nexit 1\n' >"$home/bad" && chmod +x "$home/bad"
        boot A && ends 10 '' dremd-rauc '' install "$folder/package" 2.0 && boot B &&
                ends 10 '' dremd-rauc "$home/bad" check && [ "$(cat "$home/state.B")" = bad ] && boot A &&
                ends 1 'slot rootfs.1 did not pass its check: no sensor at rootfs.1' dremd-rauc "$home/bad" check
}

stranger_is_refused()
{
        head -c 5000 /dev/urandom >"$home/junk"
        boot A && ends 1 'LastError' dremd-rauc '' install "$home/junk" 2.0 && ends 3 '' dremd-rauc '' check
}

rauc_misses()
{
        for word in rauc mksquashfs openssl dbus-run-session; do
                command -v $word >/dev/null || { echo "no $word" && return; }
        done
        [ "$(id -u)" -eq 0 ] || { echo 'mounting bundles takes root' && return; }
        losetup -f >/dev/null 2>&1 || echo 'no loop devices'
}

export DBUS_STARTER_BUS_TYPE=session
arguments=
why=$(rauc_misses)
if [ -z "$why" ]; then
        ok 'a bundle of RAUC is made' eval 'make_ca && make_bundle'
        ok 'it is installed, started and marked good' installs_and_confirms
        ok 'a boot loader that falls back is found out' loader_falls_back
        ok 'a slot that fails its check is marked bad and left' check_fails
        ok 'what is no bundle is refused, and why is told' stranger_is_refused
else
        skip 'RAUC with real bundles' "$why"
fi

# ---- SWUpdate -----------------------------------------------------------------------------------

make_swu()
{
        [ -f "$home/ca.pem" ] || make_ca
        cd "$home" && cp image rootfs.img && truncate -s 1M device || return 1
        cat >sw-description <<END
software = {
    version = "2.0";
    hardware-compatibility: ["1.0"];
    stable = {
        copy2: { images: ( { filename = "rootfs.img"; device = "$home/device"; type = "raw";
                             sha256 = "$(sha256sum <rootfs.img | cut -d ' ' -f 1)"; } ); };
    };
}
END
        openssl cms -sign -in sw-description -out sw-description.sig -signer ca.pem -inkey ca.key -outform DER -nosmimecap \
                -binary && printf 'sw-description\nsw-description.sig\nrootfs.img\n' | cpio -o -H crc >"$folder/package" 2>/dev/null
}

installs_with_swupdate()
{
        ends 3 '' dremd-swupdate true check && ends 10 '' dremd-swupdate '' install "$folder/package" 2.0 &&
                cmp -n 400000 "$home/device" "$home/image" && ends 0 '' dremd-swupdate true check && ends 3 '' dremd-swupdate '' check
}

same_root_is_told()
{
        ends 10 '' dremd-swupdate '' install "$folder/package" 2.0 && ends 1 'is the root as before' dremd-swupdate '' check &&
                ends 10 '' dremd-swupdate '' install "$folder/package" 2.0 &&
                printf '#!/bin/sh\necho "$1 does not run"\nexit 1\n' >"$home/bad" && chmod +x "$home/bad" &&
                ends 1 '2.0 does not run' dremd-swupdate "$home/bad" check
}

swupdate_refuses()
{
        printf 'X' | dd of="$folder/package" bs=1 seek=3000 conv=notrunc status=none
        ends 1 '' dremd-swupdate '' install "$folder/package" 2.0 && ends 3 '' dremd-swupdate '' check
}

swupdate_misses()
{
        for word in swupdate cpio openssl; do
                command -v $word >/dev/null || { echo "no $word" && return; }
        done
        [ "$(id -u)" -eq 0 ] || echo 'swupdate wants to be root'
}

arguments="-H test:1.0 -k $home/ca.pem -e stable,copy2"
why=$(swupdate_misses)
if [ -z "$why" ]; then
        ok 'an image of SWUpdate is made' make_swu
        ok 'it is installed, and its check decides' installs_with_swupdate
        ok 'the same root after the restart is no success, nor is a check that fails' same_root_is_told
        ok 'a damaged image is refused' swupdate_refuses
else
        skip 'SWUpdate with real images' "$why"
fi

echo "1..$count"
[ $failures -eq 0 ]
