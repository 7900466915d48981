// SPDX-License-Identifier: GPL-2.0
/* kvmwatch-exporter: the program that kvmwatch export runs to serve HTTP. */
#include "cmd.h"
#include "export.h"
#include "export_http.h"

int main(int argc, char **argv)
{
	export_serve = http_serve;
	return cmd_export.run(&cmd_export, argc, argv);
}
