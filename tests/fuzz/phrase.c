/* Any text: what is read as a phrase is written the same again.  The first 34 bytes also make a phrase with one wrong word,
 * which must be named. */
#include <assert.h>
#include <string.h>
#include "base/crypto.h"
#include "base/phrase.h"
#include "base/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct slice s)
{
	char again[PHRASE_TEXT_MAX], suggestion[16];
	uint8_t seed[32], back[32];
	int wrong;
	enum err e = phrase_parse(seed, &wrong, suggestion, s);

	assert(e == OK || e == ERR_USAGE);
	assert(wrong >= 0 && wrong <= PHRASE_WORDS && strlen(suggestion) <= WORD_MAX);
	assert(suggestion[0] == '\0' || wrong > 0);
	if (e != OK)
		return;
	assert(wrong == 0);
	phrase_format(again, seed);
	assert(phrase_parse(back, &wrong, suggestion, slice_of(again)) == OK);
	assert(memcmp(seed, back, 32) == 0);
}

/* Put another word at a place. */
static void replace(char *out, const char *text, int place, const char *word)
{
	const char *at = text;
	size_t len;

	for (int i = 0; i < place; i++)
		at = strchr(at, ' ') + 1;
	len = strcspn(at, " ");
	memcpy(out, text, (size_t)(at - text));
	strcpy(stpcpy(out + (at - text), word), at + len);
}

static void check_seed(const uint8_t *data)
{
	char text[PHRASE_TEXT_MAX], changed[PHRASE_TEXT_MAX + 16], suggestion[16];
	int place = data[32] % PHRASE_WORDS, wrong;
	const char *word = WORDS[(data[32] / PHRASE_WORDS * 256 + data[33]) % WORD_COUNT];
	uint8_t seed[32];
	enum err e;

	phrase_format(text, data);
	assert(phrase_parse(seed, &wrong, suggestion, slice_of(text)) == OK && memcmp(seed, data, 32) == 0);
	replace(changed, text, place, word);
	e = phrase_parse(seed, &wrong, suggestion, slice_of(changed));
	assert((e == OK) == (strcmp(text, changed) == 0));
	if (e == OK)
		return;
	assert(wrong == place + 1);
	replace(changed, text, place, suggestion);
	assert(strcmp(text, changed) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (crypto_start() != OK)
		return -1;
	check_text(SLICE(data, size));
	if (size >= 34)
		check_seed(data);
	return 0;
}
