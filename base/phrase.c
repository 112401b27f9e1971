#include "base/phrase.h"
#include <string.h>
#include "base/crypto.h"
#include "base/words.h"

/* A phrase is a code word c[0..23] over GF(2^12): 22 data symbols (seed ‖ hash byte, most significant bit first), then 2 chosen
 * so that the sums  S0 = Σ c[i]  and  S1 = Σ c[i]·x^i  are 0.  One error of value e at i gives S0 = e, S1 = e·x^i; two errors
 * cannot cancel both sums, because x^i are distinct. */
#define DATA_WORDS (PHRASE_WORDS - 2)
#define BITS 12
#define POLYNOMIAL 0x1053       /* x^12 + x^6 + x^4 + x + 1, primitive */
#define UNKNOWN -1

typedef unsigned symbol;

static symbol times(symbol a, symbol b)
{
	symbol product = 0;

	for (int i = BITS - 1; i >= 0; i--) {
		product = product << 1 ^ (product >> (BITS - 1) & 1) * POLYNOMIAL;
		product ^= (b >> i & 1) * a;
	}
	return product;
}

/* a^(2^12 - 2) */
static symbol inverse(symbol a)
{
	symbol result = 1;

	for (int i = 1; i < BITS; i++) {
		a = times(a, a);
		result = times(result, a);
	}
	return result;
}

static symbol x_to(int i)
{
	symbol power = 1;

	while (i-- > 0)
		power = times(power, 2);
	return power;
}

struct sums { symbol s0, s1; };

/* Unknown words count as 0. */
static struct sums sums_of(const int *words)
{
	struct sums s = { 0, 0 };

	for (int i = 0; i < PHRASE_WORDS; i++) {
		symbol c = words[i] == UNKNOWN ? 0 : (symbol)words[i];

		s.s0 ^= c;
		s.s1 ^= times(c, x_to(i));
	}
	return s;
}

/* The symbols at i and j that make both sums 0, when those without them are s. */
static void solve_two(int *words, int i, int j, struct sums s)
{
	symbol at_j = times(s.s1 ^ times(s.s0, x_to(i)), inverse(x_to(i) ^ x_to(j)));

	words[j] = (int)at_j;
	words[i] = (int)(s.s0 ^ at_j);
}

static uint8_t hash_byte(const uint8_t seed[32])
{
	struct id32 hash;
	uint8_t first;

	crypto_hash1(&hash, "cairn-phrase", seed, 32);
	first = hash.b[0];
	crypto_wipe(&hash, sizeof hash);
	return first;
}

static int get_word(const uint8_t *data, int i)
{
	const uint8_t *at = data + i / 2 * 3;

	return i % 2 == 0 ? at[0] << 4 | at[1] >> 4 : (at[1] & 15) << 8 | at[2];
}

static void set_word(uint8_t *data, int i, int word)
{
	uint8_t *at = data + i / 2 * 3;

	if (i % 2 == 0) {
		at[0] = (uint8_t)(word >> 4);
		at[1] = (uint8_t)((at[1] & 15) | (word & 15) << 4);
	} else {
		at[1] = (uint8_t)((at[1] & 0xf0) | word >> 8);
		at[2] = (uint8_t)word;
	}
}

