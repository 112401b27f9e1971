/* pages: is this LMDB data file whole?  LMDB trusts its pages: a flipped bit in one of their heads makes it read and write outside
 * of them (measured.md 5).  So what is suspect is looked at here first.  Pure.  Internal to the room. */
#ifndef STORE_PAGES_H
#define STORE_PAGES_H
#include "base/bytes.h"

/* The newest committed state of a data file of LMDB 0.9 (format 1, this machine's byte order and word size): every page of
 * the records and of the list of free pages lies in the file, is what it should be, holds its nodes within itself, in order,
 * and is used once; the totals are right.  What the values say is for the seals.  ERR_DAMAGED; ERR_VERSION: another
 * layout, of which nothing is known; ERR_NOMEM. */
enum err pages_check(const uint8_t *file, size_t len);

#endif
