// SPDX-License-Identifier: GPL-2.0
/* A kvm.ko as a file. See kvm_file.h. */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kvm_file.h"
#include "unpack.h"

#define MAX_FILE	(1024UL << 20)
/* Sections with code are laid out from here; nothing is at 0. */
#define FIRST_ADDRESS	0x10000UL
#define ALIGNMENT	64UL
/* No call reaches so far from code that is laid out here. */
#define NOWHERE		0x80000000U

static const char no_memory[] = "no memory";
static const char not_a_module[] = "this is no module of an x86-64 kernel";

void blob_free(struct blob *what)
{
	free(what->data);
	memset(what, 0, sizeof(*what));
}

static const char *read_all(struct blob *what, int fd)
{
	struct stat stat;
	ssize_t got = 1;
	size_t room;

	if (fstat(fd, &stat))
		return strerror(errno);
	if (S_ISDIR(stat.st_mode))
		return strerror(EISDIR);
	if (!S_ISREG(stat.st_mode) || stat.st_size > (off_t)MAX_FILE)
		return "this is no module and no kernel";
	/* The size of files in sysfs is right, too. */
	room = stat.st_size + 1;
	what->data = malloc(room);
	if (!what->data)
		return no_memory;
	while (got > 0 && what->size < room) {
		got = read(fd, (char *)what->data + what->size, room - what->size);
		if (got > 0)
			what->size += got;
	}
	return got < 0 ? strerror(errno) : NULL;
}

/* Replace the contents by the unpacked contents, as often as they are packed. */
static const char *unpack_all(struct blob *what)
{
	const char *wrong = NULL;
	struct blob inner;
	int i;

	for (i = 0; i < 2; i++) {
		wrong = unpack(&inner, what->data, what->size);
		if (wrong || !inner.data) {
			free(inner.data);
			break;
		}
		blob_free(what);
		*what = inner;
	}
	return wrong;
}

const char *blob_read(struct blob *what, const char *path)
{
	const char *wrong;
	int fd;

	memset(what, 0, sizeof(*what));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return strerror(errno);
	wrong = read_all(what, fd);
	close(fd);
	return wrong ? wrong : unpack_all(what);
}

/* --- ELF ------------------------------------------------------------------- */

static bool is_x86_64(Elf *elf)
{
	GElf_Ehdr head;

	return elf && elf_kind(elf) == ELF_K_ELF && gelf_getehdr(elf, &head) &&
	       gelf_getclass(elf) == ELFCLASS64 && head.e_machine == EM_X86_64;
}

static Elf *elf_of(struct blob *file)
{
	if (elf_version(EV_CURRENT) == EV_NONE || !file->size)
		return NULL;
	return elf_memory(file->data, file->size);
}

static const char *section_name(Elf *elf, GElf_Shdr *head)
{
	const char *name;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return "";
	name = elf_strptr(elf, names, head->sh_name);
	return name ? name : "";
}

static Elf_Scn *find_section(Elf *elf, const char *name, GElf_Shdr *head)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section))) {
		if (gelf_getshdr(section, head) && !strcmp(section_name(elf, head), name))
			return section;
	}
	return NULL;
}

/* The contents of a section; data NULL: there is no such section, or it is empty. */
static struct blob section_data(Elf *elf, const char *name)
{
	struct blob found = { NULL, 0 };
	GElf_Shdr head;
	Elf_Scn *section = find_section(elf, name, &head);
	Elf_Data *data = section ? elf_rawdata(section, NULL) : NULL;

	if (data && data->d_buf && data->d_size) {
		found.data = data->d_buf;
		found.size = data->d_size;
	}
	return found;
}

/* --- vmlinux --------------------------------------------------------------- */

static __u32 number_at(const __u8 *at)
{
	__u32 number;

	memcpy(&number, at, sizeof(number));
	return number;
}

/*
 * By the boot protocol, a vmlinuz says how long its setup code is, and where the kernel is behind
 * it.
 */
#define IMAGE_SECTORS	0x1f1
#define IMAGE_MAGIC	0x202
#define IMAGE_PAYLOAD	0x248
#define IMAGE_HEAD	0x250

static bool is_image(const struct blob *file)
{
	return file->size > IMAGE_HEAD && !memcmp((__u8 *)file->data + IMAGE_MAGIC, "HdrS", 4);
}

