/* SPDX-License-Identifier: Apache-2.0 */
/* plugin.h - adapters that are shared objects: every *.so of one folder, read before the
 * configuration, for its settings are the adapters' too. */
#ifndef GREM_PLUGIN_H
#define GREM_PLUGIN_H

#include "adapter.h"

#define PLUGINS_MAX 16
#define PLUGIN_FOLDER_ENV "GREMD_ADAPTERS" /* the folder, where it is not the installed one */

/* Loads those of `folder`, in the order of their names; a folder that is not there has none.  They
 * stay loaded until plugins_unload().  0, or an error with the file and the reason in `d`:
 * ODM_EACCESS for a file that others than root and we may write, ODM_EMALFORMED for one that is no
 * adapter or was made for another gremd, ODM_EEXIST for a name that another adapter has,
 * ODM_ELIMIT, ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int plugins_load(const char *folder, diag *d);
/* Nothing of them may be in use. */
void plugins_unload(void);
/* The folder that gremd reads. */
const char *plugins_folder(void);

/* All adapters: those built in, then those loaded.  NULL after the last. */
const adapter_class *adapter_at(size_t i);

/* Whether it is one that we can use; the reason in `d`. */
ODM_MUST_USE int plugin_check(const adapter_class *k, diag *d);

#endif
