#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# odm.map.sh HEADER ...: the linker's list of what libodm exports, which is what its headers name.
set -eu
echo 'ODM_0 {'
echo '  global:'
{
        cat "$@" | grep -oE '\bodm_[a-z0-9_]+\(' | tr -d '('
        cat "$@" | grep -E '^extern ' | grep -oE '\bodm_[a-z0-9_]+ *[,;]' | tr -d ' ,;'
} | sort -u | sed 's/.*/    &;/'
echo '  local: *;'
echo '};'
