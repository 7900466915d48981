// SPDX-License-Identifier: GPL-2.0
/* Files that commands write. See new_file.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "new_file.h"

/* The file at @path: 0 and *@old; -ENOENT; or -EEXIST: it is not a regular file. */
static int look_at(const char *path, struct stat *old)
{
	if (lstat(path, old))
		return -errno;
	return S_ISREG(old->st_mode) ? 0 : -EEXIST;
}

static int complain_old(const char *path, int err)
{
	if (err == -EEXIST)
		return complain(path,
				"this is no regular file, and is left alone; give another name");
	return complain(path, "can't write it: %s", strerror(-err));
}

/* Give the new file the owner, group and rights of the old one, or of a new file. */
static void take_rights(int fd, const struct stat *old)
{
	mode_t mask = umask(0);

	umask(mask);
	if (!old)
		fchmod(fd, 0666 & ~mask);
	else if (!fchown(fd, old->st_uid, old->st_gid))
		fchmod(fd, old->st_mode & 0777);
	else
		fchmod(fd, old->st_mode & 0707);	/* the group could not be set */
}

static void forget(struct new_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	free(file->path);
	free(file->temp);
	memset(file, 0, sizeof(*file));
	file->fd = -1;
}

int new_file_begin(struct new_file *file, const char *path)
{
	struct stat old;
	int err;

	memset(file, 0, sizeof(*file));
	file->fd = -1;
	err = look_at(path, &old);
	if (err && err != -ENOENT)
		return complain_old(path, err);
	if (!err && access(path, W_OK))
		return complain_old(path, -errno);
	file->path = strdup(path);
	if (!file->path || asprintf(&file->temp, "%s.XXXXXX", path) < 0) {
		forget(file);
		return complain(path, "no memory");
	}
	file->fd = mkostemp(file->temp, O_CLOEXEC);
	if (file->fd < 0) {
		err = -errno;
		forget(file);
		return complain_old(path, err);
	}
	take_rights(file->fd, err ? NULL : &old);
	return EXIT_DONE;
}

/* The file at the final name may have changed since new_file_begin(). */
int new_file_keep(struct new_file *file)
{
	struct stat old;
	int err;

	err = look_at(file->path, &old);
	if (err == -ENOENT)
		err = 0;
	if (!err && fsync(file->fd) && errno != EINVAL && errno != EROFS)
		err = -errno;
	if (!err && rename(file->temp, file->path))
		err = -errno;
	if (!err) {
		forget(file);
		return EXIT_DONE;
	}
	complain_old(file->path, err);
	new_file_drop(file);
	return EXIT_COULD_NOT;
}

void new_file_drop(struct new_file *file)
{
	unlink(file->temp);
	forget(file);
}
