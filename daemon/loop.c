#include "daemon/loop.h"
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>
#include "base/mem.h"
#include "daemon/links.h"
#include "daemon/log.h"
#include "daemon/queue.h"

#define AGENT "cairnd " CAIRN_VERSION
#define DEFAULT_PORT 7411
#define BATCH 256                       /* events in a turn */
#define BATCH_BYTES (4 * 1024 * 1024)   /* of frames in a turn: keeps transactions within what the store's map takes at once */
#define ROUNDS 8                        /* turns before sockets are looked at again */
#define COMMANDS_MAX 1024

enum job_kind { JOB_INIT, JOB_UNLOCK, JOB_DROP_SEED, JOB_PASSPHRASE };
struct job {                            /* in secret memory: it carries passphrases */
	uv_work_t work;
	struct loop *loop;
	enum job_kind kind;
	loop_done *done;
	uint64_t token;
	enum err result;
	struct keystore *keystore;      /* JOB_INIT, JOB_UNLOCK: the result; else: in use */
	struct keystore_init init;
	bool has_seed, has_store_key, has_old, has_new;
	uint8_t seed[32], store_key[KEY_LEN];
	size_t name_len, email_len, old_len, new_len;
	uint8_t name[1024], email[1024], old[KEYSTORE_PASSPHRASE_MAX], new[KEYSTORE_PASSPHRASE_MAX];
};
struct queued_command { struct queued q; struct loop *loop; struct command command; _Alignas(16) uint8_t memory[]; };
struct self_test { uv_work_t work; enum err result; };

struct loop {
	uv_loop_t uv;
	bool uv_open, jump_open, stopping, stopped, failed;
	const struct home *home;
	const struct conf *conf;
	struct slice passphrase;

	enum { STATE_NEW, STATE_LOCKED, STATE_OPEN } state;
	enum keystore_lock locked_by;
	struct keystore *keystore;
	struct store *store;
	struct node *node;
	struct links *links;
	struct http *http;
	struct http_host host;
	struct job *job;

	uv_prepare_t prepare;
	uv_idle_t idle;
	uv_timer_t timer;
	uv_poll_t jump;
	int jump_fd;
	uv_signal_t signals[3];
	struct interfaces_watch *watch;

	struct queue queue;
	size_t n_commands;
	bool due, start, tell_addresses, listening, wants_listen;
	enum event_kind tell_as;
	enum { TEST_NOT_YET, TEST_RUNS, TEST_PASSED, TEST_FAILED } tested;
	struct self_test self_test;
	uint16_t port;
	struct address_list addresses, seen;    /* told to the node; of all interfaces */
	struct effects *effects;
	struct event batch[BATCH];
	struct queued *owners[BATCH];
	size_t n_owners;
};

static uint64_t wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t mono_ms(void)
{
	return uv_hrtime() / 1000000;
}

/* ---- what routes ask ---- */

enum http_state loop_state(const struct loop *l)
{
	if (l->stopping)
		return HTTP_STOPPING;
	return l->state == STATE_NEW ? HTTP_NEW : l->state == STATE_LOCKED ? HTTP_LOCKED : HTTP_OPEN;
}

const struct paths *loop_paths(const struct loop *l)
{
	return &l->home->paths;
}

const struct conf *loop_conf(const struct loop *l)
{
	return l->conf;
}

struct http *loop_http(const struct loop *l)
{
	return l->http;
}

const struct keystore *loop_keystore(const struct loop *l)
{
	return l->state == STATE_OPEN ? l->keystore : NULL;
}

const struct node_identity *loop_identity(const struct loop *l)
{
	return l->state == STATE_OPEN ? keystore_identity(l->keystore) : NULL;
}

enum keystore_lock loop_locked_by(const struct loop *l)
{
	return l->locked_by;
}

const struct link *loop_link(const struct loop *l)
{
	return l->links == NULL ? NULL : links_link(l->links);
}

uint16_t loop_port(const struct loop *l)
{
	return l->listening ? l->port : 0;
}

bool loop_seed_confirmed(const struct loop *l)
{
	return l->state == STATE_OPEN && !keystore_identity(l->keystore)->has_seed;
}

