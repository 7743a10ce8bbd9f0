/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs as conversations: what is wanted, what the device does meanwhile, and the alert at the end.
 *
 *     > Read /5/0          the next want is to send that; the device answers by itself
 *     ask                  .. to send something, which is not answered yet
 *     push NAME 204        .. to push that file ("-" for what was staged); it answers so
 *     fetch URL            .. to fetch that; then `image` or `noimage CODE`
 *     wait                 .. to wait
 *     set PATH TEXT  del PATH  refuse CODE  silent  heard        what the device is like from now
 * on
 *     told PATH            it tells what it has there
 *     back                 it registers anew
 *     behind               another registers for it
 *     tick MS              time passes
 *     restart              the gateway was away: the job is saved and loaded
 *     over CODE            it is over with that; `over CODE SOURCE TARGET` */
#include <inttypes.h>

#include "lab.h"

#define FUMO "./FUMO/main/"
#define SCM "./SCM/Download/a/Operations/"

struct setting {
        const char *path, *value;
};

static const struct scene {
        const char *why, *order;
        struct setting kept[3];
        bool stage;
        const char *script;
} scenes[] = {
        {"a firmware that the device pulls",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "coap://s/fw"}},
         false,
         "> Read /5/0\n> Read /3/0/3\n> Write /5/0/1 /5/0/1=coap://s/fw\nwait\n"
         "set /5/0/3 1\ntold /5/0/3\nwait\nset /5/0/3 2\ntold /5/0/3\n"
         "> Execute /5/0/2\nwait\nset /5/0/3 3\ntold /5/0/3\nwait\n"
         "set /5/0/3 0\nset /5/0/5 1\nset /3/0/3 2.0\nback\n> Read /5/0\n> Read /3/0/3\n"
         "over 200 ./FUMO/main -"},
        {"it restarts in the middle of the download, and is offered it again",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "coap://s/fw"}},
         false,
         "> Read /5/0\n> Read /3/0/3\n> Write /5/0/1 /5/0/1=coap://s/fw\nwait\n"
         "set /5/0/3 1\ntold /5/0/3\nwait\nset /5/0/3 0\nback\n> Read /5/0\n"
         "> Write /5/0/1 /5/0/1=coap://s/fw\nwait\nset /5/0/3 2\ntold /5/0/3\n> Execute /5/0/2"},
        {"or it goes on by itself",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "coap://s/fw"}},
         false,
         "> Read /5/0\n> Read /3/0/3\n> Write /5/0/1 /5/0/1=coap://s/fw\nwait\n"
         "set /5/0/3 1\nback\n> Read /5/0\nwait\nset /5/0/5 4\nset /5/0/3 0\nback\n"
         "> Read /5/0\nover 503"},
        {"its download alone",
         FUMO "Download",
         {{FUMO "Download/PkgURL", "coap://s/fw"}},
         false,
         "> Read /5/0\n> Read /3/0/3\n> Write /5/0/1 /5/0/1=coap://s/fw\n"
         "set /5/0/3 2\ntold /5/0/3\nover 200"},
        {"what was loaded before is updated",
         FUMO "Update",
         {{0}},
         false,
         "set /5/0/3 2\n> Read /5/0\n> Read /3/0/3\n> Execute /5/0/2\nwait\n"
         "set /5/0/3 0\nset /5/0/5 1\ntold /5/0/5\nwait\ntold /5/0\nover 200"},
        {"nothing to update with",
         FUMO "Update",
         {{0}},
         false,
         "> Read /5/0\n> Read /3/0/3\nover 400"},
        {"a package that was staged is pushed",
         FUMO "Update",
         {{0}},
         true,
         "> Read /5/0\n> Read /3/0/3\npush - 204\nwait\nset /5/0/3 2\ntold /5/0/3\n"
         "> Execute /5/0/2\nset /5/0/3 0\nset /5/0/5 1\ntold /5/0\nover 200"},
        {"a scheme the device has not: the gateway's own address",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "http://s/fw"}},
         false,
         "> Read /5/0\n> Read /3/0/3\nfetch http://s/fw\nimage\n"
         "> Write /5/0/1 /5/0/1=coap://gw/img/1\nset /5/0/3 2\ntold /5/0/3\n> Execute /5/0/2\n"
         "set /5/0/3 0\nset /5/0/5 1\ntold /5/0\nover 200"},
        {"one that takes HTTP pulls by itself",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "http://s/fw"}},
         false,
         "set /5/0/8/1 2\n> Read /5/0\n> Read /3/0/3\n> Write /5/0/1 /5/0/1=http://s/fw\nwait"},
        {"one that is only pushed to",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "coap://s/fw"}},
         false,
         "set /5/0/9 1\n> Read /5/0\n> Read /3/0/3\nfetch coap://s/fw\nimage\npush /img/1 204\n"
         "set /5/0/3 2\ntold /5/0/3\n> Execute /5/0/2\nset /5/0/3 0\nset /5/0/5 1\ntold /5/0\n"
         "over 200"},
        {"too large to push",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "coap://s/fw"}},
         false,
         "set /5/0/9 1\n> Read /5/0\n> Read /3/0/3\nfetch coap://s/fw\nimage\npush /img/1 413\n"
         "over 501"},
        {"only pulls, by what the gateway does not serve",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "http://s/fw"}},
         false,
         "set /5/0/9 0\nset /5/0/8/0 5\n> Read /5/0\n> Read /3/0/3\nfetch http://s/fw\nimage\n"
         "over 408"},
        {"the gateway cannot fetch it",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "http://s/fw"}},
         false,
         "> Read /5/0\n> Read /3/0/3\nfetch http://s/fw\nnoimage 412\nover 412"},
        {"an old package is given up first",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "coap://s/fw"}},
         false,
         "set /5/0/3 2\n> Read /5/0\n> Read /3/0/3\n> Write /5/0/1 /5/0/1=\n"
         "> Write /5/0/1 /5/0/1=coap://s/fw\nwait"},
        {"or by a package that is none",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "coap://s/fw"}},
         false,
         "set /5/0/3 2\n> Read /5/0\n> Read /3/0/3\nrefuse 400\n> Write /5/0/1\n"
         "> Write /5/0/0 /5/0/0=AA==\n> Write /5/0/1 /5/0/1=coap://s/fw\nwait"},
        {"not while it updates",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "coap://s/fw"}},
         false,
         "set /5/0/3 3\n> Read /5/0\n> Read /3/0/3\nover 400"},
        {"no connection to the server",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "coap://s/fw"}},
         false,
         "> Read /5/0\n> Read /3/0/3\n> Write /5/0/1 /5/0/1=coap://s/fw\nset /5/0/5 4\ntold /5/0\n"
         "over 503"},
        {"told by a look alone",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "coap://s/fw"}},
         false,
         "> Read /5/0\n> Read /3/0/3\n> Write /5/0/1 /5/0/1=coap://s/fw\nset /5/0/5 7\nwait\n"
         "tick 30000\n> Read /5/0\nover 411"},
        {"the address is refused",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "coap://s/fw"}},
         false,
         "> Read /5/0\n> Read /3/0/3\nrefuse 400\n> Write /5/0/1\nover 411"},
        {"the update fails, the package stays",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "coap://s/fw"}},
         false,
         "> Read /5/0\n> Read /3/0/3\n> Write /5/0/1 /5/0/1=coap://s/fw\nset /5/0/3 2\n"
         "told /5/0/3\n> Execute /5/0/2\nset /5/0/5 8\ntold /5/0\nover 410"},
        {"silent to Update: it restarts at once",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "coap://s/fw"}},
         false,
         "> Read /5/0\n> Read /3/0/3\n> Write /5/0/1 /5/0/1=coap://s/fw\nset /5/0/3 2\n"
         "told /5/0/3\nsilent\n> Execute /5/0/2\nheard\nwait\nset /5/0/3 0\nset /5/0/7 2.0\n"
         "set /3/0/3 2.0\nback\n> Read /5/0\n> Read /3/0/3\nover 200"},
        {"back with the old version",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "coap://s/fw"}},
         false,
         "> Read /5/0\n> Read /3/0/3\n> Write /5/0/1 /5/0/1=coap://s/fw\nset /5/0/3 2\n"
         "set /5/0/7 2.0\ntold /5/0\n> Execute /5/0/2\nset /5/0/3 0\nback\n> Read /5/0\n"
         "> Read /3/0/3\nover 410"},
        {"silent past the deadline",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "coap://s/fw"}},
         false,
         "> Read /5/0\n> Read /3/0/3\n> Write /5/0/1 /5/0/1=coap://s/fw\nwait\ntick 3600000\n"
         "over 409"},
        {"silent from the start",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "coap://s/fw"}},
         false,
         "silent\n> Read /5/0\nover 409"},
        {"the gateway was away while it loaded",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "coap://s/fw"}},
         false,
         "> Read /5/0\n> Read /3/0/3\n> Write /5/0/1 /5/0/1=coap://s/fw\nrestart\nset /5/0/3 2\n"
         "> Read /5/0\n> Execute /5/0/2\nrestart\nset /5/0/3 0\nset /5/0/5 1\n> Read /5/0\n"
         "> Read /3/0/3\nover 200\nrestart\nover 200"},

        {"software that the device pulls, in an instance that is made",
         SCM "DownloadInstall",
         {{"./SCM/Download/a/PkgID", "p<1>"}, {"./SCM/Download/a/PkgURL", "coap://s/sw"}},
         false,
         "del /9/2\n> Read /9\n> Create /9 /9/1=\nset /9/1/7 0\nset /9/1/9 0\nset /9/1/12 0\n"
         "> Read /9/1\n> Read /5/0/8\n> Write /9/1/3 /9/1/3=coap://s/sw\nwait\nset /9/1/7 2\n"
         "told /9/1\nwait\nset /9/1/7 3\nset /9/1/9 3\ntold /9/1\n> Execute /9/1/4\nwait\n"
         "set /9/1/7 4\nset /9/1/9 2\ntold /9/1\n> Execute /9/1/10\nset /9/1/12 1\n> Read /9/1\n"
         "over 1200 ./SCM/Download/a/Operations/DownloadInstall ./SCM/Inventory/Deployed/1"},
        {"it tells nothing by itself: it is looked at, soon at first",
         SCM "Download",
         {{"./SCM/Download/a/PkgURL", "coap://s/sw"}},
         false,
         "set /9/2/7 0\n> Read /9\n> Read /9/2\n> Read /5/0/8\n"
         "> Write /9/2/3 /9/2/3=coap://s/sw\nset /9/2/7 1\nwait\ntold /3/0/9\nwait\ntick 300\n"
         "told /3/0/9\nwait\ntick 200\n> Read /9/2\nwait\n"
         "tick 500\nwait\ntick 500\n> Read /9/2\ntick 2000\n> Read /9/2\ntick 4000\n"
         "> Read /9/2\ntick 8000\n"
         "> Read /9/2\ntick 16000\n> Read /9/2\ntick 30000\n> Read /9/2\ntick 30000\n"
         "set /9/2/7 3\nset /9/2/9 3\n> Read /9/2\nover 1200"},
        {"its download alone, in an idle instance",
         SCM "Download",
         {{"./SCM/Download/a/PkgID", "p"}, {"./SCM/Download/a/PkgURL", "coap://s/sw"}},
         false,
         "set /9/2/7 0\n> Read /9\n> Read /9/2\n> Read /5/0/8\n"
         "> Write /9/2/3 /9/2/3=coap://s/sw\nset /9/2/7 3\nset /9/2/9 3\ntold /9/2\n"
         "over 1200 ./SCM/Download/a/Operations/Download ./SCM/Inventory/Delivered/2"},
        {"installed and left inactive",
         SCM "DownloadInstallInactive",
         {{"./SCM/Download/a/PkgURL", "coap://s/sw"}},
         false,
         "set /9/2/7 0\n> Read /9\n> Read /9/2\n> Read /5/0/8\n"
         "> Write /9/2/3 /9/2/3=coap://s/sw\nset /9/2/7 3\ntold /9/2\n> Execute /9/2/4\n"
         "set /9/2/7 4\nset /9/2/9 2\ntold /9/2\nover 1200"},
        {"no address can be written: pushed",
         SCM "Download",
         {{"./SCM/Download/a/PkgURL", "coap://s/sw"}},
         false,
         "set /9/2/7 0\n> Read /9\n> Read /9/2\n> Read /5/0/8\nrefuse 405\n> Write /9/2/3\n"
         "fetch coap://s/sw\nimage\npush /img/1 204\nset /9/2/7 3\ntold /9/2\nover 1200"},
        {"no room for it",
         SCM "DownloadInstall",
         {{"./SCM/Download/a/PkgURL", "coap://s/sw"}},
         false,
         "set /9/2/7 0\n> Read /9\n> Read /9/2\n> Read /5/0/8\n"
         "> Write /9/2/3 /9/2/3=coap://s/sw\nset /9/2/9 50\ntold /9/2\n"
         "over 1404 ./SCM/Download/a/Operations/DownloadInstall ./SCM/Download/a"},
        {"no memory to install",
         SCM "DownloadInstall",
         {{"./SCM/Download/a/PkgURL", "coap://s/sw"}},
         false,
         "set /9/2/7 0\n> Read /9\n> Read /9/2\n> Read /5/0/8\n"
         "> Write /9/2/3 /9/2/3=coap://s/sw\nset /9/2/7 3\ntold /9/2\n> Execute /9/2/4\n"
         "set /9/2/9 51\ntold /9/2\nover 1406"},
        {"not activated",
         SCM "DownloadInstall",
         {{"./SCM/Download/a/PkgURL", "coap://s/sw"}},
         false,
         "set /9/2/7 0\n> Read /9\n> Read /9/2\n> Read /5/0/8\n"
         "> Write /9/2/3 /9/2/3=coap://s/sw\nset /9/2/7 3\ntold /9/2\n> Execute /9/2/4\n"
         "set /9/2/7 4\nset /9/2/9 2\ntold /9/2\nrefuse 500\n> Execute /9/2/10\nover 1409"},
        {"the gateway cannot authenticate",
         SCM "Download",
         {{"./SCM/Download/a/PkgURL", "http://s/sw"}},
         false,
         "set /9/2/7 0\n> Read /9\n> Read /9/2\n> Read /5/0/8\nfetch http://s/sw\nnoimage 406\n"
         "over 1403"},
        {"nobody has it",
         SCM "Download",
         {{"./SCM/Download/a/PkgURL", "http://s/sw"}},
         false,
         "set /9/2/7 0\n> Read /9\n> Read /9/2\n> Read /5/0/8\nfetch http://s/sw\nnoimage 404\n"
         "over 1407"},
        {"who has it is not reached",
         SCM "Download",
         {{"./SCM/Download/a/PkgURL", "http://s/sw"}},
         false,
         "set /9/2/7 0\n> Read /9\n> Read /9/2\n> Read /5/0/8\nfetch http://s/sw\nnoimage 412\n"
         "over 1501"},
        {"who has it fails",
         SCM "Download",
         {{"./SCM/Download/a/PkgURL", "http://s/sw"}},
         false,
         "set /9/2/7 0\n> Read /9\n> Read /9/2\n> Read /5/0/8\nfetch http://s/sw\nnoimage 500\n"
         "over 1500"},
        {"no instance can be made",
         SCM "Download",
         {{"./SCM/Download/a/PkgURL", "coap://s/sw"}},
         false,
         "> Read /9\nrefuse 405\n> Create /9\nover 1400"},
        {"what was delivered is installed",
         "./SCM/Inventory/Delivered/2/Operations/Install",
         {{0}},
         false,
         "> Read /9/2\n> Execute /9/2/4\nset /9/2/7 4\nset /9/2/9 2\ntold /9/2\n"
         "> Execute /9/2/10\nset /9/2/12 1\n> Read /9/2\nover 1200"},
        {"a component is switched off",
         "./SCM/Inventory/Deployed/0/Operations/Deactivate",
         {{0}},
         false,
         "> Execute /9/0/11\nset /9/0/12 0\n> Read /9/0\nover 1200 "
         "./SCM/Inventory/Deployed/0/Operations/Deactivate ./SCM/Inventory/Deployed/0"},
        {"or not",
         "./SCM/Inventory/Deployed/0/Operations/Deactivate",
         {{0}},
         false,
         "> Execute /9/0/11\n> Read /9/0\nwait\ntick 2000\n> Read /9/0\ntick 2000\n> Read /9/0\n"
         "tick 2000\n> Read /9/0\ntick 2000\n> Read /9/0\ntick 2000\n> Read /9/0\nover 1410"},
        {"a component goes",
         "./SCM/Inventory/Deployed/0/Operations/Remove",
         {{0}},
         false,
         "> Execute /9/0/6\ndel /9/0\n> Read /9/0\nover 1200"},
        {"or stays",
         "./SCM/Inventory/Deployed/0/Operations/Remove",
         {{0}},
         false,
         "> Execute /9/0/6\nset /9/0/9 59\n> Read /9/0\nover 1408"},
        {"the gateway was away while it installed",
         SCM "DownloadInstall",
         {{"./SCM/Download/a/PkgURL", "coap://s/sw"}},
         false,
         "set /9/2/7 0\n> Read /9\n> Read /9/2\n> Read /5/0/8\n"
         "> Write /9/2/3 /9/2/3=coap://s/sw\nset /9/2/7 3\ntold /9/2\n> Execute /9/2/4\nrestart\n"
         "set /9/2/7 4\n> Read /9/2\n> Execute /9/2/10\nset /9/2/12 1\nrestart\n> Read /9/2\n"
         "over 1200"},

        {"a restart",
         "./DiagMon/Restart/Operations/Start",
         {{0}},
         false,
         "> Execute /3/0/4\nwait\ntold /3/0\nwait\nback\nover 1200 ./DiagMon/Restart -"},
        {"so quick that it does not answer",
         "./DiagMon/Restart/Operations/Start",
         {{0}},
         false,
         "silent\n> Execute /3/0/4\nwait\nback\nover 1200"},
        {"it does not want to",
         "./DiagMon/Restart/Operations/Start",
         {{0}},
         false,
         "refuse 405\n> Execute /3/0/4\nover 1402"},
        {"it does not come back",
         "./DiagMon/Restart/Operations/Start",
         {{0}},
         false,
         "> Execute /3/0/4\nwait\ntick 599999\nwait\ntick 1\nover 1402"},
        {"nor does it answer",
         "./DiagMon/Restart/Operations/Start",
         {{0}},
         false,
         "silent\n> Execute /3/0/4\nwait\ntick 599999\nwait\ntick 1\nover 1402"},
        {"back before its answer was missed, it is not asked again",
         "./DiagMon/Restart/Operations/Start",
         {{0}},
         false,
         "ask\nback\nover 1200"},
        {"one that registers before it was asked has not restarted",
         "./DiagMon/Restart/Operations/Start",
         {{0}},
         false,
         "back\n> Execute /3/0/4\nwait\nback\nover 1200"},
        {"one that another registers for does not come back: its answer counts",
         "./DiagMon/Restart/Operations/Start",
         {{0}},
         false,
         "behind\n> Execute /3/0/4\nover 1200 ./DiagMon/Restart -"},
        {"and when it does not answer, the gateway that has it again",
         "./DiagMon/Restart/Operations/Start",
         {{0}},
         false,
         "behind\nsilent\n> Execute /3/0/4\nwait\nback\nover 1200"},
        {"the gateway restarts too",
         "./DiagMon/Restart/Operations/Start",
         {{0}},
         false,
         "> Execute /3/0/4\nrestart\nwait\nback\nover 1200"},
        {"and then waits no longer than it would have",
         "./DiagMon/Restart/Operations/Start",
         {{0}},
         false,
         "ask\nrestart\nwait\ntick 599999\nwait\ntick 1\nover 1402"},
        {"to the factory's settings",
         "./LAWMO/Operations/FactoryReset",
         {{0}},
         false,
         "> Execute /3/0/5\nwait\nback\nover 1200 ./LAWMO/Operations/FactoryReset -"},
        {"and never seen again",
         "./LAWMO/Operations/FactoryReset",
         {{0}},
         false,
         "> Execute /3/0/5\nwait\ntick 600000\nover 1400"},
        {"locked",
         "./LAWMO/Operations/FullyLock",
         {{0}},
         false,
         "> Write /8/0/0 /8/0/0=2\nset /8/0/5 2\n> Read /8/0\nover 1200"},
        {"not locked",
         "./LAWMO/Operations/FullyLock",
         {{0}},
         false,
         "> Write /8/0/0 /8/0/0=2\nset /8/0/0 1\nset /8/0/5 6\n> Read /8/0\nover 1402"},
        {"refused",
         "./LAWMO/Operations/PartiallyLock",
         {{0}},
         false,
         "refuse 405\n> Write /8/0/0\nover 1403"},
        {"refused to unlock",
         "./LAWMO/Operations/UnLock",
         {{0}},
         false,
         "refuse 405\n> Write /8/0/0\nover 1404"},
        {"refused to wipe",
         "./LAWMO/Operations/Wipe",
         {{0}},
         false,
         "> Read /8/0/2\nrefuse 405\n> Execute /8/0/3\nover 1405"},
        {"refused to forget its settings",
         "./LAWMO/Operations/FactoryReset",
         {{0}},
         false,
         "refuse 405\n> Execute /3/0/5\nover 1400"},
        {"what was delivered is not installed",
         "./SCM/Inventory/Delivered/2/Operations/Install",
         {{0}},
         false,
         "> Read /9/2\nrefuse 405\n> Execute /9/2/4\nover 1405"},
        {"what was delivered is gone",
         "./SCM/Inventory/Delivered/2/Operations/Install",
         {{0}},
         false,
         "refuse 404\n> Read /9/2\nover 1405"},
        {"a component is not removed",
         "./SCM/Inventory/Deployed/0/Operations/Remove",
         {{0}},
         false,
         "refuse 405\n> Execute /9/0/6\nover 1408"},
        {"the version is not read, the update goes on",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "coap://s/fw"}},
         false,
         "> Read /5/0\nrefuse 405\n> Read /3/0/3\n> Write /5/0/1 /5/0/1=coap://s/fw\nwait"},
        {"an address as text is refused: as TLV",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "coap://s/fw"}},
         false,
         "> Read /5/0\n> Read /3/0/3\nrefuse 415\n> Write /5/0/1\n"
         "> Write /5/0/1 /5/0/1=coap://s/fw\nwait"},
        {"a format that is refused is left to the device",
         FUMO "DownloadAndUpdate",
         {{FUMO "DownloadAndUpdate/PkgURL", "coap://s/fw"}},
         false,
         "refuse 406\n> Read /5/0\n> Read /5/0\n> Read /3/0/3\n> Write /5/0/1 "
         "/5/0/1=coap://s/fw\nwait"},
        {"unlocked, and no result told",
         "./LAWMO/Operations/UnLock",
         {{0}},
         false,
         "> Write /8/0/0 /8/0/0=0\n> Read /8/0\nover 1200"},
        {"wiped",
         "./LAWMO/Operations/Wipe",
         {{0}},
         false,
         "> Read /8/0/2\n> Execute /8/0/3\n> Read /8/0\nwait\nset /8/0/5 4\ntick 2000\n"
         "> Read /8/0\nover 1201"},
        {"with an item",
         "./LAWMO/Operations/Wipe",
         {{"./LAWMO/AvailableWipeList/1/ToBeWiped", "true"}},
         false,
         "> Read /8/0/2\n> Write /8/0/4 /8/0/4/0=readings\n> Execute /8/0/3\nset /8/0/5 4\n"
         "> Read /8/0\nover 1202"},
        {"nothing else than what was chosen",
         "./LAWMO/Operations/Wipe",
         {{"./LAWMO/AvailableWipeList/1/ToBeWiped", "true"}},
         false,
         "refuse 404\n> Read /8/0/2\nover 1406"},
        {"which it does not say it has",
         "./LAWMO/Operations/Wipe",
         {{"./LAWMO/AvailableWipeList/1/ToBeWiped", "true"}},
         false,
         "silent\n> Read /8/0/2\nheard\nover 1406"},
        {"or has no more",
         "./LAWMO/Operations/Wipe",
         {{"./LAWMO/AvailableWipeList/1/ToBeWiped", "true"}},
         false,
         "del /8/0/2/1\n> Read /8/0/2\nover 1406"},
        {"not wiped",
         "./LAWMO/Operations/Wipe",
         {{0}},
         false,
         "> Read /8/0/2\n> Execute /8/0/3\nset /8/0/5 8\n> Read /8/0\nover 1405"},
};

