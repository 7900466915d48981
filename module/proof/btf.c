// SPDX-License-Identifier: GPL-2.0
/* Reading BTF. See btf.h; the format is in Documentation/bpf/btf.rst of the kernel. */
#include "proof/btf.h"

#define BTF_MAGIC	0xeb9f
#define MAX_DEPTH	16	/* of pointers to pointers, and of unions in structures */
#define MAX_MEMBERS	10000
#define TYPES_A_MARK	16

struct btf_head {
	__u16	magic;
	__u8	version;
	__u8	flags;
	__u32	size;		/* of this; later versions have more */
	__u32	types;		/* offsets behind it */
	__u32	types_size;
	__u32	strings;
	__u32	strings_size;
};

struct btf_type {
	__u32	name;
	__u32	info;
	__u32	size_or_type;
};

static __u32 number_at(const void *at)
{
	__u32 number;

	memcpy(&number, at, sizeof(number));
	return number;
}

/* How many bytes a type takes: so many, and so many for each of what it counts. */
static const struct {
	__u8 once, each;
} bytes_of[32] = {
	[KVMW_BTF_PTR] = { 12, 0 }, [KVMW_BTF_FWD] = { 12, 0 }, [KVMW_BTF_TYPEDEF] = { 12, 0 },
	[KVMW_BTF_VOLATILE] = { 12, 0 }, [KVMW_BTF_CONST] = { 12, 0 },
	[KVMW_BTF_RESTRICT] = { 12, 0 }, [KVMW_BTF_FUNC] = { 12, 0 },
	[KVMW_BTF_FLOAT] = { 12, 0 }, [KVMW_BTF_TYPE_TAG] = { 12, 0 },
	[KVMW_BTF_INT] = { 16, 0 }, [KVMW_BTF_VAR] = { 16, 0 }, [KVMW_BTF_DECL_TAG] = { 16, 0 },
	[KVMW_BTF_ARRAY] = { 24, 0 },
	[KVMW_BTF_STRUCT] = { 12, 12 }, [KVMW_BTF_UNION] = { 12, 12 },
	[KVMW_BTF_DATASEC] = { 12, 12 }, [KVMW_BTF_ENUM64] = { 12, 12 },
	[KVMW_BTF_ENUM] = { 12, 8 }, [KVMW_BTF_FUNC_PROTO] = { 12, 8 },
};

static __u32 kind_of(__u32 info)
{
	return info >> 24 & 0x1f;
}

static __u32 count_of(__u32 info)
{
	return info & 0xffff;
}

/* How many bytes a type takes, at @offset of a part; 0: it is none. */
static inline __u32 size_at(const struct kvmw_btf_part *part, __u32 offset)
{
	__u32 left = part->types_size - offset, info, kind, size;

	if (left < sizeof(struct btf_type))
		return 0;
	info = number_at(part->types + offset + 4);
	kind = kind_of(info);
	size = bytes_of[kind].once + bytes_of[kind].each * count_of(info);
	return size <= left ? size : 0;
}

/* Where a type is; @number counts from 0 in its part. */
static __u32 offset_of(const struct kvmw_btf_part *part, __u32 number)
{
	__u32 offset = part->marks[number / TYPES_A_MARK], i;

	for (i = number % TYPES_A_MARK; i; i--)
		offset += size_at(part, offset);
	return offset;
}

static bool is_inside(__u64 start, __u64 size, size_t all)
{
	return start <= all && size <= all - start;
}

bool kvmw_btf_part(struct kvmw_btf_part *part, const void *data, size_t size)
{
	struct btf_head head;

	memset(part, 0, sizeof(*part));
	if (size < sizeof(head))
		return false;
	memcpy(&head, data, sizeof(head));
	if (head.magic != BTF_MAGIC || head.version != 1 || head.size < sizeof(head) ||
	    !is_inside((__u64)head.size + head.types, head.types_size, size) ||
	    !is_inside((__u64)head.size + head.strings, head.strings_size, size) ||
	    !head.strings_size)
		return false;
	part->types = (const __u8 *)data + head.size + head.types;
	part->types_size = head.types_size;
	part->strings = (const char *)data + head.size + head.strings;
	part->strings_size = head.strings_size;
	return !part->strings[part->strings_size - 1];
}