static void on_idle(uv_idle_t *idle)
{
	(void)idle;                             /* its being active keeps the loop from sleeping */
}

void loop_stop(struct loop *l)
{
	l->stopping = true;
	uv_idle_start(&l->idle, on_idle);       /* wakes the loop */
}

/* ---- commands ---- */

static struct slice copy_slice(uint8_t **at, struct slice s)
{
	uint8_t *to = *at;

	if (s.data == NULL)
		return s;
	if (s.len > 0)
		memcpy(to, s.data, s.len);
	*at += s.len;
	return SLICE(to, s.len);
}

static size_t command_size(const struct command *c)
{
	size_t n = c->text.len + c->n_pairs * sizeof *c->pairs + c->n_texts * sizeof *c->texts + c->n_teams * sizeof *c->teams;

	for (size_t i = 0; i < c->n_pairs; i++)
		n += c->pairs[i].key.len + c->pairs[i].value.len;
	for (size_t i = 0; i < c->n_texts; i++)
		n += c->texts[i].len;
	return n;
}

/* Arrays first: they need alignment. */
static void command_copy(struct queued_command *q, const struct command *c)
{
	struct pair *pairs = (struct pair *)(void *)q->memory;
	struct slice *texts = (struct slice *)(void *)(pairs + c->n_pairs);
	struct id16 *teams = (struct id16 *)(void *)(texts + c->n_texts);
	uint8_t *at = (uint8_t *)(teams + c->n_teams);

	q->command = *c;
	for (size_t i = 0; i < c->n_pairs; i++) {
		pairs[i].key = copy_slice(&at, c->pairs[i].key);
		pairs[i].value = copy_slice(&at, c->pairs[i].value);
	}
	for (size_t i = 0; i < c->n_texts; i++)
		texts[i] = copy_slice(&at, c->texts[i]);
	if (c->n_teams > 0)
		memcpy(teams, c->teams, c->n_teams * sizeof *teams);
	q->command.text = copy_slice(&at, c->text);
	q->command.pairs = pairs;
	q->command.texts = texts;
	q->command.teams = teams;
}

static void command_release(struct queued *item)
{
	struct queued_command *q = (struct queued_command *)(void *)item;

	q->loop->n_commands--;
	mem_free(q);
}

static enum err on_command(void *arg, uint64_t token, const struct command *c)
{
	struct loop *l = arg;
	struct queued_command *q;

	if (l->n_commands >= COMMANDS_MAX)
		return ERR_LIMIT;
	if ((q = mem_alloc(sizeof *q + command_size(c))) == NULL)
		return ERR_NOMEM;
	command_copy(q, c);
	q->loop = l;
	q->q.release = command_release;
	q->q.event.kind = EVENT_COMMAND;
	q->q.event.token = token;
	q->q.event.command = &q->command;
	l->n_commands++;
	queue_push(&l->queue, &q->q);
	return OK;
}

static enum http_state on_state(void *arg)
{
	return loop_state(arg);
}

static struct node *on_node(void *arg)
{
	return ((struct loop *)arg)->node;
}

static struct store *on_store(void *arg)
{
	return ((struct loop *)arg)->store;
}

/* ---- listening ---- */

static uint16_t kept_port(const struct loop *l)
{
	struct buf b = {0};
	unsigned port = 0;

	if (home_read_file(&b, l->home->paths.port, 16) == OK)
		for (size_t i = 0; i < b.len && b.data[i] >= '0' && b.data[i] <= '9' && port <= UINT16_MAX; i++)
			port = port * 10 + (unsigned)(b.data[i] - '0');
	buf_free(&b);
	return port <= UINT16_MAX ? (uint16_t)port : 0;
}

static void keep_port(struct loop *l)
{
	char text[16];
	enum err e;

	if (kept_port(l) == l->port)
		return;
	snprintf(text, sizeof text, "%u\n", l->port);
	e = home_write_file(l->home->paths.port, slice_of(text));
	if (e != OK)
		LOG(LOG_WARNING, "the port is not kept: %s", err_text(e));
}

static enum err listen_at(struct loop *l, uint16_t port)
{
	char address[LIMIT_ADDRESS_TEXT + 16];
	bool v6 = strchr(l->conf->listen_host, ':') != NULL;

