// SPDX-License-Identifier: GPL-2.0
/* The options of predict and rank. See forecast.h. */
#include <limits.h>
#include <stdlib.h>

#include "forecast.h"
#include "text.h"

/* The part of the pause that stopping the guest and the state of its devices take */
#define DEVICE_MS	15
#define MAX_DOWNTIME_MS	3600000
#define MAX_HORIZON_S	1000000

void forecast_options_init(struct forecast_options *options)
{
	*options = (struct forecast_options) { .device_ms = DEVICE_MS };
}

static struct forecast_options *of(struct options *options)
{
	return (struct forecast_options *)options;
}

static const char *set_rate(const char *arg, double *rate)
{
	if (!text_parse_bytes(arg, rate) || *rate < 1 || *rate > KVMWATCH_PREDICT_MAX_BANDWIDTH)
		return "give bytes a second, such as 125000000, 120M or 1.2G (powers of 1024)";
	return NULL;
}

static const char *set_bandwidth(struct options *options, const char *arg)
{
	return set_rate(arg, &of(options)->bandwidth);
}

static const char *set_link(struct options *options, const char *arg)
{
	return set_rate(arg, &of(options)->link);
}

static const char *set_downtime(struct options *options, const char *arg)
{
	struct forecast_options *o = of(options);

	if (!text_parse_u64(arg, &o->downtime_ms) || !o->downtime_ms ||
	    o->downtime_ms > MAX_DOWNTIME_MS)
		return "give milliseconds, 1 to 3600000";
	o->has_downtime = true;
	return NULL;
}

static const char *set_device(struct options *options, const char *arg)
{
	if (!text_parse_u64(arg, &of(options)->device_ms) ||
	    of(options)->device_ms > MAX_DOWNTIME_MS)
		return "give milliseconds, 0 to 3600000";
	return NULL;
}

static const char *set_horizon(struct options *options, const char *arg)
{
	__u64 *s = &of(options)->horizon_s;

	if (!text_parse_u64(arg, s) || !*s || *s > MAX_HORIZON_S)
		return "give seconds, 1 to 1000000";
	return NULL;
}

static const char *set_measure(struct options *options, const char *arg)
{
	__u64 *s = &of(options)->measure_s;

	if (!text_parse_u64(arg, s) || *s < MEASURE_MIN_SECONDS || *s > MEASURE_MAX_SECONDS)
		return "give seconds, 1 to 60";
	return NULL;
}

static const char *set_sample(struct options *options, const char *arg)
{
	(void)arg;
	of(options)->sample = true;
	return NULL;
}

static const char *set_live(struct options *options, const char *arg)
{
	(void)arg;
	of(options)->live = true;
	return NULL;
}

static const char *set_qmp(struct options *options, const char *arg)
{
	of(options)->qmp = arg;
	return *arg ? NULL : "give the path of a socket";
}

const struct opt opt_bandwidth = {
	'b', "bandwidth", "BYTES", "what may be sent in a second: 125000000, 120M, 1.2G",
	set_bandwidth
};

const struct opt opt_downtime = {
	'd', "downtime", "MS", "for how long the guest may pause, in milliseconds", set_downtime
};

const struct opt opt_measure = {
	'm', "measure", "SECONDS",
	"have QEMU log what is dirtied, for 3 cycles of a second and one of this length",
	set_measure
};

const struct opt opt_sample = {
	'a', "sample", NULL, "look at some pages of the VM's memory: what they hold, what changes",
	set_sample
};

const struct opt opt_live = {
	'L', "live", NULL, "of the migration that runs: what it will take from now on", set_live
};

const struct opt opt_link = {
	'l', "link", "BYTES", "what the link takes in a second; else a guess up to ten Gbit/s",
	set_link
};

const struct opt opt_device_downtime = {
	'D', "device-downtime", "MS", "what of the pause is not memory (15)", set_device
};

const struct opt opt_horizon = {
	'H', "horizon", "SECONDS", "a migration that takes longer does not converge", set_horizon
};

const struct opt opt_qmp = {
	'q', "qmp", "PATH", "the socket of the VM's QMP monitor; without it, it is looked for",
	set_qmp
};
