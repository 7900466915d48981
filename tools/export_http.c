// SPDX-License-Identifier: GPL-2.0
/* The exporter's HTTP server. See export_http.h. */
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd.h"
#include "export.h"
#include "export_accept.h"
#include "export_body.h"
#include "export_http.h"
#include "export_listen.h"
#include "export_page.h"
#include "interrupt.h"
#include "repeat.h"

#define NSEC_PER_SEC	1000000000ULL
/* A connection serves one request, which has this time from beginning to end. */
#define REQUEST_NS	(30 * NSEC_PER_SEC)
#define IDLE_SECONDS	10
/*
 * With so many connections, a new one replaces the oldest. This is below the limit at which a new
 * one would have to wait.
 */
#define CROWD		48
#define MAX_CONNECTIONS	64
/* Limit of the headers of a request */
#define MAX_HEADERS	16384
/* Limit of different bodies that are being sent */
#define MAX_BODIES	8
#define TICK_MS		1000
#define MAX_PEM		1048576

/* TLS 1.2 and 1.3. */
#define PRIORITIES	"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* What the page may load: files from here, and nothing else. */
#define CSP	"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " \
		"img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/* A connection. */
struct client {
	struct client *older, *newer;
	struct MHD_Connection *connection;
	struct server *server;
	struct body *body;
	__u64 since_ns;
	int fd;
	bool ending;		/* it was cut off, and will end soon */
};

/**
 * struct server - all of it
 * @options:	what the command line said
 * @bodies:	what is told
 * @listeners:	where it listens
 * @daemons:	one for each of them
 * @polls:	their fds
 * @oldest:	the clients, those that came first being first; @newest is the last of them
 * @nr_clients:	how many are not being cut off
 * @pem:	certificate, key, and who signs the clients' certificates; NULL: none
 */
struct server {
	const struct export_options *options;
	struct bodies bodies;
	struct listeners listeners;
	struct MHD_Daemon *daemons[LISTEN_MAX];
	struct pollfd polls[LISTEN_MAX];
	struct client *oldest, *newest;
	unsigned int nr_clients;
	char *pem[3];
};

/* --- clients --------------------------------------------------------------- */

/* Shut the socket down. The library notices that, and calls us when the connection has ended. */
static void cut_off(struct client *client)
{
	if (client->ending)
		return;
	client->ending = true;
	client->server->nr_clients--;
	shutdown(client->fd, SHUT_RDWR);
}

static void cut_off_oldest(struct server *server)
{
	struct client *client = server->oldest;

	while (client && client->ending)
		client = client->newer;
	if (client)
		cut_off(client);
}

static struct client *begin_client(struct server *server, struct MHD_Connection *connection)
{
	struct client *client = calloc(1, sizeof(*client));
	const union MHD_ConnectionInfo *info;

	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (!client || !info) {
		free(client);
		return NULL;
	}
	client->server = server;
	client->connection = connection;
	client->fd = info->connect_fd;
	client->since_ns = now_ns();
	client->older = server->newest;
	*(server->newest ? &server->newest->newer : &server->oldest) = client;
	server->newest = client;
	if (++server->nr_clients > CROWD)
		cut_off_oldest(server);
	return client;
}

static void end_client(struct server *server, struct client *client)
{
	if (!client)
		return;
	if (!client->ending)
		server->nr_clients--;
	*(client->older ? &client->older->newer : &server->oldest) = client->newer;
	*(client->newer ? &client->newer->older : &server->newest) = client->older;
	body_put(&server->bodies, client->body);
	free(client);
}

static void note_connection(void *arg, struct MHD_Connection *connection, void **context,
			    enum MHD_ConnectionNotificationCode what)
{
	struct server *server = arg;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = begin_client(server, connection);
	} else {
		end_client(server, *context);
		*context = NULL;
	}
}

/* The oldest client is the first in the list. */
static void cut_off_late(struct server *server)
{
	struct client *client;
	__u64 now = now_ns();

	for (client = server->oldest; client; client = client->newer) {
		if (now - client->since_ns < REQUEST_NS)
			break;
		cut_off(client);
	}
}

/* A slow client keeps the oldest body, with its memory, so cut such clients off. */
static void limit_bodies(struct server *server)
{
	const struct body *body = NULL;
	struct client *client;

	if (server->bodies.nr <= MAX_BODIES)
		return;
	for (client = server->oldest; client; client = client->newer) {
		if (!client->body || client->ending)
			continue;
		if (!body)
			body = client->body;
		if (client->body == body)
			cut_off(client);
	}
}

/* --- answers --------------------------------------------------------------- */

