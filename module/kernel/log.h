/* SPDX-License-Identifier: GPL-2.0 */
/* Kbuild includes this before every file of the module: all messages start with its name. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt
