// SPDX-License-Identifier: GPL-2.0-only
/*
 * phyr: look at memory as physically contiguous ranges.
 *
 * Exit status: 0; 1 if something failed, with the reason on standard error; 2
 * for wrong usage.  Of phyr compare, as of cmp: 1 for a difference, 2 for all else.
 */
#include <stdio.h>
#include <string.h>

#include <phyr.h>

#include "tool.h"

struct command {
	const char *name;
	char *argv0;			/* for getopt_long(), which complains by it */
	int (*run)(int argc, char **argv);
	const char *summary;
};

static char info_name[] = "phyr info", pin_name[] = "phyr pin", layout_name[] = "phyr layout",
	    regions_name[] = "phyr regions", copy_name[] = "phyr copy", fill_name[] = "phyr fill",
	    compare_name[] = "phyr compare", check_name[] = "phyr check",
	    bench_name[] = "phyr bench";

static const struct command commands[] = {
	{ "check", check_name, cmd_check, "whether and how this machine can use phyr" },
	{ "info", info_name, cmd_info, "the module, what it pins, and the limits here" },
	{ "pin", pin_name, cmd_pin, "pin some memory and show what comes out" },
	{ "regions", regions_name, cmd_regions, "what is pinned in the whole system, and by whom" },
	{ "layout", layout_name, cmd_layout, "how contiguous a process's memory is" },
	{ "copy", copy_name, cmd_copy, "copy between files, processes, regions, BARs" },
	{ "fill", fill_name, cmd_fill, "fill a part of one of them with one byte" },
	{ "compare", compare_name, cmd_compare, "find the first byte that differs" },
	{ "bench", bench_name, cmd_bench, "phyrs against the stock way, on this machine" },
};

static void help(void)
{
	size_t i;

	puts("Usage: phyr COMMAND [OPTION]...\n"
	     "\n"
	     "Pin memory as phyrs, physically contiguous ranges of any length, and look at it.\n");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-8s%s\n", commands[i].name, commands[i].summary);
	puts("\n"
	     "  --help     this text; \"phyr COMMAND --help\" tells about one command\n"
	     "  --version  the version of this command\n"
	     "\n"
	     "All but \"phyr check\", \"phyr layout\", and copies of files and processes, need the\n"
	     "module: modprobe phyr. See phyr(1).");
}

static void version(void)
{
	unsigned int v = phyr_version();

	printf("phyr %u.%u\n", v >> 16, v & 0xffff);
}

/* What was printed must have got somewhere. */
static int finish(int status)
{
	if (fflush(stdout) || ferror(stdout))
		return tool_fail("cannot write the output: %m");
	return status;
}

static const struct command *find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2)
		return tool_usage("phyr", "no command");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		help();
		return finish(0);
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		version();
		return finish(0);
	}
	command = find(argv[1]);
	if (!command)
		return tool_usage("phyr", "unknown %s \"%s\"",
				  argv[1][0] == '-' ? "option" : "command", argv[1]);
	argv[1] = command->argv0;
	return finish(command->run(argc - 1, argv + 1));
}
