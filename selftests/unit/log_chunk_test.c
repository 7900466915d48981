// SPDX-License-Identifier: GPL-2.0
/*
 * How much memory QEMU clears the dirty log of at once, from real and hostile command lines.
 */
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "log_chunk.h"

#define MIB	0x100000ULL
#define QEMU	"/usr/bin/qemu-system-x86_64\0"
#define SHIFT	"migration.x-clear-bitmap-shift="

/* A string literal holds the NULs between its arguments, and one behind the last. */
#define CHUNK(literal)	log_chunk_parse(literal, sizeof(literal), NULL)

TEST(qemu_that_says_nothing_has_its_default)
{
	EXPECT_EQ(0, CHUNK(QEMU "-m\0" "2048"));
	EXPECT_EQ(0, CHUNK(QEMU "-global\0PIIX4_PM.disable_s3=1"));
	EXPECT_EQ(0, CHUNK(QEMU "-global\0migration.send-configuration=off"));
	EXPECT_EQ(0, CHUNK(QEMU "-append\0-global\0" SHIFT "9"));
	EXPECT_EQ(0, CHUNK(QEMU "-global"));
	EXPECT_EQ(0, CHUNK(""));
}

TEST(shift_is_of_pages)
{
	EXPECT_EQ(2 * MIB, CHUNK(QEMU "-global\0" SHIFT "9"));
	EXPECT_EQ(1024 * MIB, CHUNK(QEMU "--global\0" SHIFT "18\0-S"));
	EXPECT_EQ(2 * MIB, CHUNK(QEMU "-global\0" SHIFT "0x9"));
	EXPECT_EQ(2 * MIB, CHUNK("kvm\0-global\0" SHIFT "9"));
}

TEST(what_is_beyond_is_the_least_or_the_most)
{
	EXPECT_EQ(MIB / 4, CHUNK(QEMU "-global\0" SHIFT "0"));
	EXPECT_EQ(MIB / 4, CHUNK(QEMU "-global\0" SHIFT "6"));
	EXPECT_EQ(8192 * 1024 * MIB, CHUNK(QEMU "-global\0" SHIFT "31"));
	EXPECT_EQ(8192 * 1024 * MIB, CHUNK(QEMU "-global\0" SHIFT "255"));
}

TEST(long_form_counts_too)
{
	EXPECT_EQ(2 * MIB, CHUNK(QEMU "-global\0"
				 "driver=migration,property=x-clear-bitmap-shift,value=9"));
	EXPECT_EQ(2 * MIB, CHUNK(QEMU "-global\0"
				 "value=9,property=x-clear-bitmap-shift,driver=migration"));
	EXPECT_EQ(0, CHUNK(QEMU "-global\0"
			   "driver=vga,property=x-clear-bitmap-shift,value=9"));
	EXPECT_EQ(0, CHUNK(QEMU "-global\0driver=migration,property=other,value=9"));
	EXPECT_EQ(0, CHUNK(QEMU "-global\0property=x-clear-bitmap-shift,value=9"));
}

TEST(last_one_counts)
{
	EXPECT_EQ(4 * MIB, CHUNK(QEMU "-global\0" SHIFT "9\0-global\0" SHIFT "10"));
}

TEST(what_is_no_number_says_nothing)
{
	EXPECT_EQ(0, CHUNK(QEMU "-global\0" SHIFT));
	EXPECT_EQ(0, CHUNK(QEMU "-global\0" SHIFT "nine"));
	EXPECT_EQ(0, CHUNK(QEMU "-global\0" SHIFT "9k"));
	EXPECT_EQ(0, CHUNK(QEMU "-global\0" SHIFT "-9"));
	EXPECT_EQ(0, CHUNK(QEMU "-global\0" SHIFT "256"));
	EXPECT_EQ(0, CHUNK(QEMU "-global\0" SHIFT "99999999999999999999999"));
	EXPECT_EQ(0, CHUNK(QEMU "-global\0migration.x-clear-bitmap-shifts=9"));
	EXPECT_EQ(0, CHUNK(QEMU "-global\0migration.x-clear-bitmap-shift"));
}

TEST(other_vmms_are_not_asked)
{
	EXPECT_EQ(0, CHUNK("/usr/bin/firecracker\0-global\0" SHIFT "9"));
	EXPECT_EQ(0, CHUNK("sleep\0-global\0" SHIFT "9"));
	EXPECT_EQ(2 * MIB, log_chunk_parse("tcp-name\0-global\0" SHIFT "9",
					   sizeof("tcp-name\0-global\0" SHIFT "9"),
					   "/usr/bin/qemu-system-x86_64"));
}

/* A shell with QEMU's command line, which waits for its end. */
TEST(process_is_asked)
{
	int pipes[2], silent[2], status;
	__u64 bytes;
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(0, pipe(silent));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		dup2(silent[0], 0);
		dup2(pipes[1], 1);
		execl("/bin/sh", "qemu-system-x86_64", "-c", "echo; read line", "qemu", "-global",
		      SHIFT "9", NULL);
		_exit(1);
	}
	close(pipes[1]);
	ASSERT_EQ(1, read(pipes[0], &byte, 1));
	EXPECT_EQ(0, log_chunk_of(pid, &bytes));
	EXPECT_EQ(2 * MIB, bytes);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	bytes = 1;
	EXPECT_EQ(0, log_chunk_of(pid, &bytes));
	EXPECT_EQ(0, bytes);
}

TEST_HARNESS_MAIN