static const char *unpack_image(struct blob *file)
{
	const __u8 *data = file->data;
	size_t sectors = data[IMAGE_SECTORS] ? data[IMAGE_SECTORS] : 4;
	size_t start = (sectors + 1) * 512 + number_at(data + IMAGE_PAYLOAD);
	size_t size = number_at(data + IMAGE_PAYLOAD + 4);
	struct blob inner;
	const char *wrong;

	if (start > file->size || size > file->size - start)
		return "it is cut off";
	wrong = unpack(&inner, data + start, size);
	if (!wrong && !inner.data)
		wrong = "it is packed in a way that kvmwatch does not know; give vmlinux";
	blob_free(file);
	*file = inner;
	return wrong;
}

static bool is_types(const struct blob *file)
{
	return file->size > 2 && !memcmp(file->data, "\x9f\xeb", 2);
}

/* Keep only the types of an ELF file. */
static const char *types_of_elf(struct blob *file)
{
	const char *wrong = "this is no kernel, and no BTF";
	struct blob found = { NULL, 0 }, copy = { NULL, 0 };
	Elf *elf = elf_of(file);

	if (is_x86_64(elf)) {
		wrong = "this kernel has no types (BTF)";
		found = section_data(elf, ".BTF");
	}
	if (found.data) {
		wrong = no_memory;
		copy.data = malloc(found.size);
		if (copy.data) {
			wrong = NULL;
			copy.size = found.size;
			memcpy(copy.data, found.data, found.size);
		}
	}
	elf_end(elf);
	blob_free(file);
	*file = copy;
	return wrong;
}

const char *vmlinux_types_read(struct blob *types, const char *path)
{
	const char *wrong = blob_read(types, path);

	if (!wrong && is_image(types))
		wrong = unpack_image(types);
	if (!wrong && !is_types(types))
		wrong = types_of_elf(types);
	return wrong;
}

/* --- kvm.ko ---------------------------------------------------------------- */

/* Addresses of sections with code, by section number; 0: the section has no code. */
struct layout {
	unsigned long *address;
	__u8 **bytes;
	size_t *size;
	size_t nr;
};

static bool is_code(const GElf_Shdr *head)
{
	return head->sh_type == SHT_PROGBITS && head->sh_flags & SHF_EXECINSTR && head->sh_size;
}

/* Lay out a section, as a copy into which calls are written. */
static const char *place_code(struct kvm_file *kvm, struct layout *layout, size_t index,
			      Elf_Data *data, unsigned long *end)
{
	__u8 *bytes = malloc(data->d_size);

	if (!bytes)
		return no_memory;
	memcpy(bytes, data->d_buf, data->d_size);
	layout->address[index] = *end;
	layout->bytes[index] = bytes;
	layout->size[index] = data->d_size;
	kvm->code[kvm->nr_code++] = (struct kvmw_code){ bytes, data->d_size, *end };
	*end = (*end + data->d_size + 2 * ALIGNMENT) & ~(ALIGNMENT - 1);
	return *end >> 31 ? not_a_module : NULL;
}

static const char *place_all(struct kvm_file *kvm, struct layout *layout)
{
	unsigned long end = FIRST_ADDRESS;
	Elf_Scn *section = NULL;
	const char *wrong = NULL;
	Elf_Data *data;
	GElf_Shdr head;

	if (elf_getshdrnum(kvm->elf, &layout->nr) || !layout->nr)
		return not_a_module;
	layout->address = calloc(layout->nr, sizeof(*layout->address));
	layout->bytes = calloc(layout->nr, sizeof(*layout->bytes));
	layout->size = calloc(layout->nr, sizeof(*layout->size));
	kvm->code = calloc(layout->nr, sizeof(*kvm->code));
	if (!layout->address || !layout->bytes || !layout->size || !kvm->code)
		return no_memory;
	while (!wrong && (section = elf_nextscn(kvm->elf, section))) {
		if (!gelf_getshdr(section, &head) || !is_code(&head))
			continue;
		data = elf_rawdata(section, NULL);
		if (data && data->d_buf && data->d_size)
			wrong = place_code(kvm, layout, elf_ndxscn(section), data, &end);
	}
	return wrong;
}

