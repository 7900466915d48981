/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files that commands write, for people who may have one of that name already.
 *
 * The new one is written beside it, under a name of its own, and renamed when it is whole. So until
 * then, and whatever fails, the old one stays as it was.
 */
#ifndef KVMWATCH_NEW_FILE_H
#define KVMWATCH_NEW_FILE_H

/**
 * struct new_file - a file that is being written
 * @path:	what it will be called
 * @temp:	what it is called until then
 * @fd:		open for writing, close-on-exec; -1: closed
 */
struct new_file {
	char *path;
	char *temp;
	int fd;
};

/*
 * Begin to write @path. There must be nothing of that name, or a regular file: what a symbolic link
 * leads to, a device or a fifo is left alone. Returns an exit code; with EXIT_DONE it is to be
 * ended with one of the two below, else it was said what is wrong.
 */
int new_file_begin(struct new_file *file, const char *path);

/* It is whole: give it its name. Returns an exit code likewise. */
int new_file_keep(struct new_file *file);

/* It is not: remove it. */
void new_file_drop(struct new_file *file);

#endif /* KVMWATCH_NEW_FILE_H */
