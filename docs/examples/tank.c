/* SPDX-License-Identifier: Apache-2.0 */
/* tank.c - a vendor object as a shared object: a tank, its pumps, as ./Vendor/tank.
 *
 *     cc -shared -fPIC -o tank.so tank.c */
#include <odm/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAF(name, access, format)                                                              \
        "<Node><NodeName>" name "</NodeName><DFProperties><AccessType>" access                  \
        "</AccessType><DFFormat><" format "/></DFFormat><Occurrence><One/></Occurrence><Scope>" \
        "<Permanent/></Scope><DFType><MIME>text/plain</MIME></DFType></DFProperties></Node>"

static const char ddf[] =
        "<MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD><Node><NodeName>tank</NodeName>"
        "<Path>./Vendor</Path><DFProperties><AccessType><Get/></AccessType><DFFormat><node/>"
        "</DFFormat><Occurrence><One/></Occurrence><Scope><Permanent/></Scope><DFTitle>Tank"
        "</DFTitle><DFType><DDFName>urn:oma:mo:x-example-tank:1.0</DDFName></DFType>"
        "</DFProperties>" LEAF("Level", "<Get/>", "int") LEAF("Most", "<Get/><Replace/>", "int")
                LEAF("Drain", "<Exec/>",
                     "null") "<Node><NodeName>Pump</NodeName><DFProperties><AccessType><Get/></"
                             "AccessType><DFFormat>"
                             "<node/></DFFormat><Occurrence><One/></Occurrence><Scope><Permanent/"
                             "></Scope><DFType>"
                             "<DDFName/></DFType></DFProperties><Node><NodeName/"
                             "><DFProperties><AccessType><Get/>"
                             "</AccessType><DFFormat><node/></DFFormat><Occurrence><ZeroOrMore/></"
                             "Occurrence><Scope>"
                             "<Dynamic/></Scope><DFType><DDFName/></DFType></"
                             "DFProperties><Node><NodeName>Speed"
                             "</NodeName><DFProperties><AccessType><Get/></"
                             "AccessType><DFFormat><int/></DFFormat>"
                             "<Occurrence><One/></Occurrence><Scope><Dynamic/></"
                             "Scope><DFType><MIME>text/plain</MIME>"
                             "</DFType></DFProperties></Node></Node></Node></Node></MgmtTree>";

struct tank {
        int level, most;
};

static int open_tank(void **ctx, char *why, size_t room)
{
        struct tank *t = calloc(1, sizeof *t);

        if (!t) {
                snprintf(why, room, "out of memory");
                return 1;
        }
        t->level = 70;
        *ctx = t;
        return 0;
}

static void close_tank(void *ctx)
{
        free(ctx);
}

static int give(int v, char *out, size_t room, size_t *n)
{
        *n = (size_t)snprintf(out, room, "%d", v);
        return ODM_PLUGIN_OK;
}

static int read_level(void *ctx, const char *const name[], char *out, size_t room, size_t *n)
{
        const struct tank *t = ctx;

        (void)name;
        return give(t->level, out, room, n);
}

/* The value is no string of C: it ends where `n` says. */
static int number(const char *value, size_t n)
{
        char text[16] = "";

        memcpy(text, value, n < sizeof text ? n : sizeof text - 1);
        return (int)strtol(text, NULL, 10);
}

static int check_most(void *ctx, const char *const name[], const char *value, size_t n)
{
        int v = number(value, n);

        (void)ctx;
        (void)name;
        return v >= 0 && v <= 100 ? ODM_PLUGIN_OK : ODM_PLUGIN_REFUSED;
}

static void most_changed(void *ctx, const char *const name[], const char *value, size_t n)
{
        struct tank *t = ctx;

        (void)name;
        t->most = number(value, n);
        if (t->most && t->level > t->most)
                t->level = t->most;
}

static int drain(void *ctx, const char *const name[], const char *value, size_t n)
{
        struct tank *t = ctx;

        (void)name;
        (void)value;
        (void)n;
        if (t->level == 0)
                return ODM_PLUGIN_REFUSED;
        t->level = 0;
        return ODM_PLUGIN_OK;
}

static int list_pumps(void *ctx, const char *const name[], int (*add)(void *to, const char *name),
                      void *to)
{
        int rc = add(to, "inlet");

        (void)ctx;
        (void)name;
        return rc ? rc : add(to, "outlet");
}

static int read_speed(void *ctx, const char *const name[], char *out, size_t room, size_t *n)
{
        (void)ctx;
        return give(strcmp(name[0], "inlet") == 0 ? 1200 : 0, out, room, n);
}

static const odm_plugin_node nodes[] = {
        {.path = "Level", .read = read_level},
        {.path = "Most", .check = check_most, .changed = most_changed},
        {.path = "Drain", .exec = drain},
        {.path = "Pump", .list = list_pumps},
        {.path = "Pump/*/Speed", .read = read_speed},
};

const odm_plugin odm_plugin_v1 = {
        .version = ODM_PLUGIN_VERSION,
        .size = sizeof(odm_plugin),
        .name = "tank",
        .ddf = ddf,
        .nodes = nodes,
        .n_nodes = sizeof nodes / sizeof nodes[0],
        .open = open_tank,
        .close = close_tank,
};
