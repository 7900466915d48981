// SPDX-License-Identifier: GPL-2.0
/*
 * Load and attach an eBPF object, say so, and keep it until a signal comes: for "make bench".
 * bench_bpf OBJECT. Says which programs do not attach, and at the end how often the others ran.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

int main(int argc, char **argv)
{
	struct bpf_object *object;
	struct bpf_program *program;
	sigset_t signals;
	int attached = 0, signal;

	if (argc != 2) {
		fprintf(stderr, "usage: bench_bpf OBJECT\n");
		return 2;
	}
	object = bpf_object__open_file(argv[1], NULL);
	if (!object || bpf_object__load(object)) {
		fprintf(stderr, "bench_bpf: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	bpf_object__for_each_program(program, object) {
		if (bpf_program__attach(program))
			attached++;
		else
			printf("# %s does not attach: %s\n", bpf_program__name(program),
			       strerror(errno));
	}
	printf("# %d programs attached\n", attached);
	fflush(stdout);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	/* Whoever started us goes on when this file is there. */
	fclose(fopen("/tmp/bpf_ready", "we"));
	sigwait(&signals, &signal);
	unlink("/tmp/bpf_ready");
	bpf_object__close(object);
	return 0;
}