	snprintf(address, sizeof address, v6 ? "tcp://[%s]:%u" : "tcp://%s:%u", l->conf->listen_host, port);
	return links_listen(l->links, address, &l->port);
}

/* The port that was asked for, else the one of last time, else any: others learn it (protocol §8). */
static enum err listen_somewhere(struct loop *l)
{
	uint16_t kept = kept_port(l), first = l->conf->listen_given || kept == 0 ? l->conf->port : kept;
	enum err e = listen_at(l, first);

	if (e == ERR_BUSY && first != 0) {
		LOG(LOG_WARNING, "port %u is taken: using another one", first);
		e = listen_at(l, kept != first ? kept : 0);
		if (e == ERR_BUSY)
			e = listen_at(l, 0);
	}
	return e;
}

/* The addresses of the interfaces, whatever we listen at.  True: others than before. */
static bool look_around(struct loop *l)
{
	static const struct address_list none;
	struct address_list now;
	bool changed;
	enum err e = interfaces_list(&now, &none, "::", 0);

	if (e != OK)
		LOG(LOG_WARNING, "the interfaces of this machine cannot be listed: %s", err_text(e));
	changed = !address_list_equal(&now, &l->seen);
	l->seen = now;
	return changed;
}

static void tell_addresses(struct loop *l, enum event_kind as)
{
	l->addresses.n = 0;
	if (l->listening && interfaces_list(&l->addresses, &l->conf->advertise, l->conf->listen_host, l->port) == ERR_NOMEM)
		LOG(LOG_WARNING, "the interfaces of this machine cannot be listed: out of memory");
	l->tell_as = l->tell_addresses && l->tell_as == EVENT_LISTENING ? EVENT_LISTENING : as;
	l->tell_addresses = true;
}

static void listen_now(struct loop *l)
{
	enum err e;

	if (l->listening || !l->wants_listen || l->tested != TEST_PASSED || l->stopping)
		return;
	e = listen_somewhere(l);
	if (e != OK) {
		LOG(LOG_ERROR, "peers cannot reach this daemon: %s is not possible (%s)", l->conf->listen, err_text(e));
		return;
	}
	l->listening = true;
	LOG(LOG_INFO, "listening on port %u", l->port);
	keep_port(l);
	tell_addresses(l, EVENT_LISTENING);
}

static void self_test(uv_work_t *work)
{
	struct self_test *t = work->data;

	t->result = links_self_test();
}

static void self_tested(uv_work_t *work, int status)
{
	struct loop *l = (struct loop *)(void *)((char *)work->data - offsetof(struct loop, self_test));

	if (status != 0)
		return;
	l->tested = l->self_test.result == OK ? TEST_PASSED : l->self_test.result == ERR_SIGNATURE ? TEST_FAILED : TEST_NOT_YET;
	if (l->tested != TEST_PASSED)
		LOG(LOG_ERROR, "not listening: the check that strangers are refused says: %s", err_text(l->self_test.result));
	listen_now(l);
}

static void effect_listen(struct loop *l, bool on)
{
	l->wants_listen = on;
	if (!on) {
		links_unlisten(l->links);
		l->listening = false;
	} else if (l->tested == TEST_NOT_YET) {
		l->tested = TEST_RUNS;
		l->self_test.work.data = &l->self_test;
		uv_queue_work(&l->uv, &l->self_test.work, self_test, self_tested);
	} else {
		listen_now(l);
	}
}

static void on_network(void *arg)
{
	struct loop *l = arg;

	if (!look_around(l) || l->state != STATE_OPEN || l->stopping)
		return;
	if (l->wants_listen && l->tested == TEST_NOT_YET)
		effect_listen(l, true);
	listen_now(l);
	tell_addresses(l, EVENT_NETWORK);
}

/* ---- turns ---- */

static void execute(struct loop *l, const struct effect *x)
{
	switch (x->kind) {
	case EFFECT_SEND: case EFFECT_CONNECT: case EFFECT_DISCONNECT: case EFFECT_ALLOW:
		links_effect(l->links, x);
		break;
	case EFFECT_REPLY:
		http_reply(l->http, x->token, x->reply);
		break;
	case EFFECT_LISTEN:
		effect_listen(l, x->on);
		break;
	case EFFECT_LOG:
		log_text(x->level, x->bytes);
		break;
	case EFFECT_STOP:
		loop_stop(l);
		break;
	}
}

