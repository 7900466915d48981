// SPDX-License-Identifier: GPL-2.0
/* virsh, played by scripts: its output, its failures, and processes that it leaves. */
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <kselftest_harness.h>

#include "interrupt.h"
#include "virsh.h"

static const char *const args[] = { "domstate", "--domain", "it's \"$x\" *", NULL };

FIXTURE(virsh) {
	char dir[32];
	struct virsh_answer answer;
};

FIXTURE_SETUP(virsh)
{
	char *path;

	strcpy(self->dir, "/tmp/virsh.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	ASSERT_LT(0, asprintf(&path, "%s:%s", self->dir, getenv("PATH")));
	setenv("PATH", path, 1);
	free(path);
	virsh_state_dir = self->dir;
}

FIXTURE_TEARDOWN(virsh)
{
	char command[64];

	snprintf(command, sizeof(command), "/bin/rm -rf %s", self->dir);
	if (system(command))
		abort();
}

static void put(const char *dir, const char *name, const char *text)
{
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	fputs(text, file);
	fclose(file);
	chmod(path, 0755);
}

static void play(const char *dir, const char *script)
{
	char text[512];

	snprintf(text, sizeof(text), "#!/bin/bash\n%s\n", script);
	put(dir, "virsh", text);
}

TEST_F(virsh, is_run_without_a_shell)
{
	play(self->dir, "printf '%s|' \"$@\"; echo \"$LC_ALL\"; cat");
	setenv("LC_ALL", "de_DE.UTF-8", 1);
	EXPECT_EQ(0, virsh_run(args, 0, &self->answer));
	EXPECT_STREQ("-q|-c|qemu:///system|domstate|--domain|it's \"$x\" *|C\n", self->answer.text);
}

TEST_F(virsh, failures_have_words)
{
	play(self->dir, "echo some; echo 'error: no domain' >&2; echo 'error: more' >&2; exit 1");
	EXPECT_EQ(-EREMOTEIO, virsh_run(args, 0, &self->answer));
	EXPECT_STREQ("no domain", self->answer.words);
	play(self->dir, "exit 3");
	EXPECT_EQ(-EREMOTEIO, virsh_run(args, 0, &self->answer));
	EXPECT_STREQ("no reason given", self->answer.words);
	play(self->dir, "kill -9 $$");
	EXPECT_EQ(-EREMOTEIO, virsh_run(args, 0, &self->answer));
}

TEST_F(virsh, what_it_does_not_know_is_not_supported)
{
	play(self->dir, "echo \"error: unknown command: 'domdirtyrate-calc'\" >&2; exit 1");
	EXPECT_EQ(-EOPNOTSUPP, virsh_run(args, 0, &self->answer));
	play(self->dir, "echo \"error: command 'x' doesn't support option --mode\" >&2; exit 1");
	EXPECT_EQ(-EOPNOTSUPP, virsh_run(args, 0, &self->answer));
}

TEST_F(virsh, that_is_not_there_is_told)
{
	setenv("PATH", self->dir, 1);
	EXPECT_EQ(-ENOENT, virsh_run(args, 0, &self->answer));
}

/* Has this process children, dead ones included? */
static bool has_children(void)
{
	return waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD;
}

TEST_F(virsh, endless_output_has_an_end)
{
	play(self->dir, "yes");
	EXPECT_EQ(-E2BIG, virsh_run(args, 0, &self->answer));
	EXPECT_FALSE(has_children());
	play(self->dir, "yes >&2");
	EXPECT_EQ(-E2BIG, virsh_run(args, 0, &self->answer));
	EXPECT_FALSE(has_children());
}

/* Does the process run? A dead one may stay for a while, as its new parent decides. */
static bool runs(int pid)
{
	char path[32], state = 'Z';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file)
		return false;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 'Z';
	fclose(file);
	return state != 'Z';
}

TEST_F(virsh, that_does_not_end_is_ended)
{
	virsh_timeout_ms = 200;
	play(self->dir, "trap '' TERM INT; sleep 1000 & echo $!; wait");
	EXPECT_EQ(-ETIMEDOUT, virsh_run(args, 0, &self->answer));
	EXPECT_FALSE(has_children());
	/* The children of the script have ended, too. */
	while (runs(atoi(self->answer.text)))
		usleep(1000);
	play(self->dir, "exec >&- 2>&-; sleep 1000");
	EXPECT_EQ(-ETIMEDOUT, virsh_run(args, 0, &self->answer));
	EXPECT_FALSE(has_children());
}

