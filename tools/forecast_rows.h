/* SPDX-License-Identifier: GPL-2.0 */
/* Print a forecast for predict and rank: a row, and a sentence. */
#ifndef KVMWATCH_FORECAST_ROWS_H
#define KVMWATCH_FORECAST_ROWS_H

#include "forecast.h"
#include "output.h"

/* The columns of both commands, for struct cmd */
extern const struct output_columns forecast_tables[];

/* Begin the table: with @needs, it has columns of needs, else one of the sentence. */
void forecast_begin(struct output *out, bool needs);
/* Print a row of the table. */
void forecast_row(struct output *out, const struct forecast *forecast, bool needs);

/* Make the sentence that explains a forecast: "dirties 6.30 MiB in 300 ms, ...". */
void forecast_words(const struct forecast *forecast, char *buf, size_t size);

/* The VM's guest name, or its name, without control characters */
const char *forecast_name(const struct forecast *forecast, char *buf, size_t size);

#endif /* KVMWATCH_FORECAST_ROWS_H */
