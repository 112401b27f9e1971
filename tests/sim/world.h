/* world: several nodes (the daemon's own object code) over memory disks, a network and clocks, all driven by one seed.  The same
 * seed gives the same trace.  Faults: loss, delay, duplication, reordering, partitions, crashes that lose what was not synced,
 * full disks, failed commits, skewed clocks.  How often each happened is counted, so that a fault that never happened is seen. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H
#include "base/rng.h"
#include "daemon/node/node.h"
#include "daemon/node/view.h"

enum fault { FAULT_LOSS, FAULT_DUPLICATE, FAULT_REORDER, FAULT_PARTITION, FAULT_CRASH_BEFORE_SYNC, FAULT_CRASH_AFTER_SYNC, FAULT_FULL,
	FAULT_FAILED_COMMIT, FAULT_REFUSED_LINK, FAULT_MEMORY, FAULT_ROLLBACK, FAULT_COUNT };
extern const char *const fault_names[FAULT_COUNT];

struct world_options { size_t nodes; unsigned loss, duplicate, reorder; /* per thousand */ unsigned crash, oom; bool story; };
struct world;
struct world *world_new(uint64_t seed, const struct world_options *);
void world_free(struct world *);
/* Let virtual time pass. */
void world_run(struct world *, uint64_t ms);
/* A command on one node; runs the world until the reply comes (at most max_ms).  The reply's fields: text by key, or "". */
enum err world_command(struct world *, size_t node, struct command *, uint64_t max_ms);
const uint8_t *world_reply_bin(struct world *, const char *key, size_t len);    /* of the last reply; NULL */
struct slice world_reply_text(struct world *, const char *key);
struct slice world_reply_message(struct world *);
void world_crash(struct world *, size_t node);
bool world_rollback(struct world *, size_t node, bool known);     /* true: it went back */
void world_partition(struct world *, bool on);                  /* two halves, drawn by chance */
void world_disk_limit(struct world *, size_t node, size_t bytes);
void world_fail_commit(struct world *, size_t node);
void world_faults(struct world *, bool on);                     /* heal: no more loss, all links may form */
struct rng *world_rng(struct world *);
uint64_t world_now(const struct world *);
/* All nodes have equal replica and state hashes for this org. */
bool world_equal(struct world *, const struct id32 *org);
size_t world_wrong_folds(struct world *);                       /* cached documents that are not what their ops say: 0 */
void world_show(struct world *, const struct id32 *org);
struct view *world_view(struct world *, size_t node);           /* view_close it before anything else happens */
struct store *world_store(struct world *, size_t node);
const struct id32 *world_device(struct world *, size_t node);
const struct id32 *world_member(struct world *, size_t node);
void world_trace(const struct world *, struct id32 *out);       /* hash of everything that happened */
uint64_t world_count(const struct world *, enum fault);
/* Every frame that was sent, before it is lost or delivered: promise 4's tap. */
void world_tap(struct world *, void (*tap)(void *, size_t from, struct slice frame), void *);
#endif