struct play {
        lab l;
        odm_job *j;
        odm_time now;
        const struct scene *s;
};

static void fail_at(const struct play *p, const char *line, size_t n, const char *got)
{
        fail_msg("%s: \"%.*s\": %s", p->s->why, (int)n, line, got);
}

static void put(struct play *p, const char *path, const char *value, odm_format format)
{
        odm_bridge_node v = {.path = odm_cstr(path),
                             .value = {.format = format, .data = odm_cstr(value)}};
        odm_plan *plan;

        if (strncmp(path, "./SCM", 5) == 0)
                assert_int_equal(odm_plan_create(p->l.b, &v, 1, &p->l.a, &plan), 0);
        else
                assert_int_equal(odm_plan_write(p->l.b, &v, 1, &p->l.a, &plan), 0);
        assert_int_equal(lab_run(&p->l, plan), 0);
        assert_int_equal(odm_plan_result_of(plan)->status, 200);
}

static void on_send(struct play *p, const char *line, size_t n)
{
        odm_job_step s = odm_job_next(p->j);

        if (s.want != ODM_JOB_SEND)
                fail_at(p, line, n, "nothing to send");
        p->l.log_n = 0;
        odm_lw_answer r = lab_answer(&p->l, s.request);
        if (strlen(p->l.log) != n - 2 || strncmp(p->l.log, line + 2, n - 2) != 0)
                fail_at(p, line, n, p->l.log);
        assert_int_equal(odm_job_answer(p->j, &r, p->now), 0);
}

