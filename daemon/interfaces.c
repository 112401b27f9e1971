#include "daemon/interfaces.h"
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>
#include "base/mem.h"

#define SETTLE_MS 500

bool address_split(const char *text, char *host, uint16_t *port)
{
	const char *from, *colon;
	char *end;
	unsigned long number;
	size_t len;

	if (strlen(text) >= LIMIT_ADDRESS_TEXT || strncmp(text, "tcp://", 6) != 0)
		return false;
	from = text + 6;
	colon = strrchr(from, ':');
	if (colon == NULL || colon == from)
		return false;
	len = (size_t)(colon - from);
	if (from[0] == '[') {
		if (len < 3 || colon[-1] != ']')
			return false;
		from++;
		len -= 2;
	} else if (memchr(from, ':', len) != NULL) {
		return false;
	}
	for (size_t i = 0; i < len; i++)
		if (from[i] <= ' ' || from[i] > '~' || strchr("[]/;,\"'\\@", from[i]) != NULL)
			return false;
	if (strcmp(colon + 1, "*") == 0) {
		number = 0;
	} else {
		if (colon[1] < '0' || colon[1] > '9' || strlen(colon + 1) > 5)
			return false;
		number = strtoul(colon + 1, &end, 10);
		if (*end != '\0' || number > UINT16_MAX)
			return false;
	}
	memcpy(host, from, len);
	host[len] = '\0';
	*port = (uint16_t)number;
	return true;
}

void address_add(struct address_list *l, const char *text)
{
	if (l->n == LIMIT_ADDRESSES || strlen(text) >= LIMIT_ADDRESS_TEXT)
		return;
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->text[i], text) == 0)
			return;
	strcpy(l->text[l->n], text);
	l->slices[l->n] = slice_of(l->text[l->n]);
	l->n++;
}

bool address_list_equal(const struct address_list *a, const struct address_list *b)
{
	bool equal = a->n == b->n;

	for (size_t i = 0; equal && i < a->n; i++)
		equal = strcmp(a->text[i], b->text[i]) == 0;
	return equal;
}

static bool link_local(const struct sockaddr_in6 *a)
{
	return a->sin6_addr.s6_addr[0] == 0xfe && (a->sin6_addr.s6_addr[1] & 0xc0) == 0x80;
}

static void add_one(struct address_list *out, const uv_interface_address_t *a, const char *listen, uint16_t port)
{
	char host[INET6_ADDRSTRLEN], text[LIMIT_ADDRESS_TEXT];
	bool v6 = a->address.address4.sin_family == AF_INET6, any4 = strcmp(listen, "0.0.0.0") == 0, any6 = strcmp(listen, "::") == 0;

	if (v6 ? uv_ip6_name(&a->address.address6, host, sizeof host) != 0 || link_local(&a->address.address6)
	       : a->address.address4.sin_family != AF_INET || uv_ip4_name(&a->address.address4, host, sizeof host) != 0)
		return;
	if (!(any6 || (any4 && !v6) || strcmp(listen, host) == 0))
		return;
	snprintf(text, sizeof text, v6 ? "tcp://[%s]:%u" : "tcp://%s:%u", host, port);
	address_add(out, text);
}

/* One place is kept for loopback, so that it is there in any case. */
static void add_all(struct address_list *out, const uv_interface_address_t *all, int n, const char *listen, uint16_t port)
{
	for (int loopback = 0; loopback <= 1; loopback++)
		for (int v6 = 0; v6 <= 1; v6++)
			for (int i = 0; i < n; i++)
				if (!!all[i].is_internal == loopback && (all[i].address.address4.sin_family == AF_INET6) == v6 &&
				    (loopback || out->n + 1 < LIMIT_ADDRESSES))
					add_one(out, &all[i], listen, port);
}

enum err interfaces_list(struct address_list *out, const struct address_list *first, const char *listen, uint16_t port)
{
	uv_interface_address_t *all = NULL;
	char text[LIMIT_ADDRESS_TEXT];
	int n = 0, failed;

	memset(out, 0, sizeof *out);
	for (size_t i = 0; i < first->n; i++)
		address_add(out, first->text[i]);
	failed = uv_interface_addresses(&all, &n);
	if (failed == 0) {
		add_all(out, all, n, listen, port);
		uv_free_interface_addresses(all, n);
		return OK;
	}
	snprintf(text, sizeof text, "tcp://127.0.0.1:%u", port);
	if (strcmp(listen, "0.0.0.0") == 0 || strcmp(listen, "::") == 0)
		address_add(out, text);
	return failed == UV_ENOMEM ? ERR_NOMEM : ERR_IO;
}

/* ---- changes ---- */

struct interfaces_watch {
	uv_poll_t poll;
	uv_timer_t settle;
	int fd, closing;
	void (*changed)(void *);
	void *arg;
};

static void on_settled(uv_timer_t *timer)
{
	struct interfaces_watch *w = timer->data;

	w->changed(w->arg);
}

static void on_news(uv_poll_t *poll, int status, int events)
{
	struct interfaces_watch *w = poll->data;
	uint8_t junk[8192];
	ssize_t n;

	(void)events;
	if (status < 0) {
		uv_poll_stop(poll);
		return;
	}
	do
		n = recv(w->fd, junk, sizeof junk, MSG_DONTWAIT);
	while (n > 0);
	if (!uv_is_active((uv_handle_t *)&w->settle))
		uv_timer_start(&w->settle, on_settled, SETTLE_MS, 0);
}

enum err interfaces_watch_open(struct interfaces_watch **out, uv_loop_t *loop, void (*changed)(void *), void *arg)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR };
	struct interfaces_watch *w = mem_alloc(sizeof *w);

	*out = NULL;
	if (w == NULL)
		return ERR_NOMEM;
	w->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (w->fd < 0 || bind(w->fd, (struct sockaddr *)&address, sizeof address) != 0 || uv_poll_init(loop, &w->poll, w->fd) != 0) {
		if (w->fd >= 0)
			close(w->fd);
		mem_free(w);
		return ERR_IO;
	}
	uv_timer_init(loop, &w->settle);
	w->poll.data = w->settle.data = w;
	w->changed = changed;
	w->arg = arg;
	uv_poll_start(&w->poll, UV_READABLE, on_news);
	*out = w;
	return OK;
}

static void on_closed(uv_handle_t *handle)
{
	struct interfaces_watch *w = handle->data;

	if (++w->closing < 2)
		return;
	close(w->fd);
	mem_free(w);
}

void interfaces_watch_close(struct interfaces_watch *w)
{
	if (w == NULL)
		return;
	uv_close((uv_handle_t *)&w->poll, on_closed);
	uv_close((uv_handle_t *)&w->settle, on_closed);
}
