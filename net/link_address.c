#include <string.h>
#include "net/link.h"
#include "net/link_address.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name(const char *text, size_t len)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

	return len > 0 && strspn(text, letters) >= len && text[0] != '-' && text[0] != '.';
}

static bool is_port(const char *text, bool listen)
{
	unsigned number = 0;
	size_t len = strlen(text);

	if (listen && strcmp(text, "*") == 0)
		return true;
	if (len == 0 || len > 5 || strspn(text, "0123456789") != len)
		return false;
	for (; *text != 0; text++)
		number = number * 10 + (unsigned)(*text - '0');
	return number <= 65535 && (number > 0 || listen);
}

/* Four numbers, without leading zeros: the whole text. */
static bool is_v4(const char *text)
{
	for (int i = 0; i < 4; i++) {
		unsigned number = 0;
		const char *from = text;

		for (; is_digit(*text) && number < 256; text++)
			number = number * 10 + (unsigned)(*text - '0');
		if (text == from || number > 255 || (*from == '0' && text - from > 1) || *text != ".\0"[i == 3])
			return false;
		text += i < 3;
	}
	return true;
}

/* Eight groups of hexadecimal digits, or fewer with one "::"; the last two may be a v4 address; then perhaps %zone. */
static bool is_v6(const char *text)
{
	char bare[46];
	const char *at = bare, *zone = strchr(text, '%');
	size_t len = zone != NULL ? (size_t)(zone - text) : strlen(text);
	int groups = 0;
	bool gap = false;

	if (len >= sizeof bare || (zone != NULL && !is_name(zone + 1, strlen(zone + 1))))
		return false;
	memcpy(bare, text, len);
	bare[len] = 0;
	while (*at != 0) {
		size_t digits = strspn(at, "0123456789abcdefABCDEF");

		if (at[0] == ':' && at[1] == ':') {
			if (gap)
				return false;
			gap = true;
			at += 2;
			continue;
		}
		if (groups > 0 && at[-1] != ':') {              /* between two groups */
			if (*at++ != ':')
				return false;
			digits = strspn(at, "0123456789abcdefABCDEF");
		}
		if (is_v4(at)) {
			groups += 2;
			break;
		}
		if (digits == 0 || digits > 4)
			return false;
		groups++;
		at += digits;
	}
	return gap ? groups < 8 : groups == 8;
}

bool link_address_parse(struct link_address *out, const char *text, bool listen)
{
	const char *host = text + 6, *colon;
	size_t len;

	memset(out, 0, sizeof *out);
	if (strnlen(text, LIMIT_ADDRESS_TEXT + 1) > LIMIT_ADDRESS_TEXT || strncmp(text, "tcp://", 6) != 0
		|| (colon = strrchr(host, ':')) == NULL || !is_port(colon + 1, listen))
		return false;
	strcpy(out->port, colon + 1);
	len = (size_t)(colon - host);
	if (len >= sizeof out->host)
		return false;
	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		memcpy(out->host, host + 1, len - 2);
		return out->numeric = is_v6(out->host);
	}
	memcpy(out->host, host, len);
	out->numeric = is_v4(out->host) || (listen && strcmp(out->host, "*") == 0);
	return out->numeric || is_name(out->host, len);
}

bool link_address_valid(const char *text)
{
	struct link_address parts;

	return link_address_parse(&parts, text, false);
}
