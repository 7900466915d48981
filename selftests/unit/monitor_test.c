// SPDX-License-Identifier: GPL-2.0
/* Finding a VMM's monitor: by command lines, and among processes that look like VMMs. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <kselftest_harness.h>

#include "interrupt.h"
#include "monitor.h"
#include "played.h"
#include "qmp.h"
#include "virsh.h"

/* --- command lines --------------------------------------------------------- */

/* The paths, separated by spaces; "libvirt NAME"; "-": none. */
static const char *hinted(const char *cmdline, size_t len)
{
	static char text[512];
	struct monitor_hints hints;
	size_t i;

	if (monitor_parse(cmdline, len, &hints))
		return "no memory";
	*text = '\0';
	for (i = 0; i < hints.nr; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
			 hints.paths[i]);
	if (hints.libvirt)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "libvirt %s",
			 hints.name ? hints.name : "-");
	if (!*text)
		strcpy(text, *hints.other ? "other" : "-");
	monitor_hints_free(&hints);
	return text;
}

/* A string literal holds the NULs between its arguments, and one behind the last. */
#define HINTED(literal)	hinted(literal, sizeof(literal))

TEST(qmp_on_a_unix_socket)
{
	EXPECT_STREQ("/run/m", HINTED("qemu-system-x86_64\0-qmp\0unix:/run/m,server=on,wait=off"));
	EXPECT_STREQ("/run/m", HINTED("qemu-system-x86_64\0-qmp\0unix:/run/m,server,nowait"));
	EXPECT_STREQ("/run/m", HINTED("kvm\0--qmp\0unix:/run/m,server"));
	EXPECT_STREQ("/run/m", HINTED("qemu\0-qmp-pretty\0unix:/run/m,wait=off,server=yes"));
	EXPECT_STREQ("run/m", HINTED("qemu\0-qmp\0unix:run/m,server=true"));
	EXPECT_STREQ("/run/a,b", HINTED("qemu\0-qmp\0unix:/run/a,,b,server=on"));
	EXPECT_STREQ("/run/m", HINTED("qemu\0-qmp\0unix:path=/run/m,server=on"));
}

TEST(qmp_on_a_chardev)
{
	EXPECT_STREQ("/run/m", HINTED("kvm\0-chardev\0socket,id=qmp,path=/run/m,server=on\0"
				      "-mon\0chardev=qmp,mode=control"));
	EXPECT_STREQ("/run/m", HINTED("kvm\0-mon\0mode=control,chardev=qmp\0"
				      "-chardev\0socket,path=/run/m,server,nowait,id=qmp"));
	EXPECT_STREQ("/run/m", HINTED("kvm\0-chardev\0backend=socket,id=a,path=/run/m,server\0"
				      "-mon\0a,mode=control,pretty=on"));
	EXPECT_STREQ("/run/m", HINTED("kvm\0-chardev\0socket,id=a,path=/run/m,server=on\0"
				      "-qmp\0chardev:a"));
}

TEST(several_monitors_are_in_order)
{
	EXPECT_STREQ("/b /a", HINTED("qemu\0-qmp\0unix:/b,server\0-qmp\0unix:/a,server\0"
				     "-qmp\0unix:/b,server"));
	EXPECT_STREQ("/1 /2 /3 /4 /5 /6 /7 /8",
		     HINTED("qemu\0-qmp\0unix:/1,server\0-qmp\0unix:/2,server\0"
			    "-qmp\0unix:/3,server\0-qmp\0unix:/4,server\0-qmp\0unix:/5,server\0"
			    "-qmp\0unix:/6,server\0-qmp\0unix:/7,server\0-qmp\0unix:/8,server\0"
			    "-qmp\0unix:/9,server"));
}

/*
 * As qemu-server starts QEMU: it listens on the first monitor, and connects to a daemon by the
 * second.
 */
