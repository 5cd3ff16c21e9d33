/* SPDX-License-Identifier: GPL-2.0-only */
/* Hooks in modules that come and go. */
#ifndef PHYR_HOOK_PART_H
#define PHYR_HOOK_PART_H

#include <linux/types.h>

/**
 * struct hook_part - what is replaced in a module that comes and goes
 * @module: its name
 * @symbol: any function of it tells whether it is there, as a module or built in
 * @hook: called when it is there
 * @unhook: called when it goes
 * @hooked: whether it is replaced now
 * @refused: it came, and could not be
 */
struct hook_part {
	const char *module;
	const char *symbol;
	int (*hook)(void);
	void (*unhook)(void);
	bool hooked;
	bool refused;
};

int hook_parts_on(struct hook_part *parts, unsigned int nr);
void hook_parts_off(void);

#endif /* PHYR_HOOK_PART_H */