static void on_push(struct play *p, const char *line, size_t n)
{
        odm_job_step s = odm_job_next(p->j);
        odm_lw_answer r = {.ct = ODM_LW_NO_CT};
        char file[32];

        assert_int_equal(sscanf(line, "push %31s %u", file, &r.code), 2);
        if (s.want != ODM_JOB_PUSH || s.request->path.id[2] > 2)
                fail_at(p, line, n, "nothing to push");
        assert_octets(s.file, file[0] == '-' ? ODM_ABSENT : odm_cstr(file));
        assert_int_equal(odm_job_answer(p->j, &r, p->now), 0);
}

static void on_fetched(struct play *p, const char *line)
{
        const odm_job_image i = {.name = ODM_STR("fw"),
                                 .file = ODM_STR("/img/1"),
                                 .url_http = ODM_STR("http://gw/img/1"),
                                 .url_coap = ODM_STR("coap://gw/img/1")};
        unsigned code = 0;

        if (sscanf(line, "noimage %u", &code) == 1)
                assert_int_equal(odm_job_fetched(p->j, NULL, code, p->now), 0);
        else
                assert_int_equal(odm_job_fetched(p->j, &i, 0, p->now), 0);
}

/* The gateway ends and comes back: a new bridge for the same device, which goes on as it was. */
static void on_restart(struct play *p)
{
        odm_bridge_opt opt = {.mem = &heap, .map = p->l.map, .id = ODM_STR("x")};
        odm_lw_links links;
        odm_buf saved;

        odm_buf_init(&saved, &heap, 65536);
        assert_int_equal(odm_bridge_save(p->l.b, &saved), 0);
        odm_bridge_free(p->l.b);
        assert_int_equal(odm_bridge_new(&opt, &p->l.b), 0);
        assert_int_equal(
                odm_lw_links_parse(odm_cstr(LAB_LINKS ",</9/1>"), ODM_ABSENT, &p->l.a, &links), 0);
        assert_int_equal(odm_bridge_offers(p->l.b, &links, ODM_STR("1.0")), 0);
        assert_int_equal(odm_bridge_load(p->l.b, odm_buf_view(&saved), p->now), 0);
        odm_buf_done(&saved);
        p->j = odm_bridge_job(p->l.b, 0);
        assert_non_null(p->j);
}

