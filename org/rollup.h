/* rollup: progress up the tree objective ← child objectives ← links (design §9; inventory J; promise 10).  Pure, exact integers: the
 * same inputs give the same bytes on every machine. */
#ifndef ORG_ROLLUP_H
#define ORG_ROLLUP_H
#include "org/gate.h"

/* One contribution: an entry of a member's report that the computing device could open. */
struct contribution { struct id32 member; struct id32 report; struct id16 salt; struct report_entry entry; uint64_t at_ms;
	/* report: statement id; at_ms: hlc of the statement */ };
/* Of several entries of a member for one (goal, objective) the newest counts, then the larger report id. */
struct rollup_settings { bool unit_link, allow_over; unsigned min_group; };
struct rollup_item {                    /* what --explain lists; arrays by objective */
	enum { ITEM_CONTRIBUTOR, ITEM_LINK, ITEM_CHILD, ITEM_KEY_RESULT, ITEM_OWN } kind;
	struct id32 member; struct id16 child;  /* whichever applies */
	struct number raw;                      /* unset: no data, does not count */
	decimal clamped, weight;
	decimal share;                          /* percent of the total weight that counted, 10⁻⁴ */
	unsigned links; uint64_t tasks_done, tasks_total, newest_ms;
	bool counts, hidden, support;           /* hidden: all its links are.  Cancelled children show but do not count, like support */
};
/* How items add up.  An item counts if it has data and its weight is not 0.  Average: Σv/n · WeightedAverage: Σv·w/Σw · Minimum,
 * Maximum, Sum: of v · KeyResults: Σv·w/Σw of the key results alone · TaskBased: 100·Σdone/Σtotal, of links with task counts and
 * of child objectives' subtrees; raw values are then such percents.  v: clamped.  A contributor's v: Σv·w/Σw of its links with
 * data, unclamped, rounded to 10⁻⁴; its w: the mean of their weights, so rounded.  An objective with no items of the kinds that
 * its method takes (support and cancelled children are none) has its own current/target.  Shares: w/Σw, total/Σtotal, or
 * 1/n.  A team's progress: TaskBased and WeightedAverage likewise, else Average, of its members' items. */
struct rollup_team { struct id16 team; struct number progress; unsigned contributors; };
struct rollup_result {
	struct id16 objective;
	struct number raw, progress;            /* progress: rounded once to 10⁻⁴, clamped unless allow_over */
	bool own_value_ignored;                 /* has both items and its own current value */
	bool suppressed;                        /* fewer contributors than minGroup, of its own or of the subtree, but not none */
	unsigned contributors, links, hidden;   /* distinct members incl. those below? no: of this objective's own links */
	unsigned below;                         /* distinct contributors of the whole subtree, as far as it counts */
	uint64_t tasks_done, tasks_total;       /* of the whole subtree, as far as it counts */
	uint64_t newest_ms;
	size_t n_items; struct rollup_item *items;
	size_t n_teams; struct rollup_team *teams;
	struct id32 merkle_root; unsigned merkle_leaves;
};
struct rollup { size_t n; struct rollup_result *results; };     /* ascending by objective */
struct rollup_input {
	const struct objective *objectives; size_t n_objectives;        /* ascending by id */
	const struct key_result *const *key_results; const size_t *n_key_results;   /* per objective; may be NULL */
	const struct contribution *contributions; size_t n_contributions;           /* any order */
	const struct state *state;                                      /* members' teams, who is active */
	struct rollup_settings settings;
};
/* Parent cycles: edges are added in (hlc of the parent register, id) order; one that closes a cycle is left out (design §5).
 * Items of members who are no longer active do not count (AH16). */
/* Deleted objectives have no result.  ERR_NOMEM. */
enum err rollup_compute(struct rollup *out, const struct rollup_input *);
void rollup_free(struct rollup *);
const struct rollup_result *rollup_find(const struct rollup *, const struct id16 *objective);

/* The Merkle tree of protocol §9.  One leaf for each report that has links of a contributor to the objective: H("cairn-leaf-report",
 * salt ‖ report id ‖ objective ‖ contributor's value int64 ‖ weight int64), integers big-endian; without data INT64_MIN and 0.
 * Nodes: H("cairn-merkle", left ‖ right), an odd one is carried up; no leaves: zeros. */
void rollup_leaf(struct id32 *out, const struct id16 *salt, const struct id32 *report, const struct id16 *objective,
	struct number value, decimal weight);
/* Sorts the leaves, drops repeated ones (*n) and overwrites them. */
void rollup_merkle_root(struct id32 *out, struct id32 *leaves, size_t *n);

/* Body of a published roll-up (protocol §9), a map: 1 objective bin16 · 2 authority heads [bin32] · 3 method · 4 unit (0 contributor
 * 1 link) · 5 raw int | nil · 6 progress int | nil · 7 status · 8 newest input ms · 9 contributors · 10 hidden · 11 key results
 * [[id bin16, percent | nil]…] · 12 teams [[team bin16, percent | nil, contributors]…] · 13 leaves · 14 merkle root bin32 ·
 * 16 suppressed bool (fewer than minGroup; 5, 6, 9, 10 then nil, 11, 12 empty).  Teams ascending; heads ascending. */
#define ROLLUP_TEAMS_MAX 64             /* more are left out: those with the largest ids */
#define ROLLUP_KEY_RESULTS_MAX 64       /* … those at the end */
struct rollup_body {
	struct id16 objective; size_t n_heads; struct id32 heads[LIMIT_HEADS];
	enum method method; bool unit_link, suppressed; struct number raw, progress; unsigned status; uint64_t newest_ms;
	unsigned contributors, hidden; size_t n_teams; struct rollup_team teams[ROLLUP_TEAMS_MAX];
	size_t n_key_results; struct { struct id16 id; struct number percent; } key_results[ROLLUP_KEY_RESULTS_MAX];
	unsigned leaves; struct id32 merkle_root;
};
/* What may be published of a result: without suppressed values and teams smaller than minGroup.  Heads sorted. */
void rollup_body_fill(struct rollup_body *out, const struct rollup_result *, const struct objective *, const struct rollup_settings *,
	const struct id32 *heads, size_t n_heads, const struct key_result *, size_t n_key_results);
enum err rollup_body_encode(struct buf *out, const struct rollup_body *);
enum err rollup_body_read(struct rollup_body *, struct slice body);     /* foreign bytes.  ERR_MALFORMED, ERR_TOOBIG */
#endif
