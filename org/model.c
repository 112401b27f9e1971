#include "org/model.h"
#include <string.h>

static int fold(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c;
}

static const char *skip_joints(const char *s)
{
	return s + strspn(s, "_- ");
}

/* Names are ASCII; case and joints do not matter: target_value is targetValue. */
static bool same_name(const char *a, const char *b)
{
	for (;; a++, b++) {
		a = skip_joints(a);
		b = skip_joints(b);
		if (fold(*a) != fold(*b))
			return false;
		if (*a == '\0')
			return true;
	}
}

bool enum_parse(const struct enum_names *names, unsigned *value, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (same_name(names->names[i], name)) {
			*value = (unsigned)i;
			return true;
		}
	return false;
}

const struct field_spec *model_field(const struct kind_spec *kind, const char *name)
{
	for (size_t i = 0; i < kind->n; i++)
		if (same_name(kind->fields[i].name, name))
			return &kind->fields[i];
	return NULL;
}

const struct field_spec *model_field_by_key(const struct kind_spec *kind, uint32_t key)
{
	for (size_t i = 0; i < kind->n; i++)
		if (kind->fields[i].key == key)
			return &kind->fields[i];
	return NULL;
}

/* ---- "did you mean" --------------------------------------------------------------------------------------------- */

#define NAME_MAX_LEN 40

static size_t least(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Insertions, deletions, replacements and swaps of neighbours. */
static size_t edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
	size_t rows[3][NAME_MAX_LEN + 1];

	for (size_t j = 0; j <= nb; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			bool same = fold(a[i - 1]) == fold(b[j - 1]);

			row[j] = least(up[j] + 1, row[j - 1] + 1, up[j - 1] + !same);
			if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]) &&
			    up2[j - 2] + 1 < row[j])
				row[j] = up2[j - 2] + 1;
		}
	}
	return rows[na % 3][nb];
}

static bool begins_with(const char *name, const char *start)
{
	for (; *start != '\0'; name++, start++)
		if (fold(*name) != fold(*start))
			return false;
	return true;
}

/* A word that begins a name is as near as one wrong letter: "target" means targetValue. */
static size_t distance(const char *typed, const char *name)
{
	size_t nt = strlen(typed), nn = strlen(name);

	if (nt >= 3 && (begins_with(name, typed) || begins_with(typed, name)))
		return 1;
	return edit_distance(typed, nt, name, nn);
}

const char *model_nearest(const struct kind_spec *kind, const char *name)
{
	size_t len = strlen(name), best = len / 3 + 1;
	const char *nearest = NULL;

	if (len == 0 || len > NAME_MAX_LEN)
		return NULL;
	for (size_t i = 0; i < kind->n; i++) {
		const struct field_spec *f = &kind->fields[i];
		size_t d = f->settable ? distance(name, f->name) : best;

		if (d < best || (d == best && nearest == NULL && f->settable && d < len)) {
			best = d;
			nearest = f->name;
		}
	}
	return nearest;
}

void model_document_id(struct id16 *out, const struct id32 *space, uint32_t kind, struct slice key)
{
	uint8_t number[4];
	struct slice parts[] = { SLICE(space->b, ID_LEN), SLICE(number, sizeof number), key };
	struct id32 hash;

	put_u32(number, kind);
	crypto_hash(&hash, "cairn-document", parts, 3);
	memcpy(out->b, hash.b, sizeof out->b);
}