static void on_over(struct play *p, const char *line, size_t n)
{
        odm_job_step s = odm_job_next(p->j);
        char code[16], source[80] = "", target[80] = "", got[16] = "";

        assert_true(sscanf(line, "over %15s %79s %79s", code, source, target) >= 1);
        if (s.want != ODM_JOB_OVER)
                fail_at(p, line, n, "not over");
        odm_str data = s.alert->data;
        if (odm_str_starts(data, "<ResultCode>"))
                data = odm_str_to(odm_str_from(data, 12), 4);
        (void)snprintf(got, sizeof got, "%.*s", (int)data.n, data.p);
        if (strcmp(got, code) != 0)
                fail_at(p, line, n, got);
        assert_str(s.alert->correlator, "c-1");
        assert_str(s.alert->mark,
                   code[0] == '2' || strncmp(code, "12", 2) == 0 ? "informational" : "critical");
        if (source[0] == '.') /* else it is the next line */
                assert_str(s.alert->source, source);
        if (target[0] == '.')
                assert_str(s.alert->target, target);
}

static bool word(const char *line, size_t n, const char *z)
{
        return n == strlen(z) && strncmp(line, z, n) == 0;
}

static void on_line(struct play *p, const char *line, size_t n)
{
        char path[32] = "", text[64] = "";
        int64_t ms;

        if (line[0] == '>') {
                on_send(p, line, n);
        } else if (sscanf(line, "set %31s %63[^\n]", path, text) >= 1) {
                lab_set(&p->l, path, text);
        } else if (sscanf(line, "del %31s", path) == 1) {
                lab_del(&p->l, path);
        } else if (sscanf(line, "refuse %u", &p->l.refuse) == 1) {
        } else if (word(line, n, "silent")) {
                p->l.silent = true;
        } else if (word(line, n, "heard")) {
                p->l.silent = false;
        } else if (strncmp(line, "push", 4) == 0) {
                on_push(p, line, n);
        } else if (sscanf(line, "fetch %63s", text) == 1) {
                odm_job_step s = odm_job_next(p->j);
                if (s.want != ODM_JOB_FETCH || !odm_str_is(s.url, text))
                        fail_at(p, line, n, "nothing to fetch");
        } else if (word(line, n, "image") || strncmp(line, "noimage", 7) == 0) {
                on_fetched(p, line);
        } else if (word(line, n, "ask")) {
                if (odm_job_next(p->j).want != ODM_JOB_SEND)
                        fail_at(p, line, n, "nothing to send");
        } else if (word(line, n, "wait")) {
                if (odm_job_next(p->j).want != ODM_JOB_WAIT)
                        fail_at(p, line, n, "it does not wait");
        } else if (sscanf(line, "told %31s", path) == 1) {
                odm_lw_list l = lab_list(&p->l, path);
                odm_bridge_news news;
                assert_int_equal(odm_bridge_told(p->l.b, &l, p->now, &p->l.a, &news), 0);
        } else if (word(line, n, "back")) {
                assert_int_equal(odm_job_registered(p->j, p->now), 0);
        } else if (sscanf(line, "tick %" SCNd64, &ms) == 1) {
                p->now = odm_time_add(p->now, ms);
                assert_int_equal(odm_job_tick(p->j, p->now), 0);
        } else if (word(line, n, "behind")) {
                odm_bridge_behind(p->l.b, true);
        } else if (word(line, n, "restart")) {
                on_restart(p);
        } else if (strncmp(line, "over", 4) == 0) {
                on_over(p, line, n);
        } else {
                fail_at(p, line, n, "no such line");
        }
}

