// SPDX-License-Identifier: GPL-2.0
/* The client of QMP, with played monitors: like QEMU's, and hostile ones. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <json-c/json.h>
#include <kselftest_harness.h>

#include "interrupt.h"
#include "played.h"
#include "qmp.h"

FIXTURE(qmp) {
	struct played played;
	struct qmp *qmp;
};

FIXTURE_SETUP(qmp)
{
	qmp_greeting_ms = 1000;
	qmp_command_ms = 300;
	self->qmp = NULL;
}

FIXTURE_TEARDOWN(qmp)
{
	qmp_close(self->qmp);
	played_stop(&self->played);
}

static void wait_for_client(int fd)
{
	char line[1024];

	while (played_hear(fd, line, sizeof(line)))
		;
}

/* The answer to the first command, which is qmp_capabilities. */
#define NEGOTIATED	"{'return': {}, 'id': 1}\r\n"

/* --- a monitor like QEMU's ------------------------------------------------- */

static void echo(struct played *played, int fd)
{
	char line[1024];

	(void)played;
	if (!played_greet(fd))
		return;
	while (played_hear(fd, line, sizeof(line))) {
		if (played_is(line, "no-such"))
			played_refuse(fd, line, "CommandNotFound", "no-such has not been found");
		else if (played_is(line, "no"))
			played_refuse(fd, line, "GenericError", "not today");
		else if (strstr(line, "\"arguments\":{\"n\":7}"))
			played_return(fd, line, "{'n': 7}");
		else
			played_return(fd, line, "{}");
	}
}

TEST_F(qmp, greets_and_answers)
{
	struct json_object *arguments = json_object_new_object(), *answer = NULL;

	played_start(&self->played, echo);
	ASSERT_EQ(0, qmp_open(self->played.path, 0, &self->qmp));
	EXPECT_EQ(7, qmp_version(self->qmp)->major);
	EXPECT_EQ(2, qmp_version(self->qmp)->minor);
	EXPECT_EQ(22, qmp_version(self->qmp)->micro);
	EXPECT_EQ(getpid(), qmp_peer(self->qmp));
	EXPECT_EQ(0, qmp_call(self->qmp, "query-nothing", NULL, NULL));
	json_object_object_add(arguments, "n", json_object_new_int(7));
	ASSERT_EQ(0, qmp_call(self->qmp, "query", arguments, &answer));
	EXPECT_TRUE(qmp_number(answer, "n").known);
	EXPECT_EQ(7, qmp_number(answer, "n").number);
	json_object_put(answer);
}

TEST_F(qmp, refusals_have_words_and_are_no_end)
{
	played_start(&self->played, echo);
	ASSERT_EQ(0, qmp_open(self->played.path, 0, &self->qmp));
	EXPECT_EQ(-EREMOTEIO, qmp_call(self->qmp, "no", NULL, NULL));
	EXPECT_STREQ("not today", qmp_words(self->qmp));
	EXPECT_EQ(-EOPNOTSUPP, qmp_call(self->qmp, "no-such", NULL, NULL));
	EXPECT_EQ(0, qmp_call(self->qmp, "yes", NULL, NULL));
	EXPECT_STREQ("", qmp_words(self->qmp));
}

TEST_F(qmp, frees_the_monitor_when_it_is_closed)
{
	int i;

	played_start(&self->played, echo);
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, qmp_open(self->played.path, 0, &self->qmp));
		qmp_close(self->qmp);
	}
	self->qmp = NULL;
}

#define EVENT	"{'event': 'RTC_CHANGE', 'data': {'offset': 1}, 'timestamp': {'seconds': 1}}\r\n"

static void chatter(struct played *played, int fd)
{
	char line[1024];

	(void)played;
	played_say(fd, PLAYED_GREETING);
	played_say(fd, EVENT EVENT);
	while (played_hear(fd, line, sizeof(line))) {
		played_say(fd, EVENT EVENT EVENT);
		played_return(fd, line, "{'a': [1, 2, {'b': '}'}]}");
		played_say(fd, EVENT);
	}
}

