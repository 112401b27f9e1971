#include "daemon/keystore.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/mp.h"
#include "daemon/home.h"
#include "org/certificate.h"

#define MAGIC "cairn-keystore"
#define VERSION 1
#define SALT_LEN 16
#define BACKUP_LEN (NONCE_LEN + KEY_LEN + TAG_LEN)
#define FILE_MAX 8192
#define BODY_MAX 4096

struct keystore {
	struct node_identity id;
	uint8_t store_key[KEY_LEN], file_key[KEY_LEN];
	uint8_t salt[SALT_LEN], backup[BACKUP_LEN];
	enum keystore_lock lock;
	char path[PATHS_LEN], key_path[PATHS_LEN];
};
struct parsed {                         /* a file taken apart; slices borrow from it */
	enum keystore_lock lock;
	uint8_t salt[SALT_LEN], nonce[NONCE_LEN], backup[BACKUP_LEN];
	struct slice before, sealed;    /* before: the associated data */
};

/* ---- the file ---- */

static enum err parse(struct parsed *p, struct slice file)
{
	struct mp_reader r = mp_read(file);
	struct id32 check, expected;
	struct slice magic;
	uint64_t version;
	const uint8_t *end;

	mp_get_array_of(&r, 8);
	magic = mp_get_str(&r, sizeof MAGIC);
	version = mp_get_uint(&r, UINT32_MAX);
	if (r.err == OK && slice_equal(magic, slice_of(MAGIC)) && version > VERSION)
		return ERR_VERSION;
	p->lock = (enum keystore_lock)mp_get_uint(&r, KEYSTORE_PASSPHRASE);
	mp_get_fixed(&r, p->salt, sizeof p->salt);
	mp_get_fixed(&r, p->nonce, sizeof p->nonce);
	mp_get_fixed(&r, p->backup, sizeof p->backup);
	p->before = SLICE(file.data, (size_t)(r.at - file.data));
	p->sealed = mp_get_bin(&r, BODY_MAX + TAG_LEN);
	end = r.at;
	mp_get_fixed(&r, check.b, sizeof check.b);
	if (mp_end(&r) != OK || mp_check(file, 2, 16) != OK || !slice_equal(magic, slice_of(MAGIC)) || version != VERSION)
		return ERR_DAMAGED;
	crypto_hash1(&expected, "cairn-keystore-file", file.data, (size_t)(end - file.data));
	return id32_equal(&check, &expected) ? OK : ERR_DAMAGED;
}

static enum err read_parsed(struct buf *file, struct parsed *p, const char *path)
{
	enum err e = home_read_file(file, path, FILE_MAX);

	if (e == OK)
		e = parse(p, buf_slice(file));
	return e == ERR_TOOBIG ? ERR_DAMAGED : e;
}

enum err keystore_check(struct slice file, enum keystore_lock *lock)
{
	struct parsed p;
	enum err e = parse(&p, file);

	*lock = e == OK ? p.lock : KEYSTORE_KEY_FILE;
	return e;
}

enum err keystore_probe(const struct paths *paths, enum keystore_lock *lock)
{
	struct buf file = {0};
	struct parsed p;
	enum err e = read_parsed(&file, &p, paths->keystore);

	*lock = e == OK ? p.lock : KEYSTORE_KEY_FILE;
	buf_free(&file);
	return e;
}

/* ---- the body ---- */

static void body_encode(struct buf *b, const struct keystore *k)
{
	const struct node_identity *id = &k->id;

	if (buf_extend(b, BODY_MAX) == NULL)    /* at once: a growing buffer leaves copies in the heap */
		return;
	b->len = 0;
	mp_put_array(b, 11);
	if (id->has_seed)
		mp_put_bin(b, id->seed, sizeof id->seed);
	else
		mp_put_nil(b);
	mp_put_bin(b, id->root.b, sizeof id->root.b);
	mp_put_bin(b, id->sign_secret, sizeof id->sign_secret);
	mp_put_bin(b, id->box_public, KEY_LEN);
	mp_put_bin(b, id->box_secret, KEY_LEN);
	mp_put_bin(b, id->curve_public, KEY_LEN);
	mp_put_bin(b, id->curve_secret, KEY_LEN);
	mp_put_bin(b, k->store_key, KEY_LEN);
	mp_put_bin(b, id->certificate, id->certificate_len);
	mp_put_text(b, id->name);
	mp_put_text(b, id->email);
}

static void get_text(struct mp_reader *r, char *out, size_t room)
{
	struct slice text = mp_get_str(r, room - 1);

	if (text.len > 0)
		memcpy(out, text.data, text.len);
	out[text.len] = '\0';
}

