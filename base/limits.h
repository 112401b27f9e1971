/* limits: one table for code, docs and fuzzers (design §5, protocol §§2-8).  What decides acceptance of a format is a constant of
 * format version 1; what is local (connections, rates) may be tuned. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* Format version 1: every implementation must agree. */
#define FORMAT_VERSION          1
#define LIMIT_OP                (64 * 1024)     /* encoded header + body + signature */
#define LIMIT_BODY              (60 * 1024)     /* sealed body */
#define LIMIT_HEADS             16              /* cited ids */
#define LIMIT_RUN_OPS           256
#define LIMIT_RUN_BYTES         (192 * 1024)
#define LIMIT_FRAME             (256 * 1024)
#define LIMIT_DEPTH             8               /* nesting of bodies */
#define LIMIT_STATEMENT         (192 * 1024)
#define LIMIT_WRAP_DEVICES      500
#define LIMIT_SLOT_INDEX        1024
#define LIMIT_AUTHORITY_OP      (32 * 1024)
#define LIMIT_FUTURE_MS         (5 * 60 * 1000) /* ahead of this: held */
#define LIMIT_TITLE             500             /* code points */
#define LIMIT_UNIT              50
#define LIMIT_NAME              255
#define LIMIT_EMAIL             255
#define LIMIT_DESCRIPTION       (16 * 1024)     /* bytes */
#define LIMIT_NOTE              (4 * 1024)
#define LIMIT_INVITE_USES       10000
#define LIMIT_PINS              4096            /* in one authority op */
#define LIMIT_SCOPE_DOCUMENTS   1000            /* in one scope op */

/* Local. */
#define LIMIT_CHECKINS          500             /* notes of progress in one goal */
#define LIMIT_ADDRESSES         8
#define LIMIT_ADDRESS_TEXT      256
#define LIMIT_SPACES            64
#define LIMIT_PEERS             1024
#define LIMIT_QUARANTINE        (1024 * 1024)   /* per log */
#define LIMIT_JOIN_LINKS        4
#define LIMIT_JOIN_BYTES        (64 * 1024)
#define LIMIT_HTTP_BODY         (1024 * 1024)
#define LIMIT_HTTP_CONNECTIONS  64
#define LIMIT_REPLY_KEEP_MS     (24L * 3600 * 1000)
#define LIMIT_SESSION_CREDIT    (8 * 1024 * 1024) /* bytes a peer may have in flight towards us */

#endif
