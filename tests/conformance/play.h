/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFORMANCE_PLAY_H
#define CONFORMANCE_PLAY_H

#include "case.h"
#include "odm/codec.h"

/* Plays one case against the client engine.  Returns true when all came as it says; else
 * `why` tells what did not. */
bool play_client(const test_case *c, const odm_codec *codec, char *why, size_t n);
/* The same for a case that says "side server": the server engine is tested. */
bool play_server(const test_case *c, const odm_codec *codec, char *why, size_t n);

#endif
