// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "bpf.h"
#include "fixture.h"

#define BTF_DIR		"/sys/kernel/btf/"
#define CODE(...)	((struct bpf_insn){ __VA_ARGS__ })

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* Type information: of the kernel, or of a module that goes on where that ends. */

struct btf {
	char *data;
	const struct btf_header *header;
	const char *types;
	const char *strings;
};

static struct btf btf_read(const char *name)
{
	struct btf btf;
	struct stat st;
	char path[200];
	off_t have = 0;
	int fd;

	snprintf(path, sizeof(path), BTF_DIR "%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	assert_return_code(fstat(fd, &st), errno);
	btf.data = malloc((size_t)st.st_size);
	assert_non_null(btf.data);
	while (have < st.st_size) {
		ssize_t n = read(fd, btf.data + have, (size_t)(st.st_size - have));

		assert_true(n > 0);
		have += n;
	}
	close(fd);
	btf.header = (const struct btf_header *)btf.data;
	btf.types = btf.data + btf.header->hdr_len + btf.header->type_off;
	btf.strings = btf.data + btf.header->hdr_len + btf.header->str_off;
	return btf;
}

/* Newer kernels use bits of both that older ones leave at zero. */
static unsigned int type_kind(const struct btf_type *type)
{
	return type->info >> 24 & 0x7f;
}

static size_t type_size(const struct btf_type *type)
{
	size_t n = type->info & 0xffffff;

	switch (type_kind(type)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return sizeof(*type) + sizeof(uint32_t);
	case BTF_KIND_ARRAY:
		return sizeof(*type) + sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return sizeof(*type) + n * sizeof(struct btf_member);
	case BTF_KIND_ENUM:
		return sizeof(*type) + n * sizeof(struct btf_enum);
	case BTF_KIND_FUNC_PROTO:
		return sizeof(*type) + n * sizeof(struct btf_param);
	case BTF_KIND_DATASEC:
		return sizeof(*type) + n * sizeof(struct btf_var_secinfo);
	case BTF_KIND_ENUM64:
		return sizeof(*type) + n * sizeof(struct btf_enum64);
	default:
		return sizeof(*type);
	}
}

static const char *type_name(const struct btf *base, const struct btf *btf,
			     const struct btf_type *type)
{
	uint32_t in_base = base ? base->header->str_len : 0;

	if (type->name_off < in_base)
		return base->strings + type->name_off;
	return btf->strings + type->name_off - in_base;
}

/* The number of a function among the types, or of how many types there are. */
static uint32_t find_type(const struct btf *base, const struct btf *btf, uint32_t first,
			  const char *function)
{
	const char *end = btf->types + btf->header->type_len;
	const char *at = btf->types;
	uint32_t id = first;

	for (; at < end; id++) {
		const struct btf_type *type = (const struct btf_type *)at;

		if (function && type_kind(type) == BTF_KIND_FUNC &&
		    !strcmp(type_name(base, btf, type), function))
			return id;
		at += type_size(type);
	}
	if (function)
		fail_msg("no function %s in the type information", function);
	return id;
}

static uint32_t find_function(const char *module, const char *function)
{
	struct btf base = btf_read("vmlinux"), btf = btf_read(module);
	uint32_t id = find_type(&base, &btf, find_type(NULL, &base, 1, NULL), function);

	free(base.data);
	free(btf.data);
	return id;
}

/* A descriptor of a module's type information, which has to be looked for by name. */
static int btf_open(const char *module)
{
	union bpf_attr next = { 0 };

	while (!bpf(BPF_BTF_GET_NEXT_ID, &next)) {
		union bpf_attr get = { .btf_id = next.next_id };
		char name[64] = "";
		struct bpf_btf_info info = {
			.name = (uintptr_t)name, .name_len = sizeof(name),
		};
		union bpf_attr about = { 0 };
		int fd = bpf(BPF_BTF_GET_FD_BY_ID, &get);

		next.start_id = next.next_id;
		if (fd < 0)
			continue;
		about.info.bpf_fd = (uint32_t)fd;
		about.info.info_len = sizeof(info);
		about.info.info = (uintptr_t)&info;
		if (!bpf(BPF_OBJ_GET_INFO_BY_FD, &about) && !strcmp(name, module))
			return fd;
		close(fd);
	}
	fail_msg("no type information of %s", module);
	return -1;
}

bool bpf_available(void)
{
	return !access(BTF_DIR "vmlinux", R_OK) && !access(BTF_DIR "ib_core", R_OK);
}

/* Adds 1 to the number, and returns 0. */
static int load_program(struct bpf_tracer *t, const char *module, const char *function,
			bool at_exit)
{
	const struct bpf_insn code[] = {
		CODE(.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1,
		     .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = t->map),
		CODE(.code = 0),
		CODE(.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1),
		CODE(.code = BPF_STX | BPF_DW | BPF_ATOMIC, .dst_reg = BPF_REG_1,
		     .src_reg = BPF_REG_0, .imm = BPF_ADD),
		CODE(.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0),
		CODE(.code = BPF_JMP | BPF_EXIT),
	};
	int btf = btf_open(module), prog;
	char log[4096] = "";
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_TRACING,
		.expected_attach_type = at_exit ? BPF_TRACE_FEXIT : BPF_TRACE_FENTRY,
		.insns = (uintptr_t)code, .insn_cnt = ARRAY_SIZE(code),
		.license = (uintptr_t)"GPL",
		.attach_btf_id = find_function(module, function),
		.attach_btf_obj_fd = (uint32_t)btf,
		.log_level = 1, .log_buf = (uintptr_t)log, .log_size = sizeof(log),
	};

	prog = bpf(BPF_PROG_LOAD, &attr);
	if (prog < 0)
		fail_msg("a program for %s: %s\n%s", function, strerror(errno), log);
	close(btf);
	return prog;
}

int bpf_attach(struct bpf_tracer *t, const char *module, const char *function, bool at_exit)
{
	union bpf_attr map = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = sizeof(uint32_t),
		.value_size = sizeof(uint64_t), .max_entries = 1,
	};
	union bpf_attr attach = { 0 };
	int error;

	t->map = bpf(BPF_MAP_CREATE, &map);
	assert_return_code(t->map, errno);
	t->prog = load_program(t, module, function, at_exit);
	attach.raw_tracepoint.prog_fd = (uint32_t)t->prog;
	t->link = bpf(BPF_RAW_TRACEPOINT_OPEN, &attach);
	if (t->link >= 0)
		return 0;
	error = errno;
	close(t->prog);
	close(t->map);
	return error;
}

unsigned long long bpf_calls(const struct bpf_tracer *t)
{
	uint32_t key = 0;
	uint64_t value = 0;
	union bpf_attr attr = {
		.map_fd = (uint32_t)t->map, .key = (uintptr_t)&key, .value = (uintptr_t)&value,
	};

	assert_return_code(bpf(BPF_MAP_LOOKUP_ELEM, &attr), errno);
	return value;
}

void bpf_detach(struct bpf_tracer *t)
{
	close(t->link);
	close(t->prog);
	close(t->map);
}