TEST_F(qmp, events_are_passed_over)
{
	int i;

	played_start(&self->played, chatter);
	ASSERT_EQ(0, qmp_open(self->played.path, 0, &self->qmp));
	for (i = 0; i < 50; i++)
		EXPECT_EQ(0, qmp_call(self->qmp, "query", NULL, NULL));
}

/* As -qmp-pretty formats it, and byte by byte. */
static void say_slowly(int fd, const char *text)
{
	char letter[2] = "";

	for (; *text; text++) {
		letter[0] = *text;
		played_say(fd, letter);
		usleep(100);
	}
}

static void drip(struct played *played, int fd)
{
	char line[1024], answer[128];

	(void)played;
	say_slowly(fd, "{\r\n    'QMP': {\r\n        'version': {'qemu': {'major': 9}}}\r\n}\r\n");
	while (played_hear(fd, line, sizeof(line))) {
		snprintf(answer, sizeof(answer), "{\r\n\t'return': {\r\n\t}, 'id': %d\r\n}\r\n",
			 played_id(line));
		say_slowly(fd, answer);
	}
}

TEST_F(qmp, answers_may_come_byte_by_byte)
{
	played_start(&self->played, drip);
	ASSERT_EQ(0, qmp_open(self->played.path, 0, &self->qmp));
	EXPECT_EQ(9, qmp_version(self->qmp)->major);
	EXPECT_EQ(0, qmp_version(self->qmp)->minor);
	EXPECT_EQ(0, qmp_call(self->qmp, "query", NULL, NULL));
}

/* --- monitors that do not answer -------------------------------------------- */

static void say_nothing(struct played *played, int fd)
{
	(void)played;
	wait_for_client(fd);
}

TEST_F(qmp, who_does_not_greet_is_held_by_somebody)
{
	played_start(&self->played, say_nothing);
	EXPECT_EQ(-EBUSY, qmp_open(self->played.path, 0, &self->qmp));
}

/* As with QEMU, the second client is not accepted while the first is connected. */
TEST_F(qmp, of_two_clients_the_second_is_told_that_it_is_busy)
{
	struct qmp *second = NULL;

	played_start(&self->played, echo);
	ASSERT_EQ(0, qmp_open(self->played.path, 0, &self->qmp));
	EXPECT_EQ(-EBUSY, qmp_open(self->played.path, 0, &second));
	EXPECT_EQ(0, qmp_call(self->qmp, "query", NULL, NULL));
	qmp_close(self->qmp);
	ASSERT_EQ(0, qmp_open(self->played.path, 0, &self->qmp));
	EXPECT_EQ(0, qmp_call(self->qmp, "query", NULL, NULL));
}

static int connect_plainly(const char *path, int flags)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | flags, 0);

	strcpy(address.sun_path, path);
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	close(fd);
	return -errno;
}

/* With so many clients waiting, the kernel lets nobody else connect. */
TEST_F(qmp, many_who_wait_are_held_by_somebody)
{
	played_bind(&self->played);
	played_listen(&self->played, 0);
	while (connect_plainly(self->played.path, SOCK_NONBLOCK) >= 0)
		;
	EXPECT_EQ(-EBUSY, qmp_open(self->played.path, 0, &self->qmp));
}

TEST_F(qmp, where_nobody_listens_there_is_no_monitor)
{
	char path[200];

	played_bind(&self->played);
	EXPECT_EQ(-ECONNREFUSED, qmp_open(self->played.path, 0, &self->qmp));
	EXPECT_EQ(-ENOENT, qmp_open("/nowhere/at/all", 0, &self->qmp));
	EXPECT_EQ(-ECONNREFUSED, qmp_open("/dev/null", 0, &self->qmp));
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	EXPECT_EQ(-ENAMETOOLONG, qmp_open(path, 0, &self->qmp));
}

/* --- hostile and broken monitors -------------------------------------------- */

/* The monitor writes @arg instead of its greeting. */
static void say_arg(struct played *played, int fd)
{
	played_say(fd, played->arg);
	wait_for_client(fd);
}

