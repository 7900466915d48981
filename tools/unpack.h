/* SPDX-License-Identifier: GPL-2.0 */
/* Decompress kernels and modules. */
#ifndef KVMWATCH_UNPACK_H
#define KVMWATCH_UNPACK_H

#include "kvm_file.h"

/*
 * Decompress @in, which xz, zstd or gzip compressed; its first bytes say which. Returns NULL, or a
 * message. If @in has none of these formats, @out->data stays NULL. Trailing bytes are ignored.
 */
const char *unpack(struct blob *out, const void *in, size_t size);

#endif /* KVMWATCH_UNPACK_H */
