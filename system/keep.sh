#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# keep.sh FOLDER FILE ...: installs configuration only where there is none yet.
set -eu
folder=${DESTDIR:-}$1
shift
mkdir -p "$folder"
for file; do
        to=$folder/${file##*/}
        [ -e "$to" ] || [ -h "$to" ] || install -m 644 "$file" "$to"
done