static void on_deadline(uv_timer_t *timer)
{
	((struct loop *)timer->data)->due = true;
}

static void arm_timer(struct loop *l)
{
	uint64_t at = node_deadline(l->node), now;

	if (at == UINT64_MAX) {
		uv_timer_stop(&l->timer);
		return;
	}
	uv_update_time(&l->uv);
	now = uv_now(&l->uv);
	uv_timer_start(&l->timer, on_deadline, at > now ? at - now : 1, 0);
}

/* The next event of this turn, or NULL.  Random bytes and times are fresh. */
static struct event *batch_add(struct loop *l, size_t n, struct queued *owner)
{
	struct event *ev = &l->batch[n];

	if (owner != NULL)
		*ev = owner->event;
	else
		memset(ev, 0, sizeof *ev);
	ev->wall_ms = wall_ms();
	ev->mono_ms = mono_ms();
	crypto_random(ev->random, sizeof ev->random);
	return ev;
}

static size_t batch_make(struct loop *l)
{
	size_t n = 0, bytes = 0;
	struct event *ev;

	if (l->start)
		batch_add(l, n++, NULL)->kind = EVENT_START;
	if (l->tell_addresses) {
		ev = batch_add(l, n++, NULL);
		ev->kind = l->tell_as;
		ev->port = l->listening ? l->port : 0;
		ev->addresses = l->addresses.slices;
		ev->n_addresses = l->addresses.n;
	}
	if (l->due)
		batch_add(l, n++, NULL)->kind = EVENT_TIME;
	l->start = l->tell_addresses = l->due = false;
	while (n < BATCH && bytes < BATCH_BYTES && l->queue.first != NULL) {
		struct queued *q = queue_pop(&l->queue);
		if (q->stale != NULL && *q->stale) {
			q->release(q);
			continue;
		}
		batch_add(l, n++, q);
		bytes += q->bytes;
		l->owners[l->n_owners++] = q;
	}
	return n;
}

static bool pending(const struct loop *l)
{
	return l->node != NULL && (l->start || l->tell_addresses || l->due || l->queue.first != NULL);
}

/* True: there was something to do. */
static bool turn(struct loop *l)
{
	size_t n;
	enum err e;

	if (!pending(l) || (n = batch_make(l)) == 0)
		return false;
	effects_clear(l->effects);
	e = node_turn(&l->node, l->store, l->batch, n, l->effects);
	if (e != OK)
		LOG(l->node == NULL ? LOG_ERROR : LOG_WARNING, "a turn failed: %s", err_text(e));
	for (size_t i = 0; i < effects_count(l->effects); i++)
		execute(l, effects_at(l->effects, i));
	while (l->n_owners > 0) {
		struct queued *q = l->owners[--l->n_owners];
		q->release(q);
	}
	if (l->node == NULL) {
		LOG(LOG_ERROR, "the store cannot be read again: stopping");
		l->failed = true;
		loop_stop(l);
		return false;
	}
	arm_timer(l);
	return true;
}

static void finish(struct loop *l);

static void on_prepare(uv_prepare_t *prepare)
{
	struct loop *l = prepare->data;

	for (int i = 0; i < ROUNDS; i++) {
		bool more = turn(l);
		more = http_turn(l->http) || more;
		if (!more || l->failed)
			break;
	}
	if (l->stopping)
		finish(l);
	else if (pending(l))
		uv_idle_start(&l->idle, on_idle);
	else
		uv_idle_stop(&l->idle);
}

/* ---- store and node ---- */

static void machine(uint8_t out[16], uint64_t file)
{
	struct buf id = {0};
	struct id32 hash;
	uint8_t number[8];
	char host[256] = "";

	if (home_read_file(&id, "/etc/machine-id", 256) != OK || id.len == 0) {
		gethostname(host, sizeof host - 1);
		buf_clear(&id);
		buf_put_text(&id, host);
	}
	put_u64(number, file);
	crypto_hash(&hash, "cairn-machine", (struct slice[]){ SLICE(number, sizeof number), buf_slice(&id) }, 2);
	memcpy(out, hash.b, 16);
	buf_free(&id);
}

