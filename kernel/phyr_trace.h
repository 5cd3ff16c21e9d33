/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace events, under events/phyr in tracefs: what is pinned, mapped and revoked,
 * by whom and how much of it.  No physical address is shown.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM phyr

#if !defined(PHYR_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define PHYR_TRACE_H

#include <linux/dma-direction.h>
#include <linux/phyr_list.h>
#include <linux/tracepoint.h>

/* The end of one call of pin_user_phyrs() or its like. */
TRACE_EVENT(phyr_pin,
	TP_PROTO(unsigned long start, u64 bytes, unsigned long phyrs, unsigned int gup_flags,
		 int ret),
	TP_ARGS(start, bytes, phyrs, gup_flags, ret),
	TP_STRUCT__entry(
		__field(unsigned long, start)
		__field(u64, bytes)
		__field(unsigned long, phyrs)
		__field(unsigned int, gup_flags)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->start = start;
		__entry->bytes = bytes;
		__entry->phyrs = phyrs;
		__entry->gup_flags = gup_flags;
		__entry->ret = ret;
	),
	TP_printk("start=%#lx bytes=%llu phyrs=%lu gup_flags=%#x ret=%d", __entry->start,
		  __entry->bytes, __entry->phyrs, __entry->gup_flags, __entry->ret)
);

TRACE_EVENT(phyr_unpin,
	TP_PROTO(u64 bytes, unsigned long phyrs, bool make_dirty),
	TP_ARGS(bytes, phyrs, make_dirty),
	TP_STRUCT__entry(
		__field(u64, bytes)
		__field(unsigned long, phyrs)
		__field(bool, make_dirty)
	),
	TP_fast_assign(
		__entry->bytes = bytes;
		__entry->phyrs = phyrs;
		__entry->make_dirty = make_dirty;
	),
	TP_printk("bytes=%llu phyrs=%lu dirty=%d", __entry->bytes, __entry->phyrs,
		  __entry->make_dirty)
);

TRACE_EVENT(phyr_map,
	TP_PROTO(struct device *dev, u64 bytes, unsigned long segments, int ret),
	TP_ARGS(dev, bytes, segments, ret),
	TP_STRUCT__entry(
		__string(device, dev_name(dev))
		__field(u64, bytes)
		__field(unsigned long, segments)
		__field(int, ret)
	),
	TP_fast_assign(
		__assign_str(device);
		__entry->bytes = bytes;
		__entry->segments = segments;
		__entry->ret = ret;
	),
	TP_printk("device=%s bytes=%llu segments=%lu ret=%d", __get_str(device),
		  __entry->bytes, __entry->segments, __entry->ret)
);

TRACE_EVENT(phyr_unmap,
	TP_PROTO(struct device *dev, u64 bytes, unsigned long segments),
	TP_ARGS(dev, bytes, segments),
	TP_STRUCT__entry(
		__string(device, dev_name(dev))
		__field(u64, bytes)
		__field(unsigned long, segments)
	),
	TP_fast_assign(
		__assign_str(device);
		__entry->bytes = bytes;
		__entry->segments = segments;
	),
	TP_printk("device=%s bytes=%llu segments=%lu", __get_str(device),
		  __entry->bytes, __entry->segments)
);

/* @users were told, and it took @ns until they had all stopped. */
TRACE_EVENT(phyr_revoke,
	TP_PROTO(unsigned int users, u64 ns),
	TP_ARGS(users, ns),
	TP_STRUCT__entry(
		__field(unsigned int, users)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->users = users;
		__entry->ns = ns;
	),
	TP_printk("users=%u ns=%llu", __entry->users, __entry->ns)
);

#endif /* PHYR_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE phyr_trace
#include <trace/define_trace.h>
