#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "base/crypto.h"
#include "base/phrase.h"
#include "base/rng.h"
#include "base/words.h"

struct phrase { char words[PHRASE_WORDS][WORD_MAX + 8]; uint8_t seed[32]; };

static struct phrase split(const char *text)
{
	struct phrase p = {0};

	for (int i = 0; i < PHRASE_WORDS; i++) {
		size_t len = strcspn(text, " ");

		assert_in_range(len, 4, WORD_MAX);
		memcpy(p.words[i], text, len);
		text += len + (text[len] == ' ');
	}
	assert_true(*text == '\0');
	return p;
}

static struct phrase random_phrase(struct rng *r)
{
	char text[PHRASE_TEXT_MAX];
	struct phrase p;
	uint8_t seed[32];

	rng_bytes(r, seed, sizeof seed);
	phrase_format(text, seed);
	p = split(text);
	memcpy(p.seed, seed, sizeof seed);
	return p;
}

struct result { enum err e; uint8_t seed[32]; int wrong; char suggestion[16]; };

static struct result parse(const struct phrase *p)
{
	struct result r;
	char text[PHRASE_WORDS * (WORD_MAX + 8)] = "";

	for (int i = 0; i < PHRASE_WORDS; i++) {
		strcat(text, p->words[i]);
		strcat(text, i % 5 == 4 ? "\n  " : " ");
	}
	r.e = phrase_parse(r.seed, &r.wrong, r.suggestion, slice_of(text));
	return r;
}

static void assert_blames(const struct phrase *p, int position, const char *right)
{
	struct result r = parse(p);

	assert_int_equal(r.e, ERR_USAGE);
	assert_int_equal(r.wrong, position);
	assert_string_equal(r.suggestion, right);
	for (int i = 0; i < 32; i++)
		assert_int_equal(r.seed[i], 0);
}

/* ---- the words ---------------------------------------------------------------------------------------------------------- */

static void words_ascend_and_differ_in_four_letters(void **state)
{
	(void)state;
	for (int i = 0; i < WORD_COUNT; i++) {
		size_t len = strlen(WORDS[i]);

		assert_in_range(len, 4, WORD_MAX);
		assert_int_equal(strspn(WORDS[i], "abcdefghijklmnopqrstuvwxyz"), len);
		if (i > 0)
			assert_true(strncmp(WORDS[i - 1], WORDS[i], 4) < 0);
	}
}

static void the_table_is_the_list(void **state)
{
	FILE *list = fopen("base/words.txt", "r");
	char line[200];
	int n = 0;

	(void)state;
	if (list == NULL)
		skip();                 /* not run in the source tree */
	while (fgets(line, sizeof line, list) != NULL) {
		if (line[0] == '#')
			continue;
		line[strcspn(line, "\n")] = '\0';
		assert_true(n < WORD_COUNT);
		assert_string_equal(line, WORDS[n++]);
	}
	fclose(list);
	assert_int_equal(n, WORD_COUNT);
}

/* Phrases on paper depend on every word: this must never change. */
static void the_table_is_pinned(void **state)
{
	struct id32 h;
	char text[9];

	(void)state;
	crypto_hash1(&h, "words", WORDS, sizeof WORDS);
	snprintf(text, sizeof text, "%02x%02x%02x%02x", h.b[0], h.b[1], h.b[2], h.b[3]);
	assert_string_equal(text, "a7ec7c32");
}

/* ---- phrases ------------------------------------------------------------------------------------------------------------ */

static void phrases_are_pinned(void **state)
{
	static const uint8_t zero[32];
	char text[PHRASE_TEXT_MAX];
	uint8_t seed[32];

	(void)state;
	phrase_format(text, zero);
	assert_string_equal(text, "abacus abacus abacus abacus abacus abacus abacus abacus abacus abacus abacus abacus abacus "
		"abacus abacus abacus abacus abacus abacus abacus abacus armband maybe lost");
	for (int i = 0; i < 32; i++)
		seed[i] = (uint8_t)(37 * i + 11);
	phrase_format(text, seed);
	assert_string_equal(text, "antler ahead kinship witness trophy tinder fold supreme shatter sail cure reggae person prize "
		"baritone nibble lone might utility inlet glance hint width kitty");
}

static void seeds_come_back(void **state)
{
	struct rng r;

	(void)state;
	rng_seed_u64(&r, 1);
	for (int i = 0; i < 100; i++) {
		struct phrase p = random_phrase(&r);
		struct result got = parse(&p);

		assert_int_equal(got.e, OK);
		assert_int_equal(got.wrong, 0);
		assert_string_equal(got.suggestion, "");
		assert_memory_equal(got.seed, p.seed, 32);
	}
}

static void case_does_not_matter(void **state)
{
	struct result got;
	struct phrase p;
	struct rng r;

	(void)state;
	rng_seed_u64(&r, 2);
	p = random_phrase(&r);
	for (int i = 0; i < PHRASE_WORDS; i += 2)
		for (char *c = p.words[i]; *c != '\0'; c++)
			*c = (char)(*c - 'a' + 'A');
	got = parse(&p);
	assert_int_equal(got.e, OK);
	assert_memory_equal(got.seed, p.seed, 32);
}

static void any_wrong_word_is_named_with_the_right_one(void **state)
{
	static const int PLACES[] = { 0, 1, 11, 20, 21, 22, 23 };
	struct rng r;

	(void)state;
	rng_seed_u64(&r, 3);
	for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
		struct phrase p = random_phrase(&r), wrong = p;
		int at = PLACES[i];

		for (int w = 0; w < WORD_COUNT; w += 1 + (int)(i % 3)) {
			strcpy(wrong.words[at], WORDS[w]);
			if (strcmp(WORDS[w], p.words[at]) != 0)
				assert_blames(&wrong, at + 1, p.words[at]);
		}
	}
}