static enum err explain_store(const struct loop *l, enum err e, uint32_t found, char why[LOOP_WHY])
{
	const char *dir = l->home->paths.store_dir;

	switch (e) {
	case ERR_VERSION:
		snprintf(why, LOOP_WHY, "the store in %s has format %u, this program knows up to %u: use a newer cairnd", dir, found,
			STORE_FORMAT);
		break;
	case ERR_FULL:
		snprintf(why, LOOP_WHY, "no room on the disk for the store in %s: free some space and start again", dir);
		break;
	case ERR_DAMAGED:
		snprintf(why, LOOP_WHY, "the store in %s is damaged: put back a copy from %s", dir, l->home->paths.backup_dir);
		break;
	case ERR_SEALED:
		snprintf(why, LOOP_WHY, "the store in %s belongs to another keystore", dir);
		break;
	case ERR_BUSY:
		snprintf(why, LOOP_WHY, "another process (%d) has the store in %s open", store_holder(dir), dir);
		break;
	default:
		snprintf(why, LOOP_WHY, "the store in %s cannot be opened: %s", dir, err_text(e));
	}
	return e;
}

static enum err open_node(struct loop *l, char why[LOOP_WHY])
{
	const struct node_identity *id = keystore_identity(l->keystore);
	struct node_host host = { .agent = AGENT, .port = kept_port(l) };
	struct curve_pair own;
	struct store_info info;
	uint8_t random[32];
	enum err e;

	host.compare_ms = l->conf->sync_minutes * 60000ull;
	if (l->conf->listen_given || host.port == 0)
		host.port = l->conf->port;
	if ((e = store_info(l->store, &info)) != OK)
		return explain_store(l, e, 0, why);
	machine(host.machine, info.identity);
	crypto_random(random, sizeof random);
	if ((e = node_open(&l->node, l->store, id, &host, wall_ms(), random)) != OK)
		return explain_store(l, e, 0, why);
	memcpy(own.public, id->curve_public, KEY_LEN);
	memcpy(own.secret, id->curve_secret, KEY_LEN);
	e = links_open(&l->links, &l->uv, &own, &l->queue);
	crypto_wipe(&own, sizeof own);
	if (e != OK)
		snprintf(why, LOOP_WHY, "out of memory");
	return e;
}

/* From a keystore to an open daemon.  Takes k in any case. */
static enum err open_all(struct loop *l, struct keystore *k, char why[LOOP_WHY])
{
	uint32_t found = 0;
	enum err e;

	l->keystore = k;
	l->locked_by = keystore_locked_by(k);
	e = store_open_lmdb(&l->store, l->home->paths.store_dir, keystore_store_key(k), &found);
	e = e != OK ? explain_store(l, e, found, why) : open_node(l, why);
	if (e != OK) {
		node_close(l->node);
		store_close(l->store);
		keystore_close(l->keystore);
		l->node = NULL;
		l->store = NULL;
		l->keystore = NULL;
		l->state = STATE_LOCKED;        /* there is a keystore: trying again is unlocking it */
		return e;
	}
	l->state = STATE_OPEN;
	l->start = true;
	return OK;
}

/* ---- keystore jobs ---- */

static bool job_put(uint8_t *room, size_t max, size_t *len, struct slice s)
{
	if (s.len > max)
		return false;
	if (s.len > 0)
		memcpy(room, s.data, s.len);
	*len = s.len;
	return true;
}

static enum err job_new(struct job **out, struct loop *l, enum job_kind kind, loop_done *done, uint64_t token)
{
	struct job *j;

	*out = NULL;
	if (l->stopping)
		return ERR_STATE;
	if (l->job != NULL)
		return ERR_BUSY;
	if ((j = crypto_secret_alloc((sizeof *j + 15) & ~(size_t)15)) == NULL)
		return ERR_NOMEM;
	j->loop = l;
	j->kind = kind;
	j->done = done;
	j->token = token;
	j->work.data = j;
	*out = j;
	return OK;
}