/* The address of a symbol in code, or 0. */
static unsigned long symbol_address(const struct layout *layout, const GElf_Sym *symbol)
{
	size_t section = symbol->st_shndx;

	if (section >= layout->nr || !layout->address[section] ||
	    symbol->st_value > layout->size[section])
		return 0;
	return layout->address[section] + symbol->st_value;
}

static bool is_branch(unsigned int type)
{
	return type == R_X86_64_PC32 || type == R_X86_64_PLT32;
}

/* Make a call or jump in section @into lead to the address where its target is laid out. */
static void resolve(const struct layout *layout, size_t into, const GElf_Rela *rela,
		    Elf_Data *symbols)
{
	unsigned long target = 0;
	__u32 distance = NOWHERE;
	GElf_Sym symbol;

	if (!is_branch(GELF_R_TYPE(rela->r_info)) || layout->size[into] < 4 ||
	    rela->r_offset > layout->size[into] - 4)
		return;
	if (gelf_getsym(symbols, GELF_R_SYM(rela->r_info), &symbol))
		target = symbol_address(layout, &symbol);
	if (target)
		distance = target + rela->r_addend - (layout->address[into] + rela->r_offset);
	memcpy(layout->bytes[into] + rela->r_offset, &distance, sizeof(distance));
}

static void add_site(struct kvm_file *kvm, const struct layout *layout, const GElf_Rela *rela,
		     Elf_Data *symbols)
{
	GElf_Sym symbol;
	unsigned long base;

	if (GELF_R_TYPE(rela->r_info) != R_X86_64_64 ||
	    !gelf_getsym(symbols, GELF_R_SYM(rela->r_info), &symbol))
		return;
	base = symbol_address(layout, &symbol);
	if (base)
		kvm->sites[kvm->nr_sites++] = base + rela->r_addend;
}

static int compare_addresses(const void *a, const void *b)
{
	const unsigned long *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* Apply a section of relocations: of code, or of the list of ftrace's sites. */
static const char *relocate(struct kvm_file *kvm, const struct layout *layout,
			    Elf_Scn *section, const GElf_Shdr *head, Elf_Data *symbols)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t into = head->sh_info, nr, i;
	GElf_Shdr target;
	GElf_Rela rela;
	bool sites;

	if (!data || !head->sh_entsize || into >= layout->nr ||
	    !gelf_getshdr(elf_getscn(kvm->elf, into), &target))
		return NULL;
	nr = head->sh_size / head->sh_entsize;
	sites = !strcmp(section_name(kvm->elf, &target), "__mcount_loc") && !kvm->sites;
	if (!sites && !layout->address[into])
		return NULL;
	if (sites) {
		kvm->sites = calloc(nr + 1, sizeof(*kvm->sites));
		if (!kvm->sites)
			return no_memory;
	}
	for (i = 0; i < nr && gelf_getrela(data, i, &rela); i++) {
		if (sites)
			add_site(kvm, layout, &rela, symbols);
		else
			resolve(layout, into, &rela, symbols);
	}
	if (sites)
		qsort(kvm->sites, kvm->nr_sites, sizeof(*kvm->sites), compare_addresses);
	return NULL;
}

static const char *relocate_all(struct kvm_file *kvm, const struct layout *layout,
				Elf_Data *symbols)
{
	Elf_Scn *section = NULL;
	const char *wrong = NULL;
	GElf_Shdr head;

	while (!wrong && (section = elf_nextscn(kvm->elf, section))) {
		if (gelf_getshdr(section, &head) && head.sh_type == SHT_RELA)
			wrong = relocate(kvm, layout, section, &head, symbols);
	}
	return wrong;
}

static int compare_symbols(const void *a, const void *b)
{
	const struct kvmw_symbol *left = a, *right = b;

	if (left->address != right->address)
		return left->address > right->address ? 1 : -1;
	return strcmp(left->name, right->name);
}