TEST(proxmox_has_one_that_listens_and_one_that_calls)
{
	EXPECT_STREQ("/var/run/qemu-server/100.qmp",
		     HINTED("/usr/bin/kvm\0-id\000100\0-name\0web,debug-threads=on\0-chardev\0"
			    "socket,id=qmp,path=/var/run/qemu-server/100.qmp,server=on,wait=off\0"
			    "-mon\0chardev=qmp,mode=control\0"
			    "-chardev\0socket,id=qmp-event,path=/var/run/qmeventd.sock,reconnect=5\0"
			    "-mon\0chardev=qmp-event,mode=control"));
}

#define OLD_LIBVIRT_PATH	"/var/lib/libvirt/qemu/domain-1-web1/monitor.sock"

TEST(libvirt_holds_the_monitors_that_it_makes)
{
	EXPECT_STREQ("libvirt web1",
		     HINTED("/usr/bin/qemu-system-x86_64\0-name\0guest=web1,debug-threads=on\0-S\0"
			    "-chardev\0socket,id=charmonitor,fd=38,server=on,wait=off\0"
			    "-mon\0chardev=charmonitor,id=monitor,mode=control"));
	EXPECT_STREQ("libvirt web1",
		     HINTED("qemu\0-name\0web1\0-chardev\0socket,id=m,path="
			    OLD_LIBVIRT_PATH ",server,nowait\0"
			    "-mon\0chardev=m,id=monitor,mode=control"));
	EXPECT_STREQ("/run/mine" "libvirt -",
		     HINTED("qemu\0-chardev\0socket,id=charmonitor,fd=38,server=on,wait=off\0"
			    "-mon\0chardev=charmonitor,id=monitor,mode=control\0"
			    "-qmp\0unix:/run/mine,server=on,wait=off"));
}

TEST(what_is_no_monitor_for_programs_is_none)
{
	EXPECT_STREQ("-", HINTED("qemu"));
	EXPECT_STREQ("-", HINTED("qemu\0-m\0004096"));
	EXPECT_STREQ("-", HINTED("qemu\0-monitor\0unix:/run/m,server"));
	EXPECT_STREQ("-", HINTED("qemu\0-chardev\0socket,id=a,path=/run/m,server=on"));
	EXPECT_STREQ("-", HINTED("qemu\0-chardev\0socket,id=a,path=/run/m,server=on\0"
				 "-mon\0chardev=a,mode=readline"));
	EXPECT_STREQ("-", HINTED("qemu\0-chardev\0socket,id=a,path=/run/m,server=on\0-mon\0a"));
	EXPECT_STREQ("-", HINTED("qemu\0-mon\0chardev=a,mode=control"));
	EXPECT_STREQ("-", HINTED("qemu\0-chardev\0socket,id=a,path=/run/m,server=on\0"
				 "-serial\0chardev:a"));
	EXPECT_STREQ("-", HINTED("qemu\0-append\0-qmp\0unix:/run/m,server"));
	EXPECT_STREQ("-", HINTED("qemu\0-fw_cfg\0-qmp\0unix:/run/m,server"));
}

TEST(monitors_that_cannot_be_used_are_told)
{
	EXPECT_STREQ("other", HINTED("qemu\0-qmp\0stdio"));
	EXPECT_STREQ("other", HINTED("qemu\0-qmp\0tcp:localhost:4444,server"));
	EXPECT_STREQ("other", HINTED("qemu\0-qmp\0unix:/run/m"));
	EXPECT_STREQ("other", HINTED("qemu\0-qmp\0unix:/run/m,server=off"));
	EXPECT_STREQ("other", HINTED("qemu\0-qmp\0unix:/run/m,server,noserver"));
	EXPECT_STREQ("other", HINTED("qemu\0-qmp\0unix:name,server,abstract=on"));
	EXPECT_STREQ("other", HINTED("qemu\0-qmp\0unix:/run/m,server,telnet"));
	EXPECT_STREQ("/run/m", HINTED("qemu\0-qmp\0unix:/run/m,server,telnet=off"));
	EXPECT_STREQ("other", HINTED("qemu\0-readconfig\0/etc/vm.cfg"));
	EXPECT_STREQ("other", HINTED("qemu\0-chardev\0pty,id=a\0-mon\0a,mode=control"));
	EXPECT_STREQ("other", HINTED("qemu\0-chardev\0socket,id=a,fd=7,server=on\0"
				     "-mon\0a,mode=control"));
	EXPECT_STREQ("other", HINTED("qemu\0-chardev\0socket,id=a,host=::,port=1,server=on\0"
				     "-mon\0a,mode=control"));
	EXPECT_STREQ("other", HINTED("firecracker\0-qmp\0unix:/run/m,server"));
	EXPECT_STREQ("other", HINTED("/usr/bin/find\0-qmp\0unix:/run/m,server"));
	EXPECT_STREQ("other", HINTED(""));
}