/* Do the keys belong together?  They were sealed by us: if not, a program was wrong. */
static enum err check_keys(const struct node_identity *id)
{
	struct certificate c;
	uint8_t secret[SIGN_SECRET_LEN];
	struct id32 device;
	bool fits;
	enum err e = certificate_load(&c, SLICE(id->certificate, id->certificate_len));

	if (e != OK)
		return e == ERR_NOMEM ? e : ERR_DAMAGED;
	crypto_sign_seed(device.b, secret, id->sign_secret);
	fits = crypto_equal(secret, id->sign_secret, sizeof secret) && id32_equal(&device, &id->device) && id32_equal(&c.root, &id->root) &&
		id32_equal(&c.device, &id->device) && memcmp(c.box, id->box_public, KEY_LEN) == 0 &&
		memcmp(c.curve, id->curve_public, KEY_LEN) == 0;
	crypto_wipe(secret, sizeof secret);
	return fits ? OK : ERR_DAMAGED;
}

static enum err body_decode(struct keystore *k, struct slice body)
{
	struct node_identity *id = &k->id;
	struct mp_reader r = mp_read(body);
	struct slice certificate;

	mp_get_array_of(&r, 11);
	id->has_seed = !mp_get_nil(&r);
	if (id->has_seed)
		mp_get_fixed(&r, id->seed, sizeof id->seed);
	mp_get_fixed(&r, id->root.b, sizeof id->root.b);
	mp_get_fixed(&r, id->sign_secret, sizeof id->sign_secret);
	mp_get_fixed(&r, id->box_public, KEY_LEN);
	mp_get_fixed(&r, id->box_secret, KEY_LEN);
	mp_get_fixed(&r, id->curve_public, KEY_LEN);
	mp_get_fixed(&r, id->curve_secret, KEY_LEN);
	mp_get_fixed(&r, k->store_key, KEY_LEN);
	certificate = mp_get_bin(&r, sizeof id->certificate);
	get_text(&r, id->name, sizeof id->name);
	get_text(&r, id->email, sizeof id->email);
	if (mp_end(&r) != OK)
		return ERR_DAMAGED;
	memcpy(id->certificate, certificate.data, certificate.len);
	id->certificate_len = certificate.len;
	memcpy(id->device.b, id->sign_secret + SIGN_SECRET_LEN - ID_LEN, ID_LEN);
	return check_keys(id);
}

/* ---- sealing ---- */

static void backup_key(uint8_t key[KEY_LEN], const uint8_t seed[32])
{
	crypto_mac(key, KEY_LEN, seed, "cairn-keystore-backup", NULL, 0);
}

static void backup_make(struct keystore *k)
{
	uint8_t key[KEY_LEN];

	backup_key(key, k->id.seed);
	crypto_random(k->backup, NONCE_LEN);
	crypto_seal(k->backup + NONCE_LEN, k->store_key, KEY_LEN, SLICE(k->id.root.b, ID_LEN), k->backup, key);
	crypto_wipe(key, sizeof key);
}

/* Seals k's body under its file key, and replaces the file. */
static enum err write_file(const struct keystore *k)
{
	struct buf body = {0}, sealed = {0}, file = {0};
	uint8_t nonce[NONCE_LEN], *room;
	struct id32 check;
	enum err e = ERR_NOMEM;

	body_encode(&body, k);
	room = body.err == OK ? buf_extend(&sealed, body.len + TAG_LEN) : NULL;
	if (room == NULL)
		goto done;
	crypto_random(nonce, sizeof nonce);
	mp_put_array(&file, 8);
	mp_put_text(&file, MAGIC);
	mp_put_uint(&file, VERSION);
	mp_put_uint(&file, k->lock);
	mp_put_bin(&file, k->salt, SALT_LEN);
	mp_put_bin(&file, nonce, NONCE_LEN);
	mp_put_bin(&file, k->backup, BACKUP_LEN);
	if (file.err != OK)
		goto done;
	crypto_seal(room, body.data, body.len, buf_slice(&file), nonce, k->file_key);
	mp_put_bin(&file, sealed.data, sealed.len);
	if (file.err != OK)
		goto done;
	crypto_hash1(&check, "cairn-keystore-file", file.data, file.len);
	mp_put_bin(&file, check.b, sizeof check.b);
	if ((e = file.err) == OK)
		e = home_write_file(k->path, buf_slice(&file));
done:
	buf_wipe(&body);
	buf_free(&sealed);
	buf_free(&file);
	return e;
}

/* ---- what opens it ---- */

static bool passphrase_valid(struct slice p)
{
	return p.len > 0 && p.len <= KEYSTORE_PASSPHRASE_MAX;
}

static void key_of_file(uint8_t key[KEY_LEN], const uint8_t content[KEY_LEN], const uint8_t salt[SALT_LEN])
{
	crypto_mac(key, KEY_LEN, content, "cairn-keystore-key", &SLICE(salt, SALT_LEN), 1);
}