TEST_F(virsh, a_signal_ends_it)
{
	play(self->dir, "kill -TERM $PPID; sleep 1000");
	interrupt_catch(false);
	EXPECT_EQ(-EINTR, virsh_run(args, 0, &self->answer));
	EXPECT_FALSE(has_children());
	play(self->dir, "echo done");
	EXPECT_EQ(-EINTR, virsh_run(args, 0, &self->answer));
	EXPECT_EQ(0, virsh_run(args, VIRSH_DESPITE_SIGNALS, &self->answer));
	EXPECT_STREQ("done\n", self->answer.text);
}

TEST(values_are_those_of_whole_lines)
{
	struct virsh_answer answer = {
		.text = "Domain: 'x'\n  a.b=7\na.bc=8\n  d: text with spaces \t\nJob type: 2\n"
			"neg=-1\nhex=0x7\nbig=18446744073709551616\nlast=3"
	};
	char value[8];

	EXPECT_EQ(7, virsh_number(&answer, "a.b").number);
	EXPECT_EQ(8, virsh_number(&answer, "a.bc").number);
	EXPECT_EQ(2, virsh_number(&answer, "Job type").number);
	EXPECT_EQ(3, virsh_number(&answer, "last").number);
	EXPECT_FALSE(virsh_number(&answer, "a").known);
	EXPECT_FALSE(virsh_number(&answer, "b").known);
	EXPECT_FALSE(virsh_number(&answer, "neg").known);
	EXPECT_FALSE(virsh_number(&answer, "hex").known);
	EXPECT_FALSE(virsh_number(&answer, "big").known);
	EXPECT_FALSE(virsh_number(&answer, "d").known);
	EXPECT_TRUE(virsh_value(&answer, "d", value, sizeof(value)));
	EXPECT_STREQ("text wi", value);
	EXPECT_FALSE(virsh_value(&answer, "nothing", value, sizeof(value)));
}

#define UUID	"5ab2ae10-6c52-4b1b-8d2e-aa4b0e3cfd10"
#define RECORD	"<domstatus state='running' reason='booted' pid='4711'>\n" \
		"  <domain type='kvm' id='1'>\n"

TEST_F(virsh, records_tell_which_domain_a_process_is)
{
	char uuid[VIRSH_UUID_SIZE];

	put(self->dir, "web1.xml", RECORD "    <name>web1</name>\n    <uuid>" UUID "</uuid>\n");
	EXPECT_EQ(0, virsh_find("web1", 4711, uuid));
	EXPECT_STREQ(UUID, uuid);
	EXPECT_EQ(-ENOENT, virsh_find("web1", 471, uuid));
	EXPECT_EQ(-ENOENT, virsh_find("web1", 47110, uuid));
	EXPECT_EQ(-ENOENT, virsh_find("web2", 4711, uuid));
	EXPECT_EQ(-ENOENT, virsh_find("", 4711, uuid));
	EXPECT_EQ(-ENOENT, virsh_find("./web1", 4711, uuid));
	EXPECT_EQ(-ENOENT, virsh_find("../x/web1", 4711, uuid));
}

TEST_F(virsh, broken_records_tell_nothing)
{
	static const char *const records[] = {
		"", "<", "<domstatus ", "<domstatus pid='4711", "<domstatus pid='4711'>",
		"<domstatus state='x'>\n<x pid='4711'>\n<domain >\n<uuid>" UUID "</uuid>",
		RECORD "<uuid>", RECORD "<uuid></uuid>", RECORD "<uuid>5ab2</uuid>",
		RECORD "<uuid>" UUID "0</uuid>",
		RECORD "<uuid>--help;--help;--help;--help;--help;-</uuid>",
		"<domstatus pid='4711'>\n<uuid>" UUID "</uuid>\n",
	};
	char uuid[VIRSH_UUID_SIZE];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(records); i++) {
		put(self->dir, "web1.xml", records[i]);
		EXPECT_EQ(-ENOENT, virsh_find("web1", 4711, uuid))
			TH_LOG("record %zu", i);
	}
}

TEST_HARNESS_MAIN