TEST_F(qmp, what_is_no_greeting_is_refused)
{
	static const char *const greetings[] = {
		"hello\r\n", "220 mail ESMTP\r\n", "[]\r\n", "[{'QMP': {}}]\r\n", "7\r\n", "'QMP'",
		"null\r\n", "{]\r\n", "{'QMP'\r\n}", "{}\r\n", "{'qmp': {}}\r\n",
		"\xff\xfe\r\n", "}{", "{'QMP': 'x' y}", "\x16\x03\x01", "{'QMP': {}, }x", ",",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(greetings); i++) {
		played_bind(&self->played);
		self->played.arg = (void *)greetings[i];
		played_listen(&self->played, 1);
		played_serve(&self->played, say_arg);
		EXPECT_EQ(-EBADMSG, qmp_open(self->played.path, 0, &self->qmp))
			TH_LOG("greeting %zu: %s", i, greetings[i]);
		if (i + 1 < ARRAY_SIZE(greetings))
			played_stop(&self->played);
	}
}

#define ODD_GREETING	"{'QMP': {'version': {'qemu': {'major': '7', 'minor': -2, 'micro': 1e9}}}}"

/* A version that is no number of sensible size is unknown. */
TEST_F(qmp, odd_versions_are_not_known)
{
	played_bind(&self->played);
	self->played.arg = ODD_GREETING NEGOTIATED;
	played_listen(&self->played, 1);
	played_serve(&self->played, say_arg);
	ASSERT_EQ(0, qmp_open(self->played.path, 0, &self->qmp));
	EXPECT_EQ(0, qmp_version(self->qmp)->major);
	EXPECT_EQ(0, qmp_version(self->qmp)->minor);
	EXPECT_EQ(0, qmp_version(self->qmp)->micro);
}

static void say_arg_and_go(struct played *played, int fd)
{
	played_say(fd, played->arg);
}

TEST_F(qmp, a_monitor_may_go_at_any_time)
{
	static const char *const said[] = {
		"", "{", "{'QMP': {'version'", PLAYED_GREETING,
		PLAYED_GREETING "{'return'", PLAYED_GREETING NEGOTIATED,
		PLAYED_GREETING NEGOTIATED "{'return': {'a':",
	};
	size_t i;
	int err;

	for (i = 0; i < ARRAY_SIZE(said); i++) {
		played_bind(&self->played);
		self->played.arg = (void *)said[i];
		played_listen(&self->played, 1);
		played_serve(&self->played, say_arg_and_go);
		err = qmp_open(self->played.path, 0, &self->qmp);
		if (!err)
			err = qmp_call(self->qmp, "query", NULL, NULL);
		EXPECT_EQ(-ECONNRESET, err)
			TH_LOG("said %zu", i);
		qmp_close(self->qmp);
		self->qmp = NULL;
		if (i + 1 < ARRAY_SIZE(said))
			played_stop(&self->played);
	}
}

/* Write without end: first @arg, then again and again what follows a '|' in it. */
static void say_without_end(struct played *played, int fd)
{
	char *text = played_text(played->arg), *again = strchr(text, '|') + 1;
	size_t i, len = strlen(again), room = 65536 / len;
	char *much = malloc(room * len);
	ssize_t n;

	for (i = 0; i < room; i++)
		memcpy(much + i * len, again, len);
	n = write(fd, text, again - text - 1);
	while (n >= 0)
		n = write(fd, much, room * len);
	free(much);
	free(text);
}

