#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include "base/crypto.h"
#include "base/mem.h"
#include "base/mp.h"
#include "daemon/home.h"
#include "daemon/keystore.h"
#include "org/certificate.h"
#include "tests/unit/daemon_dir.h"

static const struct slice none = { NULL, 0 };

static struct keystore *create(const struct paths *p, struct slice passphrase)
{
	struct keystore_init in = { .name = slice_of("Änna"), .email = slice_of("anna@example.org"), .passphrase = passphrase,
		.now_ms = 1234567890123 };
	struct keystore *k;

	assert_int_equal(keystore_create(&k, p, &in), OK);
	return k;
}

static void assert_same(const struct keystore *a, const struct keystore *b)
{
	assert_memory_equal(keystore_identity(a), keystore_identity(b), sizeof(struct node_identity));
	assert_memory_equal(keystore_store_key(a), keystore_store_key(b), KEY_LEN);
	assert_int_equal(keystore_locked_by(a), keystore_locked_by(b));
}

static struct buf read_all(const char *path)
{
	struct buf b = {0};

	assert_int_equal(home_read_file(&b, path, 65536), OK);
	return b;
}

static bool holds(struct buf b, const void *what, size_t len)
{
	return memmem(b.data, b.len, what, len) != NULL;
}

static void what_was_made_is_what_is_loaded(void **state)
{
	struct paths p;
	struct keystore *made, *loaded;
	const struct node_identity *id;
	struct certificate c;
	uint8_t secret[SIGN_SECRET_LEN];
	struct id32 root;

	(void)state;
	dir_paths(&p);
	made = create(&p, none);
	assert_int_equal(keystore_load(&loaded, &p, none), OK);
	assert_same(made, loaded);
	id = keystore_identity(loaded);
	assert_string_equal(id->name, "Änna");
	assert_string_equal(id->email, "anna@example.org");
	crypto_sign_seed(root.b, secret, id->seed);
	assert_true(id->has_seed && id32_equal(&root, &id->root));
	assert_int_equal(certificate_load(&c, SLICE(id->certificate, id->certificate_len)), OK);
	assert_true(c.by_root && c.created_ms == 1234567890123 && id32_equal(&c.root, &root) && id32_equal(&c.device, &id->device));
	keystore_close(made);
	keystore_close(loaded);
}

static void two_keystores_share_nothing(void **state)
{
	struct paths p;
	struct keystore *a, *b;

	(void)state;
	dir_paths(&p);
	a = create(&p, none);
	unlink(p.keystore);
	b = create(&p, none);
	assert_memory_not_equal(keystore_store_key(a), keystore_store_key(b), KEY_LEN);
	assert_memory_not_equal(keystore_identity(a)->seed, keystore_identity(b)->seed, 32);
	assert_memory_not_equal(&keystore_identity(a)->device, &keystore_identity(b)->device, ID_LEN);
	keystore_close(a);
	keystore_close(b);
}

static void the_file_shows_nothing_and_is_ours_alone(void **state)
{
	struct paths p;
	struct keystore *k;
	const struct node_identity *id;
	struct stat st;
	struct buf b;

	(void)state;
	dir_paths(&p);
	k = create(&p, none);
	id = keystore_identity(k);
	b = read_all(p.keystore);
	assert_false(holds(b, id->seed, 32) || holds(b, id->sign_secret, 32) || holds(b, id->box_secret, 32) ||
		holds(b, id->curve_secret, 32) || holds(b, keystore_store_key(k), 32) || holds(b, "Änna", 5) ||
		holds(b, "anna@", 5) || holds(b, id->root.b, 32) || holds(b, id->device.b, 32));
	assert_true(stat(p.keystore, &st) == 0 && (st.st_mode & 0777) == 0600);
	assert_true(stat(p.key_file, &st) == 0 && (st.st_mode & 0777) == 0600 && st.st_size == 32);
	buf_free(&b);
	keystore_close(k);
}

static void a_passphrase_opens_and_another_does_not(void **state)
{
	struct paths p;
	struct keystore *made, *loaded;
	enum keystore_lock lock;

	(void)state;
	dir_paths(&p);
	made = create(&p, slice_of("correct horse"));
	assert_int_equal(access(p.key_file, F_OK), -1);
	assert_int_equal(keystore_probe(&p, &lock), OK);
	assert_int_equal(lock, KEYSTORE_PASSPHRASE);
	assert_int_equal(keystore_load(&loaded, &p, none), ERR_LOCKED);
	assert_null(loaded);
	assert_int_equal(keystore_load(&loaded, &p, slice_of("")), ERR_SEALED);
	assert_int_equal(keystore_load(&loaded, &p, slice_of("correct horsf")), ERR_SEALED);
	assert_null(loaded);
	assert_int_equal(keystore_load(&loaded, &p, slice_of("correct horse")), OK);
	assert_same(made, loaded);
	assert_true(keystore_passphrase_fits(loaded, slice_of("correct horse")));
	assert_false(keystore_passphrase_fits(loaded, slice_of("correct")));
	keystore_close(made);
	keystore_close(loaded);
}

