// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs fuzz_list.c on given files, without libFuzzer: what the fuzzer found
 * interesting on 64 bits, on the 32-bit builds too.
 *
 * usage: fuzz_replay FILE...
 */
#include <stdio.h>

#include "fuzz_list.h"

static int replay(const char *path)
{
	static u8 data[1 << 16];
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!file) {
		perror(path);
		return 1;
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	return LLVMFuzzerTestOneInput(data, size);
}

int main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (replay(argv[i]))
			return 1;
	printf("%d inputs replayed\n", argc - 1);
	return 0;
}