TEST_F(qmp, endless_output_has_an_end)
{
	static const char *const said[] = {
		"|{'event': 'X'}\r\n", "| ", "|\r\n", "{'a': '|x", "{'a': [|{},", "{'a': [|[],",
		"{'a': |7", "{|'a': 1,", "{'a': 1|      ", "{'a': '|\\u0041",
	};
	char text[512];
	size_t i;
	int err;

	qmp_greeting_ms = 30000;
	qmp_command_ms = 30000;
	for (i = 0; i < 2 * ARRAY_SIZE(said); i++) {
		played_bind(&self->played);
		snprintf(text, sizeof(text), "%s%s",
			 i % 2 ? PLAYED_GREETING NEGOTIATED : "", said[i / 2]);
		self->played.arg = text;
		played_listen(&self->played, 1);
		played_serve(&self->played, say_without_end);
		err = qmp_open(self->played.path, 0, &self->qmp);
		EXPECT_EQ(i % 2, !err)
			TH_LOG("said %zu: %d", i, err);
		if (!err)
			err = qmp_call(self->qmp, "query", NULL, NULL);
		/* A second greeting is not an event. */
		EXPECT_TRUE(err == -E2BIG || (i == 0 && err == -EBADMSG))
			TH_LOG("said %zu: %d", i, err);
		qmp_close(self->qmp);
		self->qmp = NULL;
		if (i + 1 < 2 * ARRAY_SIZE(said))
			played_stop(&self->played);
	}
}

TEST_F(qmp, deep_answers_are_refused)
{
	static char text[40000];
	size_t i, len = snprintf(text, sizeof(text), "{'QMP': ");

	for (i = 0; i < 30000; i++)
		text[len++] = '[';
	played_bind(&self->played);
	self->played.arg = text;
	played_listen(&self->played, 1);
	played_serve(&self->played, say_arg);
	EXPECT_EQ(-E2BIG, qmp_open(self->played.path, 0, &self->qmp));
}

static void say_bytes_without_end(struct played *played, int fd)
{
	const struct timespec pause = { .tv_nsec = 20000000 };

	(void)played;
	played_say(fd, "{'a': '");
	while (send(fd, "x", 1, MSG_NOSIGNAL) == 1)
		nanosleep(&pause, NULL);
}

TEST_F(qmp, slow_bytes_do_not_last_for_ever)
{
	played_start(&self->played, say_bytes_without_end);
	EXPECT_EQ(-ETIMEDOUT, qmp_open(self->played.path, 0, &self->qmp));
}

static void answer_nothing(struct played *played, int fd)
{
	(void)played;
	if (played_greet(fd))
		wait_for_client(fd);
}

TEST_F(qmp, a_command_without_an_answer_times_out)
{
	played_start(&self->played, answer_nothing);
	ASSERT_EQ(0, qmp_open(self->played.path, 0, &self->qmp));
	EXPECT_EQ(-ETIMEDOUT, qmp_call(self->qmp, "query", NULL, NULL));
}

static void say_events_without_end(struct played *played, int fd)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	(void)played;
	if (!played_greet(fd))
		return;
	while (send(fd, EVENT, sizeof(EVENT) - 1, MSG_NOSIGNAL) > 0)
		nanosleep(&pause, NULL);
}

TEST_F(qmp, events_alone_are_no_answer)
{
	played_start(&self->played, say_events_without_end);
	ASSERT_EQ(0, qmp_open(self->played.path, 0, &self->qmp));
	EXPECT_EQ(-ETIMEDOUT, qmp_call(self->qmp, "query", NULL, NULL));
}

/* The monitor reads nothing, so at some time the client cannot write. */
static void hear_nothing(struct played *played, int fd)
{
	(void)fd;
	played_say(fd, PLAYED_GREETING NEGOTIATED);
	while (!__atomic_load_n(&played->stopping, __ATOMIC_RELAXED))
		usleep(1000);
}

TEST_F(qmp, who_does_not_read_does_not_block)
{
	struct json_object *arguments = json_object_new_object();
	char *text = malloc(8 << 20);

	memset(text, 'x', (8 << 20) - 1);
	text[(8 << 20) - 1] = '\0';
	json_object_object_add(arguments, "a", json_object_new_string(text));
	free(text);
	played_start(&self->played, hear_nothing);
	ASSERT_EQ(0, qmp_open(self->played.path, 0, &self->qmp));
	EXPECT_EQ(-ETIMEDOUT, qmp_call(self->qmp, "query", arguments, NULL));
}

