/* SPDX-License-Identifier: Apache-2.0 */
/* version.h - which of two versions is the later one, and ranges of them.
 *
 * A version is read as numbers and words; what stands between them only parts them.  Numbers count
 * as numbers (1.10 is later than 1.9), missing ones as 0 (1.2 is 1.2.0), words without regard to
 * case.  alpha, beta, dev, pre, preview, rc, snapshot, and what follows a '~', come before the
 * version itself (1.2-rc1, 1.2, 1.2.1); other words come behind it and before the next number
 * (1.2, 1.2a, 1.2.1).  A 'v' before the first number does not count.
 *
 * A range is conditions with blanks or commas between, all of which hold: ">=1.2 <2".  Each is one
 * of = != < <= > >= and a version.  "||" parts ranges of which one must hold.  A range that begins
 * without such a sign is a single version, as it stands, without < and > in it, and ^ or ~ before
 * it. Requirements: N6. */
#ifndef NREM_VERSION_H
#define NREM_VERSION_H

#include "odm/base.h"

#define VERSION_RANGE_MAX 256 /* octets */

/* Below 0: a is the earlier one; 0: they are the same; above 0: the later one. */
int version_cmp(odm_str a, odm_str b);
bool version_range_ok(odm_str range);
/* Whether `v` is in the range.  A version that is absent or empty is in none; nothing is in a
 * range that is not well formed. */
bool version_in(odm_str range, odm_str v);

#endif
