#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# embed.sh NAME FILE: a C header with the octets of FILE as the array NAME.
set -eu
echo "static const unsigned char $1[] = {"
od -An -v -tu1 "$2" | sed 's/ *\([0-9][0-9]*\)/\1,/g'
echo "};"
