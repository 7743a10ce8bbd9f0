/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#define DF(format, type)                                                                       \
        "<DFProperties><AccessType><Get/></AccessType><DFFormat><" format "/></DFFormat>" type \
        "</DFProperties>"
#define LEAF(name, format)      \
        "<Node><NodeName>" name \
        "</NodeName>" DF(format, "<DFType><MIME>text/plain</MIME></DFType>") "</Node>"
#define OCTETS(name)                              \
        "<Node><NodeName>" name "</NodeName>" DF( \
                "bin", "<DFType><MIME>application/octet-stream</MIME></DFType>") "</Node>"
#define MANY(name, id, body)                                                                  \
        "<Node><NodeName>" name                                                               \
        "</NodeName>" DF("node", "<Occurrence><ZeroOrMore/></Occurrence><DFType><DDFName>" id \
                                 "</DDFName></DFType>") body "</Node>"
#define TOP(name, id)                                                                 \
        "<MgmtTree xmlns='syncml:dmddf1.2'><VerDTD>1.2</VerDTD><Node><NodeName>" name \
        "</NodeName>" DF("node",                                                      \
                         "<Scope><Permanent/></Scope><DFType><DDFName>" id "</DDFName></DFType>")
#define END "</Node></MgmtTree>"

/* In pieces, for a string has its limit too. */
static const char *const ddfs[][3] = {
        {TOP("DMAcc", "") "<Node><NodeName/>" DF(
                 "node",
                 "<Occurrence><ZeroOrMore/></"
                 "Occurrence><DFType><DDFName>urn:oma:mo:oma-dm-dmacc:1.0</DDFName></DFType>")
                 LEAF("AppID", "chr") LEAF("ServerID", "chr") LEAF("Name", "chr")
                         LEAF("PrefConRef", "chr") LEAF("AAuthPref", "chr")
                                 MANY("ToConRef", "", MANY("", "", LEAF("ConRef", "chr"))),
         MANY("AppAddr", "",
              MANY("", "",
                   LEAF("Addr", "chr") LEAF("AddrType", "chr")
                           MANY("Port", "", MANY("", "", LEAF("PortNbr", "chr"))))),
         MANY("AppAuth", "",
              MANY("", "",
                   LEAF("AAuthLevel", "chr") LEAF("AAuthType", "chr") LEAF("AAuthName", "chr")
                           LEAF("AAuthSecret", "chr") OCTETS("AAuthData"))) "</Node>" END},
        {TOP("Inbox", "urn:oma:mo:oma-dm-inbox:1.0") END},
        {TOP("Net", "") MANY("", "urn:oma:mo:x-test-nap:1.2", LEAF("Apn", "chr") LEAF("Mtu", "int"))
                 END},
};

int boot_device_open(struct boot_device *d, const odm_mem *mem)
{
        odm_tree_opt opt;
        const char *why;
        int rc = 0;

        *d = (struct boot_device){.tree = NULL};
        odm_arena_init(&d->a, mem, MOST);
        odm_tree_opt_init(&opt, mem);
        for (size_t i = 0; i < ODM_COUNT(ddfs) && rc == 0; i++) {
                odm_str text = odm_cstr(ddfs[i][0]);
                odm_doc *doc;
                for (size_t k = 1; k < 3 && text.p; k++)
                        text = ddfs[i][k] ? odm_arena_join(&d->a, text, odm_cstr(ddfs[i][k]))
                                          : text;
                rc = text.p ? odm_doc_decode(text, NULL, &d->a, &doc) : odm_arena_err(&d->a);
                if (rc == 0)
                        rc = odm_mo_from_doc(doc->nodes, &d->a, &d->mo[i], &why);
                d->p[i] = (odm_provider){.name = "test", .mo = &d->mo[i]};
        }
        odm_dmacc_init(&d->dmacc, mem, &d->mo[0], "./DMAcc");
        if (rc == 0)
                rc = odm_tree_new(&opt, &d->tree);
        if (rc == 0)
                rc = odm_tree_mount(d->tree, NULL, &d->dmacc.provider);
        for (size_t i = 1; i < ODM_COUNT(ddfs) && rc == 0; i++)
                rc = odm_tree_mount(d->tree, NULL, &d->p[i]);
        return rc;
}

void boot_device_close(struct boot_device *d)
{
        odm_tree_free(d->tree);
        odm_arena_done(&d->a);
}
