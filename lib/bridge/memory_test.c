/* SPDX-License-Identifier: Apache-2.0 */
/* Every kind of order, and jobs from their beginning to their end, with each allocation failing in
 * turn: what cannot be done for want of memory says so, and leaves nothing behind. */
#include "lab.h"

#define FUMO "./FUMO/main/"
#define DOWNLOAD "./SCM/Download/a/"

static odm_bridge_node node_of(const char *path, const char *value, odm_format format)
{
        return (odm_bridge_node){.path = odm_cstr(path),
                                 .value = {.format = format, .data = odm_cstr(value)},
                                 .has_data = value != NULL};
}

/* ---- orders ------------------------------------------------------------------------------------ */

enum verb { READ, WRITE, CREATE, REMOVE, OBSERVE, EXEC };

static const struct order {
        enum verb verb;
        const char *path, *value;
        odm_format format;
} orders[] = {
        {CREATE, "./SCM/Download/a", NULL, ODM_FMT_NODE},
        {CREATE, DOWNLOAD "PkgID", "p1", ODM_FMT_CHR},
        {CREATE, "./LwM2M/Observe/a/Ref", "./LwM2M/3/0/9", ODM_FMT_CHR},
        {CREATE, "./LwM2M/Observe/a/gt", "50", ODM_FMT_FLOAT},
        {CREATE, "./LwM2M/1/0/3", "60", ODM_FMT_INT},
        {CREATE, "./LwM2M/9/5", NULL, ODM_FMT_NODE},
        {WRITE, "./DevDetail/Ext/TZ", "Europe/Oslo", ODM_FMT_CHR},
        {WRITE, FUMO "Update/PkgData", "PKG", ODM_FMT_BIN},
        {WRITE, FUMO "Download/PkgURL", "coap://s/a-long-address-of-a-package", ODM_FMT_CHR},
        {WRITE, FUMO "Download/PkgURL", "coap://s/b", ODM_FMT_CHR},
        {OBSERVE, "./LwM2M/3/0/9", NULL, ODM_FMT_ABSENT},
        {EXEC, "./LwM2M/3/0/12", "1", ODM_FMT_ABSENT},
        {READ, ".", NULL, ODM_FMT_ABSENT},
        {READ, "./SCM", NULL, ODM_FMT_ABSENT},
        {REMOVE, "./LwM2M/9/2", NULL, ODM_FMT_ABSENT},
        {REMOVE, "./SCM/Download/a", NULL, ODM_FMT_ABSENT},
        {REMOVE, "./LwM2M/Observe/a", NULL, ODM_FMT_ABSENT},
};

static int give(lab *l, const struct order *o, odm_arena *a)
{
        odm_bridge_node v = node_of(o->path, o->value, o->format);
        const odm_lw_attrs at = {.has = ODM_LW_PMIN | ODM_LW_GT, .pmin = 5, .gt = 1.5};
        const odm_job_opt opt = {0};
        odm_plan *p = NULL;
        odm_exec e;
        int rc = 0;

        switch (o->verb) {
        case READ: rc = odm_plan_read(l->b, &v.path, 1, ODM_ASK_DATA, a, &p); break;
        case WRITE: rc = odm_plan_write(l->b, &v, 1, a, &p); break;
        case CREATE: rc = odm_plan_create(l->b, &v, 1, a, &p); break;
        case REMOVE: rc = odm_plan_remove(l->b, v.path, a, &p); break;
        case OBSERVE: rc = odm_plan_observe(l->b, v.path, &at, false, a, &p); break;
        case EXEC:
                rc = odm_bridge_execute(l->b, v.path, v.value.data, &opt, (odm_time){0}, a, &e);
                p = rc == 0 ? e.plan : NULL;
                break;
        }
        if (rc == 0)
                rc = lab_run(l, p);
        if (rc == 0 && odm_plan_result_of(p)->status != 200)
                fail_msg("%s: %u", o->path, odm_plan_result_of(p)->status);
        return rc;
}