TEST(odd_command_lines_are_survived)
{
	EXPECT_STREQ("other", hinted("", 0));
	EXPECT_STREQ("-", HINTED("qemu\0-qmp"));
	EXPECT_STREQ("other", HINTED("qemu\0-qmp\0"));
	EXPECT_STREQ("other", HINTED("qemu\0-qmp\0,,,,"));
	EXPECT_STREQ("other", HINTED("qemu\0-qmp\0unix:"));
	EXPECT_STREQ("other", HINTED("qemu\0-qmp\0unix:,"));
	EXPECT_STREQ("-", HINTED("qemu\0-mon\0,=,=,"));
	EXPECT_STREQ("-", HINTED("qemu\0-chardev\0=,=\0-mon\0=,mode=control"));
	EXPECT_STREQ("-", HINTED("qemu\0-chardev\0\0-mon\0"));
	EXPECT_STREQ("-", HINTED("qemu\0-qmp\0chardev:"));
	EXPECT_STREQ("-", HINTED("qemu\0-qmp\0chardev:nobody"));
	EXPECT_STREQ("/a\033[31m", HINTED("qemu\0-qmp\0unix:/a\033[31m,server"));
	EXPECT_STREQ("/run/m", hinted("qemu\0-qmp\0unix:/run/m,server", 28));
	EXPECT_STREQ("other", hinted("qemu\0-qmp\0unix:/run/m,server", 27));
}

/* --- processes ------------------------------------------------------------- */

FIXTURE(monitor) {
	struct played played;
	struct played_vmm vmm;
	struct monitor found;
	char option[160];
	const char *argv[8];
};

FIXTURE_SETUP(monitor)
{
	played_bind(&self->played);
	snprintf(self->option, sizeof(self->option), "unix:%s,server=on", self->played.path);
	self->argv[0] = "qemu-played";
	self->argv[1] = "-qmp";
	self->argv[2] = self->option;
	self->found.socket = -1;
	self->found.process.dir = -1;
	self->found.process.pidfd = -1;
}

FIXTURE_TEARDOWN(monitor)
{
	monitor_free(&self->found);
	if (self->vmm.pid)
		played_vmm_stop(&self->vmm);
	played_stop(&self->played);
}

static void answer_all(struct played *played, int fd)
{
	char line[1024];

	(void)played;
	if (!played_greet(fd))
		return;
	while (played_hear(fd, line, sizeof(line)))
		played_return(fd, line, "{}");
}

static void say_nothing(struct played *played, int fd)
{
	char line[1024];

	(void)played;
	while (played_hear(fd, line, sizeof(line)))
		;
}

/* The reason why no monitor was found contains @text. */
static bool why_has(const struct monitor *monitor, const char *text)
{
	if (strstr(monitor->why, text))
		return true;
	TH_LOG("why: %s", monitor->why);
	return false;
}

