/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Write a file that may exist already.
 *
 * The new file is written beside the old one under a temporary name, and renamed when it is
 * complete. So the old file stays unchanged until then, and if anything fails.
 */
#ifndef KVMWATCH_NEW_FILE_H
#define KVMWATCH_NEW_FILE_H

/**
 * struct new_file - a file that is being written
 * @path:	its final name
 * @temp:	its temporary name
 * @fd:		open for writing, close-on-exec; -1: closed
 */
struct new_file {
	char *path;
	char *temp;
	int fd;
};

/*
 * Begin to write @path, which must be a regular file or not exist: this refuses symbolic links,
 * devices and pipes. Returns an exit code, and prints errors. With EXIT_DONE end it with one
 * of the functions below.
 */
int new_file_begin(struct new_file *file, const char *path);

/* The file is complete: give it its final name. Returns an exit code, and prints errors. */
int new_file_keep(struct new_file *file);

/* Remove the file. */
void new_file_drop(struct new_file *file);

#endif /* KVMWATCH_NEW_FILE_H */