/* Saved, and loaded into a new one. */
static int move_over(lab *l, const odm_mem *mem, odm_time now)
{
        odm_bridge_opt opt = {.mem = mem, .map = l->map, .id = ODM_STR("x")};
        odm_lw_links links;
        odm_bridge *b = NULL;
        odm_buf saved;

        odm_buf_init(&saved, mem, 65536);
        int rc = odm_bridge_save(l->b, &saved);
        if (rc == 0)
                rc = odm_bridge_new(&opt, &b);
        if (rc == 0)
                rc = odm_lw_links_parse(ODM_STR(LAB_LINKS), ODM_ABSENT, &l->a, &links);
        if (rc == 0)
                rc = odm_bridge_offers(b, &links, ODM_STR("1.0"));
        if (rc == 0)
                rc = odm_bridge_load(b, odm_buf_view(&saved), now);
        if (rc == 0) {
                odm_bridge_free(l->b);
                l->b = b;
        } else {
                odm_bridge_free(b);
        }
        odm_buf_done(&saved);
        return rc;
}

static int tell(lab *l, const char *path, odm_time now, odm_arena *a)
{
        odm_lw_list list = lab_list(l, path);
        odm_bridge_news news;
        int rc = odm_bridge_told(l->b, &list, now, a, &news);

        for (size_t i = 0; i < news.n_alerts && rc == 0; i++)
                rc = odm_bridge_untold(l->b, &news.alert[i]);
        return rc;
}

static int all_orders(failing *f, void *arg)
{
        lab l;

        (void)arg;
        int rc = lab_open(&l, &f->mem, LAB_LINKS, "1.0");
        if (rc == 0)
                lab_furnish(&l);
        for (size_t i = 0; i < ODM_COUNT(orders) && rc == 0; i++) {
                odm_arena a;
                odm_arena_init(&a, &f->mem, 4 << 20);
                rc = give(&l, &orders[i], &a);
                if (rc == 0 && i == 3) {
                        lab_set(&l, "/3/0/11/0", "3");
                        rc = tell(&l, "/3/0", (odm_time){0}, &a);
                }
                if (rc == 0 && i == 3)
                        rc = odm_bridge_observed(l.b, ODM_STR("a"), 200);
                if (rc == 0 && i == 3)
                        rc = move_over(&l, &f->mem, (odm_time){0});
                odm_arena_done(&a);
        }
        lab_close(&l);
        return rc;
}

static void orders_survive_want_of_memory(void **state)
{
        (void)state;
        torture(all_orders, NULL, 400);
}

/* ---- jobs -------------------------------------------------------------------------------------- */

/* What happens whenever the job waits, one after the other: "set PATH TEXT" and "del PATH" until
 * one of "told PATH", "back", "moved" (the gateway was away) or "tick". */
static const struct story {
        const char *why, *order;
        struct {
                const char *path, *value;
        } kept[3];
        const char *events;
} stories[] = {
        {"firmware that it pulls",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "coap://s/fw"}, {FUMO "PkgVersion", "2.0"}},
         "set /5/0/3 1\ntold /5/0/3\nmoved\nset /5/0/3 2\ntold /5/0/3\nset /5/0/3 3\ntold /5/0/3\n"
         "set /5/0/3 0\nset /5/0/5 1\nset /3/0/3 2.0\nback\n"},
        {"firmware that is pushed",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "http://s/fw"}},
         "set /5/0/3 2\ntold /5/0\nset /5/0/3 0\nset /5/0/5 1\ntold /5/0\n"},
        {"software in an instance that is made",
         DOWNLOAD "Operations/DownloadInstall",
         {{DOWNLOAD "PkgID", "p<1>"}, {DOWNLOAD "PkgURL", "coap://s/sw"}},
         "set /9/1/7 2\ntold /9/1\nmoved\nset /9/1/7 3\nset /9/1/9 3\ntold /9/1\nset /9/1/7 4\n"
         "set /9/1/9 2\ntold /9/1\nset /9/1/12 1\ntick\n"},
        {"software that nobody can fetch",
         DOWNLOAD "Operations/Download",
         {{DOWNLOAD "PkgURL", "ftp://s/sw"}},
         ""},
        {"a component goes",
         "./SCM/Inventory/Deployed/0/Operations/Remove",
         {{0}},
         "del /9/0\ntick\n"},
        {"a restart", "./DiagMon/Restart/Operations/Start", {{0}}, "moved\nback\n"},
        {"wiped",
         "./LAWMO/Operations/Wipe",
         {{"./LAWMO/AvailableWipeList/1/ToBeWiped", "true"}},
         "set /8/0/5 4\ntick\n"},
        {"locked", "./LAWMO/Operations/FullyLock", {{0}}, ""},
};

struct play {
        lab l;
        odm_arena a;
        odm_job *j;
        odm_time now;
        const odm_mem *mem;
        const char *events;
};

