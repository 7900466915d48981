/* SPDX-License-Identifier: GPL-2.0 */
/* What predict and rank show of a forecast: a row, and a sentence. */
#ifndef KVMWATCH_FORECAST_ROWS_H
#define KVMWATCH_FORECAST_ROWS_H

#include "forecast.h"
#include "output.h"

/* The columns, which both commands have; ended as struct cmd wants it. */
extern const struct output_columns forecast_tables[];

/* Begin the table; with @needs its columns of what it takes, else one of the sentence. */
void forecast_begin(struct output *out, bool needs);
/* A row of the table that was begun. */
void forecast_row(struct output *out, const struct forecast *forecast, bool needs);

/* The sentence that explains it: "dirties 6.30 MiB in 300 ms, ...". */
void forecast_words(const struct forecast *forecast, char *buf, size_t size);

/* The VM as the two call it: its guest name, or its name. Cleaned. */
const char *forecast_name(const struct forecast *forecast, char *buf, size_t size);

#endif /* KVMWATCH_FORECAST_ROWS_H */
