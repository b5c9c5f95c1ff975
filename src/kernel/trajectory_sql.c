/*
 * trajectory_sql.c
 *		Trajectories as arguments and results of SQL functions.
 *
 * A query often asks several things, or one thing for each of its spans, of
 * one trajectory.  So each call site keeps the last one it decoded, with the
 * function's memory, and knows it again by its TOAST pointer, or by length,
 * trace id and content hash; never by address.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "common/int.h"
#include "compat.h"
#include "kernel/otlp.h"
#include "kernel/trajectory_sql.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#define NS_BEFORE_POSTGRES_EPOCH \
	((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * INT64CONST(86400000000000))

typedef struct TrajectoryCache
{
	MemoryContext context;		/* of the decoded trajectory */
	Trajectory *t;				/* NULL if nothing is cached */
	bool		is_toasted;
	Oid			toast_relid;
	Oid			toast_valueid;
	int32		toast_rawsize;
	void	   *companion;		/* what else the call site remembers */
} TrajectoryCache;

static TrajectoryCache *
get_cache(FunctionCallInfo fcinfo)
{
	TrajectoryCache *cache = fcinfo->flinfo->fn_extra;

	if (cache == NULL)
	{
		cache = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(TrajectoryCache));
		cache->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt,
											   "llmtrace decoded trajectory",
											   ALLOCSET_DEFAULT_SIZES);
		fcinfo->flinfo->fn_extra = cache;
	}
	return cache;
}

static bool
is_cached_toast(const TrajectoryCache *cache, const struct varatt_external *toast)
{
	return cache->t != NULL && cache->is_toasted &&
		cache->toast_valueid == toast->va_valueid &&
		cache->toast_relid == toast->va_toastrelid &&
		cache->toast_rawsize == toast->va_rawsize;
}

static bool
is_cached_value(const TrajectoryCache *cache, const struct varlena *datum)
{
	TrajectorySummary summary;

	if (cache->t == NULL || VARSIZE(datum) != cache->t->datum_size ||
		VARSIZE(datum) < sizeof(TrajectoryHeader))
		return false;
	trajectory_read_summary(datum, &summary);
	return summary.content_hash == cache->t->summary.content_hash &&
		memcmp(summary.trace_id, cache->t->summary.trace_id, 16) == 0;
}

static void
fill_cache(TrajectoryCache *cache, struct varlena *given)
{
	MemoryContext old;
	struct varlena *datum;

	cache->t = NULL;
	MemoryContextReset(cache->context);
	old = MemoryContextSwitchTo(cache->context);
	datum = PG_DETOAST_DATUM_COPY(PointerGetDatum(given));
	cache->t = trajectory_decode(datum, VARSIZE(datum), false);
	MemoryContextSwitchTo(old);
}

/* Is a value that is not stored elsewhere the one of the last call? */
static bool
is_cached_inline(const TrajectoryCache *cache, struct varlena *given)
{
	struct varlena *datum;
	bool		result;

	if (cache->t == NULL)
		return false;
	datum = PG_DETOAST_DATUM(PointerGetDatum(given));
	result = is_cached_value(cache, datum);
	if (datum != given)
		pfree(datum);
	return result;
}

/* Decode as much of the argument that trajectory_arg() gave, unless done before. */
void
trajectory_arg_decode(FunctionCallInfo fcinfo, TrajectoryParts parts)
{
	TrajectoryCache *cache = get_cache(fcinfo);
	Trajectory *t = cache->t;

	cache->t = NULL;			/* should decoding fail half-way */
	if (parts == PARTS_ALL)
		trajectory_decode_cold(t);
	else if (parts == PARTS_TABLES)
		trajectory_decode_tables(t);
	cache->t = t;
}

/*
 * A decoded argument, good until the next call from the same place.  Only for
 * one argument of a function.
 */