TEST_F(monitor, of_a_process_is_found)
{
	struct qmp *qmp;

	played_vmm_start(&self->vmm, NULL, NULL, self->played.listener, self->argv);
	played_serve(&self->played, answer_all);
	ASSERT_EQ(0, monitor_find(self->vmm.pid, NULL, &self->found))
		TH_LOG("%s", self->found.why);
	EXPECT_EQ(MONITOR_QMP, self->found.way);
	EXPECT_EQ(self->vmm.pid, self->found.peer);
	EXPECT_STREQ(self->played.path, self->found.place);
	EXPECT_FALSE(self->found.named);
	ASSERT_EQ(0, monitor_connect(&self->found, 0, &qmp));
	EXPECT_EQ(0, qmp_call(qmp, "query", NULL, NULL));
	qmp_close(qmp);
	EXPECT_FALSE(monitor_is_gone(&self->found));
}

/* The monitor stays the socket that was found, whatever its path leads to later. */
TEST_F(monitor, stays_the_socket_that_was_found)
{
	struct qmp *qmp;

	played_vmm_start(&self->vmm, NULL, NULL, self->played.listener, self->argv);
	played_serve(&self->played, answer_all);
	ASSERT_EQ(0, monitor_find(self->vmm.pid, NULL, &self->found));
	ASSERT_EQ(0, unlink(self->played.path));
	ASSERT_EQ(0, symlink("/dev/null", self->played.path));
	ASSERT_EQ(0, monitor_connect(&self->found, 0, &qmp));
	qmp_close(qmp);
}

/* A process whose command line names another process's socket is not the VMM behind it. */
TEST_F(monitor, that_another_process_has_is_not_taken)
{
	played_listen(&self->played, 8);
	played_serve(&self->played, answer_all);
	played_vmm_start(&self->vmm, NULL, NULL, -1, self->argv);
	EXPECT_EQ(-ENOENT, monitor_find(self->vmm.pid, NULL, &self->found));
	EXPECT_EQ(MONITOR_NONE, self->found.way);
	EXPECT_TRUE(why_has(&self->found, "another process"));
}

TEST_F(monitor, that_the_user_names_may_be_another_s)
{
	played_listen(&self->played, 8);
	played_serve(&self->played, answer_all);
	self->argv[1] = NULL;
	played_vmm_start(&self->vmm, NULL, NULL, -1, self->argv);
	ASSERT_EQ(0, monitor_find(self->vmm.pid, self->played.path, &self->found));
	EXPECT_EQ(MONITOR_QMP, self->found.way);
	EXPECT_TRUE(self->found.named);
	EXPECT_EQ(self->vmm.pid, self->found.pid);
	EXPECT_EQ(getpid(), self->found.peer);
}

TEST_F(monitor, that_the_user_names_wrongly_is_refused)
{
	EXPECT_EQ(-ENOENT, monitor_find(getpid(), "/nowhere", &self->found));
	EXPECT_TRUE(why_has(&self->found, "No such file"));
	monitor_free(&self->found);
	EXPECT_EQ(-ENOENT, monitor_find(getpid(), "/dev/null", &self->found));
	EXPECT_TRUE(why_has(&self->found, "no socket"));
	monitor_free(&self->found);
	EXPECT_EQ(-ENOENT, monitor_find(getpid(), self->played.path, &self->found));
	EXPECT_TRUE(why_has(&self->found, "nobody listens"));
}

/* If one monitor is held by a client, the result says so, whatever is wrong with the others. */
TEST_F(monitor, that_somebody_holds_is_busy_among_others)
{
	self->argv[2] = "unix:/nowhere/m,server";
	self->argv[3] = "-qmp";
	self->argv[4] = self->option;
	self->argv[5] = "-qmp";
	self->argv[6] = "unix:/dev/null,server";
	played_vmm_start(&self->vmm, NULL, NULL, self->played.listener, self->argv);
	played_serve(&self->played, say_nothing);
	EXPECT_EQ(-EBUSY, monitor_find(self->vmm.pid, NULL, &self->found));
	EXPECT_TRUE(why_has(&self->found, "somebody else holds"));
}

TEST_F(monitor, that_somebody_holds_is_busy)
{
	played_vmm_start(&self->vmm, NULL, NULL, self->played.listener, self->argv);
	played_serve(&self->played, say_nothing);
	EXPECT_EQ(-EBUSY, monitor_find(self->vmm.pid, NULL, &self->found));
	EXPECT_TRUE(why_has(&self->found, "somebody else holds"));
	monitor_free(&self->found);
	EXPECT_EQ(-EBUSY, monitor_find(self->vmm.pid, self->played.path, &self->found));
}