size_t kvmw_btf_marks(const struct kvmw_btf_part *part)
{
	return part->types_size / sizeof(struct btf_type) / TYPES_A_MARK + 1;
}

/* A kernel has 100,000 types, so it matters what each takes. */
static bool count_types(struct kvmw_btf_part *part)
{
	__u32 offset = 0, size, i;

	for (part->nr = 0; offset < part->types_size; part->nr += i) {
		part->marks[part->nr / TYPES_A_MARK] = offset;
		for (i = 0; i < TYPES_A_MARK && offset < part->types_size; i++, offset += size) {
			size = size_at(part, offset);
			if (!size)
				return false;
		}
	}
	return true;
}

/* The string at an offset, or NULL. */
static const char *string_at(const struct kvmw_btf *btf, __u32 offset)
{
	if (offset < btf->base.strings_size)
		return btf->base.strings + offset;
	offset -= btf->base.strings_size;
	return offset < btf->split.strings_size ? btf->split.strings + offset : NULL;
}

/* Linkers of types share no ends of strings: each begins behind the end of another. */
static bool is_whole(const struct kvmw_btf *btf, __u32 offset)
{
	const char *string = string_at(btf, offset);

	return string && (!offset || offset == btf->base.strings_size || !string[-1]);
}

static __u32 nr_types(const struct kvmw_btf *btf)
{
	return btf->base.nr + btf->split.nr;
}

/* Does the type lead to types, and what to? */
static bool leads_on(__u32 kind)
{
	switch (kind) {
	case KVMW_BTF_PTR:
	case KVMW_BTF_TYPEDEF:
	case KVMW_BTF_VOLATILE:
	case KVMW_BTF_CONST:
	case KVMW_BTF_RESTRICT:
	case KVMW_BTF_FUNC:
	case KVMW_BTF_FUNC_PROTO:
	case KVMW_BTF_VAR:
	case KVMW_BTF_DECL_TAG:
	case KVMW_BTF_TYPE_TAG:
		return true;
	}
	return false;
}

static const char *check_members(const struct kvmw_btf *btf, const struct kvmw_btf_type *type)
{
	__u32 i, size = type->kind == KVMW_BTF_FUNC_PROTO ? 8 : 12;
	const __u8 *at = type->more;

	for (i = 0; i < type->count; i++, at += size)
		if (!is_whole(btf, number_at(at)) || number_at(at + 4) > nr_types(btf))
			return "its types are not based on these of vmlinux";
	return NULL;
}

static void read_type(const struct kvmw_btf *btf, const __u8 *at, struct kvmw_btf_type *type)
{
	__u32 info = number_at(at + 4);

	type->name = string_at(btf, number_at(at));
	if (!type->name)
		type->name = "";
	type->kind = kind_of(info);
	type->count = count_of(info);
	type->flag = info >> 31;
	type->size_or_type = number_at(at + 8);
	type->more = at + sizeof(struct btf_type);
}

static const char *check_type(const struct kvmw_btf *btf, __u32 offset)
{
	struct kvmw_btf_type type, to;

	if (!is_whole(btf, number_at(btf->split.types + offset)))
		return "its types are not based on these of vmlinux";
	read_type(btf, btf->split.types + offset, &type);
	if (leads_on(type.kind) && type.size_or_type > nr_types(btf))
		return "its types are not based on these of vmlinux";
	if (type.kind == KVMW_BTF_FUNC &&
	    (!kvmw_btf_get(btf, type.size_or_type, &to) || to.kind != KVMW_BTF_FUNC_PROTO))
		return "its functions have no prototypes among these types of vmlinux";
	if (type.kind == KVMW_BTF_STRUCT || type.kind == KVMW_BTF_UNION ||
	    type.kind == KVMW_BTF_FUNC_PROTO)
		return check_members(btf, &type);
	return NULL;
}

