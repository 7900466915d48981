/* SPDX-License-Identifier: GPL-2.0 */
/* Unpacking what kernels and their modules are packed with. */
#ifndef KVMWATCH_UNPACK_H
#define KVMWATCH_UNPACK_H

#include "kvm_file.h"

/*
 * What is packed in @in, by xz, zstd or gzip, which its first bytes tell. Returns NULL, or what is
 * wrong; @out->data stays NULL if it does not look like any. More may stand behind it.
 */
const char *unpack(struct blob *out, const void *in, size_t size);

#endif /* KVMWATCH_UNPACK_H */
