/* SPDX-License-Identifier: Apache-2.0 */
/* gzip.c - zlib over whole bodies; see gzip.h. */
#include "gzip.h"

#include <limits.h>
#include <zlib.h>

/* Room for more output, up to the buffer's ceiling. */
static int room_for_more(odm_buf *out, size_t want)
{
        size_t left = out->max - out->n;

        if (left == 0)
                return ODM_ELIMIT;
        return odm_buf_reserve(out, want < left ? want : left);
}

static uInt clamp(size_t n)
{
        return n > UINT_MAX ? UINT_MAX : (uInt)n;
}

/* Runs one step into the free part of `out`. */
static int step(z_stream *z, odm_buf *out, int (*fn)(z_stream *z, int flush), int flush)
{
        uInt before = clamp(out->cap - out->n);
        int zrc;

        z->next_out = (Bytef *)out->p + out->n;
        z->avail_out = before;
        zrc = fn(z, flush);
        out->n += before - z->avail_out;
        return zrc;
}

/* The window that sees all of n octets: 9 to 15 bits.  A larger one would find nothing more, and
 * zlib clears all of it first: a quarter of a megabyte, which costs a short message more than its
 * compression does. */
static int window_for(size_t n)
{
        int bits = 9;

        while (bits < MAX_WBITS && ((size_t)1 << bits) < n + 262) /* zlib's MIN_LOOKAHEAD */
                bits++;
        return bits;
}

int gzip_pack(odm_str in, odm_buf *out)
{
        z_stream z = {0};
        size_t start = out->n;
        int rc = 0, zrc, bits = window_for(in.n);

        if (in.n > UINT_MAX)
                return ODM_ELIMIT;
        if (deflateInit2(&z, 6, Z_DEFLATED, bits + 16, bits - 7, Z_DEFAULT_STRATEGY) != Z_OK)
                return ODM_ENOMEM;
        z.next_in = (Bytef *)(uintptr_t)in.p;
        z.avail_in = (uInt)in.n;
        do {
                rc = room_for_more(out, in.n / 2 + 256);
                if (rc < 0)
                        break;
                zrc = step(&z, out, deflate, Z_FINISH);
        } while (zrc != Z_STREAM_END);
        deflateEnd(&z);
        if (rc < 0)
                odm_buf_cut(out, start);
        return rc;
}

int gzip_unpack(odm_str in, odm_buf *out)
{
        z_stream z = {0};
        size_t start = out->n;
        int rc = 0, zrc = Z_OK;

        if (in.n > UINT_MAX)
                return ODM_ELIMIT;
        if (inflateInit2(&z, 15 + 32) != Z_OK) /* 32: gzip or zlib, by its first octets */
                return ODM_ENOMEM;
        z.next_in = (Bytef *)(uintptr_t)in.p;
        z.avail_in = (uInt)in.n;
        while (zrc != Z_STREAM_END) {
                Bytef spare;
                rc = room_for_more(out, in.n * 3 + 256);
                if (rc == ODM_ELIMIT) { /* full: good only if nothing more comes */
                        z.next_out = &spare;
                        z.avail_out = 1;
                        zrc = inflate(&z, Z_NO_FLUSH);
                        rc = zrc == Z_STREAM_END && z.avail_out == 1 ? 0
                             : z.avail_out == 0                      ? ODM_ELIMIT
                                                                     : ODM_EMALFORMED;
                        break;
                }
                if (rc < 0)
                        break;
                zrc = step(&z, out, inflate, Z_NO_FLUSH);
                if (zrc != Z_OK && zrc != Z_STREAM_END)
                        rc = zrc == Z_MEM_ERROR ? ODM_ENOMEM : ODM_EMALFORMED;
                else if (zrc == Z_OK && z.avail_in == 0 && z.avail_out > 0)
                        rc = ODM_EMALFORMED; /* cut */
                if (rc < 0)
                        break;
        }
        if (rc == 0 && z.avail_in > 0)
                rc = ODM_EMALFORMED;
        inflateEnd(&z);
        if (rc < 0)
                odm_buf_cut(out, start);
        return rc;
}