static void job_work(uv_work_t *work)
{
	struct job *j = work->data;
	const struct paths *paths = &j->loop->home->paths;
	struct slice old = j->has_old ? SLICE(j->old, j->old_len) : SLICE(NULL, 0);
	struct slice new = j->has_new ? SLICE(j->new, j->new_len) : SLICE(NULL, 0);

	switch (j->kind) {
	case JOB_INIT:
		j->init.name = SLICE(j->name, j->name_len);
		j->init.email = SLICE(j->email, j->email_len);
		j->init.passphrase = new;
		j->init.seed = j->has_seed ? j->seed : NULL;
		j->init.store_key = j->has_store_key ? j->store_key : NULL;
		j->result = keystore_create(&j->keystore, paths, &j->init);
		break;
	case JOB_UNLOCK:
		j->result = keystore_load(&j->keystore, paths, old);
		break;
	case JOB_DROP_SEED:
		j->result = keystore_drop_seed(j->keystore);
		break;
	case JOB_PASSPHRASE:
		j->result = keystore_locked_by(j->keystore) == KEYSTORE_PASSPHRASE && !keystore_passphrase_fits(j->keystore, old) ?
			ERR_SEALED : keystore_change_passphrase(j->keystore, new);
		break;
	}
}

static void explain_keystore(const struct loop *l, enum err e, char why[LOOP_WHY])
{
	const struct paths *p = &l->home->paths;

	switch (e) {
	case ERR_SEALED: snprintf(why, LOOP_WHY, l->locked_by == KEYSTORE_KEY_FILE && l->state == STATE_LOCKED ?
		"the key file %s does not open the keystore" : "wrong passphrase", p->key_file); break;
	case ERR_MISSING: snprintf(why, LOOP_WHY, "the keystore's key file %s is missing", p->key_file); break;
	case ERR_DAMAGED: snprintf(why, LOOP_WHY, "the keystore %s is damaged: put back a copy, or restore from the recovery phrase",
		p->keystore); break;
	case ERR_VERSION: snprintf(why, LOOP_WHY, "the keystore %s is of a newer cairnd", p->keystore); break;
	case ERR_FULL: snprintf(why, LOOP_WHY, "no room on the disk for %s", p->keystore); break;
	case ERR_EXISTS: snprintf(why, LOOP_WHY, "there is a keystore already: %s", p->keystore); break;
	case ERR_NOTFOUND: snprintf(why, LOOP_WHY, "the keystore %s is gone", p->keystore); break;
	case ERR_LOCKED: snprintf(why, LOOP_WHY, "the keystore needs its passphrase"); break;
	case ERR_NOMEM: snprintf(why, LOOP_WHY, "out of memory (a passphrase needs 256 MiB for a moment)"); break;
	default: snprintf(why, LOOP_WHY, "the keystore %s: %s", p->keystore, err_text(e));
	}
}

static void job_done(uv_work_t *work, int status)
{
	struct job *j = work->data;
	struct loop *l = j->loop;
	bool opens = j->kind == JOB_INIT || j->kind == JOB_UNLOCK;
	enum err e = status != 0 ? ERR_STATE : j->result;
	char why[LOOP_WHY] = "";

	l->job = NULL;
	if (l->stopping || l->stopped) {
		if (opens)
			keystore_close(j->keystore);
		crypto_secret_free(j);
		return;
	}
	if (e != OK)
		explain_keystore(l, e, why);
	else if (opens)
		e = open_all(l, j->keystore, why);
	else
		l->locked_by = keystore_locked_by(l->keystore);
	if (e != OK && e != ERR_SEALED && e != ERR_LOCKED)
		LOG(LOG_ERROR, "%s", why);
	j->done(l, j->token, e, why);
	crypto_secret_free(j);
}

static enum err job_start(struct job *j)
{
	struct loop *l = j->loop;

	l->job = j;
	uv_queue_work(&l->uv, &j->work, job_work, job_done);
	return OK;
}

enum err loop_init(struct loop *l, const struct keystore_init *in, loop_done *done, uint64_t token)
{
	char data[PATHS_LEN + 16];
	struct job *j;
	enum err e;