static void a_passphrase_can_be_changed_and_taken_away(void **state)
{
	struct paths p;
	struct keystore *k, *loaded;

	(void)state;
	dir_paths(&p);
	k = create(&p, none);
	assert_int_equal(keystore_change_passphrase(k, slice_of("")), ERR_USAGE);
	assert_int_equal(keystore_locked_by(k), KEYSTORE_KEY_FILE);
	assert_int_equal(keystore_change_passphrase(k, slice_of("new")), OK);
	assert_int_equal(access(p.key_file, F_OK), -1);
	assert_int_equal(keystore_load(&loaded, &p, none), ERR_LOCKED);
	assert_int_equal(keystore_load(&loaded, &p, slice_of("new")), OK);
	assert_same(k, loaded);
	keystore_close(loaded);
	assert_int_equal(keystore_change_passphrase(k, none), OK);
	assert_int_equal(keystore_load(&loaded, &p, none), OK);
	assert_same(k, loaded);
	keystore_close(loaded);
	keystore_close(k);
}

static void a_dropped_seed_is_gone_but_opens_the_backup(void **state)
{
	struct paths p;
	struct keystore *k, *loaded;
	uint8_t seed[32], key[KEY_LEN], zero[32] = {0};

	(void)state;
	dir_paths(&p);
	k = create(&p, none);
	memcpy(seed, keystore_identity(k)->seed, sizeof seed);
	assert_int_equal(keystore_drop_seed(k), OK);
	assert_int_equal(keystore_drop_seed(k), OK);
	assert_false(keystore_identity(k)->has_seed);
	assert_memory_equal(keystore_identity(k)->seed, zero, sizeof zero);
	assert_int_equal(keystore_load(&loaded, &p, none), OK);
	assert_same(k, loaded);
	assert_int_equal(keystore_recover(key, &p, seed), OK);
	assert_memory_equal(key, keystore_store_key(k), KEY_LEN);
	seed[0] ^= 1;
	assert_int_equal(keystore_recover(key, &p, seed), ERR_SEALED);
	keystore_close(k);
	keystore_close(loaded);
}

static void the_backup_outlives_a_change_of_passphrase(void **state)
{
	struct paths p;
	struct keystore *k;
	uint8_t key[KEY_LEN];

	(void)state;
	dir_paths(&p);
	k = create(&p, none);
	assert_int_equal(keystore_change_passphrase(k, slice_of("forgotten")), OK);
	assert_int_equal(keystore_recover(key, &p, keystore_identity(k)->seed), OK);
	assert_memory_equal(key, keystore_store_key(k), KEY_LEN);
	keystore_close(k);
}

static void a_given_seed_and_store_key_are_taken(void **state)
{
	struct paths p;
	struct keystore *k;
	uint8_t seed[32] = { 1 }, key[KEY_LEN] = { 2 };
	struct keystore_init in = { .name = slice_of("A"), .seed = seed, .store_key = key };

	(void)state;
	dir_paths(&p);
	assert_int_equal(keystore_create(&k, &p, &in), OK);
	assert_memory_equal(keystore_identity(k)->seed, seed, sizeof seed);
	assert_memory_equal(keystore_store_key(k), key, sizeof key);
	assert_string_equal(keystore_identity(k)->email, "");
	keystore_close(k);
}

static void an_existing_keystore_is_never_replaced(void **state)
{
	struct paths p;
	struct keystore_init in = { .name = slice_of("B") };
	struct keystore *k, *other;
	struct buf before, after;

	(void)state;
	dir_paths(&p);
	k = create(&p, none);
	before = read_all(p.keystore);
	assert_int_equal(keystore_create(&other, &p, &in), ERR_EXISTS);
	assert_null(other);
	after = read_all(p.keystore);
	assert_true(slice_equal(buf_slice(&before), buf_slice(&after)));
	buf_free(&after);
	after = (struct buf){0};
	assert_int_equal(home_write_file(p.keystore, slice_of("damaged")), OK);
	assert_int_equal(keystore_create(&other, &p, &in), ERR_EXISTS);
	buf_free(&before);
	keystore_close(k);
}

static void every_flipped_bit_and_every_truncation_is_found(void **state)
{
	struct paths p;
	struct keystore *k = NULL, *loaded;
	struct buf b;
	int fd;

	(void)state;
	dir_paths(&p);
	keystore_close(create(&p, none));
	b = read_all(p.keystore);
	fd = open(p.keystore, O_RDWR);          /* in place: replacing it 6,000 times takes its time */
	for (size_t i = 0; i < b.len * 8; i++) {
		uint8_t wrong = b.data[i / 8] ^ (uint8_t)(1u << i % 8);
		enum err e;
		assert_int_equal(pwrite(fd, &wrong, 1, (off_t)(i / 8)), 1);
		e = keystore_load(&loaded, &p, none);
		assert_true(e == ERR_DAMAGED || e == ERR_VERSION);
		assert_null(loaded);
		assert_int_equal(pwrite(fd, &b.data[i / 8], 1, (off_t)(i / 8)), 1);
	}
	for (size_t len = b.len; len-- > 0; ) {
		assert_int_equal(ftruncate(fd, (off_t)len), 0);
		assert_int_equal(keystore_load(&loaded, &p, none), ERR_DAMAGED);
	}
	close(fd);
	buf_put_u8(&b, 0);
	assert_int_equal(home_write_file(p.keystore, buf_slice(&b)), OK);
	assert_int_equal(keystore_load(&loaded, &p, none), ERR_DAMAGED);
	b.len--;
	assert_int_equal(home_write_file(p.keystore, buf_slice(&b)), OK);
	assert_int_equal(keystore_load(&k, &p, none), OK);
	keystore_close(k);
	buf_free(&b);
}

