#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/crypto.h"
#include "daemon/home.h"
#include "tests/unit/daemon_dir.h"

static char why[HOME_WHY];

static void the_default_home_follows_xdg(void **state)
{
	struct paths p;
	struct paths_env env = { .home = "/home/anna", .uid = 1000 };

	(void)state;
	assert_int_equal(paths_compute(&p, &env), OK);
	assert_string_equal(p.dir, "/home/anna/.local/share/cairn");
	assert_string_equal(p.log, "/home/anna/.local/state/cairn/cairnd.log");
	assert_string_equal(p.socket, "/home/anna/.local/share/cairn/cairnd.sock");
	assert_string_equal(p.keystore, "/home/anna/.local/share/cairn/keystore");
	env.xdg_data_home = "/data";
	env.xdg_state_home = "relative, so not set";
	env.xdg_runtime_dir = "/run/user/1000";
	assert_int_equal(paths_compute(&p, &env), OK);
	assert_string_equal(p.dir, "/data/cairn");
	assert_string_equal(p.state_dir, "/home/anna/.local/state/cairn");
	assert_memory_equal(p.socket, "/run/user/1000/cairn/", 21);
	assert_string_equal(p.socket + strlen(p.socket) - 12, "/cairnd.sock");
	assert_false(p.chosen);
}

static void a_chosen_home_is_made_absolute_and_holds_everything(void **state)
{
	static const char *const wishes[] = { "h", "./h", "h/", ".//h/.", "/work/h", "//work/./h//" };
	struct paths p;

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		struct paths_env env = { .cairn_home = wishes[i], .home = "/home/anna", .cwd = "/work", .xdg_runtime_dir = "/run/user/1" };
		assert_int_equal(paths_compute(&p, &env), OK);
		assert_string_equal(p.dir, "/work/h");
		assert_string_equal(p.socket, "/work/h/cairnd.sock");
		assert_string_equal(p.log, "/work/h/cairnd.log");
		assert_true(p.chosen);
	}
}

static void the_option_wins_over_the_environment(void **state)
{
	struct paths_env env = { .home_option = "/a", .cairn_home = "/b", .home = "/c" };
	struct paths p;

	(void)state;
	assert_int_equal(paths_compute(&p, &env), OK);
	assert_string_equal(p.dir, "/a");
	env.home_option = "";
	assert_int_equal(paths_compute(&p, &env), OK);
	assert_string_equal(p.dir, "/b");
}

static void a_socket_always_fits_its_address(void **state)
{
	char wish[PATHS_DIR_MAX + 8], other[PATHS_SOCKET_MAX + 1];
	struct paths p;

	(void)state;
	for (size_t len = 2; len < sizeof wish; len++) {
		struct paths_env env = { .home_option = wish, .uid = 1000 };
		enum err e;
		memset(wish, 'x', len);
		wish[0] = '/';
		wish[len] = '\0';
		e = paths_compute(&p, &env);
		assert_int_equal(e, len <= PATHS_DIR_MAX ? OK : ERR_TOOBIG);
		if (e != OK)
			continue;
		assert_true(strlen(p.socket) <= PATHS_SOCKET_MAX);
		if (len + 12 <= PATHS_SOCKET_MAX)
			assert_memory_equal(p.socket, wish, len);
		else
			assert_memory_equal(p.socket, "/tmp/cairn-1000/", 16);
		assert_true(len == 2 || strcmp(other, p.socket) != 0);
		strcpy(other, p.socket);
	}
}

static void a_long_home_prefers_the_runtime_directory(void **state)
{
	char wish[200] = "/";
	struct paths_env env = { .home_option = wish, .uid = 1000, .xdg_runtime_dir = "/run/user/1000" };
	struct paths p;

	(void)state;
	memset(wish + 1, 'y', sizeof wish - 2);
	assert_int_equal(paths_compute(&p, &env), OK);
	assert_memory_equal(p.socket, "/run/user/1000/cairn/", 21);
	assert_int_equal(strlen(p.runtime_dir) + strlen("/cairnd.sock"), strlen(p.socket));
}

static void without_any_hint_it_is_missing(void **state)
{
	struct paths_env env = { .home = "", .cairn_home = "", .cwd = "/work" }, relative = { .cairn_home = "h", .home = "/h" };
	struct paths p;

	(void)state;
	assert_int_equal(paths_compute(&p, &env), ERR_MISSING);
	assert_int_equal(paths_compute(&p, &relative), ERR_USAGE);
}

static void a_lock_file_is_read_or_refused(void **state)
{
	static const char *const bad[] = { "12", "12\n", "x\n/a\n", "0\n/a\n", "12\na\n", "12\n/a", "99999999999\n/a\n", " \n", "-1\n/a\n",
		"12 \n/a\n" };
	char socket[PATHS_SOCKET_MAX + 1], longest[200] = "1\n/";
	uint32_t pid;

	(void)state;
	assert_int_equal(paths_lock_parse(&pid, socket, slice_of("4711\n/h/cairnd.sock\n")), OK);
	assert_int_equal(pid, 4711);
	assert_string_equal(socket, "/h/cairnd.sock");
	assert_int_equal(paths_lock_parse(&pid, socket, slice_of("")), ERR_NOTFOUND);
	assert_int_equal(paths_lock_parse(&pid, socket, slice_of("\n711\n/h/cairnd.sock\n")), ERR_NOTFOUND);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(paths_lock_parse(&pid, socket, slice_of(bad[i])), ERR_MALFORMED);
	memset(longest + 3, 'a', PATHS_SOCKET_MAX);
	strcpy(longest + 2 + PATHS_SOCKET_MAX, "\n");
	assert_int_equal(paths_lock_parse(&pid, socket, slice_of(longest)), OK);
	strcpy(longest + 3 + PATHS_SOCKET_MAX - 1, "a\n");
	assert_int_equal(paths_lock_parse(&pid, socket, slice_of(longest)), ERR_MALFORMED);
}