static void begin(struct play *p, const struct scene *s)
{
        const odm_job_opt opt = {.correlator = ODM_STR("c-1")};
        odm_exec e;

        *p = (struct play){.s = s};
        lab_begin(&p->l, LAB_LINKS);
        for (size_t i = 0; i < ODM_COUNT(s->kept) && s->kept[i].path; i++)
                put(p, s->kept[i].path, s->kept[i].value, ODM_FMT_CHR);
        if (s->stage)
                put(p, FUMO "Update/PkgData", "PKG", ODM_FMT_BIN);
        assert_int_equal(odm_bridge_execute(p->l.b, odm_cstr(s->order), ODM_ABSENT, &opt, p->now,
                                            &p->l.a, &e),
                         0);
        if (e.status != 202)
                fail_msg("%s: %u %.*s", s->why, e.status, (int)e.text.n, e.text.p);
        p->j = e.job;
}

static void jobs_go_as_the_scenes_say(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(scenes); i++) {
                struct play p;
                begin(&p, &scenes[i]);
                for (const char *line = scenes[i].script; *line;) {
                        size_t n = strcspn(line, "\n");
                        on_line(&p, line, n);
                        line += n + (line[n] == '\n');
                }
                lab_close(&p.l);
        }
}

static unsigned order(lab *l, const char *path)
{
        const odm_job_opt opt = {0};
        odm_exec e;

        assert_int_equal(odm_bridge_execute(l->b, odm_cstr(path), ODM_ABSENT, &opt, (odm_time){0},
                                            &l->a, &e),
                         0);
        return e.status;
}

