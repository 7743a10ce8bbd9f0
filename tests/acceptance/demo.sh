# SPDX-License-Identifier: Apache-2.0
# The living demo: it starts, its device can be managed, and nothing of it is left when it ends.
# Sourced by tests/acceptance/run, whose world it uses.

demo=$home/demo

starts_the_demo()
{
        DEMO_BIN=$bin DEMO_HOME=$demo "$here/../../tools/demo" >"$home/demo.out" 2>&1 &
        pid[demo]=$!
        eventually 60 grep -q 'Ctrl-C ends it' "$home/demo.out"
}

as_its_user() # command ...: as somebody who read its environment
{
        (. "$demo/env" && "$@")
}

demo_is_managed()
{
        as_its_user xrem set this ./FUMO/main/PkgVersion 1.0 &&
                as_its_user sh -c 'xrem set this ./FUMO/main/DownloadAndUpdate/PkgURL $PACKAGES/image-1.0' &&
                as_its_user xrem exec this ./FUMO/main/DownloadAndUpdate --timeout 60 &&
                equal "$(as_its_user xrem get this ./DevDetail/FwV)" 1.0 FwV
}

simulated() # query, number of devices
{
        [ "$(as_its_user xrem --json device list "${@:2}" | grep -c '"name"')" = "$1" ]
}

has_simulated_devices()
{
        eventually 30 simulated 200 --tag simulated --state active || fail 'not all of them called' || return 1
        simulated 100 --tag meters && simulated 100 --model B2 || fail 'not those of each model' || return 1
        as_its_user sh -c 'xrem set meters/99 ./FUMO/main/DownloadAndUpdate/PkgURL $PACKAGES/M1-2.0' &&
                as_its_user xrem exec meters/99 ./FUMO/main/DownloadAndUpdate --timeout 60 &&
                equal "$(as_its_user xrem get meters/99 ./DevDetail/FwV)" 2.0 FwV
}

demo_is_cut()
{
        as_its_user power cut device && as_its_user power on device &&
                equal "$(as_its_user xrem get this ./DevDetail/FwV)" 1.0 FwV &&
                as_its_user alerts | grep -q 'firmwareupdate.downloadandupdate ./FUMO/main informational 200'
}

demo_leaves_nothing()
{
        local server device devices
        server=$(cat "$demo/server.pid") device=$(cat "$demo/device.pid") devices=$(cat "$demo/devices.pid")
        stop demo || return 1
        ! kill -0 "$server" 2>/dev/null && ! kill -0 "$device" 2>/dev/null && ! kill -0 "$devices" 2>/dev/null && flock -n "$demo/lock" true
}

promise 'the demo starts, with all it needs' starts_the_demo
promise 'its device takes the image that comes with it' demo_is_managed
promise 'two hundred simulated devices live beside it, and take theirs' has_simulated_devices
promise 'its power can be cut, and it comes back' demo_is_cut
promise 'it ends with all that it started' demo_leaves_nothing
