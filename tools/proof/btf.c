// SPDX-License-Identifier: GPL-2.0
/* Reading BTF. See btf.h; the format is in Documentation/bpf/btf.rst of the kernel. */
#include "proof/btf.h"

#define BTF_MAGIC	0xeb9f
#define MAX_DEPTH	16	/* of pointers to pointers, and of unions in structures */
#define MAX_MEMBERS	10000

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

/* How many bytes stand behind a type; -1: there is no such kind. */
static int size_behind(__u32 kind, __u32 count)
{
	switch (kind) {
	case KVMW_BTF_INT:
	case KVMW_BTF_VAR:
	case KVMW_BTF_DECL_TAG:
		return 4;
	case KVMW_BTF_ARRAY:
		return 12;
	case KVMW_BTF_STRUCT:
	case KVMW_BTF_UNION:
	case KVMW_BTF_DATASEC:
	case KVMW_BTF_ENUM64:
		return 12 * count;
	case KVMW_BTF_ENUM:
	case KVMW_BTF_FUNC_PROTO:
		return 8 * count;
	case KVMW_BTF_PTR:
	case KVMW_BTF_FWD:
	case KVMW_BTF_TYPEDEF:
	case KVMW_BTF_VOLATILE:
	case KVMW_BTF_CONST:
	case KVMW_BTF_RESTRICT:
	case KVMW_BTF_FUNC:
	case KVMW_BTF_FLOAT:
	case KVMW_BTF_TYPE_TAG:
		return 0;
	}
	return -1;
}

static __u32 kind_of(__u32 info)
{
	return info >> 24 & 0x1f;
}

static __u32 count_of(__u32 info)
{
	return info & 0xffff;
}

/* The next type of a part, at *@offset, which is moved behind it. */
static bool next_type(const struct kvmw_btf_part *part, __u32 *offset, struct btf_type *type)
{
	__u32 left = part->types_size - *offset;
	int behind;

	if (left < sizeof(*type))
		return false;
	memcpy(type, part->types + *offset, sizeof(*type));
	behind = size_behind(kind_of(type->info), count_of(type->info));
	if (behind < 0 || left - sizeof(*type) < (__u32)behind)
		return false;
	*offset += sizeof(*type) + behind;
	return true;
}

static bool is_inside(__u64 start, __u64 size, size_t all)
{
	return start <= all && size <= all - start;
}

bool kvmw_btf_part(struct kvmw_btf_part *part, const void *data, size_t size)
{
	struct btf_type type;
	struct btf_head head;
	__u32 offset = 0;

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
	if (part->strings[part->strings_size - 1])
		return false;
	while (offset < part->types_size) {
		if (!next_type(part, &offset, &type))
			return false;
		part->nr++;
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

static void index_part(struct kvmw_btf *btf, const struct kvmw_btf_part *part, __u32 id)
{
	struct btf_type type;
	__u32 offset = 0, end = id + part->nr;

	while (id < end) {
		btf->offsets[id++] = offset;
		next_type(part, &offset, &type);
	}
}

static const char *look_at_members(const struct kvmw_btf *btf, const struct kvmw_btf_type *type)
{
	__u32 i, size = type->kind == KVMW_BTF_FUNC_PROTO ? 8 : 12;
	const __u8 *at = type->more;

	for (i = 0; i < type->count; i++, at += size)
		if (!is_whole(btf, number_at(at)) || number_at(at + 4) > nr_types(btf))
			return "its types are not based on these of vmlinux";
	return NULL;
}

static const char *look_at_type(const struct kvmw_btf *btf, __u32 id)
{
	struct kvmw_btf_type type, to;

	if (!kvmw_btf_get(btf, id, &type) ||
	    !is_whole(btf, number_at(btf->split.types + btf->offsets[id])))
		return "its types are not based on these of vmlinux";
	if (leads_on(type.kind) && type.size_or_type > nr_types(btf))
		return "its types are not based on these of vmlinux";
	if (type.kind == KVMW_BTF_FUNC &&
	    (!kvmw_btf_get(btf, type.size_or_type, &to) || to.kind != KVMW_BTF_FUNC_PROTO))
		return "its functions have no prototypes among these types of vmlinux";
	if (type.kind == KVMW_BTF_STRUCT || type.kind == KVMW_BTF_UNION ||
	    type.kind == KVMW_BTF_FUNC_PROTO)
		return look_at_members(btf, &type);
	return NULL;
}

const char *kvmw_btf_index(struct kvmw_btf *btf)
{
	const char *wrong = NULL;
	__u32 id;

	btf->offsets[0] = 0;
	index_part(btf, &btf->base, 1);
	index_part(btf, &btf->split, 1 + btf->base.nr);
	for (id = 1 + btf->base.nr; id <= nr_types(btf) && !wrong; id++)
		wrong = look_at_type(btf, id);
	return wrong;
}

bool kvmw_btf_get(const struct kvmw_btf *btf, __u32 id, struct kvmw_btf_type *type)
{
	const struct kvmw_btf_part *part = id > btf->base.nr ? &btf->split : &btf->base;
	struct btf_type raw;
	const __u8 *at;

	memset(type, 0, sizeof(*type));
	type->name = "";
	if (!id)
		return true;
	if (id > nr_types(btf))
		return false;
	at = part->types + btf->offsets[id];
	memcpy(&raw, at, sizeof(raw));
	type->kind = kind_of(raw.info);
	type->count = count_of(raw.info);
	type->flag = raw.info >> 31;
	type->size_or_type = raw.size_or_type;
	type->more = at + sizeof(raw);
	type->name = string_at(btf, raw.name);
	if (!type->name)
		type->name = "";
	return true;
}

static __u32 find_from(const struct kvmw_btf *btf, __u32 kind, const char *name, __u32 from,
		       __u32 end)
{
	struct kvmw_btf_type type;

	for (; from <= end; from++)
		if (kvmw_btf_get(btf, from, &type) && type.kind == kind &&
		    !strcmp(type.name, name))
			return from;
	return 0;
}

__u32 kvmw_btf_find(const struct kvmw_btf *btf, __u32 kind, const char *name, __u32 from)
{
	__u32 found;

	if (from)
		return find_from(btf, kind, name, from,
				 from > btf->base.nr ? nr_types(btf) : btf->base.nr);
	found = find_from(btf, kind, name, 1 + btf->base.nr, nr_types(btf));
	return found ? found : find_from(btf, kind, name, 1, btf->base.nr);
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
