#include "daemon/conf.h"
#include <confuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/home.h"
#include "daemon/log.h"

#define FILE_MAX (64 * 1024)
#define DEFAULT_LISTEN "tcp://0.0.0.0:7411"
#define SYNC_MAX 1440

static struct { const char *name; char *why; } now;     /* libconfuse's callbacks carry no argument; one parse at a time */

__attribute__((format(printf, 2, 0)))
static void on_error(cfg_t *cfg, const char *format, va_list args)
{
	int n;

	if (now.why[0] != '\0')
		return;                         /* the first one says it */
	n = snprintf(now.why, CONF_WHY, "%s:%d: ", now.name, cfg != NULL ? cfg->line : 0);
	if (n > 0 && n < CONF_WHY)
		vsnprintf(now.why + n, (size_t)(CONF_WHY - n), format, args);
}

static int check_address(cfg_t *cfg, cfg_opt_t *opt)
{
	unsigned n = cfg_opt_size(opt);
	const char *text = cfg_opt_getnstr(opt, n - 1);
	char host[LIMIT_ADDRESS_TEXT];
	uint16_t port;

	if (n > LIMIT_ADDRESSES - 1) {
		cfg_error(cfg, "%s holds at most %d addresses", opt->name, LIMIT_ADDRESSES - 1);
		return -1;
	}
	if (text != NULL && address_split(text, host, &port) && (port != 0 || strcmp(opt->name, "listen") == 0))
		return 0;
	cfg_error(cfg, "%s must be like \"tcp://HOST:PORT\"", opt->name);
	return -1;
}

static int check_minutes(cfg_t *cfg, cfg_opt_t *opt)
{
	long n = cfg_opt_getnint(opt, 0);

	if (n >= 1 && n <= SYNC_MAX)
		return 0;
	cfg_error(cfg, "%s must be 1 to %d", opt->name, SYNC_MAX);
	return -1;
}

static int check_level(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *text = cfg_opt_getnstr(opt, 0);
	enum log_level level;

	if (text != NULL && log_level_parse(&level, text))
		return 0;
	cfg_error(cfg, "%s must be error, warning, info or debug", opt->name);
	return -1;
}

static int check_http(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *text = cfg_opt_getnstr(opt, 0);

	if (text == NULL || text[0] == '\0')
		return 0;
	cfg_error(cfg, "http comes with a later version");
	return -1;
}

void conf_default(struct conf *c)
{
	memset(c, 0, sizeof *c);
	strcpy(c->listen, DEFAULT_LISTEN);
	address_split(c->listen, c->listen_host, &c->port);
	c->sync_minutes = 60;
	c->level = LOG_INFO;
}

static void take(struct conf *c, cfg_t *cfg)
{
	snprintf(c->listen, sizeof c->listen, "%s", cfg_getstr(cfg, "listen"));
	address_split(c->listen, c->listen_host, &c->port);
	c->listen_given = strcmp(c->listen, DEFAULT_LISTEN) != 0;
	for (unsigned i = 0; i < cfg_size(cfg, "advertise"); i++)
		address_add(&c->advertise, cfg_getnstr(cfg, "advertise", i));
	c->sync_minutes = (unsigned)cfg_getint(cfg, "sync-minutes");
	log_level_parse(&c->level, cfg_getstr(cfg, "log-level"));
}

enum err conf_parse(struct conf *c, struct slice text, const char *name, char why[CONF_WHY])
{
	cfg_opt_t options[] = {
		CFG_STR("listen", DEFAULT_LISTEN, CFGF_NONE),
		CFG_STR_LIST("advertise", "{}", CFGF_NONE),
		CFG_INT("sync-minutes", 60, CFGF_NONE),
		CFG_STR("log-level", "info", CFGF_NONE),
		CFG_STR("http", "", CFGF_NONE),
		CFG_END()
	};
	struct buf copy = {0};
	cfg_t *cfg = NULL;
	enum err e = ERR_NOMEM;

	why[0] = '\0';
	conf_default(c);
	buf_put_slice(&copy, text);
	buf_put_u8(&copy, '\n');
	buf_put_u8(&copy, 0);
	if (copy.err != OK || (cfg = cfg_init(options, CFGF_NONE)) == NULL)
		goto done;
	if (memchr(copy.data, '\0', copy.len - 1) != NULL) {
		snprintf(why, CONF_WHY, "%s: not a text file", name);
		e = ERR_USAGE;
		goto done;
	}
	now.name = name;
	now.why = why;
	cfg_set_error_function(cfg, on_error);
	cfg_set_validate_func(cfg, "listen", check_address);
	cfg_set_validate_func(cfg, "advertise", check_address);
	cfg_set_validate_func(cfg, "sync-minutes", check_minutes);
	cfg_set_validate_func(cfg, "log-level", check_level);
	cfg_set_validate_func(cfg, "http", check_http);
	e = cfg_parse_buf(cfg, (const char *)copy.data) == CFG_SUCCESS ? OK : ERR_USAGE;
	if (e == OK)
		take(c, cfg);
done:
	if (e != OK && why[0] == '\0')
		snprintf(why, CONF_WHY, "%s: %s", name, e == ERR_NOMEM ? "out of memory" : "not understood");
	if (cfg != NULL)
		cfg_free(cfg);
	buf_free(&copy);
	return e;
}

enum err conf_load(struct conf *c, const char *path, char why[CONF_WHY])
{
	struct buf b = {0};
	enum err e = home_read_file(&b, path, FILE_MAX);

	why[0] = '\0';
	if (e == OK)
		e = conf_parse(c, buf_slice(&b), path, why);
	else if (e == ERR_NOTFOUND)
		conf_default(c), e = OK;
	else
		snprintf(why, CONF_WHY, "%s cannot be read: %s", path, err_text(e));
	buf_free(&b);
	return e;
}
