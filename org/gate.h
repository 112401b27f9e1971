/* gate: the only way from a self space into an org space (promise 4; design §7).  A pure function of personal documents, sharing
 * settings and authority: same inputs, same bytes.
 *
 * Body of a report (map):  1 layer · 2 [entry…] sorted by (goal, objective) · 3 summary map (absent unless something is shared) ·
 *   4 salt bin16 = keyed BLAKE2b-128 (gate secret), domain "cairn-report-salt", of audience id ‖ the body without salt and
 *   padding · 15 padding bin of zeros, always there: fills the encoded body to the smallest power of two that can be had, at
 *   least 256.
 * entry (map): 1 blinded goal bin16 · 2 objective bin16 · 3 weight · 4 percent int | nil "not set"; absent: hidden (E1 off) ·
 *   5 tasks done · 6 tasks total (E2) · 7 last activity ms · 8 minutes (E3) · 9 category str (E5)
 * summary, of the goals in this report only: 1 tasks done (E2) · 2 goals active: not completed, exceeded, not met or cancelled
 *   (E1) · 3 {category str: tasks done} (E2 and E5) · 4 minutes (E3)
 * Blinded id = keyed BLAKE2b-128 (gate secret), domain "cairn-goal", of the goal id. */
#ifndef ORG_GATE_H
#define ORG_GATE_H
#include "org/audience.h"

struct gate_input {
	struct id32 org;                        /* the org space */
	struct id32 member;                     /* whose reports */
	const struct goal *goals; size_t n_goals;
	const struct link *links; size_t n_links;       /* all of the member's; the gate picks those of this org that are active */
	/* Objectives of the links: (id, has_team, team) ascending by id; a link to an unknown or deleted one leaves no trace. */
	const struct objective *objectives; size_t n_objectives;
	const struct sharing *sharing;
	const struct state *state;
	const uint8_t *secret;                  /* KEY_LEN, the gate secret of this org */
};
struct gate_report {
	struct id16 audience; struct reader_rule rule;
	struct buf body;                        /* plaintext, padded: what is sealed, what preview --raw prints */
	struct reader *readers; size_t n_readers;
	size_t n_entries;
};
/* Reports ascending by audience id; none unless accepted.  preview: as if accepted now (what accepting would send).  ERR_NOMEM;
 * ERR_TOOBIG: a report of more than REPORT_MAX bytes (about a thousand links in one audience). */
#define REPORT_MAX (128 * 1024)
enum err gate_reports(struct gate_report **out, size_t *n, const struct gate_input *, bool preview);
void gate_reports_free(struct gate_report *, size_t n);
/* Why is this goal (not) shared with this org?  One sentence each, for `cairn share why`. */
enum gate_reason { GATE_SHARED, GATE_NOT_ACCEPTED, GATE_NOT_LINKED, GATE_HIDDEN, GATE_NOT_LISTED, GATE_PRIVATE_NO_MANAGER,
	GATE_OBJECTIVE_GONE, GATE_DELETED, GATE_NOT_MEMBER };
enum gate_reason gate_why(const struct gate_input *, const struct id16 *goal);
/* The body of a report that replaces one whose goals are no longer shared: no entries, smallest size. */
enum err gate_withdrawn(struct buf *out, unsigned layer);
const char *gate_reason_text(enum gate_reason);         /* a sentence about "this goal" */
/* The id under which this org sees a goal. */
void gate_blind(struct id16 *out, const uint8_t secret[KEY_LEN], const struct id16 *goal);
/* The padding that brings a body of len bytes (without field 15) to *total. */
size_t report_padding(size_t *total, size_t len);

/* The reading side: an opened report.  Slices borrow from the body. */
struct report_entry { struct id16 goal, objective; decimal weight; bool hidden, has_percent; decimal percent; bool has_tasks;
	unsigned tasks_done, tasks_total; uint64_t last_activity_ms; bool has_minutes; uint64_t minutes; struct slice category; };
struct report_summary { bool has_tasks, has_goals, has_minutes; unsigned tasks_done, goals_active; uint64_t minutes;
	size_t n_categories; struct task_category *categories; };
struct report { unsigned layer; struct id16 salt; size_t n; struct report_entry *entries; struct report_summary summary; };
/* Foreign bytes: bounded, checked.  ERR_MALFORMED, ERR_TOOBIG, ERR_NOMEM. */
enum err report_read(struct report *out, struct slice body);
void report_free(struct report *);
#endif
