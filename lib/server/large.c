/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts whose Data come in chunks (dm-protocol.md 4): one event, once all of it is there.
 *
 *   (none) --MoreData, with Size--> open --MoreData: 213--> open --last, Size right--> told, 200
 *   a chunk with a Size begins anew     too large, Size wrong, something else: forgotten */
#include "session.h"

static bool continues(const odm_server *s, const odm_command *c, const odm_item *item)
{
        return s->telling.open && s->telling_code == c->code &&
               odm_str_eq(s->telling.item.source, item->source);
}

bool odm_large_is_part(const odm_server *s, const odm_command *c, const odm_item *item)
{
        return item->more || continues(s, c, item);
}

void odm_large_drop(odm_server *s)
{
        if (!s->telling.open)
                return;
        s->telling.open = false;
        odm_buf_done(&s->telling.data);
        odm_arena_reset(&s->telling_text);
}

static int begin(odm_server *s, const odm_command *c, const odm_meta *meta, const odm_item *item)
{
        odm_item bare = *item, *copy;

        odm_large_drop(s);
        bare.data = (odm_data){.kind = item->data.kind};
        bare.more = false;
        copy = odm_item_copy(&s->telling_text, meta, &bare, true);
        if (copy == NULL)
                return odm_session_arena_err(s, &s->telling_text);
        s->telling.open = true;
        s->telling.item = *copy;
        s->telling.has_size = meta->has_size;
        s->telling.size = meta->size;
        s->telling_code = c->code;
        return 0;
}

/* 213, or why there is no more to come. */
static unsigned add(odm_server *s, const odm_item *item)
{
        int rc;

        if (!s->telling.has_size)
                return ODM_ST_SIZE_REQUIRED;
        if (s->telling.size > s->opt.max_obj_size)
                return ODM_ST_TOO_LARGE;
        rc = odm_buf_str(&s->telling.data, item->data.bytes);
        return rc == 0 ? ODM_ST_CHUNK_ACCEPTED : rc == ODM_ELIMIT ? ODM_ST_TOO_LARGE : ODM_ST_FULL;
}

static int end(odm_server *s, unsigned *status, odm_item **whole)
{
        odm_item it = s->telling.item;

        if (!odm_taking_fits(&s->telling)) {
                *status = ODM_ST_SIZE_MISMATCH;
                return 0;
        }
        it.data.bytes = odm_buf_view(&s->telling.data);
        *whole = odm_item_copy(&s->arena, &it.meta, &it, true);
        *status = ODM_ST_OK;
        return *whole ? 0 : odm_session_arena_err(s, &s->arena);
}

int odm_large_take(odm_server *s, const odm_command *c, const odm_item *item, unsigned *status,
                   odm_item **whole)
{
        odm_meta meta = odm_meta_of(c, item);
        int rc = 0;

        if (!continues(s, c, item) || meta.has_size)
                rc = begin(s, c, &meta, item);
        if (rc < 0)
                return rc;
        *status = add(s, item);
        if (*status == ODM_ST_CHUNK_ACCEPTED && !item->more)
                rc = end(s, status, whole);
        if (*status != ODM_ST_CHUNK_ACCEPTED)
                odm_large_drop(s);
        return rc;
}