static void orders_that_cannot_be_are_refused(void **state)
{
        struct play p;

        (void)state;
        begin(&p, &scenes[0]);
        assert_int_equal(order(&p.l, FUMO "DownloadAndUpdate"), 405); /* one at a time */
        assert_int_equal(order(&p.l, FUMO "Update"), 405);
        assert_int_equal(order(&p.l, "./DiagMon/Restart/Operations/Start"), 405);
        assert_int_equal(order(&p.l, "./SCM/Inventory/Deployed/0/Operations/Activate"), 202);
        assert_int_equal(order(&p.l, "./SCM/Inventory/Deployed/0/Operations/Activate"), 405);
        odm_job_cancel(p.j, p.now);
        on_over(&p, "over 401\n", 8);
        odm_job_drop(p.j);
        assert_int_equal(order(&p.l, FUMO "Download"), 405); /* no address */
        assert_int_equal(order(&p.l, SCM "Download"), 405);
        lab_close(&p.l);

        assert_int_equal(lab_open(&p.l, &heap, "</3/0>", "1.0"), 0);
        assert_int_equal(order(&p.l, FUMO "Download"), 404);
        lab_close(&p.l);
}

/* A restart keeps firmware waiting while it may be under way, and no longer. */
static void what_waits_for_a_restart_does_not_wait_for_ever(void **state)
{
        static const struct scene restart = {"a restart", "./DiagMon/Restart/Operations/Start"};
        struct play p;

        (void)state;
        begin(&p, &restart);
        put(&p, FUMO "Download/PkgURL", "coap://s/fw", ODM_FMT_CHR);
        on_send(&p, "> Execute /3/0/4", 16);
        assert_int_equal(order(&p.l, FUMO "Download"), 405);
        p.now = odm_time_add(p.now, 600000);
        assert_int_equal(odm_job_tick(p.j, p.now), 0);
        assert_int_equal(order(&p.l, FUMO "Download"), 202);
        on_over(&p, "over 1402", 9);
        lab_close(&p.l);
}

