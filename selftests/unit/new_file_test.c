// SPDX-License-Identifier: GPL-2.0
/* Files that commands write: the old file stays if anything fails. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "cmd.h"
#include "new_file.h"

FIXTURE(new_file) {
	char dir[32];
	char path[64];
	char complaint[256];
	struct new_file file;
};

FIXTURE_SETUP(new_file)
{
	strcpy(self->dir, "/tmp/new_file.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/it", self->dir);
	complain_into(self->complaint, sizeof(self->complaint));
}

FIXTURE_TEARDOWN(new_file)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", self->dir);
	if (system(command))
		abort();
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(fd);
}

static int has(const char *path, const char *text)
{
	char found[64] = "";
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, found, sizeof(found) - 1);

	close(fd);
	return n >= 0 && !strcmp(found, text);
}

/* Number of files in the directory. */
static size_t files(const char *dir)
{
	char pattern[64];
	glob_t found;
	size_t nr;

	snprintf(pattern, sizeof(pattern), "%s/*", dir);
	nr = glob(pattern, 0, NULL, &found) ? 0 : found.gl_pathc;
	if (nr)
		globfree(&found);
	return nr;
}

TEST_F(new_file, appears_when_it_is_whole)
{
	struct stat st;

	umask(027);
	ASSERT_EQ(EXIT_DONE, new_file_begin(&self->file, self->path));
	EXPECT_EQ(3, write(self->file.fd, "new", 3));
	EXPECT_EQ(-1, access(self->path, F_OK));
	EXPECT_EQ(EXIT_DONE, new_file_keep(&self->file));
	EXPECT_TRUE(has(self->path, "new"));
	ASSERT_EQ(0, stat(self->path, &st));
	EXPECT_EQ(0640, st.st_mode & 07777);
	EXPECT_EQ(1, files(self->dir));
}

TEST_F(new_file, replaces_the_old_one_when_it_is_whole)
{
	struct stat st;

	put(self->path, "old");
	chmod(self->path, 0604);
	ASSERT_EQ(EXIT_DONE, new_file_begin(&self->file, self->path));
	EXPECT_EQ(3, write(self->file.fd, "new", 3));
	EXPECT_TRUE(has(self->path, "old"));
	EXPECT_EQ(EXIT_DONE, new_file_keep(&self->file));
	EXPECT_TRUE(has(self->path, "new"));
	ASSERT_EQ(0, stat(self->path, &st));
	EXPECT_EQ(0604, st.st_mode & 07777);
	EXPECT_EQ(1, files(self->dir));
}

TEST_F(new_file, that_is_dropped_leaves_the_old_one)
{
	put(self->path, "old");
	ASSERT_EQ(EXIT_DONE, new_file_begin(&self->file, self->path));
	EXPECT_EQ(3, write(self->file.fd, "new", 3));
	new_file_drop(&self->file);
	EXPECT_TRUE(has(self->path, "old"));
	EXPECT_EQ(1, files(self->dir));
}

static int refuses(const char *path, char *complaint)
{
	struct new_file file;

	*complaint = '\0';
	return new_file_begin(&file, path) == EXIT_COULD_NOT &&
	       strstr(complaint, "no regular file");
}

TEST_F(new_file, takes_no_place_but_a_regular_file_s)
{
	char target[64];
	struct stat st;

	snprintf(target, sizeof(target), "%s/target", self->dir);
	put(target, "theirs");
	ASSERT_EQ(0, symlink(target, self->path));
	EXPECT_TRUE(refuses(self->path, self->complaint));
	EXPECT_TRUE(has(target, "theirs"));
	ASSERT_EQ(0, unlink(self->path));

	ASSERT_EQ(0, symlink("nowhere", self->path));
	EXPECT_TRUE(refuses(self->path, self->complaint));
	ASSERT_EQ(0, unlink(self->path));

	ASSERT_EQ(0, mkfifo(self->path, 0600));
	EXPECT_TRUE(refuses(self->path, self->complaint));
	ASSERT_EQ(0, unlink(self->path));

	ASSERT_EQ(0, mkdir(self->path, 0700));
	EXPECT_TRUE(refuses(self->path, self->complaint));
	ASSERT_EQ(0, rmdir(self->path));

	/* A device, like /dev/null. */
	if (!mknod(self->path, S_IFCHR | 0666, 0x103)) {
		EXPECT_TRUE(refuses(self->path, self->complaint));
		ASSERT_EQ(0, lstat(self->path, &st));
		EXPECT_TRUE(S_ISCHR(st.st_mode));
		ASSERT_EQ(0, unlink(self->path));
	}
	EXPECT_EQ(1, files(self->dir));
}

TEST_F(new_file, does_not_replace_what_came_meanwhile)
{
	ASSERT_EQ(EXIT_DONE, new_file_begin(&self->file, self->path));
	ASSERT_EQ(0, mkfifo(self->path, 0600));
	EXPECT_EQ(EXIT_COULD_NOT, new_file_keep(&self->file));
	EXPECT_NE(NULL, strstr(self->complaint, "no regular file"));
	EXPECT_EQ(1, files(self->dir));
}

TEST_F(new_file, says_why_it_cannot_be)
{
	snprintf(self->path, sizeof(self->path), "%s/no/it", self->dir);
	EXPECT_EQ(EXIT_COULD_NOT, new_file_begin(&self->file, self->path));
	EXPECT_NE(NULL, strstr(self->complaint, "can't write it: No such file or directory"));
}

TEST_HARNESS_MAIN
