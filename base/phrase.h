/* phrase: a 256-bit seed as 24 words (design §4).  4,096 words, 12 bits each: 288 bits = 256 of seed, 8 of a hash check, and two
 * Reed-Solomon parity symbols over GF(2^12) that find (and name) any single wrong word and detect any two.  Not BIP-39:
 * that list has one 8-bit checksum that cannot say which word is wrong. */
#ifndef BASE_PHRASE_H
#define BASE_PHRASE_H
#include "base/bytes.h"

#define PHRASE_WORDS 24
#define PHRASE_TEXT_MAX 240
/* out: 24 words with single spaces, NUL-terminated, PHRASE_TEXT_MAX bytes. */
void phrase_format(char *out, const uint8_t seed[32]);
/* ERR_USAGE: not 24 known words or a wrong check.  *wrong: 1..24 the word at fault (unknown, or found by parity), 0: cannot say.
 * suggestion (>= 16 bytes): the word that parity says belongs there, or "".  Case and white space do not matter. */
enum err phrase_parse(uint8_t seed[32], int *wrong, char *suggestion, struct slice text);

#endif