/* The first is held, the second does not exist, the third is not a socket. */
TEST_F(monitor, that_is_free_is_found_behind_others)
{
	struct played held;
	char option[160];

	played_bind(&held);
	played_listen(&held, 8);
	played_serve(&held, say_nothing);
	snprintf(option, sizeof(option), "unix:%s,server=on", held.path);
	self->argv[2] = option;
	self->argv[3] = "-qmp";
	self->argv[4] = "unix:/nowhere/m,server";
	self->argv[5] = "-qmp";
	self->argv[6] = self->option;
	played_vmm_start(&self->vmm, NULL, NULL, self->played.listener, self->argv);
	played_serve(&self->played, answer_all);
	EXPECT_EQ(0, monitor_find(self->vmm.pid, NULL, &self->found));
	EXPECT_STREQ(self->played.path, self->found.place);
	played_stop(&held);
}

TEST_F(monitor, of_a_process_without_one_is_not_found)
{
	self->argv[1] = NULL;
	played_vmm_start(&self->vmm, NULL, NULL, -1, self->argv);
	EXPECT_EQ(-ENOENT, monitor_find(self->vmm.pid, NULL, &self->found));
	EXPECT_TRUE(why_has(&self->found, "names no monitor"));
	monitor_free(&self->found);
	EXPECT_EQ(-ENOENT, monitor_find(getpid(), NULL, &self->found));
	EXPECT_TRUE(why_has(&self->found, "not QEMU"));
}

TEST_F(monitor, of_a_process_that_is_not_there_is_not_found)
{
	EXPECT_EQ(-ESRCH, monitor_find(0x7ffffff, NULL, &self->found));
	EXPECT_TRUE(why_has(&self->found, "ended"));
	monitor_free(&self->found);
	EXPECT_EQ(-ESRCH, monitor_find(0, NULL, &self->found));
	monitor_free(&self->found);
	EXPECT_EQ(-ESRCH, monitor_find(-1, "/dev/null", &self->found));
}

TEST_F(monitor, is_gone_with_its_process)
{
	struct qmp *qmp;

	played_vmm_start(&self->vmm, NULL, NULL, self->played.listener, self->argv);
	played_serve(&self->played, answer_all);
	ASSERT_EQ(0, monitor_find(self->vmm.pid, NULL, &self->found));
	played_vmm_stop(&self->vmm);
	self->vmm.pid = 0;
	EXPECT_TRUE(monitor_is_gone(&self->found));
	/* The test has this socket too, and still listens on it. */
	ASSERT_EQ(0, monitor_connect(&self->found, 0, &qmp));
	qmp_close(qmp);
}

TEST_F(monitor, is_not_looked_for_after_a_signal)
{
	played_vmm_start(&self->vmm, NULL, NULL, self->played.listener, self->argv);
	played_serve(&self->played, say_nothing);
	interrupt_catch(false);
	kill(getpid(), SIGTERM);
	EXPECT_EQ(-EINTR, monitor_find(self->vmm.pid, NULL, &self->found));
}

/* --- root directories ------------------------------------------------------ */

/* May this process change its root directory? Otherwise there is nothing to test. */
static bool may_chroot(void)
{
	if (!geteuid())
		return true;
	TH_LOG("not root: not tested");
	return false;
}

TEST_F(monitor, in_a_container_is_found_there)
{
	if (!may_chroot())
		return;
	self->argv[2] = "unix:/monitor,server=on";
	played_vmm_start(&self->vmm, self->played.dir, NULL, self->played.listener, self->argv);
	played_serve(&self->played, answer_all);
	ASSERT_EQ(0, monitor_find(self->vmm.pid, NULL, &self->found))
		TH_LOG("%s", self->found.why);
	EXPECT_STREQ("/monitor", self->found.place);
}