void phrase_format(char *out, const uint8_t seed[32])
{
	uint8_t data[33];
	int words[PHRASE_WORDS] = {0};

	memcpy(data, seed, 32);
	data[32] = hash_byte(seed);
	for (int i = 0; i < DATA_WORDS; i++)
		words[i] = get_word(data, i);
	solve_two(words, DATA_WORDS, DATA_WORDS + 1, sums_of(words));
	for (int i = 0; i < PHRASE_WORDS; i++) {
		if (i > 0)
			*out++ = ' ';
		out = stpcpy(out, WORDS[words[i]]);
	}
	crypto_wipe(data, sizeof data);
	crypto_wipe(words, sizeof words);
}

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static char to_lower(uint8_t c)
{
	if (c == '\0')
		return '?';             /* no word has one, and strings end there */
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* The next word in lower case, cut at size - 1; false at the end. */
static bool next_word(char *out, size_t size, struct slice *text)
{
	size_t len = 0;

	while (text->len > 0 && is_space(*text->data))
		*text = SLICE(text->data + 1, text->len - 1);
	if (text->len == 0)
		return false;
	for (; text->len > 0 && !is_space(*text->data); *text = SLICE(text->data + 1, text->len - 1))
		if (len + 1 < size)
			out[len++] = to_lower(*text->data);
	out[len] = '\0';
	return true;
}

static int find_word(const char *word)
{
	int low = 0, high = WORD_COUNT;

	while (low < high) {
		int middle = (low + high) / 2, order = strcmp(word, WORDS[middle]);

		if (order == 0)
			return middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return UNKNOWN;
}

/* The number of words in the text; the first 24 are set. */
static int read_words(int *words, struct slice text)
{
	char word[WORD_MAX + 2];        /* one more, so that a longer word stays unknown */
	int n = 0;

	for (; n <= PHRASE_WORDS && next_word(word, sizeof word, &text); n++)
		if (n < PHRASE_WORDS)
			words[n] = find_word(word);
	crypto_wipe(word, sizeof word);
	return n;
}

/* Both sums are 0: the seed, if its hash agrees. */
static bool seed_of(uint8_t seed[32], const int *words)
{
	uint8_t data[33] = {0};
	bool good;

	for (int i = 0; i < DATA_WORDS; i++)
		set_word(data, i, words[i]);
	good = hash_byte(data) == data[32];
	if (good)
		memcpy(seed, data, 32);
	crypto_wipe(data, sizeof data);
	return good;
}

/* Find the one known word that is wrong and correct it: its place, or UNKNOWN. */
static int correct_one(int *words, struct sums s)
{
	for (int i = 0; s.s0 != 0 && i < PHRASE_WORDS; i++)
		if (times(s.s0, x_to(i)) == s.s1) {
			words[i] ^= (int)s.s0;
			return i;
		}
	return UNKNOWN;
}

/* Make both sums 0 by changing as little as possible: the first changed place, or UNKNOWN. */
static int repair(int *words, const int *missing, int n)
{
	struct sums s = sums_of(words);

	if (n == 0)
		return correct_one(words, s);
	if (n == 1 && times(s.s0, x_to(missing[0])) == s.s1)
		words[missing[0]] = (int)s.s0;
	else if (n == 2)
		solve_two(words, missing[0], missing[1], s);
	else
		return UNKNOWN;
	return missing[0];
}

/* The words are not a phrase: say where, and what belongs there if the repaired words pass the hash. */
static void explain(int *wrong, char *suggestion, int *words)
{
	int missing[PHRASE_WORDS], n = 0, at;
	uint8_t seed[32];

	for (int i = 0; i < PHRASE_WORDS; i++)
		if (words[i] == UNKNOWN)
			missing[n++] = i;
	*wrong = n > 0 ? missing[0] + 1 : 0;
	at = repair(words, missing, n);
	if (at == UNKNOWN || !seed_of(seed, words))
		return;
	*wrong = at + 1;
	strcpy(suggestion, WORDS[words[at]]);
	crypto_wipe(seed, sizeof seed);
}

static bool all_known(const int *words)
{
	for (int i = 0; i < PHRASE_WORDS; i++)
		if (words[i] == UNKNOWN)
			return false;
	return true;
}

enum err phrase_parse(uint8_t seed[32], int *wrong, char *suggestion, struct slice text)
{
	int words[PHRASE_WORDS];
	enum err e = ERR_USAGE;
	struct sums s;

	memset(seed, 0, 32);
	memset(words, 0xff, sizeof words);              /* UNKNOWN */
	*wrong = 0;
	*suggestion = '\0';
	if (read_words(words, text) != PHRASE_WORDS)
		goto out;
	s = sums_of(words);
	if (all_known(words) && s.s0 == 0 && s.s1 == 0)
		e = seed_of(seed, words) ? OK : ERR_USAGE;
	else
		explain(wrong, suggestion, words);
out:
	crypto_wipe(words, sizeof words);
	return e;
}