Trajectory *
trajectory_arg(FunctionCallInfo fcinfo, int arg, TrajectoryParts parts)
{
	struct varlena *given = (struct varlena *) PG_GETARG_POINTER(arg);
	TrajectoryCache *cache = get_cache(fcinfo);
	bool		is_toasted = VARATT_IS_EXTERNAL_ONDISK(given);
	struct varatt_external toast;

	if (is_toasted)
		VARATT_EXTERNAL_GET_POINTER(toast, given);
	if (is_toasted ? !is_cached_toast(cache, &toast) : !is_cached_inline(cache, given))
	{
		fill_cache(cache, given);
		cache->is_toasted = is_toasted;
		if (is_toasted)
		{
			cache->toast_relid = toast.va_toastrelid;
			cache->toast_valueid = toast.va_valueid;
			cache->toast_rawsize = toast.va_rawsize;
		}
	}
	trajectory_arg_decode(fcinfo, parts);
	return cache->t;
}

/* Where a function that uses the cache may keep something of its own. */
void **
trajectory_arg_companion(FunctionCallInfo fcinfo)
{
	return &get_cache(fcinfo)->companion;
}

/* The header alone, without fetching the rest. */
void
trajectory_summary_arg(FunctionCallInfo fcinfo, int arg, TrajectorySummary *summary)
{
	struct varlena *slice = PG_DETOAST_DATUM_SLICE(PG_GETARG_DATUM(arg), 0,
												   sizeof(TrajectoryHeader) - VARHDRSZ);

	if (VARSIZE(slice) < sizeof(TrajectoryHeader))
		bytes_corrupt("header");
	trajectory_read_summary(slice, summary);
	pfree(slice);
}

/* Decode without the cache, in the current context. */
Trajectory *
trajectory_from_datum(Datum datum, bool with_cold)
{
	struct varlena *value = PG_DETOAST_DATUM(datum);

	return trajectory_decode(value, VARSIZE(value), with_cold);
}

void
trajectory_require_same_trace(const uint8 *a, const uint8 *b)
{
	StringInfoData x;
	StringInfoData y;

	if (memcmp(a, b, 16) == 0)
		return;
	initStringInfo(&x);
	hex_put(&x, a, 16);
	initStringInfo(&y);
	hex_put(&y, b, 16);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("spans of different traces cannot be put into one trajectory"),
			 errdetail("The trace ids are %s and %s.", x.data, y.data),
			 errhint("Use GROUP BY with the trace id.")));
}

/* An ordinal, which counts from 1 in SQL, as one that counts from 0. */
uint32
ordinal_arg(FunctionCallInfo fcinfo, int arg, const Trajectory *t)
{
	int32		ordinal = PG_GETARG_INT32(arg);

	if (ordinal < 1 || (uint32) ordinal > t->n)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("span ordinal %d is out of range", ordinal),
				 errdetail("The trajectory has spans 1 to %u.", t->n)));
	return ordinal - 1;
}

/* Nanoseconds since 1970 in PostgreSQL's microseconds, rounded down. */
TimestampTz
timestamptz_from_ns(int64 time_ns)
{
	int64		ns = time_ns - NS_BEFORE_POSTGRES_EPOCH;

	return ns >= 0 ? ns / 1000 : -((-ns + 999) / 1000);
}

/* False if the time is beyond what nanoseconds can hold. */
bool
timestamptz_to_ns(TimestampTz time, int64 *time_ns)
{
	return !pg_mul_s64_overflow(time, 1000, time_ns) &&
		!pg_add_s64_overflow(*time_ns, NS_BEFORE_POSTGRES_EPOCH, time_ns);
}

Datum
text_datum(Bytes s)
{
	return PointerGetDatum(cstring_to_text_with_len(s.data, s.len));
}

Datum
uuid_datum(const uint8 *bytes)
{
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	memcpy(uuid->data, bytes, UUID_LEN);
	return UUIDPGetDatum(uuid);
}

/* An amount in 1e-12 dollars as a number without trailing zeros. */
Datum
pico_usd_numeric(int64 pico)
{
	const int64 unit = INT64CONST(1000000000000);
	char		text[40];
	int			len;

	len = snprintf(text, sizeof(text), INT64_FORMAT ".%012lld", pico / unit,
				   (long long) (pico % unit));
	while (text[len - 1] == '0')
		text[--len] = '\0';
	if (text[len - 1] == '.')
		text[--len] = '\0';
	return DirectFunctionCall3(numeric_in, CStringGetDatum(text),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}