static void the_state_of_firmware_is_that_of_its_job(void **state)
{
        static const struct {
                const char *script, *state;
        } v[] = {
                {"> Read /5/0\n", "30"},
                {"> Read /3/0/3\n> Write /5/0/1 /5/0/1=coap://s/fw\n", "30"},
                {"set /5/0/3 2\ntold /5/0/3\n", "60"},
                {"> Execute /5/0/2\n", "60"},
                {"set /5/0/3 0\nset /5/0/5 1\ntold /5/0\n", "100"},
        };
        const odm_str path = ODM_STR("./FUMO/main/State");
        struct play p;

        (void)state;
        begin(&p, &scenes[0]);
        for (size_t i = 0; i < ODM_COUNT(v); i++) {
                odm_plan *plan;
                for (const char *line = v[i].script; *line; line += strcspn(line, "\n") + 1)
                        on_line(&p, line, strcspn(line, "\n"));
                assert_int_equal(odm_plan_read(p.l.b, &path, 1, ODM_ASK_NODE, &p.l.a, &plan), 0);
                assert_int_equal(lab_run(&p.l, plan), 0);
                assert_str(odm_plan_result_of(plan)->nodes.v[0].value.data, v[i].state);
        }
        lab_close(&p.l);
}

static void numbers_are_those_of_the_table(void **state)
{
        static const struct {
                int state, result;
                unsigned fumo;
        } s[] = {{0, 0, 10}, {1, 0, 30}, {2, 0, 50}, {3, 0, 60}, {0, 1, 100}, {0, 2, 20},
                 {0, 3, 20}, {0, 4, 20}, {0, 5, 20}, {0, 6, 20}, {0, 7, 20},  {0, 8, 80},
                 {0, 9, 20}, {2, 8, 70}, {2, 5, 70}, {2, 6, 70}};
        static const unsigned results[] = {0, 200, 501, 501, 503, 402, 405, 411, 410, 408, 409};
        static const struct {
                int result;
                unsigned download, install;
        } sw[] = {{0, 0, 0},        {1, 0, 0},        {2, 1200, 1200},  {3, 1200, 0},
                  {50, 1404, 1404}, {51, 1404, 1406}, {52, 1402, 1402}, {53, 1402, 1402},
                  {54, 1413, 1413}, {56, 1402, 1402}, {57, 1400, 1400}, {58, 1405, 1405},
                  {59, 1408, 1408}, {99, 1412, 1412}};
        static const unsigned lock[] = {0, 1200, 1200, 1200, 1201, 1403, 1402, 1404, 1405, 1400};
        static const unsigned status[] = {10, 30, 40, 40, 0};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(s); i++)
                assert_int_equal(odm_bridge_fumo_state(s[i].state, s[i].result), s[i].fumo);
        for (size_t i = 0; i < ODM_COUNT(results); i++)
                assert_int_equal(odm_bridge_fumo_result((int64_t)i), results[i]);
        for (size_t i = 0; i < ODM_COUNT(sw); i++) {
                assert_int_equal(odm_bridge_scomo_result(sw[i].result, ODM_PHASE_DOWNLOAD),
                                 sw[i].download);
                assert_int_equal(odm_bridge_scomo_result(sw[i].result, ODM_PHASE_INSTALL),
                                 sw[i].install);
        }
        for (size_t i = 0; i < ODM_COUNT(lock); i++)
                assert_int_equal(odm_bridge_lock_result((int64_t)i), lock[i]);
        for (size_t i = 0; i < ODM_COUNT(status); i++)
                assert_int_equal(odm_bridge_scomo_status((int64_t)i), status[i]);
        assert_int_equal(odm_bridge_lock_state(0), 30);
        assert_int_equal(odm_bridge_lock_state(1), 20);
        assert_int_equal(odm_bridge_lock_state(2), 10);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(jobs_go_as_the_scenes_say),
                cmocka_unit_test(orders_that_cannot_be_are_refused),
                cmocka_unit_test(what_waits_for_a_restart_does_not_wait_for_ever),
                cmocka_unit_test(the_state_of_firmware_is_that_of_its_job),
                cmocka_unit_test(numbers_are_those_of_the_table),
        };
        lab_map_path = argc > 1 ? argv[1] : "apps/grem/maps/lwm2m.map";
        return RUN_TESTS(tests);
}