	snprintf(data, sizeof data, "%s/data.mdb", l->home->paths.store_dir);
	if (l->state != STATE_NEW || access(data, F_OK) == 0)
		return ERR_EXISTS;
	if ((e = job_new(&j, l, JOB_INIT, done, token)) != OK)
		return e;
	j->has_new = in->passphrase.data != NULL;
	if (!job_put(j->name, sizeof j->name - 1, &j->name_len, in->name) ||
	    !job_put(j->email, sizeof j->email - 1, &j->email_len, in->email) ||
	    !job_put(j->new, sizeof j->new, &j->new_len, in->passphrase)) {
		crypto_secret_free(j);
		return ERR_TOOBIG;
	}
	if ((j->has_seed = in->seed != NULL))
		memcpy(j->seed, in->seed, sizeof j->seed);
	if ((j->has_store_key = in->store_key != NULL))
		memcpy(j->store_key, in->store_key, sizeof j->store_key);
	j->init.now_ms = in->now_ms != 0 ? in->now_ms : wall_ms();
	return job_start(j);
}

enum err loop_unlock(struct loop *l, struct slice passphrase, loop_done *done, uint64_t token)
{
	struct job *j;
	enum err e;

	if (l->state != STATE_LOCKED)
		return ERR_STATE;
	if ((e = job_new(&j, l, JOB_UNLOCK, done, token)) != OK)
		return e;
	j->has_old = passphrase.data != NULL;
	if (!job_put(j->old, sizeof j->old, &j->old_len, passphrase)) {
		crypto_secret_free(j);
		return ERR_SEALED;
	}
	return job_start(j);
}

enum err loop_drop_seed(struct loop *l, loop_done *done, uint64_t token)
{
	struct job *j;
	enum err e = l->state != STATE_OPEN ? ERR_STATE : job_new(&j, l, JOB_DROP_SEED, done, token);

	if (e != OK)
		return e;
	j->keystore = l->keystore;
	return job_start(j);
}

enum err loop_change_passphrase(struct loop *l, struct slice old, struct slice new, loop_done *done, uint64_t token)
{
	struct job *j;
	enum err e = l->state != STATE_OPEN ? ERR_STATE : job_new(&j, l, JOB_PASSPHRASE, done, token);

	if (e != OK)
		return e;
	j->keystore = l->keystore;
	j->has_old = old.data != NULL;
	j->has_new = new.data != NULL;
	if (!job_put(j->old, sizeof j->old, &j->old_len, old) || !job_put(j->new, sizeof j->new, &j->new_len, new)) {
		crypto_secret_free(j);
		return ERR_TOOBIG;
	}
	return job_start(j);
}

/* ---- clock and signals ---- */

/* Far in the future, and cancelled by the kernel when the clock is set or the machine wakes: no polling. */
static void arm_jump(struct loop *l)
{
	struct itimerspec far = { .it_value.tv_sec = (time_t)INT32_MAX * 4 };

	timerfd_settime(l->jump_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL);
}

static void on_jump(uv_poll_t *poll, int status, int events)
{
	struct loop *l = poll->data;
	uint64_t count;

	(void)events;
	if (status < 0) {
		uv_poll_stop(poll);
		return;
	}
	if (read(l->jump_fd, &count, sizeof count) < 0 && errno == EAGAIN)
		return;
	arm_jump(l);
	l->due = l->state == STATE_OPEN;
}

static void on_signal(uv_signal_t *handle, int number)
{
	LOG(LOG_INFO, "stopping (signal %d)", number);
	loop_stop(handle->data);
}

/* ---- open, run, close ---- */

static void close_handle(void *handle)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

/* Answers what waits, lets go of all handles: then uv_run returns. */
static void finish(struct loop *l)
{
	l->stopping = l->stopped = true;
	http_close(l->http);
	l->http = NULL;
	links_close(l->links);
	l->links = NULL;
	interfaces_watch_close(l->watch);
	l->watch = NULL;
	if (l->job != NULL)
		uv_cancel((uv_req_t *)&l->job->work);
	close_handle(&l->prepare);
	close_handle(&l->idle);
	close_handle(&l->timer);
	if (l->jump_open)
		close_handle(&l->jump);
	for (size_t i = 0; i < sizeof l->signals / sizeof *l->signals; i++)
		close_handle(&l->signals[i]);
}

