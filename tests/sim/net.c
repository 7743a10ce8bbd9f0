/* SPDX-License-Identifier: Apache-2.0 */
/* A network that loses, cuts, repeats and delays messages: one that is late comes after those sent
 * again in its place, or in a later session. */
#include "world.h"

uint64_t roll(world *w, uint64_t n)
{
        return seeded_next(&w->dice) % n;
}

bool happens(world *w)
{
        return w->faults && roll(w, 1000) < w->faults;
}

static odm_str cut(world *w, odm_str s)
{
        w->n.cut++;
        tell(w, "a message is cut");
        return odm_str_to(s, (size_t)roll(w, s.n + 1));
}

static void put(odm_buf *to, odm_str s)
{
        odm_buf_cut(to, 0);
        if (odm_buf_str(to, s) < 0)
                fail();
}

static odm_str mac_of(const odm_buf *b)
{
        return b->n ? odm_buf_view(b) : ODM_ABSENT;
}

/* ---- messages that are late ------------------------------------------------------------------ */

static void delay(world *w, const odm_packet *pkt)
{
        for (size_t i = 0; i < LATE; i++) {
                late_message *l = &w->late[i];
                if (l->due)
                        continue;
                put(&l->body, pkt->body);
                put(&l->mac, pkt->mac);
                put(&l->url, pkt->url);
                l->type = pkt->content_type; /* of the codec: it stays */
                l->due = 1 + (unsigned)roll(w, roll(w, 2) ? 4 : 40);
                w->n.late++;
                return;
        }
}

/* What was late and is due comes now; nobody waits for the replies. */
static void bring_late(world *w)
{
        for (size_t i = 0; i < LATE; i++) {
                late_message *l = &w->late[i];
                odm_packet in = {.content_type = l->type}, out;
                if (l->due == 0 || --l->due > 0)
                        continue;
                in.body = odm_buf_view(&l->body);
                in.mac = mac_of(&l->mac);
                in.url = odm_buf_view(&l->url);
                tell(w, "a late message comes");
                (void)host_take(w, &in, &out);
        }
}

void net_calm(world *w)
{
        for (size_t i = 0; i < LATE; i++)
                w->late[i].due = 0;
}

/* ---- one message ------------------------------------------------------------------------ */

/* Brings it to the server, perhaps more than once. */
static host_said deliver(world *w, const odm_packet *pkt, odm_packet *out)
{
        odm_packet in = *pkt;
        host_said said;

        if (happens(w))
                delay(w, pkt);
        if (happens(w))
                return w->n.lost++, HOST_SILENCE;
        if (happens(w))
                in.body = cut(w, in.body);
        if (happens(w))
                host_crash(w);
        if (happens(w))
                host_reload(w);
        said = host_take(w, &in, out);
        if (happens(w)) {
                w->n.repeated++;
                said = host_take(w, &in, out);
        }
        return said;
}

host_said net_carry(world *w, const odm_packet *pkt, odm_packet *reply)
{
        odm_packet out;
        host_said said;

        bring_late(w);
        said = deliver(w, pkt, &out);
        if (said != HOST_REPLY)
                return said;
        if (happens(w))
                return w->n.lost++, HOST_SILENCE;
        put(&w->before, odm_buf_view(&w->heard));
        put(&w->before_mac, odm_buf_view(&w->heard_mac));
        put(&w->heard, happens(w) ? cut(w, out.body) : out.body);
        put(&w->heard_mac, out.mac);
        *reply = (odm_packet){.body = odm_buf_view(&w->heard),
                              .content_type = out.content_type,
                              .mac = mac_of(&w->heard_mac)};
        if (w->before.n && happens(w)) { /* an old one instead */
                w->n.crossed++;
                tell(w, "an old reply comes");
                reply->body = odm_buf_view(&w->before);
                reply->mac = mac_of(&w->before_mac);
        }
        w->delivered = *reply;
        if (happens(w))
                host_crash(w);
        if (happens(w))
                host_reload(w);
        return HOST_REPLY;
}

/* ---- the world -------------------------------------------------------------------------- */

void world_open(world *w, uint64_t seed)
{
        *w = (world){.seed = seed, .dice = {seed}};
        w->server_rng = seeded_rng(&w->rng, seed ^ 0x5eed);
        w->device_rng = w->server_rng;
        odm_arena_init(&w->text, &heap, (size_t)256 << 20);
        odm_buf *const buffers[] = {&w->heard, &w->heard_mac, &w->before, &w->before_mac};
        for (size_t i = 0; i < ODM_COUNT(buffers); i++)
                odm_buf_init(buffers[i], &heap, (size_t)4 << 20);
        for (size_t i = 0; i < LATE; i++) {
                odm_buf_init(&w->late[i].body, &heap, (size_t)4 << 20);
                odm_buf_init(&w->late[i].mac, &heap, 4096);
                odm_buf_init(&w->late[i].url, &heap, 4096);
        }
        w->codec = &odm_codec_xml;
        w->type = w->server_type = ODM_AUTH_MD5;
        w->device_max = w->server_max = 65536;
        w->large = 20000;
}

void world_start(world *w)
{
        device_account a;

        device_account_init(&a);
        a.addr = "https://dm/s"; /* RespURI of one that began with TLS must not leave it */
        a.type = w->type == ODM_AUTH_NONE ? ODM_AUTH_MD5 : w->type;
        a.server_type = w->server_type == ODM_AUTH_NONE ? ODM_AUTH_MD5 : w->server_type;
        assert_int_equal(device_open(&w->dev, &heap, &a, "Add=*&Delete=*&Exec=*&Get=*&Replace=*"),
                         0);
        for (unsigned k = 0; k < KEYS + 2; k++) {
                char uri[] = "./Vendor/lab/Ext/k0";
                odm_value v = {.format = ODM_FMT_CHR, .data = ODM_STR("0")};
                uri[sizeof uri - 2] = (char)('0' + k % KEYS);
                if (k >= KEYS)
                        memcpy(uri + sizeof uri - 3, k == KEYS ? "a" : "b", 2);
                assert_int_equal(odm_tree_write(w->dev.tree, odm_cstr(uri), &v, (odm_wall){1}), 0);
        }
        device_sync(&w->dev);
}

void world_close(world *w)
{
        odm_client_free(w->client);
        host_lose_all(w);
        device_close(&w->dev);
        odm_arena_done(&w->text);
        odm_buf *const buffers[] = {&w->heard, &w->heard_mac, &w->before, &w->before_mac};
        for (size_t i = 0; i < ODM_COUNT(buffers); i++)
                odm_buf_done(buffers[i]);
        for (size_t i = 0; i < LATE; i++) {
                odm_buf_done(&w->late[i].body);
                odm_buf_done(&w->late[i].mac);
                odm_buf_done(&w->late[i].url);
        }
        watch_close(w);
}
