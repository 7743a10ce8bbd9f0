# SPDX-License-Identifier: Apache-2.0
# An adapter that is a shared object, the one that docs/adapters.md gives to copy: devices that are folders of files,
# behind a gateway.  Sourced by tests/acceptance/run, whose world it uses.

. "$here/gateway-world.sh"
ad=$home/adapter-things
mkdir -p "$ad/adapters" "$ad/devices/pump-7/DevInfo" "$ad/devices/pump-7/Ext"
echo Acme >"$ad/devices/pump-7/DevInfo/Man"
echo 7 >"$ad/devices/pump-7/Ext/Level"
step_out

refuses_a_foreign_object() # an object that is none, by name and reason
{
        echo 'no object' >"$ad/adapters/broken.so"
        local out
        out=$(GREMD_ADAPTERS=$ad/adapters "$gremd" --version 2>&1) && return 1
        rm "$ad/adapters/broken.so"
        echo "$out" | grep -q 'broken.so: ' || fail "$out"
}

loads_the_adapter()
{
        start_server adserver || return 1
        cp "$bin/grem/adapters/template/folder.so" "$ad/adapters/" && chmod 644 "$ad/adapters/folder.so" || return 1
        export GREMD_ADAPTERS=$ad/adapters
        start_gateway files '[folder]' "path = $ad/devices" 'look = 100ms'
        local code=$?
        unset GREMD_ADAPTERS
        [ "$code" -eq 0 ] && eventually 20 is_active files
}

has_the_settings_of_it()
{
        GREMD_ADAPTERS=$ad/adapters "$gremd" --print-config | grep -q 'Folder with a folder for each device'
}

reads_and_writes_it()
{
        eventually 20 sh -c "'$xrem' get files ./GwDev/d0001/DevInfo/Man --timeout 10 | grep -qx Acme" || return 1
        equal "$("$xrem" get files ./GwDev/d0001/Ext/Level)" 7 Level &&
                "$xrem" set files ./GwDev/d0001/Ext/Level 9 &&
                equal "$(cat "$ad/devices/pump-7/Ext/Level")" 9 'the file'
}

refuses_what_it_cannot()
{
        local out
        out=$("$xrem" exec files ./GwDev/d0001/Ext/Level 2>&1) && return 1
        echo "$out" | grep -q '405\|not allowed' || fail "$out"
}

remembers_one_that_went()
{
        mv "$ad/devices/pump-7" "$ad/away"
        eventually 20 sh -c "'$xrem' get files ./GwMO/Inventory/Records/d0001/State --timeout 10 | grep -qx 4" || return 1
        equal "$("$xrem" get files ./GwDev/d0001/Ext/Level)" 9 'what it said last' || return 1
        code_of 1 "$xrem" set files ./GwDev/d0001/Ext/Level 1
}

promise 'an object that is no adapter stops the start, and is named' refuses_a_foreign_object
promise 'gremd has the adapter of a shared object' loads_the_adapter
promise 'and its settings' has_the_settings_of_it
promise 'devices behind it are read and written' reads_and_writes_it
promise 'what it does not offer is refused' refuses_what_it_cannot
promise 'of one that went it is known what it said last' remembers_one_that_went
promise 'the gateway with the adapter ends cleanly' stop files
promise 'and its server' stop adserver

step_back