static void the_key_file_is_asked_for(void **state)
{
	struct paths p;
	struct keystore *k;
	uint8_t other[KEY_LEN] = { 7 };

	(void)state;
	dir_paths(&p);
	keystore_close(create(&p, none));
	assert_int_equal(home_write_file(p.key_file, SLICE(other, sizeof other)), OK);
	assert_int_equal(keystore_load(&k, &p, none), ERR_SEALED);
	assert_int_equal(home_write_file(p.key_file, SLICE(other, 5)), OK);
	assert_int_equal(keystore_load(&k, &p, none), ERR_DAMAGED);
	unlink(p.key_file);
	assert_int_equal(keystore_load(&k, &p, none), ERR_MISSING);
	unlink(p.keystore);
	assert_int_equal(keystore_load(&k, &p, none), ERR_NOTFOUND);
	assert_null(k);
}

static void a_newer_version_is_named_as_such(void **state)
{
	struct paths p;
	struct keystore *k;
	enum keystore_lock lock;
	struct buf b = {0};

	(void)state;
	dir_paths(&p);
	mp_put_array(&b, 8);
	mp_put_text(&b, "cairn-keystore");
	mp_put_uint(&b, 2);
	assert_int_equal(home_write_file(p.keystore, buf_slice(&b)), OK);
	assert_int_equal(keystore_probe(&p, &lock), ERR_VERSION);
	assert_int_equal(keystore_load(&k, &p, none), ERR_VERSION);
	buf_free(&b);
}

static void a_write_that_was_cut_off_leaves_the_old_file(void **state)
{
	struct paths p;
	struct keystore *k, *loaded;
	char temporary[PATHS_LEN + 8];

	(void)state;
	dir_paths(&p);
	k = create(&p, none);
	snprintf(temporary, sizeof temporary, "%s.tmp", p.keystore);
	assert_int_equal(home_write_file(temporary, slice_of("half of it")), OK);
	assert_int_equal(keystore_load(&loaded, &p, none), OK);
	assert_same(k, loaded);
	assert_int_equal(keystore_drop_seed(loaded), OK);
	assert_int_equal(access(temporary, F_OK), -1);
	/* A directory in the way of the temporary file: the write fails, the seed is still in both places. */
	assert_int_equal(mkdir(temporary, 0700), 0);
	assert_int_not_equal(keystore_drop_seed(k), OK);
	assert_true(keystore_identity(k)->has_seed);
	keystore_close(k);
	keystore_close(loaded);
}

static void any_allocation_may_fail(void **state)
{
	struct paths p;
	size_t before = mem_live();

	(void)state;
	dir_paths(&p);
	for (int n = 0, e = ERR_NOMEM; e != OK; n++) {
		struct keystore_init in = { .name = slice_of("A") };
		struct keystore *k;
		mem_fail_after(n);
		e = keystore_create(&k, &p, &in);
		mem_fail_after(-1);
		assert_true(e == OK || e == ERR_NOMEM);
		assert_true((e == OK) == (k != NULL) && (e == OK) == (access(p.keystore, F_OK) == 0));
		keystore_close(k);
	}
	for (int n = 0, e = ERR_NOMEM; e != OK; n++) {
		struct keystore *k;
		mem_fail_after(n);
		e = keystore_load(&k, &p, none);
		mem_fail_after(-1);
		assert_true(e == OK || e == ERR_NOMEM);
		keystore_close(k);
	}
	assert_int_equal(mem_live(), before);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, dir_make, dir_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_made_is_what_is_loaded),
		TEST(two_keystores_share_nothing),
		TEST(the_file_shows_nothing_and_is_ours_alone),
		TEST(a_passphrase_opens_and_another_does_not),
		TEST(a_passphrase_can_be_changed_and_taken_away),
		TEST(a_dropped_seed_is_gone_but_opens_the_backup),
		TEST(the_backup_outlives_a_change_of_passphrase),
		TEST(a_given_seed_and_store_key_are_taken),
		TEST(an_existing_keystore_is_never_replaced),
		TEST(every_flipped_bit_and_every_truncation_is_found),
		TEST(the_key_file_is_asked_for),
		TEST(a_newer_version_is_named_as_such),
		TEST(a_write_that_was_cut_off_leaves_the_old_file),
		TEST(any_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