static const char *read_symbols(struct kvm_file *kvm, const struct layout *layout,
				const GElf_Shdr *head, Elf_Data *data)
{
	size_t nr = head->sh_entsize ? head->sh_size / head->sh_entsize : 0, i;
	struct kvmw_symbols *symbols = &kvm->symbols;
	struct kvmw_symbol *to;
	const char *name;
	GElf_Sym symbol;

	symbols->all = calloc(nr + 1, sizeof(*symbols->all));
	symbols->next = calloc(nr + 1, sizeof(*symbols->next));
	if (!symbols->all || !symbols->next)
		return no_memory;
	for (i = 0; i < nr && gelf_getsym(data, i, &symbol); i++) {
		name = elf_strptr(kvm->elf, head->sh_link, symbol.st_name);
		if (!name || !*name || symbol.st_shndx == SHN_UNDEF)
			continue;
		to = &symbols->all[symbols->nr++];
		to->name = name;
		to->size = symbol.st_size;
		to->function = GELF_ST_TYPE(symbol.st_info) == STT_FUNC;
		to->address = to->function ? symbol_address(layout, &symbol) : 0;
		to->function = to->address;
	}
	qsort(symbols->all, symbols->nr, sizeof(*symbols->all), compare_symbols);
	kvmw_symbols_index(symbols);
	return NULL;
}

/* "vermagic=6.1.0-57-amd64 SMP preempt mod_unload modversions" */
static const char *read_release(struct kvm_file *kvm)
{
	struct blob info = section_data(kvm->elf, ".modinfo");
	const char *at = info.data, *end = at + info.size;
	bool named = false;
	size_t length;

	for (; info.data && at < end; at += length + 1) {
		length = strnlen(at, end - at);
		if (length == 8 && !memcmp(at, "name=kvm", 8))
			named = true;
		if (length > 9 && length < (size_t)(end - at) && !memcmp(at, "vermagic=", 9))
			snprintf(kvm->release, sizeof(kvm->release), "%.*s",
				 (int)strcspn(at + 9, " "), at + 9);
	}
	if (!*kvm->release)
		return not_a_module;
	return named ? NULL : "this is another module; give kvm.ko";
}

static const char *parse(struct kvm_file *kvm, struct layout *layout)
{
	Elf_Scn *section;
	Elf_Data *data;
	GElf_Shdr head;
	const char *wrong;

	kvm->elf = elf_of(&kvm->file);
	if (!is_x86_64(kvm->elf))
		return not_a_module;
	section = find_section(kvm->elf, ".symtab", &head);
	data = section ? elf_getdata(section, NULL) : NULL;
	if (!data)
		return "it has no table of symbols";
	wrong = read_release(kvm);
	if (!wrong)
		wrong = place_all(kvm, layout);
	if (!wrong)
		wrong = read_symbols(kvm, layout, &head, data);
	if (!wrong)
		wrong = relocate_all(kvm, layout, data);
	kvm->types = section_data(kvm->elf, ".BTF");
	return wrong;
}

const char *kvm_file_read(struct kvm_file *kvm, const char *path)
{
	struct layout layout = { NULL, NULL, NULL, 0 };
	const char *wrong;

	memset(kvm, 0, sizeof(*kvm));
	wrong = blob_read(&kvm->file, path);
	if (!wrong)
		wrong = parse(kvm, &layout);
	free(layout.address);
	free(layout.bytes);
	free(layout.size);
	return wrong;
}

void kvm_file_free(struct kvm_file *kvm)
{
	size_t i;

	for (i = 0; i < kvm->nr_code; i++)
		free((void *)kvm->code[i].bytes);
	free(kvm->code);
	free(kvm->symbols.all);
	free(kvm->symbols.next);
	free(kvm->sites);
	elf_end(kvm->elf);
	blob_free(&kvm->file);
	memset(kvm, 0, sizeof(*kvm));
}

/* --- questions ------------------------------------------------------------- */

static bool is_site(const struct kvm_file *kvm, unsigned long address)
{
	return kvm->sites && bsearch(&address, kvm->sites, kvm->nr_sites,
				     sizeof(*kvm->sites), compare_addresses);
}

/* The site is the first instruction, or the one after an ENDBR64. */
bool kvm_file_traced(const struct kvm_file *kvm, const char *function)
{
	const struct kvmw_symbol *symbol;
	bool several;

	symbol = kvmw_symbols_function(&kvm->symbols, function, &several);
	return symbol && (is_site(kvm, symbol->address) || is_site(kvm, symbol->address + 4));
}
