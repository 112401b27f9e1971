/* Promise 4: nothing personal leaves but through the gate.  Canary titles, notes, categories and e-mails are put into shared and
 * unshared goals; every frame is tapped before CURVE, and every record of every foreign store is opened with that node's own keys.
 * None may hold a canary, but for what was accepted: that must arrive. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "tests/sim/world.h"

static const char *const secret[] = { "CANARY-shared-title", "CANARY-shared-note", "CANARY-unshared-title", "CANARY-unshared-description",
	"CANARY-hidden-title", "CANARY-unshared-category" };
#define SECRETS (sizeof secret / sizeof secret[0])
static const char *const in_clear_nowhere[] = { "canary-mail@example.org", "CANARY-objective", "CANARY-shared-category", "CANARY-Name" };
#define SEALED (sizeof in_clear_nowhere / sizeof in_clear_nowhere[0])
static int found;

static bool holds(struct slice s, const char *text)
{
	return s.len > 0 && memmem(s.data, s.len, text, strlen(text)) != NULL;
}

static void look(struct slice s, const char *text, const char *where)
{
	if (!holds(s, text))
		return;
	found++;
	printf("canary: “%s” is %s\n", text, where);
}

static void tap(void *arg, size_t from, struct slice frame)
{
	(void)arg;
	(void)from;
	for (size_t i = 0; i < SECRETS; i++)
		look(frame, secret[i], "in a frame");
	for (size_t i = 0; i < SEALED; i++)
		look(frame, in_clear_nowhere[i], "in clear in a frame");
}

static enum err command(struct world *w, size_t node, struct command c, const char *const *words)
{
	struct pair pairs[8];

	for (; words != NULL && words[0] != NULL; words += 2)
		pairs[c.n_pairs++] = (struct pair){ slice_of(words[0]), slice_of(words[1]) };
	c.pairs = pairs;
	enum err e = world_command(w, node, &c, 60000);

	if (e != OK) {
		printf("canary: command %d on node %zu: %s (%.*s)\n", (int)c.kind, node, err_text(e), (int)world_reply_message(w).len,
			(const char *)world_reply_message(w).data);
		exit(2);
	}
	return e;
}

static struct id16 made(struct world *w)
{
	const uint8_t *bytes = world_reply_bin(w, "id", DOC_LEN);
	struct id16 id = {{0}};

	if (bytes != NULL)
		memcpy(&id, bytes, DOC_LEN);
	return id;
}

static struct id16 goal(struct world *w, const char *title, const char *key, const char *value)
{
	const char *words[] = { "title", title, key, value, "targetValue", "10", NULL };

	(void)command(w, 1, (struct command){ .kind = COMMAND_GOAL_ADD }, words);
	return made(w);
}

static void found_org(struct world *w)
{
	struct buf code = {0};

	(void)command(w, 0, (struct command){ .kind = COMMAND_ORG_CREATE, .text = slice_of("Canaries") }, NULL);
	world_run(w, 500);
	(void)command(w, 0, (struct command){ .kind = COMMAND_INVITE, .uses = 2 }, NULL);
	buf_put_slice(&code, world_reply_text(w, "code"));
	for (size_t i = 1; i < 3; i++)
		(void)command(w, i, (struct command){ .kind = COMMAND_ORG_JOIN, .text = buf_slice(&code) }, NULL);
	buf_free(&code);
}

static void share(struct world *w)
{
	const char *objective[] = { "title", "CANARY-objective", NULL };
	const char *profile[] = { "email", "canary-mail@example.org", "displayName", "CANARY-Name", NULL };
	struct id16 to, shared, hidden;

	(void)command(w, 0, (struct command){ .kind = COMMAND_OBJECTIVE_ADD }, objective);
	to = made(w);
	(void)command(w, 1, (struct command){ .kind = COMMAND_SYNC }, NULL);
	(void)command(w, 1, (struct command){ .kind = COMMAND_PROFILE_SET }, profile);
	shared = goal(w, "CANARY-shared-title", "category", "CANARY-shared-category");
	(void)goal(w, "CANARY-unshared-title", "description", "CANARY-unshared-description");
	(void)goal(w, "Another", "category", "CANARY-unshared-category");
	hidden = goal(w, "CANARY-hidden-title", "category", "x");
	(void)command(w, 1, (struct command){ .kind = COMMAND_LINK, .has_document = true, .document = shared, .has_target = true, .target = to }, NULL);
	(void)command(w, 1, (struct command){ .kind = COMMAND_LINK, .has_document = true, .document = hidden, .has_target = true, .target = to }, NULL);
	(void)command(w, 1, (struct command){ .kind = COMMAND_SHARE_GOAL, .has_document = true, .document = hidden, .on = false }, NULL);
	(void)command(w, 1, (struct command){ .kind = COMMAND_SHARE_ACCEPT, .on = true }, NULL);
	(void)command(w, 1, (struct command){ .kind = COMMAND_GOAL_PROGRESS, .has_document = true, .document = shared, .has_value = true,
		.value = 5 * DECIMAL_ONE, .text = slice_of("CANARY-shared-note") }, NULL);
	for (size_t i = 0; i < 3; i++)
		(void)command(w, i, (struct command){ .kind = COMMAND_SYNC }, NULL);
}

/* Every record of a store, opened. */
static void search_store(struct store *store, const char *where)
{
	struct store_txn *txn;

	if (store_begin(&txn, store, false) != OK)
		exit(2);
	for (int table = TABLE_META; table <= TABLE_PENDING; table++) {
		struct store_cursor *c;
		struct slice key, value;

		if (store_cursor_open(&c, txn, (enum store_table)table, SLICE(NULL, 0), SLICE(NULL, 0), false) != OK)
			exit(2);
		while (store_cursor_next(c, &key, &value) == OK)
			for (size_t i = 0; i < SECRETS; i++) {
				look(key, secret[i], where);
				look(value, secret[i], where);
			}
		store_cursor_close(c);
	}
	store_abort(txn);
}

/* What was accepted does arrive: the category of the shared goal, at the Owner's; not at the fellow Member's. */
static void arrived(struct world *w, const struct id32 *org, size_t node, bool wanted)
{
	struct view *v = world_view(w, node);
	struct view_report *reports;
	size_t n = 0;
	bool here = false;

	if (view_reports(v, org, &reports, &n) != OK)
		exit(2);
	for (size_t i = 0; i < n; i++) {
		here = here || holds(reports[i].body, "CANARY-shared-category");
		for (size_t k = 0; k < SECRETS; k++)
			look(reports[i].body, secret[k], "in a report that somebody opened");
	}
	view_close(v);
	if (here != wanted) {
		found++;
		printf("canary: what was accepted %s node %zu\n", wanted ? "did not arrive at" : "can be opened by", node);
	}
}

int main(void)
{
	struct world_options options = { .nodes = 3 };
	struct world *w;
	struct view_org orgs[2];
	struct view *v;
	size_t n;

	if (crypto_start() != OK)
		return 2;
	w = world_new(4, &options);
	world_faults(w, false);
	world_tap(w, tap, NULL);
	found_org(w);
	share(w);
	v = world_view(w, 0);
	n = view_orgs(v, orgs, 2);
	view_close(v);
	if (n != 1)
		return 2;
	search_store(world_store(w, 0), "in the Owner's store");
	search_store(world_store(w, 2), "in a fellow Member's store");
	arrived(w, &orgs[0].id, 0, true);
	arrived(w, &orgs[0].id, 2, false);
	world_free(w);
	return found > 0;
}
