#include "base/paths.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/crypto.h"
#include "base/id.h"

#define HASH_CHARS 16

static bool given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static bool absolute(const char *text)
{
	return given(text) && text[0] == '/';
}

__attribute__((format(printf, 3, 4)))
static bool put(char *out, size_t room, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(out, room, format, args);
	va_end(args);
	return n >= 0 && (size_t)n < room;
}

/* "a//b/./c/" → "a/b/c", in place; ".." stays: only the kernel knows what a symbolic link makes of it. */
static void tidy(char *path)
{
	char *out = path;

	for (const char *in = path; *in != '\0'; ) {
		size_t n = strcspn(in, "/");
		if (n > 0 && !(n == 1 && in[0] == '.')) {
			*out++ = '/';
			memmove(out, in, n);
			out += n;
		}
		in += n;
		in += *in == '/';
	}
	if (out == path)
		*out++ = '/';
	*out = '\0';
}

static enum err find_dir(struct paths *out, const struct paths_env *env)
{
	const char *wish = given(env->home_option) ? env->home_option : env->cairn_home;
	bool fits;

	out->chosen = given(wish);
	if (out->chosen && wish[0] != '/' && !absolute(env->cwd))
		return ERR_USAGE;
	if (out->chosen)
		fits = put(out->dir, PATHS_DIR_MAX + 1, wish[0] == '/' ? "%s%s" : "%s/%s", wish[0] == '/' ? "" : env->cwd, wish);
	else if (absolute(env->xdg_data_home))
		fits = put(out->dir, PATHS_DIR_MAX + 1, "%s/cairn", env->xdg_data_home);
	else if (absolute(env->home))
		fits = put(out->dir, PATHS_DIR_MAX + 1, "%s/.local/share/cairn", env->home);
	else
		return ERR_MISSING;
	if (fits)
		tidy(out->dir);
	return fits ? OK : ERR_TOOBIG;
}

static bool find_state_dir(struct paths *out, const struct paths_env *env)
{
	if (!out->chosen && absolute(env->xdg_state_home))
		return put(out->state_dir, PATHS_DIR_MAX + 1, "%s/cairn", env->xdg_state_home);
	if (!out->chosen && absolute(env->home))
		return put(out->state_dir, PATHS_DIR_MAX + 1, "%s/.local/state/cairn", env->home);
	return put(out->state_dir, sizeof out->state_dir, "%s", out->dir);
}

static bool socket_in(struct paths *out)
{
	return put(out->socket, sizeof out->socket, "%s/cairnd.sock", out->runtime_dir);
}

static bool find_socket(struct paths *out, const struct paths_env *env)
{
	struct id32 hash;
	char text[ID_TEXT_MAX];
	bool runtime = absolute(env->xdg_runtime_dir);

	crypto_hash1(&hash, "cairn-home", out->dir, strlen(out->dir));
	id_format(text, hash.b, sizeof hash.b, HASH_CHARS);
	memcpy(out->runtime_dir, out->dir, sizeof out->runtime_dir);
	if ((out->chosen || !runtime) && socket_in(out))
		return true;
	if (runtime && put(out->runtime_dir, sizeof out->runtime_dir, "%s/cairn/%s", env->xdg_runtime_dir, text) && socket_in(out))
		return true;
	return put(out->runtime_dir, sizeof out->runtime_dir, "/tmp/cairn-%u/%s", (unsigned)env->uid, text) && socket_in(out);
}

enum err paths_compute(struct paths *out, const struct paths_env *env)
{
	enum err e;
	bool fits;

	memset(out, 0, sizeof *out);
	if ((e = find_dir(out, env)) != OK)
		return e;
	fits = find_state_dir(out, env) && find_socket(out, env) &&
		put(out->keystore, PATHS_LEN, "%s/keystore", out->dir) &&
		put(out->key_file, PATHS_LEN, "%s/keystore.key", out->dir) &&
		put(out->store_dir, PATHS_LEN, "%s/store", out->dir) &&
		put(out->backup_dir, PATHS_LEN, "%s/backup", out->dir) &&
		put(out->conf, PATHS_LEN, "%s/cairn.conf", out->dir) &&
		put(out->lock, PATHS_LEN, "%s/cairnd.lock", out->dir) &&
		put(out->port, PATHS_LEN, "%s/port", out->dir) &&
		put(out->log, PATHS_LEN, "%s/cairnd.log", out->state_dir);
	return fits ? OK : ERR_TOOBIG;
}

enum err paths_lock_parse(uint32_t *pid, char *socket, struct slice content)
{
	const uint8_t *at = content.data, *end = at + content.len, *stop;
	uint64_t n = 0;

	*pid = 0;
	socket[0] = '\0';
	if (content.len == 0 || content.data[0] == '\n')
		return ERR_NOTFOUND;
	for (; at < end && *at >= '0' && *at <= '9' && n < UINT32_MAX; at++)
		n = n * 10 + (uint64_t)(*at - '0');
	if (n == 0 || n > INT32_MAX || at == end || *at++ != '\n')
		return ERR_MALFORMED;
	stop = memchr(at, '\n', (size_t)(end - at));
	if (stop == NULL || stop - at > PATHS_SOCKET_MAX || *at != '/' || memchr(at, '\0', (size_t)(stop - at)) != NULL)
		return ERR_MALFORMED;
	memcpy(socket, at, (size_t)(stop - at));
	socket[stop - at] = '\0';
	*pid = (uint32_t)n;
	return OK;
}
