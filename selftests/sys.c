// SPDX-License-Identifier: GPL-2.0
/* Clocks, files, mappings. See sys.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sys.h"

__u64 clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

__u64 now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

time_t now_s(void)
{
	return now_ns() / 1000000000;
}

__u64 sum_slack(__u64 ns, __u64 stretches)
{
	return stretches + (ns >> 20);
}

int sys_put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC), err = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, value, strlen(value));
	if (n != (ssize_t)strlen(value))
		err = n < 0 ? -errno : -EIO;
	close(fd);
	return err;
}

bool sys_is_on(const char *parameter)
{
	int fd = open(parameter, O_RDONLY | O_CLOEXEC);
	char value = 'N';

	if (fd >= 0) {
		if (read(fd, &value, 1) != 1)
			value = 'N';
		close(fd);
	}
	return value == 'Y' || value == '1';
}

int sys_unmap(void *at, size_t size)
{
	int err;

	if (!munmap(at, size))
		return 0;
	err = -errno;
	munmap(at, size);
	return err;
}

bool sys_has_function(const char *name)
{
	char line[512], found[256];
	FILE *symbols = fopen("/proc/kallsyms", "r");
	bool has = false;

	while (symbols && !has && fgets(line, sizeof(line), symbols))
		has = sscanf(line, "%*s %*1[tT] %255s", found) == 1 && !strcmp(found, name);
	if (symbols)
		fclose(symbols);
	return has;
}