static struct MHD_Response *make_text(const char *text)
{
	struct MHD_Response *response;

	response = MHD_create_response_from_buffer(strlen(text), (void *)(unsigned long)text,
						   MHD_RESPMEM_PERSISTENT);
	if (response)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
					"text/plain; charset=utf-8");
	return response;
}

/* Add the headers that all responses have; responses that are sent again have them already. */
static void add_headers(struct MHD_Response *response)
{
	if (MHD_get_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL))
		return;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	MHD_add_response_header(response, "Content-Security-Policy", CSP);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned int status,
			      struct MHD_Response *response)
{
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	add_headers(response);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned int status,
			      const char *why)
{
	return answer(connection, status, make_text(why));
}

static const char *header_of(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static enum MHD_Result answer_metrics(struct server *server, struct MHD_Connection *connection)
{
	const char *accept = header_of(connection, MHD_HTTP_HEADER_ACCEPT);
	const char *encoding = header_of(connection, MHD_HTTP_HEADER_ACCEPT_ENCODING);
	const union MHD_ConnectionInfo *info;
	struct client *client;

	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	client = info ? info->socket_context : NULL;
	if (!client || client->body)
		return MHD_NO;
	client->body = body_get(&server->bodies, accept_format(accept), accept_gzip(encoding));
	if (!client->body)
		return refuse(connection, MHD_HTTP_INTERNAL_SERVER_ERROR,
			      "could not read the numbers; the exporter's log says why\n");
	limit_bodies(server);
	add_headers(client->body->response);
	return MHD_queue_response(connection, MHD_HTTP_OK, client->body->response);
}

static enum MHD_Result answer_page(struct MHD_Connection *connection, const char *path)
{
	const struct export_file *file = export_page_find(path);
	struct MHD_Response *response;

	if (!file)
		return refuse(connection, MHD_HTTP_NOT_FOUND, "there are / and /metrics\n");
	response = MHD_create_response_from_buffer(export_file_size(file),
						   (void *)(unsigned long)file->begin,
						   MHD_RESPMEM_PERSISTENT);
	if (response)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, file->type);
	return answer(connection, MHD_HTTP_OK, response);
}

/*
 * Has one of --client-ca signed the certificate of this client, for a client? One for servers,
 * which that authority may sign for many, does not do.
 */
static bool is_trusted(struct MHD_Connection *connection)
{
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (void *)GNUTLS_KP_TLS_WWW_CLIENT
	};
	const union MHD_ConnectionInfo *info;
	unsigned int status;

	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	return info && info->tls_session &&
	       !gnutls_certificate_verify_peers(info->tls_session, &purpose, 1, &status) && !status;
}

/* Does each Host of a request name this host? Of two, a proxy may have gone by the other one. */
struct host_check {
	const char *hosts;
	bool refused;
};

static enum MHD_Result check_header(void *arg, enum MHD_ValueKind kind, const char *name,
				    const char *value)
{
	struct host_check *check = arg;

	(void)kind;
	if (!strcasecmp(name, MHD_HTTP_HEADER_HOST) && !(value && accept_host(value, check->hosts)))
		check->refused = true;
	return MHD_YES;
}

/* A request over a unix socket has no host name that could be false. */
static bool is_for_us(const struct server *server, struct MHD_Connection *connection)
{
	struct host_check check = { .hosts = server->options->hosts };
	const union MHD_ConnectionInfo *info;

	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	if (info && info->client_addr && info->client_addr->sa_family == AF_UNIX)
		return true;
	MHD_get_connection_values(connection, MHD_HEADER_KIND, check_header, &check);
	return !check.refused;
}

/* The library calls this when the headers are complete, then with the request's body. */
static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *data,
			      size_t *data_size, void **request)
{
	struct server *server = arg;
	static int begun;

	(void)version;
	(void)data;
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD only\n");
	if (!*request) {
		*request = &begun;
		return MHD_YES;
	}
	if (*data_size) {
		*data_size = 0;
		return MHD_YES;
	}
	if (server->options->client_ca && !is_trusted(connection))
		return refuse(connection, MHD_HTTP_FORBIDDEN,
			      "this takes a certificate that is trusted here\n");
	if (!is_for_us(server, connection))
		return refuse(connection, MHD_HTTP_FORBIDDEN,
			      "this host has another name; --host adds one\n");
	if (!strcmp(url, "/metrics"))
		return answer_metrics(server, connection);
	return answer_page(connection, url);
}

/* --- beginning and end ----------------------------------------------------- */

