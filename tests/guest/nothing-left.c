// SPDX-License-Identifier: GPL-2.0-only
/*
 * The leak oracle, for tests that are scripts:
 *
 *	before=$(nothing-left)
 *	...
 *	nothing-left $before
 *
 * Without arguments prints how things are. With them, exits with 1 and says what
 * is left if anything is.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/oracle.h"

int main(int argc, char **argv)
{
	char words[ORACLE_WORDS];
	struct oracle before;

	if (argc == 1) {
		oracle_begin(&before);
		printf("%lld %lld\n", before.committed, before.slab);
		return 0;
	}
	if (argc != 3) {
		fputs("usage: nothing-left [COMMITTED SLAB]\n", stderr);
		return 2;
	}
	before.committed = atoll(argv[1]);
	before.slab = atoll(argv[2]);
	if (oracle_end(&before, words, sizeof(words)))
		return 0;
	fprintf(stderr, "left: %s\n", words);
	return 1;
}
