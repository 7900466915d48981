// SPDX-License-Identifier: GPL-2.0
/* What a VMM says about a migration: QEMU's answers, and hostile ones. */
#include <errno.h>

#include <kselftest_harness.h>

#include "migration.h"
#include "played.h"

/* Answers of a played QEMU; NULL: it has no such command. */
struct qemu {
	const char *status, *migrate, *parameters, *capabilities;
};

FIXTURE(migration) {
	struct played played;
	struct qemu qemu;
	struct monitor monitor;
	struct migration is;
};

static void answer(const char *line, int fd, const char *text)
{
	if (text)
		played_return(fd, line, text);
	else
		played_refuse(fd, line, "CommandNotFound", "what is that");
}

static void be_qemu(struct played *played, int fd)
{
	const struct qemu *qemu = played->arg;
	char line[1024];

	if (!played_greet(fd))
		return;
	while (played_hear(fd, line, sizeof(line))) {
		if (played_is(line, "query-status"))
			answer(line, fd, qemu->status);
		else if (played_is(line, "query-migrate"))
			answer(line, fd, qemu->migrate);
		else if (played_is(line, "query-migrate-parameters"))
			answer(line, fd, qemu->parameters);
		else
			answer(line, fd, qemu->capabilities);
	}
}

FIXTURE_SETUP(migration)
{
	self->qemu.status = "{'running': true, 'status': 'running'}";
	self->qemu.migrate = "{}";
	self->qemu.parameters = "{'max-bandwidth': 134217728, 'downtime-limit': 300}";
	self->qemu.capabilities = "[{'state': false, 'capability': 'xbzrle'}]";
	played_bind(&self->played);
	self->played.arg = &self->qemu;
	played_listen(&self->played, 8);
	played_serve(&self->played, be_qemu);
	ASSERT_EQ(0, monitor_find(getpid(), self->played.path, &self->monitor));
}

FIXTURE_TEARDOWN(migration)
{
	monitor_free(&self->monitor);
	played_stop(&self->played);
}

TEST_F(migration, that_was_never_begun)
{
	ASSERT_EQ(0, migration_read(&self->monitor, 0, &self->is));
	EXPECT_EQ(7, self->is.version.major);
	EXPECT_STREQ("running", self->is.status);
	EXPECT_TRUE(self->is.running);
	EXPECT_EQ(MIGRATION_NONE, self->is.phase);
	EXPECT_STREQ("", self->is.phase_status);
	EXPECT_EQ(MIGRATION_BANDWIDTH, self->is.bandwidth.number);
	EXPECT_TRUE(self->is.bandwidth_default);
	EXPECT_TRUE(self->is.downtime_default);
	EXPECT_TRUE(self->is.features_known);
	EXPECT_EQ(0, self->is.features);
	EXPECT_STREQ("", self->is.blocked);
	EXPECT_FALSE(self->is.ram_remaining.known);
	EXPECT_FALSE(self->is.total_ms.known);
	EXPECT_TRUE(self->is.mbps < 0);
}

static const char running[] =
	"{'status': 'active', 'total-time': 1500, 'expected-downtime': 310, 'setup-time': 4,\n"
	"'cpu-throttle-percentage': 20, 'ram': {'total': 8192, 'remaining': 4096, 'mbps': 67.5,\n"
	"'transferred': 99, 'duplicate': 5, 'normal': 6, 'page-size': 4096,\n"
	"'dirty-pages-rate': 1234, 'dirty-sync-count': 2}}";

TEST_F(migration, that_runs)
{
	self->qemu.migrate = running;
	ASSERT_EQ(0, migration_read(&self->monitor, 0, &self->is));
	EXPECT_EQ(MIGRATION_ACTIVE, self->is.phase);
	EXPECT_STREQ("active", self->is.phase_status);
	EXPECT_EQ(1500, self->is.total_ms.number);
	EXPECT_EQ(310, self->is.expected_ms.number);
	EXPECT_EQ(4, self->is.setup_ms.number);
	EXPECT_FALSE(self->is.pause_ms.known);
	EXPECT_EQ(20, self->is.throttle_percent.number);
	EXPECT_EQ(8192, self->is.ram_total.number);
	EXPECT_EQ(4096, self->is.ram_remaining.number);
	EXPECT_EQ(99, self->is.ram_transferred.number);
	EXPECT_EQ(5, self->is.zero.number);
	EXPECT_EQ(6, self->is.normal.number);
	EXPECT_EQ(4096, self->is.page_bytes.number);
	EXPECT_EQ(1234, self->is.dirty_rate.number);
	EXPECT_EQ(2, self->is.syncs.number);
	EXPECT_TRUE(self->is.mbps == 67.5);
}

TEST_F(migration, that_is_done_tells_its_pause)
{
	self->qemu.migrate = "{'status': 'completed', 'total-time': 9, 'downtime': 21}";
	self->qemu.status = "{'running': false, 'status': 'postmigrate'}";
	ASSERT_EQ(0, migration_read(&self->monitor, 0, &self->is));
	EXPECT_EQ(MIGRATION_DONE, self->is.phase);
	EXPECT_EQ(21, self->is.pause_ms.number);
	EXPECT_FALSE(self->is.running);
}

