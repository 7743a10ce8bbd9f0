/* SPDX-License-Identifier: Apache-2.0 */
/* plugin.c - shared objects with adapters in them; see plugin.h. */
#include "plugin.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsio.h"

#define SYMBOL "adapter_v1"
#define NAME_MAX_OCTETS 32

static struct loaded {
        void *lib;
        const adapter_class *k;
} loaded[PLUGINS_MAX];
static size_t n_loaded;

const adapter_class *adapter_at(size_t i)
{
        size_t built_in = 0;

        while (adapters_all[built_in])
                built_in++;
        if (i < built_in)
                return adapters_all[i];
        return i - built_in < n_loaded ? loaded[i - built_in].k : NULL;
}

const char *plugins_folder(void)
{
        const char *given = getenv(PLUGIN_FOLDER_ENV);

        return given && given[0] ? given : XREM_ADAPTERS;
}

/* ---- judging -------------------------------------------------------------------------------------- */

static bool name_ok(const char *name)
{
        size_t n = strnlen(name, NAME_MAX_OCTETS + 1);

        return n > 0 && n <= NAME_MAX_OCTETS &&
               strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

static bool name_taken(const char *name)
{
        const adapter_class *k;

        for (size_t i = 0; (k = adapter_at(i)) != NULL; i++)
                if (strcmp(k->name, name) == 0)
                        return true;
        return strcmp(name, "gateway") == 0 || strcmp(name, "agent") == 0;
}

/* Its settings are in a section of its name, so that they are nobody else's. */
static const char *foreign_key(const adapter_class *k)
{
        size_t n = strlen(k->name);

        for (size_t i = 0; i < k->n_keys; i++)
                if (strncmp(k->keys[i].name, k->name, n) != 0 || k->keys[i].name[n] != '.')
                        return k->keys[i].name;
        return NULL;
}

int plugin_check(const adapter_class *k, diag *d)
{
        if (k->version != ADAPTER_VERSION || k->size != sizeof *k)
                return diag_set(d, ODM_EMALFORMED,
                                "it was made for another gremd: interface %u of %u octets, not %u "
                                "of %zu",
                                k->version, k->size, ADAPTER_VERSION, sizeof *k);
        if (k->name == NULL || !name_ok(k->name))
                return diag_set(d, ODM_EMALFORMED,
                                "its name is not of 1 to %d lower case letters, digits and '_'",
                                NAME_MAX_OCTETS);
        if (name_taken(k->name))
                return diag_set(d, ODM_EEXIST, "another one is called '%s'", k->name);
        if (k->open == NULL || k->close == NULL || k->caps == NULL)
                return diag_set(d, ODM_EMALFORMED, "it has no open(), close() or caps()");
        if (k->n_keys && k->keys == NULL)
                return diag_set(d, ODM_EMALFORMED, "it has %zu settings, but no table of them",
                                k->n_keys);
        if (foreign_key(k))
                return diag_set(d, ODM_EMALFORMED, "its setting '%s' is not in section [%s]",
                                foreign_key(k), k->name);
        return 0;
}

/* Who could write it could be us. */
static int check_file(const char *path, diag *d)
{
        struct stat st;

        if (stat(path, &st) < 0)
                return diag_set(d, ODM_EIO, "%s", strerror(errno));
        if (!S_ISREG(st.st_mode))
                return diag_set(d, ODM_EMALFORMED, "it is no plain file");
        if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH)))
                return diag_set(d, ODM_EACCESS, "others than root and gremd's user may write it");
        return 0;
}

/* ---- loading ----------------------------------------------------------------------------------------- */

static int load(const char *path, diag *why)
{
        int rc = check_file(path, why);
        const adapter_class *k;
        void *lib;

        if (rc < 0)
                return rc;
        if (n_loaded == PLUGINS_MAX)
                return diag_set(why, ODM_ELIMIT, "more than %d adapters", PLUGINS_MAX);
        lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (lib == NULL)
                return diag_set(why, ODM_EMALFORMED, "%s", dlerror());
        k = dlsym(lib, SYMBOL);
        rc = k ? plugin_check(k, why) : diag_set(why, ODM_EMALFORMED, "it has no " SYMBOL);
        if (rc < 0) {
                dlclose(lib);
                return rc;
        }
        loaded[n_loaded++] = (struct loaded){lib, k};
        return 0;
}

static int is_object(const struct dirent *e)
{
        size_t n = strlen(e->d_name);

        return n > 3 && e->d_name[0] != '.' && strcmp(e->d_name + n - 3, ".so") == 0;
}

int plugins_load(const char *folder, diag *d)
{
        struct dirent **list = NULL;
        int n = scandir(folder, &list, is_object, alphasort), rc = 0;

        if (n < 0 && (errno == ENOENT || errno == ENOTDIR))
                return 0;
        if (n < 0)
                return diag_set(d, ODM_EIO, "%s: %s", folder, strerror(errno));
        for (int i = 0; i < n; i++) {
                char *path = rc == 0 ? fsio_join(folder, list[i]->d_name) : NULL;
                diag why = {{0}};
                if (rc == 0)
                        rc = path ? load(path, &why) : ODM_ENOMEM;
                if (rc < 0 && path)
                        diag_set(d, rc, "%s: %s", path, why.text);
                free(path);
                free(list[i]);
        }
        free(list);
        return rc;
}

void plugins_unload(void)
{
        while (n_loaded > 0)
                dlclose(loaded[--n_loaded].lib);
}
