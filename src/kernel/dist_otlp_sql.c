/*
 * dist_otlp_sql.c
 *		dist_from_otlp: an exponential histogram data point of OTLP/JSON.
 *
 * Field names in camelCase, as OTLP/JSON wants them, or as in the .proto file.
 * 64-bit integers are JSON numbers or strings (opentelemetry-proto,
 * metrics/v1/metrics.proto, message ExponentialHistogramDataPoint).
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "kernel/dist_sql.h"

PG_FUNCTION_INFO_V1(sql_dist_from_otlp);

/* DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK */
#define OTLP_NO_RECORDED_VALUE	1

/* Counts above this are no weights any more. */
#define OTLP_MAX_COUNT	(INT64CONST(1) << 53)

pg_noreturn static void
bad_point(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid exponential histogram data point"),
			 errdetail("%s", detail),
			 errhint("Pass one element of exponentialHistogram.dataPoints.")));
}

/* A field under either name; NULL if absent or null. */
static JsonbValue *
field(JsonbContainer *object, const char *camel, const char *snake)
{
	JsonbValue *value = getKeyJsonValueFromContainer(object, camel, strlen(camel), NULL);

	if (!value)
		value = getKeyJsonValueFromContainer(object, snake, strlen(snake), NULL);
	return value && value->type != jbvNull ? value : NULL;
}

static char *
number_text(JsonbValue *value, const char *name)
{
	if (value->type == jbvString)
		return pnstrdup(value->val.string.val, value->val.string.len);
	if (value->type != jbvNumeric)
		bad_point(psprintf("Field \"%s\" must be a number.", name));
	return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
}

static int64
integer(JsonbValue *value, int64 min, int64 max, const char *name)
{
	char	   *text;
	char	   *end;
	long long	number;

	if (!value)
		return 0;
	text = number_text(value, name);
	errno = 0;
	number = strtoll(text, &end, 10);
	if (end == text || *end || errno || number < min || number > max)
		bad_point(psprintf("Field \"%s\" must be an integer between " INT64_FORMAT " and " INT64_FORMAT ".",
						   name, min, max));
	return number;
}

static double
finite_number(JsonbValue *value, const char *name)
{
	char	   *text = number_text(value, name);
	char	   *end;
	double		number = strtod(text, &end);

	if (end == text || *end || !isfinite(number))
		bad_point(psprintf("Field \"%s\" must be a finite number.", name));
	return number + 0.0;		/* not -0 */
}

static void
add_buckets(Dist *d, JsonbContainer *point, const char *name, bool negative, int scale)
{
	JsonbValue *buckets = field(point, name, name);
	JsonbValue *counts;
	int64		offset;
	uint32		n;

	if (!buckets)
		return;
	if (buckets->type != jbvBinary || !JsonContainerIsObject(buckets->val.binary.data))
		bad_point(psprintf("Field \"%s\" must be an object.", name));
	offset = integer(field(buckets->val.binary.data, "offset", "offset"),
					 PG_INT32_MIN, PG_INT32_MAX, "offset");
	counts = field(buckets->val.binary.data, "bucketCounts", "bucket_counts");
	if (!counts)
		return;
	if (counts->type != jbvBinary || !JsonContainerIsArray(counts->val.binary.data))
		bad_point("Field \"bucketCounts\" must be an array.");

	n = JsonContainerSize(counts->val.binary.data);
	for (uint32 i = 0; i < n; i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(counts->val.binary.data, i);
		int64		count = integer(element, 0, OTLP_MAX_COUNT, "bucketCounts");
		int64		index = offset + i;

		CHECK_FOR_INTERRUPTS();
		if (count == 0)
			continue;
		if (!dist_index_exists(index, scale))
			bad_point(psprintf("Bucket " INT64_FORMAT " lies beyond the values of float8 at scale %d.",
							   index, scale));
		dist_add_bucket(d, negative, index, scale, (int128) count << WEIGHT_BITS);
		dist_check(d);
	}
}

/*
 * A point's optional extremes describe its stream, which may be more than its
 * buckets hold: they are the values' own only if they lie in the outermost
 * buckets.
 */
static void
set_extremes(Dist *d, JsonbValue *min, JsonbValue *max)
{
	DistExtremes bounds;

	dist_bound_extremes(d, &bounds);
	d->min = min ? finite_number(min, "min") : -INFINITY;
	d->max = max ? finite_number(max, "max") : INFINITY;
	if (d->min >= bounds.min_low && d->min <= bounds.min_high &&
		d->max >= bounds.max_low && d->max <= bounds.max_high && d->min <= d->max)
		return;
	d->flags |= DIST_FLAG_BOUNDS;
	d->min = bounds.min_low;
	d->max = bounds.max_high;
}

/* A point without recorded value (a staleness marker) is NULL. */
Datum
sql_dist_from_otlp(PG_FUNCTION_ARGS)
{
	JsonbContainer *point = &PG_GETARG_JSONB_P(0)->root;
	Dist	   *d = dist_new(DIST_DEFAULT_LIMIT);
	JsonbValue *value;
	int64		scale;
	int64		count;

	if (!JsonContainerIsObject(point))
		bad_point("It must be an object.");
	if (integer(field(point, "flags", "flags"), 0, PG_UINT32_MAX, "flags") & OTLP_NO_RECORDED_VALUE)
		PG_RETURN_NULL();

	scale = integer(field(point, "scale", "scale"), DIST_MIN_SCALE, DIST_MAX_SCALE, "scale");
	add_buckets(d, point, "negative", true, (int) scale);
	add_buckets(d, point, "positive", false, (int) scale);
	dist_set_scale(d, (int) scale);
	count = integer(field(point, "zeroCount", "zero_count"), 0, OTLP_MAX_COUNT, "zeroCount");
	d->zero_count = (int128) count << WEIGHT_BITS;
	d->finite_count += d->zero_count;
	dist_check(d);
	d->squares = d->finite_count << WEIGHT_BITS;

	value = field(point, "count", "count");
	count = integer(value, 0, OTLP_MAX_COUNT, "count");
	if (value && (int128) count << WEIGHT_BITS != d->finite_count)
		bad_point("Field \"count\" is not the sum of the buckets.");

	value = field(point, "zeroThreshold", "zero_threshold");
	if (value)
	{
		d->threshold = finite_number(value, "zeroThreshold");
		if (d->threshold < 0)
			bad_point("Field \"zeroThreshold\" must not be negative.");
	}
	if (d->finite_count)
	{
		d->grain = DIST_MIN_GRAIN;
		set_extremes(d, field(point, "min", "min"), field(point, "max", "max"));
		value = field(point, "sum", "sum");
		if (value)
			dist_add_to_sum(d, finite_number(value, "sum"));
		else
			d->flags |= DIST_FLAG_NO_SUM;
	}
	PG_RETURN_DIST(d);
}
