/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers of bytes and times in units for people. */
#ifndef KVMWATCH_QUANTITY_H
#define KVMWATCH_QUANTITY_H

/* A number and its unit, apart, so that a table can align them. */
struct quantity {
	char value[32];
	char unit[24];
};

/* "190" "MiB"; rounded to three or four digits. */
struct quantity quantity_bytes(double bytes);

/* "1.02" "us"; rounded likewise. */
struct quantity quantity_ns(double ns);

#endif /* KVMWATCH_QUANTITY_H */