TEST_F(qmp, answers_to_other_questions_are_refused)
{
	static const char *const answers[] = {
		"{'return': {}, 'id': 7}\r\n", "{'return': {}}\r\n", "{'return': {}, 'id': '2'}",
		"{'id': 2}\r\n", "{'QMP': {}}\r\n", "{'return': null, 'id': 2}\r\n", "7\r\n",
		"{'error': {'class': 'CommandNotFound'}}\r\n",
	};
	char text[512];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(answers); i++) {
		snprintf(text, sizeof(text), "%s%s", PLAYED_GREETING NEGOTIATED,
			 answers[i]);
		played_bind(&self->played);
		self->played.arg = text;
		played_listen(&self->played, 1);
		played_serve(&self->played, say_arg);
		ASSERT_EQ(0, qmp_open(self->played.path, 0, &self->qmp));
		EXPECT_EQ(-EBADMSG, qmp_call(self->qmp, "query", NULL, NULL))
			TH_LOG("answer %zu", i);
		qmp_close(self->qmp);
		self->qmp = NULL;
		if (i + 1 < ARRAY_SIZE(answers))
			played_stop(&self->played);
	}
}

/* Words of any kind and length are cut. The caller cleans them. */
static void refuse_at_length(struct played *played, int fd)
{
	char line[1024];
	static char words[8192];

	(void)played;
	if (!played_greet(fd) || !played_hear(fd, line, sizeof(line)))
		return;
	memset(words, 'w', sizeof(words) - 1);
	played_say(fd, "{'error': {'class': 7, 'desc': '");
	played_say(fd, words);
	played_say(fd, "'}, 'id': 2}\r\n");
	if (!played_hear(fd, line, sizeof(line)))
		return;
	played_say(fd, "{'error': [], 'id': 3}\r\n");
	wait_for_client(fd);
}

TEST_F(qmp, refusals_are_cut)
{
	played_start(&self->played, refuse_at_length);
	ASSERT_EQ(0, qmp_open(self->played.path, 0, &self->qmp));
	EXPECT_EQ(-EREMOTEIO, qmp_call(self->qmp, "query", NULL, NULL));
	EXPECT_LT(100, strlen(qmp_words(self->qmp)));
	EXPECT_GT(1000, strlen(qmp_words(self->qmp)));
	EXPECT_EQ(-EREMOTEIO, qmp_call(self->qmp, "query", NULL, NULL));
	EXPECT_STREQ("no reason given", qmp_words(self->qmp));
}

/* File descriptors that come with a message are closed. */
static void give_fds(struct played *played, int fd)
{
	char greeting[] = PLAYED_GREETING, room[CMSG_SPACE(8 * sizeof(int))] = "";
	struct iovec iov = { greeting, sizeof(greeting) - 1 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room,
				  .msg_controllen = sizeof(room) };
	struct cmsghdr *control = CMSG_FIRSTHDR(&message);
	char line[256];
	int i;

	(void)played;
	control->cmsg_level = SOL_SOCKET;
	control->cmsg_type = SCM_RIGHTS;
	control->cmsg_len = CMSG_LEN(8 * sizeof(int));
	for (i = 0; i < 8; i++)
		((int *)CMSG_DATA(control))[i] = 0;
	if (sendmsg(fd, &message, 0) < 0)
		abort();
	while (played_hear(fd, line, sizeof(line)))
		played_return(fd, line, "{}");
}

static int next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY);

	close(fd);
	return fd;
}

TEST_F(qmp, takes_no_file_descriptors)
{
	int before;

	played_start(&self->played, give_fds);
	before = next_fd();
	ASSERT_EQ(0, qmp_open(self->played.path, 0, &self->qmp));
	EXPECT_GE(before + 2, next_fd());	/* the client's, and the played monitor's */
}

/* --- signals --------------------------------------------------------------- */

static void *signal_soon(void *arg)
{
	(void)arg;
	usleep(100000);
	kill(getpid(), SIGTERM);
	return NULL;
}

TEST_F(qmp, a_signal_ends_a_call)
{
	pthread_t thread;

	qmp_command_ms = 30000;
	played_start(&self->played, answer_nothing);
	ASSERT_EQ(0, qmp_open(self->played.path, 0, &self->qmp));
	interrupt_catch(false);
	pthread_create(&thread, NULL, signal_soon, NULL);
	EXPECT_EQ(-EINTR, qmp_call(self->qmp, "query", NULL, NULL));
	pthread_join(thread, NULL);
}

