#include "daemon/log.h"
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <errno.h>

#define LINE_MAX_BYTES 1024
#define SITE_BURST 20
#define SITE_WINDOW_MS 10000
#define FILE_MAX_BYTES (1024 * 1024)
#define NODE_SITES 64

static const char *const names[] = { "error", "warning", "info", "debug" };
static struct {
	enum log_level level;
	int fd;                         /* 0: stderr */
	off_t written;
	char path[1024];
} out = { .level = LOG_INFO };

void log_level_set(enum log_level level)
{
	out.level = level;
}

bool log_level_parse(enum log_level *level, const char *text)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(text, names[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	return false;
}

static enum err reopen(void)
{
	struct stat st;
	int fd = open(out.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO;
	if (out.fd > 0)
		close(out.fd);
	out.fd = fd;
	out.written = fstat(fd, &st) == 0 ? st.st_size : 0;
	return OK;
}

static void rotate(void)
{
	char old[sizeof out.path + 2];

	snprintf(old, sizeof old, "%s.1", out.path);
	if (rename(out.path, old) == 0)
		reopen();
	else
		out.written = 0;        /* try again a file later */
}

enum err log_file(const char *path)
{
	if (strlen(path) >= sizeof out.path)
		return ERR_TOOBIG;
	strcpy(out.path, path);
	return reopen();
}

/* The length of the well-formed UTF-8 sequence at p, 0: none. */
static size_t utf8_len(const uint8_t *p, size_t left)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] <= 0xdf ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : 0;

	if (n == 0 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] >= 0x90))
		return 0;
	return n;
}

void log_json_string(struct buf *b, struct slice text)
{
	buf_put_u8(b, '"');
	for (size_t i = 0; i < text.len; ) {
		const uint8_t *p = text.data + i;
		size_t n = utf8_len(p, text.len - i);
		if (n == 0)
			buf_put_text(b, "\\ufffd");
		else if (*p < 0x20 || *p == 0x7f)
			buf_printf(b, "\\u%04x", *p);
		else if (*p == '"' || *p == '\\')
			buf_printf(b, "\\%c", *p);
		else
			buf_put(b, p, n);
		i += n == 0 ? 1 : n;
	}
	buf_put_u8(b, '"');
}

static void write_line(const void *data, size_t len)
{
	ssize_t n;

	do
		n = write(out.fd > 0 ? out.fd : STDERR_FILENO, data, len);
	while (n < 0 && errno == EINTR);
	if (n > 0 && out.fd > 0 && (out.written += n) > FILE_MAX_BYTES)
		rotate();
}

static void emit(enum log_level level, struct slice text)
{
	static const char *const shown[] = { "error: ", "warning: ", "", "debug: " };
	struct buf b = {0};
	struct timespec now;
	struct tm tm;
	char when[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
	if (out.fd == 0 && isatty(STDERR_FILENO)) {
		buf_printf(&b, "cairnd: %s", shown[level]);
		for (size_t i = 0; i < text.len; i++)
			buf_put_u8(&b, text.data[i] < 0x20 || text.data[i] == 0x7f ? '?' : text.data[i]);
	} else {
		buf_printf(&b, "{\"ts\":\"%s.%03ldZ\",\"level\":\"%s\",\"msg\":", when, now.tv_nsec / 1000000, names[level]);
		log_json_string(&b, text);
		buf_put_u8(&b, '}');
	}
	buf_put_u8(&b, '\n');
	if (b.err == OK)
		write_line(b.data, b.len);
	buf_free(&b);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* May this site speak?  *dropped: how many of its lines were left out before. */
static bool site_speaks(struct log_site *site, unsigned *dropped)
{
	uint64_t now = now_ms();

	*dropped = 0;
	if (site->count == 0 || now - site->since_ms >= SITE_WINDOW_MS) {
		*dropped = site->dropped;
		*site = (struct log_site){ .since_ms = now };
	}
	if (site->count >= SITE_BURST) {
		site->dropped++;
		return false;
	}
	site->count++;
	return true;
}

static void say(struct log_site *site, enum log_level level, struct slice text)
{
	char line[LINE_MAX_BYTES + 64];
	unsigned dropped;
	int n;

	if (!site_speaks(site, &dropped))
		return;
	if (dropped == 0) {
		emit(level, text);
		return;
	}
	n = snprintf(line, sizeof line, "%.*s (%u more like this)", (int)(text.len < LINE_MAX_BYTES ? text.len : LINE_MAX_BYTES),
		(const char *)text.data, dropped);
	emit(level, SLICE(line, n > 0 ? (size_t)n : 0));
}

void log_at(struct log_site *site, enum log_level level, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list args;
	int n;

	if (level > out.level)
		return;
	va_start(args, format);
	n = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (n >= 0)
		say(site, level, SLICE(line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1));
}

void log_text(enum log_level level, struct slice text)
{
	static struct log_site sites[NODE_SITES];
	uint32_t hash = 2166136261u;

	if (level > out.level)
		return;
	for (size_t i = 0; i < text.len && i < 24 && !(text.data[i] >= '0' && text.data[i] <= '9'); i++)
		hash = (hash ^ text.data[i]) * 16777619u;
	say(&sites[hash % NODE_SITES], level, text);
}