const char *kvmw_btf_index(struct kvmw_btf *btf)
{
	const char *wrong = NULL;
	__u32 offset;

	if (!count_types(&btf->base) || !count_types(&btf->split))
		return "types are broken";
	for (offset = 0; offset < btf->split.types_size && !wrong;
	     offset += size_at(&btf->split, offset))
		wrong = check_type(btf, offset);
	return wrong;
}

bool kvmw_btf_get(const struct kvmw_btf *btf, __u32 id, struct kvmw_btf_type *type)
{
	memset(type, 0, sizeof(*type));
	type->name = "";
	if (!id)
		return true;
	if (id > nr_types(btf))
		return false;
	if (id > btf->base.nr)
		read_type(btf, btf->split.types + offset_of(&btf->split, id - btf->base.nr - 1),
			  type);
	else
		read_type(btf, btf->base.types + offset_of(&btf->base, id - 1), type);
	return true;
}

/* Is it one of those that are looked for? Returns whether it was the last of them. */
static bool is_last(struct kvmw_btf_wanted *wanted, size_t nr, __u32 id, const char *name,
		    __u32 kind)
{
	bool others = false;
	size_t i;

	for (i = 0; i < nr; i++) {
		if (wanted[i].id)
			continue;
		if (wanted[i].kind == kind && !strcmp(wanted[i].name, name))
			wanted[i].id = id;
		else
			others = true;
	}
	return !others;
}

static void find_in(const struct kvmw_btf *btf, const struct kvmw_btf_part *part, __u32 id,
		    struct kvmw_btf_wanted *wanted, size_t nr)
{
	__u32 offset, kind, kinds = 0;
	const char *name;
	size_t i;

	for (i = 0; i < nr; i++)
		if (!wanted[i].id)
			kinds |= 1U << wanted[i].kind;
	for (offset = 0; offset < part->types_size; offset += size_at(part, offset), id++) {
		kind = kind_of(number_at(part->types + offset + 4));
		if (!(kinds >> kind & 1))
			continue;
		name = string_at(btf, number_at(part->types + offset));
		if (name && is_last(wanted, nr, id, name, kind))
			return;
	}
}

void kvmw_btf_find(const struct kvmw_btf *btf, struct kvmw_btf_wanted *wanted, size_t nr)
{
	size_t i;

	find_in(btf, &btf->split, 1 + btf->base.nr, wanted, nr);
	for (i = 0; i < nr && wanted[i].id; i++)
		;
	if (i < nr)
		find_in(btf, &btf->base, 1, wanted, nr);
}

__u32 kvmw_btf_next(const struct kvmw_btf *btf, __u32 kind, __u32 id,
		    struct kvmw_btf_type *type)
{
	__u32 offset;

	if (id <= btf->base.nr)
		id = 1 + btf->base.nr;
	if (id > nr_types(btf))
		return 0;
	offset = offset_of(&btf->split, id - btf->base.nr - 1);
	for (; offset < btf->split.types_size; offset += size_at(&btf->split, offset), id++) {
		if (kind_of(number_at(btf->split.types + offset + 4)) != kind)
			continue;
		read_type(btf, btf->split.types + offset, type);
		return id;
	}
	return 0;
}

/* --- in words -------------------------------------------------------------- */

/* Text that grows in a buffer; what does not fit is cut. */
struct text {
	char	*buf;
	size_t	size;
	size_t	used;
};

static void add(struct text *text, const char *string)
{
	for (; *string && text->used + 1 < text->size; string++)
		text->buf[text->used++] = *string;
	text->buf[text->used] = '\0';
}

static struct text begin(char *buf, size_t size)
{
	struct text text = { buf, size, 0 };

	*buf = '\0';
	return text;
}