TEST_F(qmp, a_signal_before_a_greeting_ends_the_wait)
{
	pthread_t thread;

	played_start(&self->played, say_nothing);
	interrupt_catch(false);
	pthread_create(&thread, NULL, signal_soon, NULL);
	EXPECT_EQ(-EINTR, qmp_open(self->played.path, 0, &self->qmp));
	pthread_join(thread, NULL);
}

TEST_F(qmp, who_goes_on_despite_signals_is_not_ended)
{
	played_start(&self->played, echo);
	interrupt_catch(false);
	kill(getpid(), SIGTERM);
	EXPECT_EQ(-EINTR, qmp_open(self->played.path, 0, &self->qmp));
	ASSERT_EQ(0, qmp_open(self->played.path, QMP_DESPITE_SIGNALS, &self->qmp));
	EXPECT_EQ(0, qmp_call(self->qmp, "query", NULL, NULL));
}

/* --- reading answers ------------------------------------------------------------ */

static struct json_object *parsed(const char *text)
{
	char *json = played_text(text);
	struct json_object *object = json_tokener_parse(json);

	free(json);
	return object;
}

TEST(what_is_of_another_type_is_not_known)
{
	struct json_object *answer;

	answer = parsed("{'n': 7, 's': 'text', 'neg': -1, 'a': [1], '0': null, 't': true}");
	ASSERT_NE(NULL, answer);
	EXPECT_EQ(7, qmp_number(answer, "n").number);
	EXPECT_TRUE(qmp_number(answer, "n").known);
	EXPECT_FALSE(qmp_number(answer, "neg").known);
	EXPECT_FALSE(qmp_number(answer, "s").known);
	EXPECT_FALSE(qmp_number(answer, "0").known);
	EXPECT_FALSE(qmp_number(answer, "nothing").known);
	EXPECT_FALSE(qmp_number(answer, "n/n").known);
	EXPECT_FALSE(qmp_number(answer, "a/n").known);
	EXPECT_FALSE(qmp_number(answer, "").known);
	EXPECT_FALSE(qmp_number(answer, "/").known);
	EXPECT_FALSE(qmp_number(NULL, "n").known);
	EXPECT_STREQ("text", qmp_string(answer, "s"));
	EXPECT_EQ(NULL, qmp_string(answer, "n"));
	EXPECT_TRUE(qmp_double(answer, "s") == -1);
	EXPECT_FALSE(qmp_true(answer, "n"));
	EXPECT_TRUE(qmp_true(answer, "t"));
	json_object_put(answer);
}

TEST(members_of_members_are_found)
{
	struct json_object *answer = parsed("{'o': {'n': 18446744073709551615, 'o': {'n': 0}}}");

	ASSERT_NE(NULL, answer);
	EXPECT_TRUE(qmp_number(answer, "o/o/n").known);
	EXPECT_EQ(0, qmp_number(answer, "o/o/n").number);
	EXPECT_TRUE(qmp_number(answer, "o/n").number == ~0ULL);
	json_object_put(answer);
}

TEST(numbers_with_a_point_are_finite_or_not_known)
{
	struct json_object *answer;

	answer = parsed("{'d': 1.5, 'n': 7, 'neg': -1.5, 'nan': NaN, 'inf': Infinity}");
	ASSERT_NE(NULL, answer);
	EXPECT_TRUE(qmp_double(answer, "d") == 1.5);
	EXPECT_TRUE(qmp_double(answer, "n") == 7);
	EXPECT_TRUE(qmp_double(answer, "neg") == -1);
	EXPECT_TRUE(qmp_double(answer, "nan") == -1);
	EXPECT_TRUE(qmp_double(answer, "inf") == -1);
	EXPECT_FALSE(qmp_number(answer, "d").known);
	json_object_put(answer);
}

TEST_HARNESS_MAIN
