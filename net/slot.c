/* slot: the keys of a space's map (protocol §7); see wire.h. */
#include <string.h>
#include "net/wire.h"

#define ACT_KEY (1 + ID_LEN)
#define LOG_KEY (1 + ID_LEN + 8)
#define STATEMENT_KEY (1 + ID_LEN + 1 + DOC_LEN)
_Static_assert(STATEMENT_KEY <= SLOT_KEY_MAX && LOG_KEY <= SLOT_KEY_MAX, "room for every slot key");

void slot_act(struct slot *s, const struct id32 *id)
{
	*s = (struct slot){ .key_len = ACT_KEY, .id = *id };
	s->key[0] = 'A';
	memcpy(s->key + 1, id->b, ID_LEN);
}

static void log_key(struct slot *s, uint8_t type, const struct id32 *device, uint64_t incarnation)
{
	s->key[0] = type;
	s->key_len = LOG_KEY;
	memcpy(s->key + 1, device->b, ID_LEN);
	put_u64(s->key + 1 + ID_LEN, incarnation);
}

void slot_log(struct slot *s, const struct id32 *device, uint64_t incarnation, uint64_t head_seq, const struct id32 *head_id)
{
	*s = (struct slot){ .version = head_seq, .id = *head_id };
	log_key(s, 'L', device, incarnation);
}

void slot_fork(struct slot *s, const struct id32 *device, uint64_t incarnation, uint64_t seq, const struct id32 *id)
{
	*s = (struct slot){ .version = seq, .id = *id };
	log_key(s, 'F', device, incarnation);
}

void slot_statement(struct slot *s, const struct statement *st)
{
	*s = (struct slot){ .key_len = STATEMENT_KEY, .version = st->counter, .id = st->id };
	s->key[0] = 'S';
	memcpy(s->key + 1, st->device.b, ID_LEN);
	s->key[1 + ID_LEN] = (uint8_t)st->kind;
	memcpy(s->key + 2 + ID_LEN, st->index.b, DOC_LEN);
}

bool slot_key_valid(struct slice key)
{
	if (key.len == 0)
		return false;
	switch (key.data[0]) {
	case 'A': return key.len == ACT_KEY;
	case 'L':
	case 'F': return key.len == LOG_KEY;
	case 'S': return key.len == STATEMENT_KEY;
	default:  return false;
	}
}

enum net_section slot_section(struct slice key)
{
	return key.len > 0 && key.data[0] == 'A' ? NET_AUTHORITY : NET_DATA;
}

bool slot_key_log(struct slice key, struct id32 *device, uint64_t *incarnation)
{
	if (!slot_key_valid(key) || key.data[0] != 'L')
		return false;
	memcpy(device->b, key.data + 1, ID_LEN);
	*incarnation = get_u64(key.data + 1 + ID_LEN);
	return true;
}

bool slot_key_statement(struct slice key, struct id32 *device, uint32_t *kind, struct id16 *index)
{
	if (!slot_key_valid(key) || key.data[0] != 'S')
		return false;
	memcpy(device->b, key.data + 1, ID_LEN);
	*kind = key.data[1 + ID_LEN];
	memcpy(index->b, key.data + 2 + ID_LEN, DOC_LEN);
	return true;
}