static void find_in(struct home *h, const char *name)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", dir_path, name);
	assert_int_equal(home_find(h, path, why), OK);
}

static void a_home_is_made_for_its_owner_alone(void **state)
{
	static struct home h;
	struct stat st;

	(void)state;
	find_in(&h, "a/b/c");
	assert_int_equal(home_open(&h, why), OK);
	assert_true(stat(h.paths.dir, &st) == 0 && (st.st_mode & 0777) == 0700);
	assert_true(stat(h.paths.lock, &st) == 0 && (st.st_mode & 0777) == 0600);
	home_close(&h);
}

static void a_second_one_is_told_the_pid_of_the_first(void **state)
{
	static struct home first, second;
	char pid[32];

	(void)state;
	find_in(&first, "h");
	assert_int_equal(home_open(&first, why), OK);
	find_in(&second, "h");
	assert_int_equal(home_open(&second, why), ERR_BUSY);
	snprintf(pid, sizeof pid, "process %ld", (long)getpid());
	assert_non_null(strstr(why, pid));
	home_close(&first);
	assert_int_equal(home_open(&second, why), OK);
	home_close(&second);
}

static void a_lock_left_by_a_crash_is_no_lock(void **state)
{
	static struct home h;
	struct buf b = {0};
	char socket[PATHS_SOCKET_MAX + 1];
	uint32_t pid;

	(void)state;
	find_in(&h, "h");
	assert_int_equal(home_open(&h, why), OK);
	home_close(&h);
	assert_int_equal(home_write_file(h.paths.lock, slice_of("1\n/a/much/longer/path/than/the/one/that/is/written/now/by/us\n")), OK);
	assert_int_equal(home_open(&h, why), OK);
	assert_int_equal(home_read_file(&b, h.paths.lock, 4096), OK);
	assert_int_equal(paths_lock_parse(&pid, socket, buf_slice(&b)), OK);
	assert_int_equal(pid, getpid());
	assert_string_equal(socket, h.paths.socket);
	buf_free(&b);
	home_close(&h);
}

static void a_home_that_others_can_write_is_refused(void **state)
{
	static struct home h;

	(void)state;
	find_in(&h, "h");
	assert_int_equal(mkdir(h.paths.dir, 0700), 0);
	assert_int_equal(chmod(h.paths.dir, 0770), 0);
	assert_int_equal(home_open(&h, why), ERR_IO);
	assert_non_null(strstr(why, "chmod 700"));
	assert_int_equal(chmod(h.paths.dir, 0755), 0);
	assert_int_equal(home_open(&h, why), OK);
	home_close(&h);
}

static void a_file_in_the_way_is_named(void **state)
{
	static struct home h;
	char path[128];

	(void)state;
	snprintf(path, sizeof path, "%s/file", dir_path);
	assert_int_equal(home_write_file(path, slice_of("x")), OK);
	find_in(&h, "file");
	assert_int_equal(home_open(&h, why), ERR_IO);
	assert_non_null(strstr(why, "not a directory"));
	find_in(&h, "file/below");
	assert_int_equal(home_open(&h, why), ERR_IO);
	assert_non_null(strstr(why, "not a directory"));
}

static void files_are_replaced_whole_and_read_within_bounds(void **state)
{
	char path[128];
	struct buf b = {0};

	(void)state;
	snprintf(path, sizeof path, "%s/file", dir_path);
	assert_int_equal(home_read_file(&b, path, 10), ERR_NOTFOUND);
	assert_int_equal(home_write_file(path, slice_of("0123456789")), OK);
	assert_int_equal(home_read_file(&b, path, 9), ERR_TOOBIG);
	assert_int_equal(home_read_file(&b, path, 10), OK);
	assert_true(slice_equal(buf_slice(&b), slice_of("0123456789")));
	buf_clear(&b);
	assert_int_equal(home_write_file(path, slice_of("")), OK);
	assert_int_equal(home_read_file(&b, path, 10), OK);
	assert_int_equal(b.len, 0);
	assert_int_equal(home_read_file(&b, dir_path, 10), ERR_IO);
	assert_int_equal(home_write_file("/dev/full/x", slice_of("")), ERR_IO);
	buf_free(&b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, dir_make, dir_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_default_home_follows_xdg),
		TEST(a_chosen_home_is_made_absolute_and_holds_everything),
		TEST(the_option_wins_over_the_environment),
		TEST(a_socket_always_fits_its_address),
		TEST(a_long_home_prefers_the_runtime_directory),
		TEST(without_any_hint_it_is_missing),
		TEST(a_lock_file_is_read_or_refused),
		TEST(a_home_is_made_for_its_owner_alone),
		TEST(a_second_one_is_told_the_pid_of_the_first),
		TEST(a_lock_left_by_a_crash_is_no_lock),
		TEST(a_home_that_others_can_write_is_refused),
		TEST(a_file_in_the_way_is_named),
		TEST(files_are_replaced_whole_and_read_within_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