static void link_in(const struct played *played, const char *target, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", played->dir, name);
	if (symlink(target, path))
		abort();
}

/* Links in a container are followed within the container. */
TEST_F(monitor, behind_links_in_a_container_is_found_there)
{
	if (!may_chroot())
		return;
	link_in(&self->played, "/../../monitor", "link");
	link_in(&self->played, "/link", "link2");
	self->argv[2] = "unix:/link2,server=on";
	played_vmm_start(&self->vmm, self->played.dir, NULL, self->played.listener, self->argv);
	played_serve(&self->played, answer_all);
	EXPECT_EQ(0, monitor_find(self->vmm.pid, NULL, &self->found));
}

/*
 * In a container, a link that would lead to a socket of the host is not followed, even if it is the
 * VMM's.
 */
TEST_F(monitor, outside_of_a_container_is_not_found_through_links)
{
	struct played outside;

	if (!may_chroot())
		return;
	played_bind(&outside);
	link_in(&self->played, outside.path, "link");
	self->argv[2] = "unix:/link,server=on";
	played_vmm_start(&self->vmm, self->played.dir, NULL, outside.listener, self->argv);
	played_serve(&outside, answer_all);
	EXPECT_EQ(-ENOENT, monitor_find(self->vmm.pid, NULL, &self->found));
	EXPECT_TRUE(why_has(&self->found, "No such file"));
	EXPECT_EQ(0, outside.clients);
	played_stop(&outside);
}

/*
 * The links in /proc/PID/fd may lead out of the root directory to any file, which the VMM must not
 * choose. Here one leads to the right socket.
 */
TEST_F(monitor, links_of_proc_are_not_followed)
{
	char target[64];
	int fd = open(self->played.path, O_PATH);

	snprintf(target, sizeof(target), "/proc/%d/fd/%d", getpid(), fd);
	link_in(&self->played, target, "link");
	snprintf(self->option, sizeof(self->option), "unix:%s/link,server=on", self->played.dir);
	played_vmm_start(&self->vmm, NULL, NULL, self->played.listener, self->argv);
	played_serve(&self->played, answer_all);
	EXPECT_EQ(-ENOENT, monitor_find(self->vmm.pid, NULL, &self->found));
	EXPECT_TRUE(why_has(&self->found, "behind a link"));
}

TEST_F(monitor, in_the_working_directory_is_found)
{
	self->argv[2] = "unix:monitor,server=on";
	played_vmm_start(&self->vmm, NULL, self->played.dir, self->played.listener, self->argv);
	played_serve(&self->played, answer_all);
	EXPECT_EQ(0, monitor_find(self->vmm.pid, NULL, &self->found))
		TH_LOG("%s", self->found.why);
}

TEST_F(monitor, above_the_working_directory_is_not_found)
{
	char *name = strrchr(self->played.dir, '/');

	snprintf(self->option, sizeof(self->option), "unix:..%s/monitor,server=on", name);
	played_vmm_start(&self->vmm, NULL, self->played.dir, self->played.listener, self->argv);
	played_serve(&self->played, answer_all);
	EXPECT_EQ(-ENOENT, monitor_find(self->vmm.pid, NULL, &self->found));
	EXPECT_TRUE(why_has(&self->found, "working directory"));
}

/* Only sockets are opened: opening a fifo would block, and opening a device may have any effect. */
TEST_F(monitor, that_is_no_socket_is_left_alone)
{
	unlink(self->played.path);
	ASSERT_EQ(0, mkfifo(self->played.path, 0600));
	played_vmm_start(&self->vmm, NULL, NULL, -1, self->argv);
	EXPECT_EQ(-ENOENT, monitor_find(self->vmm.pid, NULL, &self->found));
	EXPECT_TRUE(why_has(&self->found, "no socket"));
}

/* --- libvirt --------------------------------------------------------------- */

#define UUID	"5ab2ae10-6c52-4b1b-8d2e-aa4b0e3cfd10"

