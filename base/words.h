/* words: the table behind base/phrase.h: lower-case words in ascending order, unique in their first four letters.  Fixed for ever. */
#ifndef BASE_WORDS_H
#define BASE_WORDS_H

#define WORD_COUNT 4096
#define WORD_MAX 8

extern const char WORDS[WORD_COUNT][WORD_MAX + 1];

#endif