static const char *keyword(const struct kvmw_btf_type *type)
{
	switch (type->kind) {
	case KVMW_BTF_STRUCT:
		return "struct ";
	case KVMW_BTF_UNION:
		return "union ";
	case KVMW_BTF_ENUM:
	case KVMW_BTF_ENUM64:
		return "enum ";
	case KVMW_BTF_FWD:
		return type->flag ? "union " : "struct ";
	}
	return "";
}

/* Does it only qualify the next one? */
static bool is_qualifier(__u32 kind)
{
	return kind == KVMW_BTF_CONST || kind == KVMW_BTF_VOLATILE ||
	       kind == KVMW_BTF_RESTRICT || kind == KVMW_BTF_TYPE_TAG;
}

/* Compilers call the same type by several names. */
static const char *plain_name(const struct kvmw_btf_type *type)
{
	if (type->kind == KVMW_BTF_INT && !strcmp(type->name, "long unsigned int"))
		return "unsigned long";
	return *type->name ? type->name : "?";
}

void kvmw_btf_print_type(const struct kvmw_btf *btf, __u32 id, char *buf, size_t size)
{
	struct text text = begin(buf, size);
	struct kvmw_btf_type type;
	int stars = 0, depth;

	for (depth = 0; depth < MAX_DEPTH; depth++) {
		if (!kvmw_btf_get(btf, id, &type)) {
			add(&text, "?");
			return;
		}
		if (type.kind == KVMW_BTF_PTR)
			stars++;
		else if (!is_qualifier(type.kind))
			break;
		id = type.size_or_type;
	}
	add(&text, keyword(&type));
	if (!type.kind)
		add(&text, "void");
	else
		add(&text, plain_name(&type));
	if (stars)
		add(&text, " ");
	while (stars--)
		add(&text, "*");
}

/* "struct kvm *kvm": a type and, if it has one, the name */
static void print_param(const struct kvmw_btf *btf, const __u8 *at, char *buf, size_t size)
{
	const char *name = string_at(btf, number_at(at));
	struct text text;

	kvmw_btf_print_type(btf, number_at(at + 4), buf, size);
	if (!name || !*name)
		return;
	text = (struct text){ buf, size, strlen(buf) };
	if (text.used && buf[text.used - 1] != '*')
		add(&text, " ");
	add(&text, name);
}

static bool proto_of(const struct kvmw_btf *btf, __u32 id, struct kvmw_btf_type *proto)
{
	int depth;

	for (depth = 0; depth < MAX_DEPTH && kvmw_btf_get(btf, id, proto); depth++) {
		if (proto->kind == KVMW_BTF_FUNC_PROTO)
			return true;
		if (proto->kind != KVMW_BTF_FUNC && proto->kind != KVMW_BTF_TYPEDEF &&
		    proto->kind != KVMW_BTF_PTR)
			return false;
		id = proto->size_or_type;
	}
	return false;
}

__u32 kvmw_btf_first_structure(const struct kvmw_btf *btf, __u32 id)
{
	struct kvmw_btf_type type;

	if (!proto_of(btf, id, &type) || !type.count)
		return 0;
	if (!kvmw_btf_get(btf, number_at(type.more + 4), &type) || type.kind != KVMW_BTF_PTR)
		return 0;
	id = type.size_or_type;
	return kvmw_btf_get(btf, id, &type) && type.kind == KVMW_BTF_STRUCT ? id : 0;
}

void kvmw_btf_print_function(const struct kvmw_btf *btf, __u32 id, char *buf, size_t size)
{
	struct text text = begin(buf, size);
	struct kvmw_btf_type type, proto;
	char part[96];
	__u32 i;

	if (!kvmw_btf_get(btf, id, &type) || !proto_of(btf, id, &proto)) {
		add(&text, "?");
		return;
	}
	kvmw_btf_print_type(btf, proto.size_or_type, part, sizeof(part));
	add(&text, part);
	if (part[strlen(part) - 1] != '*')
		add(&text, " ");
	add(&text, type.name);
	add(&text, "(");
	for (i = 0; i < proto.count; i++) {
		print_param(btf, proto.more + 8 * i, part, sizeof(part));
		add(&text, i ? ", " : "");
		add(&text, part);
	}
	add(&text, ")");
}

