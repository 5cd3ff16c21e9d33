// SPDX-License-Identifier: GPL-2.0-only
/* What the administrator may see: the regions that exist, in /sys/kernel/debug/phyr. */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/seq_file.h>

#include "region_private.h"

static const char *const kind_names[] = {
	[PHYR_RAM] = "ram",
	[PHYR_PMEM] = "pmem",
	[PHYR_P2P] = "p2p",
	[PHYR_PFNMAP] = "mmio",
};

static void show_kinds(struct seq_file *m, unsigned int kinds)
{
	const char *comma = "";
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kind_names); i++) {
		if (!(kinds & BIT(i)))
			continue;
		seq_printf(m, "%s%s", comma, kind_names[i]);
		comma = ",";
	}
}

static const char *region_state(const struct phyr_region *region)
{
	if (region_imported(region))
		return "imported";
	return phyr_list_revoked(&region->list) ? "revoked" : "pinned";
}

/* The number of the dma-buf is that of /proc/PID/fdinfo and the bufinfo of dma-buf. */
static void region_show(struct seq_file *m, struct phyr_region *region)
{
	seq_printf(m, "%llu %d %llu %lu %lu ", (u64)region->inode->i_ino, region->pid,
		   phyr_list_len(&region->list), region->pages, phyr_list_nr(&region->list));
	show_kinds(m, phyr_list_kinds(&region->list));
	seq_printf(m, " %s %s %d ", region->write ? "rw" : "ro", region_state(region),
		   atomic_read(&region->nr_maps) + atomic_read(&region->nr_holders));
	seq_escape(m, region->comm, " \t\n\\");
	seq_putc(m, '\n');
}

static int regions_show(struct seq_file *m, void *unused)
{
	struct phyr_region *region;

	seq_puts(m, "# inode pid bytes pages phyrs kinds access state users comm\n");
	mutex_lock(&phyr_regions_lock);
	list_for_each_entry(region, &phyr_regions, entry)
		region_show(m, region);
	mutex_unlock(&phyr_regions_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(regions);

static struct dentry *debug_dir;

/**
 * phyr_debugfs_init - create /sys/kernel/debug/phyr/regions
 */
void phyr_debugfs_init(void)
{
	debug_dir = debugfs_create_dir("phyr", NULL);
	debugfs_create_file("regions", 0400, debug_dir, NULL, &regions_fops);
}

/**
 * phyr_debugfs_exit - remove it
 */
void phyr_debugfs_exit(void)
{
	debugfs_remove_recursive(debug_dir);
}