static void stop(struct server *server)
{
	size_t i;

	for (i = 0; i < LISTEN_MAX; i++) {
		if (server->daemons[i])
			MHD_stop_daemon(server->daemons[i]);
	}
	/* The library has closed the sockets. */
	for (i = 0; i < server->listeners.nr; i++) {
		if (server->daemons[i])
			server->listeners.all[i].fd = -1;
	}
	listen_end(&server->listeners);
	bodies_free(&server->bodies);
	for (i = 0; i < 3; i++)
		free(server->pem[i]);
}

/* Drop the library's messages about clients' errors. */
static void say_nothing(void *arg, const char *format, va_list args)
{
	(void)arg;
	(void)format;
	(void)args;
}

static struct MHD_Daemon *start_daemon(struct server *server, int fd)
{
	bool tls = server->options->cert;
	struct MHD_OptionItem tls_options[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, server->pem[0] },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, server->pem[1] },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(unsigned long)PRIORITIES },
		{ server->pem[2] ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0, server->pem[2] },
		{ MHD_OPTION_END, 0, NULL }
	};
	struct MHD_OptionItem no_options[] = { { MHD_OPTION_END, 0, NULL } };

	return MHD_start_daemon(MHD_USE_EPOLL | (tls ? MHD_USE_TLS : 0), 0, NULL, NULL,
				handle, server,
				MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,
				MHD_OPTION_LISTEN_SOCKET, fd,
				MHD_OPTION_CONNECTION_LIMIT, MAX_CONNECTIONS,
				MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MAX_HEADERS,
				MHD_OPTION_NOTIFY_CONNECTION, note_connection, server,
				MHD_OPTION_ARRAY, tls ? tls_options : no_options,
				MHD_OPTION_END);
}

static int complain_start(const struct server *server)
{
	if (server->options->cert)
		return complain("export", "can't serve; are certificate and key PEM, and a pair?");
	return complain("export", "can't serve: %m");
}

static int start(struct server *server)
{
	const union MHD_DaemonInfo *info;
	size_t i;

	for (i = 0; i < server->listeners.nr; i++) {
		server->daemons[i] = start_daemon(server, server->listeners.all[i].fd);
		info = server->daemons[i] ?
		       MHD_get_daemon_info(server->daemons[i], MHD_DAEMON_INFO_EPOLL_FD) : NULL;
		if (!info)
			return complain_start(server);
		server->polls[i].fd = info->epoll_fd;
		server->polls[i].events = POLLIN;
	}
	return EXIT_DONE;
}

/* How long the library may be left alone if nothing happens. */
static int patience(struct server *server)
{
	MHD_UNSIGNED_LONG_LONG ms, least = TICK_MS;
	size_t i;

	for (i = 0; i < server->listeners.nr; i++) {
		if (MHD_get_timeout(server->daemons[i], &ms) == MHD_YES && ms < least)
			least = ms;
	}
	return least;
}

static void serve(struct server *server)
{
	size_t i;

	while (!interrupted()) {
		poll(server->polls, server->listeners.nr, patience(server));
		for (i = 0; i < server->listeners.nr; i++)
			MHD_run(server->daemons[i]);
		cut_off_late(server);
		bodies_expire(&server->bodies);
	}
}

/*
 * Read a file and add a NUL; the caller frees it. NULL: errno says why, or the file has more than
 * @max bytes.
 */
static char *read_file(const char *path, size_t max)
{
	FILE *file = fopen(path, "re");
	char *text = file ? malloc(max + 1) : NULL;
	int err = errno;
	size_t len;

	if (text) {
		len = fread(text, 1, max, file);
		text[len] = '\0';
		err = ferror(file) ? EIO : len == max && fgetc(file) != EOF ? EFBIG : 0;
		if (err) {
			free(text);
			text = NULL;
		}
	}
	if (file)
		fclose(file);
	errno = err;
	return text;
}

static int read_pem(struct server *server)
{
	const char *const paths[] = {
		server->options->cert, server->options->key, server->options->client_ca
	};
	size_t i;

	for (i = 0; i < 3; i++) {
		if (!paths[i])
			continue;
		server->pem[i] = read_file(paths[i], MAX_PEM);
		if (!server->pem[i])
			return complain(paths[i], "can't read it: %m");
	}
	return EXIT_DONE;
}

int http_serve(const struct export_options *options, char **argv)
{
	struct server server = { .options = options };
	int code;

	(void)argv;
	if (exporter_init(&server.bodies.exporter, options))
		return complain("export", "no memory");
	interrupt_catch(false);
	code = read_pem(&server);
	if (!code)
		code = listen_on(options->listen, &server.listeners);
	if (!code)
		code = start(&server);
	if (!code)
		serve(&server);
	stop(&server);
	return code;
}