/* Is what a prototype has at this place, up to its comma or parenthesis, @found? */
static bool is_next(const char *place, const char *found)
{
	size_t length = strcspn(place, ",)");

	return strlen(found) == length && !memcmp(place, found, length);
}

bool kvmw_btf_is_function(const struct kvmw_btf *btf, __u32 id, const char *prototype,
			  unsigned int skip)
{
	const char *place = strchr(prototype, '(');
	struct kvmw_btf_type proto;
	char found[96];
	__u32 i;

	if (!place || !proto_of(btf, id, &proto) || proto.count < skip)
		return false;
	kvmw_btf_print_type(btf, proto.size_or_type, found, sizeof(found));
	if (*prototype != '?' &&
	    (strncmp(prototype, found, strlen(found)) ||
	     prototype + strlen(found) + (place[-1] == ' ') != place))
		return false;
	place++;
	for (i = skip; i < proto.count; i++) {
		if (!strcmp(place, "...)"))
			return true;
		print_param(btf, proto.more + 8 * i, found, sizeof(found));
		if (!is_next(place, found))
			return false;
		place += strcspn(place, ",)");
		place += strspn(place, ", ");
	}
	return !strcmp(place, ")") || !strcmp(place, "...)");
}

/* --- structures ------------------------------------------------------------ */

static __u32 size_of(const struct kvmw_btf *btf, __u32 id)
{
	struct kvmw_btf_type type;
	__u32 count = 1;
	int depth;

	for (depth = 0; depth < MAX_DEPTH && kvmw_btf_get(btf, id, &type); depth++) {
		switch (type.kind) {
		case KVMW_BTF_INT:
		case KVMW_BTF_STRUCT:
		case KVMW_BTF_UNION:
		case KVMW_BTF_ENUM:
		case KVMW_BTF_ENUM64:
		case KVMW_BTF_FLOAT:
			return count * type.size_or_type;
		case KVMW_BTF_PTR:
			return count * 8;
		case KVMW_BTF_ARRAY:
			count *= number_at(type.more + 8);
			id = number_at(type.more);
			break;
		default:
			if (!is_qualifier(type.kind) && type.kind != KVMW_BTF_TYPEDEF)
				return 0;
			id = type.size_or_type;
		}
	}
	return 0;
}

/* What is looked for, and how many more members may be looked at: no structure holds itself. */
struct search {
	const char		*name;
	__u32			left;
	struct kvmw_btf_member	*member;
};

static bool member_below(const struct kvmw_btf *btf, __u32 id, __u32 bit, int depth,
			 struct search *search)
{
	struct kvmw_btf_type type;
	const __u8 *at;
	__u32 i, here;

	if (depth == MAX_DEPTH || !kvmw_btf_get(btf, id, &type))
		return false;
	if (is_qualifier(type.kind) || type.kind == KVMW_BTF_TYPEDEF)
		return member_below(btf, type.size_or_type, bit, depth + 1, search);
	if (type.kind != KVMW_BTF_STRUCT && type.kind != KVMW_BTF_UNION)
		return false;
	for (i = 0, at = type.more; i < type.count && search->left; i++, at += 12) {
		const char *its = string_at(btf, number_at(at));

		search->left--;
		here = bit + (number_at(at + 8) & (type.flag ? 0xffffff : 0xffffffff));
		if (!its)
			continue;
		if (*its && !strcmp(its, search->name)) {
			search->member->bit = here;
			search->member->type = number_at(at + 4);
			search->member->size = size_of(btf, search->member->type);
			return true;
		}
		if (!*its && member_below(btf, number_at(at + 4), here, depth + 1, search))
			return true;
	}
	return false;
}

bool kvmw_btf_member(const struct kvmw_btf *btf, __u32 id, const char *name,
		     struct kvmw_btf_member *member)
{
	struct search search = { name, MAX_MEMBERS, member };

	return member_below(btf, id, 0, 0, &search);
}