TEST_F(migration, of_another_status_is_unknown)
{
	self->qemu.migrate = "{'status': 'something-new'}";
	ASSERT_EQ(0, migration_read(&self->monitor, 0, &self->is));
	EXPECT_EQ(MIGRATION_UNKNOWN, self->is.phase);
}

TEST_F(migration, has_limits_that_somebody_chose)
{
	self->qemu.parameters = "{'max-bandwidth': 33554432, 'downtime-limit': 301}";
	ASSERT_EQ(0, migration_read(&self->monitor, 0, &self->is));
	EXPECT_EQ(33554432, self->is.bandwidth.number);
	EXPECT_FALSE(self->is.bandwidth_default);	/* before QEMU 5.2 */
	EXPECT_FALSE(self->is.downtime_default);
}

/* libvirt has QEMU send without a limit by the largest number of MiB that fits. */
TEST_F(migration, that_libvirt_does_not_limit_has_no_limit)
{
	self->qemu.parameters = "{'max-bandwidth': 9223372036853727232, 'downtime-limit': 0}";
	ASSERT_EQ(0, migration_read(&self->monitor, 0, &self->is));
	EXPECT_TRUE(self->is.bandwidth.known);
	EXPECT_EQ(0, self->is.bandwidth.number);
	EXPECT_TRUE(self->is.downtime_ms.known);
	EXPECT_EQ(0, self->is.downtime_ms.number);
}

TEST_F(migration, has_features)
{
	self->qemu.capabilities = "[{'state': true, 'capability': 'auto-converge'},\n"
				  "{'state': true, 'capability': 'xbzrle'},\n"
				  "{'state': true, 'capability': 'new'}, 7, {}, null]";
	ASSERT_EQ(0, migration_read(&self->monitor, 0, &self->is));
	EXPECT_TRUE(self->is.features_known);
	EXPECT_EQ(MIGRATION_AUTO_CONVERGE | MIGRATION_XBZRLE, self->is.features);
}

TEST_F(migration, that_is_blocked_tells_why)
{
	self->qemu.migrate = "{'blocked-reasons': ['VFIO device\x1b[31m', 'x'], 'blocked': true}";
	ASSERT_EQ(0, migration_read(&self->monitor, 0, &self->is));
	EXPECT_STREQ("VFIO device?[31m", self->is.blocked);
	self->qemu.migrate = "{'blocked-reasons': [{}]}";
	ASSERT_EQ(0, migration_read(&self->monitor, 0, &self->is));
	EXPECT_STREQ("no reason given", self->is.blocked);
	self->qemu.migrate = "{'blocked-reasons': []}";
	ASSERT_EQ(0, migration_read(&self->monitor, 0, &self->is));
	EXPECT_STREQ("", self->is.blocked);
}

TEST_F(migration, of_an_old_vmm_leaves_things_unknown)
{
	self->qemu.parameters = NULL;
	self->qemu.capabilities = NULL;
	ASSERT_EQ(0, migration_read(&self->monitor, 0, &self->is));
	EXPECT_FALSE(self->is.bandwidth.known);
	EXPECT_FALSE(self->is.bandwidth_default);
	EXPECT_FALSE(self->is.downtime_ms.known);
	EXPECT_FALSE(self->is.features_known);
}

/* Answers of other types than QEMU's. */
TEST_F(migration, of_a_hostile_vmm_is_unknown)
{
	static const char *const answers[] = {
		"[]", "7", "'x'", "{'status': 7, 'ram': [], 'running': 'yes'}",
		"{'ram': {'remaining': -1, 'mbps': NaN, 'total': '7'}}", "[[[[{}]]]]",
		"{'max-bandwidth': -1, 'downtime-limit': {}}",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(answers); i++) {
		self->qemu = (struct qemu) { answers[i], answers[i], answers[i], answers[i] };
		EXPECT_EQ(0, migration_read(&self->monitor, 0, &self->is));
		EXPECT_FALSE(self->is.running);
		EXPECT_STREQ("", self->is.status);
		EXPECT_FALSE(self->is.bandwidth.known);
		EXPECT_FALSE(self->is.downtime_ms.known);
		EXPECT_FALSE(self->is.ram_remaining.known);
		EXPECT_FALSE(self->is.ram_total.known);
		EXPECT_TRUE(self->is.mbps < 0);
	}
}

TEST_F(migration, without_a_way_tells_why)
{
	struct monitor none = { .why = "its command line names no monitor" };

	EXPECT_EQ(-ENOENT, migration_read(&none, 0, &self->is));
	EXPECT_STREQ("its command line names no monitor", self->is.why);
	EXPECT_FALSE(self->is.running);
	EXPECT_FALSE(self->is.bandwidth.known);
}

TEST_HARNESS_MAIN