static int step_of_time(struct play *p, int64_t ms)
{
        p->now = odm_time_add(p->now, ms);
        return odm_job_tick(p->j, p->now);
}

static int next_event(struct play *p)
{
        while (*p->events) {
                char path[32] = "", text[32] = "";
                const char *line = p->events;
                p->events += strcspn(line, "\n") + 1;
                if (sscanf(line, "set %31s %31[^\n]", path, text) == 2)
                        lab_set(&p->l, path, text);
                else if (sscanf(line, "del %31s", path) == 1)
                        lab_del(&p->l, path);
                else if (sscanf(line, "told %31s", path) == 1)
                        return tell(&p->l, path, p->now, &p->a);
                else if (line[0] == 'b')
                        return odm_job_registered(p->j, p->now);
                else if (line[0] == 't')
                        return step_of_time(p, 2000);
                else {
                        int rc = move_over(&p->l, p->mem, p->now);
                        p->j = odm_bridge_job(p->l.b, 0);
                        return rc;
                }
        }
        return step_of_time(p, 30000);
}

static int one_step(struct play *p, const odm_job_step *s)
{
        const odm_job_image image = {.name = ODM_STR("fw"), .file = ODM_STR("/img/1")};
        odm_lw_answer r = {.code = 204, .ct = ODM_LW_NO_CT};

        switch (s->want) {
        case ODM_JOB_SEND:
                p->l.log_n = 0;
                r = lab_answer(&p->l, s->request);
                if (s->request->verb == ODM_LW_CREATE) { /* an instance is new, and knows it */
                        lab_set(&p->l, "/9/1/7", "0");
                        lab_set(&p->l, "/9/1/9", "0");
                        lab_set(&p->l, "/9/1/12", "0");
                }
                return odm_job_answer(p->j, &r, p->now);
        case ODM_JOB_PUSH: return odm_job_answer(p->j, &r, p->now);
        case ODM_JOB_FETCH:
                return odm_str_starts(s->url, "http") ? odm_job_fetched(p->j, &image, 0, p->now)
                                                      : odm_job_fetched(p->j, NULL, 404, p->now);
        case ODM_JOB_WAIT: return next_event(p);
        case ODM_JOB_OVER: break;
        }
        return 0;
}

static int begin(struct play *p, const struct story *s)
{
        const odm_job_opt opt = {.correlator = ODM_STR("c-1")};
        odm_exec e;
        int rc = lab_open(&p->l, p->mem, LAB_LINKS, "1.0");

        if (rc == 0) {
                lab_furnish(&p->l);
                lab_del(&p->l, "/9/2");
        }
        for (size_t i = 0; i < ODM_COUNT(s->kept) && s->kept[i].path && rc == 0; i++) {
                struct order o = {strncmp(s->kept[i].path, "./SCM", 5) == 0 ? CREATE : WRITE,
                                  s->kept[i].path, s->kept[i].value, ODM_FMT_CHR};
                rc = give(&p->l, &o, &p->a);
        }
        if (rc < 0)
                return rc;
        rc = odm_bridge_execute(p->l.b, odm_cstr(s->order), ODM_ABSENT, &opt, p->now, &p->a, &e);
        if (rc == 0 && e.status != 202)
                fail_msg("%s: %u", s->why, e.status);
        p->j = rc == 0 ? e.job : NULL;
        return rc;
}

static int whole_job(failing *f, void *arg)
{
        struct play p = {.mem = &f->mem, .events = ((const struct story *)arg)->events};
        unsigned steps = 0;

        odm_arena_init(&p.a, &f->mem, 4 << 20);
        int rc = begin(&p, arg);
        while (rc == 0) {
                odm_job_step s = odm_job_next(p.j);
                if (s.want == ODM_JOB_OVER)
                        break;
                assert_true(steps++ < 1000);
                rc = one_step(&p, &s);
        }
        if (rc == 0 && *p.events)
                fail_msg("%s: it is over before \"%s\"", ((const struct story *)arg)->why,
                         p.events);
        lab_close(&p.l);
        odm_arena_done(&p.a);
        return rc;
}

static void jobs_survive_want_of_memory(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(stories); i++)
                torture(whole_job, (void *)(uintptr_t)&stories[i], 150);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(orders_survive_want_of_memory),
                cmocka_unit_test(jobs_survive_want_of_memory),
        };
        lab_map_path = argc > 1 ? argv[1] : "apps/grem/maps/lwm2m.map";
        return RUN_TESTS(tests);
}