static void a_typo_is_named_with_the_right_word(void **state)
{
	struct rng r;

	(void)state;
	rng_seed_u64(&r, 4);
	for (int at = 0; at < PHRASE_WORDS; at++) {
		struct phrase p = random_phrase(&r), wrong = p;

		wrong.words[at][1] = 'q';
		wrong.words[at][2] = 'x';
		assert_blames(&wrong, at + 1, p.words[at]);
		strcpy(wrong.words[at], p.words[at]);
		strcat(wrong.words[at], "zzzzz");
		assert_blames(&wrong, at + 1, p.words[at]);
		strcpy(wrong.words[at], "\xc3\xa9");
		assert_blames(&wrong, at + 1, p.words[at]);
	}
}

static void two_illegible_words_are_named_one_by_one(void **state)
{
	struct phrase p, wrong;
	struct rng r;

	(void)state;
	rng_seed_u64(&r, 5);
	p = wrong = random_phrase(&r);
	strcpy(wrong.words[3], "?");
	strcpy(wrong.words[17], "?");
	assert_blames(&wrong, 4, p.words[3]);
	strcpy(wrong.words[3], p.words[3]);
	assert_blames(&wrong, 18, p.words[17]);
	strcpy(wrong.words[17], p.words[17]);
	assert_int_equal(parse(&wrong).e, OK);
}

static void three_illegible_words_cannot_be_guessed(void **state)
{
	struct phrase p;
	struct rng r;

	(void)state;
	rng_seed_u64(&r, 6);
	p = random_phrase(&r);
	strcpy(p.words[3], "?");
	strcpy(p.words[7], "?");
	strcpy(p.words[23], "?");
	assert_blames(&p, 4, "");
}

static void swapped_words_are_noticed(void **state)
{
	struct phrase p;
	struct rng r;

	(void)state;
	rng_seed_u64(&r, 7);
	p = random_phrase(&r);
	for (int i = 0; i < PHRASE_WORDS; i++)
		for (int j = i + 1; j < PHRASE_WORDS; j++) {
			struct phrase swapped = p;

			memcpy(swapped.words[i], p.words[j], sizeof p.words[i]);
			memcpy(swapped.words[j], p.words[i], sizeof p.words[i]);
			if (strcmp(p.words[i], p.words[j]) != 0)
				assert_int_equal(parse(&swapped).e, ERR_USAGE);
		}
}

static void any_two_wrong_words_are_noticed_and_seldom_misnamed(void **state)
{
	int misnamed = 0;
	struct rng r;

	(void)state;
	rng_seed_u64(&r, 8);
	for (int round = 0; round < 20000; round++) {
		struct phrase p = random_phrase(&r), wrong = p;
		struct result got;
		int i = (int)rng_below(&r, PHRASE_WORDS), j = (i + 1 + (int)rng_below(&r, PHRASE_WORDS - 1)) % PHRASE_WORDS;

		strcpy(wrong.words[i], WORDS[rng_below(&r, WORD_COUNT)]);
		strcpy(wrong.words[j], WORDS[rng_below(&r, WORD_COUNT)]);
		got = parse(&wrong);
		if (strcmp(wrong.words[i], p.words[i]) != 0 || strcmp(wrong.words[j], p.words[j]) != 0)
			assert_int_equal(got.e, ERR_USAGE);
		misnamed += got.wrong != 0 && got.wrong != i + 1 && got.wrong != j + 1;
	}
	assert_in_range(misnamed, 0, 5);        /* 22 of 4,095 places, and 1 of 256 hashes */
}

static void other_numbers_of_words_are_refused(void **state)
{
	static const uint8_t zero[32];
	char text[PHRASE_TEXT_MAX + 16], suggestion[16];
	uint8_t seed[32];
	int wrong;

	(void)state;
	assert_int_equal(phrase_parse(seed, &wrong, suggestion, slice_of("")), ERR_USAGE);
	assert_int_equal(phrase_parse(seed, &wrong, suggestion, SLICE(NULL, 0)), ERR_USAGE);
	phrase_format(text, zero);
	assert_int_equal(phrase_parse(seed, &wrong, suggestion, SLICE(text, strlen(text))), OK);
	assert_int_equal(phrase_parse(seed, &wrong, suggestion, SLICE(text, strlen(text) - 5)), ERR_USAGE);
	assert_int_equal(wrong, 0);
	strcat(text, " abacus");
	assert_int_equal(phrase_parse(seed, &wrong, suggestion, slice_of(text)), ERR_USAGE);
	assert_int_equal(wrong, 0);
	text[strlen(text) - 7] = '\0';
	text[3] = '\0';                 /* a NUL is no letter */
	assert_int_equal(phrase_parse(seed, &wrong, suggestion, SLICE(text, 180)), ERR_USAGE);
}

static int start(void **state)
{
	(void)state;
	return crypto_start() == OK ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_ascend_and_differ_in_four_letters),
		cmocka_unit_test(the_table_is_the_list),
		cmocka_unit_test(the_table_is_pinned),
		cmocka_unit_test(phrases_are_pinned),
		cmocka_unit_test(seeds_come_back),
		cmocka_unit_test(case_does_not_matter),
		cmocka_unit_test(any_wrong_word_is_named_with_the_right_one),
		cmocka_unit_test(a_typo_is_named_with_the_right_word),
		cmocka_unit_test(two_illegible_words_are_named_one_by_one),
		cmocka_unit_test(three_illegible_words_cannot_be_guessed),
		cmocka_unit_test(swapped_words_are_noticed),
		cmocka_unit_test(any_two_wrong_words_are_noticed_and_seldom_misnamed),
		cmocka_unit_test(other_numbers_of_words_are_refused),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