/* Play virsh by a script that is the only one in PATH, and write libvirt's record of a domain. */
static void play_libvirt(const struct played *played, const char *name, int pid)
{
	char path[160];
	FILE *file;

	virsh_state_dir = played->dir;
	snprintf(path, sizeof(path), "%s/%s.xml", played->dir, name);
	file = fopen(path, "w");
	fprintf(file, "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE.\n-->\n\n"
		"<domstatus state='running' reason='booted' pid='%d'>\n"
		"  <monitor path='/x' type='unix'/>\n  <domain type='kvm' id='1'>\n"
		"    <name>%s</name>\n    <uuid>" UUID "</uuid>\n  </domain>\n</domstatus>\n",
		pid, name);
	fclose(file);
	snprintf(path, sizeof(path), "%s/virsh", played->dir);
	file = fopen(path, "w");
	fprintf(file, "#!/bin/sh\n[ \"$*\" = '-q -c qemu:///system domstate --domain " UUID "' ] ||\n"
		"{ echo error: no such domain: \"$*\" >&2; exit 1; }\necho running\n");
	fclose(file);
	chmod(path, 0755);
	setenv("PATH", played->dir, 1);
}

static void be_libvirts(const char **argv)
{
	argv[1] = "-name";
	argv[2] = "guest=web1,debug-threads=on";
	argv[3] = "-chardev";
	argv[4] = "socket,id=charmonitor,fd=38,server=on,wait=off";
	argv[5] = "-mon";
	argv[6] = "chardev=charmonitor,id=monitor,mode=control";
}

TEST_F(monitor, of_libvirt_s_is_asked_through_virsh)
{
	be_libvirts(self->argv);
	played_vmm_start(&self->vmm, NULL, NULL, -1, self->argv);
	play_libvirt(&self->played, "web1", self->vmm.pid);
	ASSERT_EQ(0, monitor_find(self->vmm.pid, NULL, &self->found))
		TH_LOG("%s", self->found.why);
	EXPECT_EQ(MONITOR_VIRSH, self->found.way);
	EXPECT_STREQ("web1", self->found.place);
	EXPECT_STREQ(UUID, self->found.domain);
}

/* A process that claims to be this domain is not taken. */
TEST_F(monitor, of_another_domain_of_libvirt_s_is_not_taken)
{
	be_libvirts(self->argv);
	played_vmm_start(&self->vmm, NULL, NULL, -1, self->argv);
	play_libvirt(&self->played, "web1", getpid());
	EXPECT_EQ(-ENOENT, monitor_find(self->vmm.pid, NULL, &self->found));
	EXPECT_TRUE(why_has(&self->found, "no domain of the libvirt here"));
}

TEST_F(monitor, of_libvirt_s_needs_virsh)
{
	char path[160];

	be_libvirts(self->argv);
	played_vmm_start(&self->vmm, NULL, NULL, -1, self->argv);
	play_libvirt(&self->played, "web1", self->vmm.pid);
	snprintf(path, sizeof(path), "%s/virsh", self->played.dir);
	unlink(path);
	EXPECT_EQ(-ENOENT, monitor_find(self->vmm.pid, NULL, &self->found));
	EXPECT_TRUE(why_has(&self->found, "no virsh here"));
}

TEST_F(monitor, of_libvirt_s_tells_why_virsh_fails)
{
	char path[160];
	FILE *file;

	be_libvirts(self->argv);
	played_vmm_start(&self->vmm, NULL, NULL, -1, self->argv);
	play_libvirt(&self->played, "web1", self->vmm.pid);
	snprintf(path, sizeof(path), "%s/virsh", self->played.dir);
	file = fopen(path, "w");
	fprintf(file, "#!/bin/sh\necho 'error: failed to connect to the hypervisor' >&2\nexit 1\n");
	fclose(file);
	EXPECT_EQ(-ENOENT, monitor_find(self->vmm.pid, NULL, &self->found));
	EXPECT_TRUE(why_has(&self->found, "virsh failed: failed to connect to the hypervisor"));
}

TEST_HARNESS_MAIN