static enum err key_file_read(uint8_t key[KEY_LEN], const char *path, const uint8_t salt[SALT_LEN])
{
	struct buf b = {0};
	enum err e = home_read_file(&b, path, KEY_LEN);

	if (e == OK && b.len != KEY_LEN)
		e = ERR_DAMAGED;
	if (e == OK)
		key_of_file(key, b.data, salt);
	buf_wipe(&b);
	return e == ERR_NOTFOUND ? ERR_MISSING : e == ERR_TOOBIG ? ERR_DAMAGED : e;
}

static enum err key_file_make(uint8_t key[KEY_LEN], const char *path, const uint8_t salt[SALT_LEN])
{
	uint8_t content[KEY_LEN];
	enum err e;

	crypto_random(content, sizeof content);
	e = home_write_file(path, SLICE(content, sizeof content));
	if (e == OK)
		key_of_file(key, content, salt);
	crypto_wipe(content, sizeof content);
	return e;
}

/* A new salt and file key; passphrase NULL: a new key file on the disk. */
static enum err new_lock(struct keystore *k, struct slice passphrase)
{
	crypto_random(k->salt, sizeof k->salt);
	k->lock = passphrase.data == NULL ? KEYSTORE_KEY_FILE : KEYSTORE_PASSPHRASE;
	if (k->lock == KEYSTORE_KEY_FILE)
		return key_file_make(k->file_key, k->key_path, k->salt);
	if (!passphrase_valid(passphrase))
		return ERR_USAGE;
	return crypto_password(k->file_key, (const char *)passphrase.data, passphrase.len, k->salt);
}

/* ---- the calls ---- */

static struct keystore *keystore_new(const struct paths *paths)
{
	struct keystore *k = crypto_secret_alloc(sizeof *k);

	if (k != NULL) {
		memcpy(k->path, paths->keystore, sizeof k->path);
		memcpy(k->key_path, paths->key_file, sizeof k->key_path);
	}
	return k;
}

static enum err make_keys(struct keystore *k, const struct keystore_init *in)
{
	struct node_identity *id = &k->id;
	struct certificate c = { .by_root = true, .created_ms = in->now_ms };
	uint8_t *seed = crypto_secret_alloc(KEY_LEN + SIGN_SECRET_LEN), *root_secret;
	struct buf b = {0};
	enum err e = ERR_NOMEM;

	if (seed == NULL)
		return ERR_NOMEM;
	root_secret = seed + KEY_LEN;
	id->has_seed = true;
	if (in->seed != NULL)
		memcpy(id->seed, in->seed, sizeof id->seed);
	else
		crypto_random(id->seed, sizeof id->seed);
	crypto_random(seed, KEY_LEN);
	crypto_sign_seed(id->device.b, id->sign_secret, seed);
	crypto_random(seed, KEY_LEN);
	crypto_box_seed(id->box_public, id->box_secret, seed);
	crypto_random(seed, KEY_LEN);
	crypto_box_seed(id->curve_public, id->curve_secret, seed);
	crypto_sign_seed(id->root.b, root_secret, id->seed);
	c.root = c.certifier = id->root;
	c.device = id->device;
	memcpy(c.box, id->box_public, KEY_LEN);
	memcpy(c.curve, id->curve_public, KEY_LEN);
	e = certificate_make(&b, &c, root_secret, id->sign_secret);
	if (e == OK && (e = b.err) == OK && b.len > sizeof id->certificate)
		e = ERR_TOOBIG;
	if (e == OK) {
		memcpy(id->certificate, b.data, b.len);
		id->certificate_len = b.len;
	}
	buf_free(&b);
	crypto_secret_free(seed);
	return e;
}

enum err keystore_create(struct keystore **out, const struct paths *paths, const struct keystore_init *in)
{
	struct keystore *k = NULL;
	enum keystore_lock lock;
	enum err e;

	*out = NULL;
	if (in->name.len >= sizeof k->id.name || in->email.len >= sizeof k->id.email)
		return ERR_TOOBIG;
	if (in->passphrase.data != NULL && !passphrase_valid(in->passphrase))
		return ERR_USAGE;
	e = keystore_probe(paths, &lock);
	if (e != ERR_NOTFOUND)
		return e == ERR_NOMEM || e == ERR_IO ? e : ERR_EXISTS;
	if ((k = keystore_new(paths)) == NULL)
		return ERR_NOMEM;
	memcpy(k->id.name, in->name.data, in->name.len);
	memcpy(k->id.email, in->email.len > 0 ? in->email.data : (const uint8_t *)"", in->email.len);
	if ((e = make_keys(k, in)) != OK)
		goto fail;
	if (in->store_key != NULL)
		memcpy(k->store_key, in->store_key, KEY_LEN);
	else
		crypto_random(k->store_key, KEY_LEN);
	backup_make(k);
	if ((e = new_lock(k, in->passphrase)) != OK || (e = write_file(k)) != OK)
		goto fail;
	*out = k;
	return OK;
fail:
	keystore_close(k);
	return e;
}