static enum err open_handles(struct loop *l)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };

	if (uv_loop_init(&l->uv) != 0)
		return ERR_IO;
	l->uv_open = true;
	uv_prepare_init(&l->uv, &l->prepare);
	uv_idle_init(&l->uv, &l->idle);
	uv_timer_init(&l->uv, &l->timer);
	l->prepare.data = l->idle.data = l->timer.data = l->jump.data = l;
	for (size_t i = 0; i < 3; i++) {
		uv_signal_init(&l->uv, &l->signals[i]);
		l->signals[i].data = l;
		uv_signal_start(&l->signals[i], on_signal, numbers[i]);
	}
	l->jump_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->jump_fd < 0 || uv_poll_init(&l->uv, &l->jump, l->jump_fd) != 0)
		return ERR_IO;
	l->jump_open = true;
	uv_prepare_start(&l->prepare, on_prepare);
	uv_poll_start(&l->jump, UV_READABLE, on_jump);
	arm_jump(l);
	look_around(l);
	if (interfaces_watch_open(&l->watch, &l->uv, on_network, l) != OK)
		LOG(LOG_DEBUG, "changes of the network are not seen here");
	return OK;
}

static void unlocked_at_start(struct loop *l, uint64_t token, enum err e, const char *why)
{
	(void)l, (void)token;
	if (e == ERR_SEALED)
		LOG(LOG_ERROR, "still locked: %s", why);
}

/* NEW, LOCKED, or OPEN at once with a key file. */
static enum err open_identity(struct loop *l, char why[LOOP_WHY])
{
	struct keystore *k;
	enum err e = keystore_probe(&l->home->paths, &l->locked_by);

	if (e == ERR_NOTFOUND)
		return OK;
	if (e == OK)
		l->state = STATE_LOCKED;
	if (e == OK && l->locked_by == KEYSTORE_PASSPHRASE)
		return l->passphrase.data == NULL ? OK : loop_unlock(l, l->passphrase, unlocked_at_start, 0);
	if (e == OK)
		e = keystore_load(&k, &l->home->paths, SLICE(NULL, 0));
	if (e != OK) {
		explain_keystore(l, e, why);
		return e;
	}
	return open_all(l, k, why);
}

enum err loop_open(struct loop **out, const struct loop_options *options, char why[LOOP_WHY])
{
	struct loop *l = mem_alloc(sizeof *l);
	enum err e = ERR_NOMEM;

	*out = l;
	why[0] = '\0';
	if (l == NULL || (l->effects = effects_new()) == NULL)
		goto fail;
	l->home = options->home;
	l->conf = options->conf;
	l->passphrase = options->passphrase;
	l->jump_fd = -1;
	queue_init(&l->queue);
	l->host = (struct http_host){ .arg = l, .state = on_state, .command = on_command, .node = on_node, .store = on_store };
	if ((e = open_handles(l)) != OK)
		goto fail;
	if ((e = open_identity(l, why)) != OK)
		goto fail;
	e = http_open(&l->http, &l->uv, l->home->paths.socket, &l->host, routes, routes_count);
	if (e == OK)
		return OK;
	snprintf(why, LOOP_WHY, "the socket %s cannot be made: %s", l->home->paths.socket, e == ERR_IO ?
		"something else is in its place, or this file system has no sockets" : err_text(e));
fail:
	if (why[0] == '\0')
		snprintf(why, LOOP_WHY, "cairnd cannot start: %s", err_text(e));
	loop_free(l);
	*out = NULL;
	return e;
}

static void drain(struct loop *l)
{
	struct queued *q;

	while ((q = queue_pop(&l->queue)) != NULL)
		q->release(q);
}

int loop_run(struct loop *l)
{
	LOG(LOG_INFO, "%s runs", AGENT);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	LOG(LOG_INFO, "stopped");
	return l->failed ? 1 : 0;
}

void loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	if (l->uv_open) {
		int left;
		if (!l->stopped)
			finish(l);
		drain(l);
		uv_run(&l->uv, UV_RUN_DEFAULT);
		drain(l);
		left = uv_loop_close(&l->uv);
		assert(left == 0);
		(void)left;
	}
	if (l->jump_fd >= 0)
		close(l->jump_fd);
	node_close(l->node);
	store_close(l->store);
	keystore_close(l->keystore);
	effects_free(l->effects);
	mem_free(l);
}
