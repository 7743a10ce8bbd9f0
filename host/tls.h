/* SPDX-License-Identifier: Apache-2.0 */
/* tls.h - TLS, thin over GnuTLS: at least version 1.2, the peer always verified by clients.
 *
 * httpd uses the server half; http_client uses the client half.  A credential may be shared
 * by threads; a connection belongs to one thread at a time. */
#ifndef HOST_TLS_H
#define HOST_TLS_H

#include <gnutls/gnutls.h>

#include "diag.h"

/* ---- credentials ------------------------------------------------------------- */

typedef struct tls_cred tls_cred;

typedef struct tls_cred_opt {
        const char *ca_file;   /* PEM; trust these.  NULL: those of the system */
        const char *cert_file; /* PEM chain; NULL = none (clients only) */
        const char *key_file;  /* PEM; NULL = in cert_file.  A PKCS#11 URL is taken for both */
        const char *crl_file;  /* PEM; NULL = none */
} tls_cred_opt;

/* Reads the files.  Returns 0, ODM_EIO (a file), ODM_EMALFORMED (its contents), ODM_ENOMEM; `d`
 * names the file. */
ODM_MUST_USE int tls_cred_new(const tls_cred_opt *opt, tls_cred **out, diag *d);
void tls_cred_free(tls_cred *c); /* NULL is allowed */

/* ---- client connections ---------------------------------------------------------- */

typedef struct tls_conn tls_conn;

enum { TLS_AGAIN_READ = 1, TLS_AGAIN_WRITE = 2 };

/* Data to resume a session, kept by the caller between connections to one server; zero it first. */
typedef struct tls_resume {
        void *p;
        size_t n;
} tls_resume;
void tls_resume_done(tls_resume *r);

/* A connection over the non-blocking socket `fd` (borrowed) to `host`, whose certificate must be
 * for that name or address and lead to a trusted root.  `cred` is borrowed.  `resume` may be NULL
 * or empty.  Returns 0, ODM_ENOMEM, ODM_EIO. */
ODM_MUST_USE int tls_conn_new(const tls_cred *cred, int fd, const char *host,
                              const tls_resume *resume, tls_conn **out);
void tls_conn_free(tls_conn *c); /* NULL is allowed; sends nothing */

/* Returns 0 when done, TLS_AGAIN_READ or TLS_AGAIN_WRITE when the socket must become ready,
 * ODM_EACCESS when the peer's certificate is not good, ODM_EIO; `d` says why. */
ODM_MUST_USE int tls_conn_handshake(tls_conn *c, diag *d);
/* As read(2) and write(2): *n octets done, 0 at the end of the stream (reading; only a
 * close_notify is an end, a cut is ODM_EIO).  Returns 0, TLS_AGAIN_*, ODM_EIO.  A write that said
 * TLS_AGAIN_* must be repeated with the same octets. */
ODM_MUST_USE int tls_conn_read(tls_conn *c, void *p, size_t room, size_t *n, diag *d);
ODM_MUST_USE int tls_conn_write(tls_conn *c, const void *p, size_t len, size_t *n, diag *d);
bool tls_conn_pending(const tls_conn *c); /* octets are decrypted already */
void tls_conn_bye(tls_conn *c);           /* close_notify, as far as it goes at once */
/* Replaces *r by data of this session, when the server gave any (with TLS 1.3 after the first
 * octets were read). */
void tls_conn_save(tls_conn *c, tls_resume *r);
bool tls_conn_resumed(const tls_conn *c);

/* ---- server half: session tickets, client certificates ---------------------------- */

/* A key for session tickets that outlives the process: read from `path`, or made there (mode
 * 0600) when there is none.  Servers sharing a port share the file.  A file others may read is
 * ODM_EACCESS; one of a wrong size ODM_EMALFORMED; else 0, ODM_EIO, ODM_ENOMEM. */
typedef struct tls_ticket_key {
        gnutls_datum_t d;
} tls_ticket_key;
ODM_MUST_USE int tls_ticket_key_load(const char *path, tls_ticket_key *out, diag *d);
void tls_ticket_key_done(tls_ticket_key *k);

/* Who the peer of a server's connection is, found once a connection. */
typedef struct tls_peer {
        bool present;      /* it showed a certificate */
        bool verified;     /* which leads to a CA of the listener, and is in its time */
        char sha256[65];   /* of the certificate's DER, lower-case hexadecimal */
        char subject[256]; /* RFC 4514 text, cut */
        char common_name[128];
} tls_peer;
void tls_peer_of(gnutls_session_t s, bool verify, tls_peer *out);

/* GnuTLS priority text: what we offer and accept. */
extern const char tls_priorities[];

#endif