static enum err open_body(struct keystore *k, const struct parsed *p)
{
	uint8_t *body = crypto_secret_alloc(BODY_MAX);
	enum err e = body == NULL ? ERR_NOMEM : p->sealed.len < TAG_LEN ? ERR_DAMAGED :
		crypto_open(body, p->sealed.data, p->sealed.len, p->before, p->nonce, k->file_key);

	if (e == OK)
		e = body_decode(k, SLICE(body, p->sealed.len - TAG_LEN));
	crypto_secret_free(body);
	return e;
}

enum err keystore_load(struct keystore **out, const struct paths *paths, struct slice passphrase)
{
	struct buf file = {0};
	struct parsed p;
	struct keystore *k = NULL;
	enum err e = read_parsed(&file, &p, paths->keystore);

	*out = NULL;
	if (e == OK && p.lock == KEYSTORE_PASSPHRASE && passphrase.data == NULL)
		e = ERR_LOCKED;
	if (e == OK && p.lock == KEYSTORE_PASSPHRASE && !passphrase_valid(passphrase))
		e = ERR_SEALED;
	if (e == OK && (k = keystore_new(paths)) == NULL)
		e = ERR_NOMEM;
	if (e != OK)
		goto done;
	k->lock = p.lock;
	memcpy(k->salt, p.salt, sizeof k->salt);
	memcpy(k->backup, p.backup, sizeof k->backup);
	e = p.lock == KEYSTORE_KEY_FILE ? key_file_read(k->file_key, k->key_path, k->salt) :
		crypto_password(k->file_key, (const char *)passphrase.data, passphrase.len, k->salt);
	if (e == OK)
		e = open_body(k, &p);
done:
	buf_free(&file);
	if (e != OK)
		keystore_close(k);
	else
		*out = k;
	return e;
}

void keystore_close(struct keystore *k)
{
	crypto_secret_free(k);                  /* libsodium clears it; NULL is fine */
}

const struct node_identity *keystore_identity(const struct keystore *k)
{
	return &k->id;
}

const uint8_t *keystore_store_key(const struct keystore *k)
{
	return k->store_key;
}

enum keystore_lock keystore_locked_by(const struct keystore *k)
{
	return k->lock;
}

bool keystore_passphrase_fits(const struct keystore *k, struct slice passphrase)
{
	uint8_t key[KEY_LEN];
	bool fits = k->lock == KEYSTORE_PASSPHRASE && passphrase_valid(passphrase) &&
		crypto_password(key, (const char *)passphrase.data, passphrase.len, k->salt) == OK &&
		crypto_equal(key, k->file_key, KEY_LEN);

	crypto_wipe(key, sizeof key);
	return fits;
}

enum err keystore_drop_seed(struct keystore *k)
{
	enum err e;

	if (!k->id.has_seed)
		return OK;
	k->id.has_seed = false;                 /* the encoder looks only at this */
	if ((e = write_file(k)) != OK)
		k->id.has_seed = true;
	else
		crypto_wipe(k->id.seed, sizeof k->id.seed);
	return e;
}

/* Written from a copy: whatever fails, *k still fits the file on the disk.  (A failure between rename and the directory's fsync may leave
 * either file behind; both open, with the old or the new passphrase.) */
enum err keystore_change_passphrase(struct keystore *k, struct slice passphrase)
{
	struct keystore *next;
	enum err e;

	if (passphrase.data == NULL && k->lock == KEYSTORE_KEY_FILE)
		return OK;
	if ((next = crypto_secret_alloc(sizeof *next)) == NULL)
		return ERR_NOMEM;
	*next = *k;
	if ((e = new_lock(next, passphrase)) == OK && (e = write_file(next)) == OK) {
		if (k->lock == KEYSTORE_KEY_FILE)
			unlink(k->key_path);
		*k = *next;
	}
	crypto_secret_free(next);
	return e;
}

enum err keystore_recover(uint8_t store_key[KEY_LEN], const struct paths *paths, const uint8_t seed[32])
{
	struct buf file = {0};
	struct parsed p;
	uint8_t key[KEY_LEN], secret[SIGN_SECRET_LEN];
	struct id32 root;
	enum err e = read_parsed(&file, &p, paths->keystore);

	if (e == OK) {
		crypto_sign_seed(root.b, secret, seed);
		backup_key(key, seed);
		e = crypto_open(store_key, p.backup + NONCE_LEN, KEY_LEN + TAG_LEN, SLICE(root.b, ID_LEN), p.backup, key);
	}
	crypto_wipe(key, sizeof key);
	crypto_wipe(secret, sizeof secret);
	buf_free(&file);
	return e;
}
