/*
 * ingest.c
 *		OTLP into the tables of a store, through SPI.
 *
 * ingest_body() runs with the rights of its caller, which is one of the
 * store's own SECURITY DEFINER functions.  A request is parsed as a whole
 * before anything is written, so that what cannot be read costs nothing else.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "kernel/otlp.h"
#include "kernel/payload.h"
#include "kernel/short_text.h"
#include "kernel/trajectory_sql.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

/* Fragments, and bodies, that one statement inserts: so many bytes or rows. */
#define MAX_BATCH_BYTES (64 * 1024 * 1024)
#define MAX_BATCH_ROWS 10000

/* So many reasons are told to the sender; all are in ingest_rejected. */
#define MAX_REASONS 5

/* Spans that this session took in, as session_accepted_spans() tells. */
static int64 session_accepted = 0;

/* Days from PostgreSQL's epoch to ours. */
#define DAYS_TO_POSTGRES_EPOCH (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)

/* What the store says about taking in. */
typedef struct IngestSettings
{
	PayloadRules rules;
	Bytes	   *alias_keys;
	Bytes	   *alias_columns;
	int			alias_count;
} IngestSettings;

/* A request, read. */
typedef struct Request
{
	SpanSet    *set;
	PayloadSet	payloads;
	uint32		accepted;		/* spans, before equal ones are merged */
} Request;

/*
 * A plan that is prepared once a session, and is good for any arguments: to
 * plan for the arrays of each request would take longer than to insert them.
 * Without a store it fails, and the next call tries again.
 */
static SPIPlanPtr
saved_plan(SPIPlanPtr *plan, const char *sql, int nargs, Oid *types)
{
	if (*plan == NULL)
	{
		SPIPlanPtr	prepared = SPI_prepare_cursor(sql, nargs, types, CURSOR_OPT_GENERIC_PLAN);

		if (prepared == NULL)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		SPI_keepplan(prepared);
		*plan = prepared;
	}
	return *plan;
}

static void
run_plan(SPIPlanPtr plan, Datum *values, const char *nulls, int expected)
{
	int			result = SPI_execute_plan(plan, values, nulls, false, 0);

	if (result != expected)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result));
}

static Oid
trajectory_array_type(void)
{
	Oid			schema = get_namespace_oid("llmtrace", false);
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									   CStringGetDatum("trajectory"), ObjectIdGetDatum(schema));

	return get_array_type(type);
}

/*
 * Lock what a request writes to, before the store's settings are read: who
 * changes how keys are read can wait for all that came in under the old ones,
 * and who drops partitions for those who rely on them.
 */
static void
lock_tables(void)
{
	RangeVarGetRelid(makeRangeVar("llmtrace", "fragments", -1), RowExclusiveLock, true);
	RangeVarGetRelid(makeRangeVar("llmtrace", "folded", -1), AccessShareLock, true);
}

/* --------------------------------------------------------------- settings --- */

static Bytes
column_bytes(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		is_null;
	Datum		datum = SPI_getbinval(tuple, desc, column, &is_null);
	struct varlena *value;

	if (is_null)
		return (Bytes) {"", 0};
	value = PG_DETOAST_DATUM_COPY(datum);
	return (Bytes) {VARDATA(value), VARSIZE(value) - VARHDRSZ};
}

/* An array of texts as Bytes; empty if the column is null. */
static Bytes *
column_texts(HeapTuple tuple, TupleDesc desc, int column, int *count)
{
	bool		is_null;
	Datum		datum = SPI_getbinval(tuple, desc, column, &is_null);
	Datum	   *elements;
	Bytes	   *texts;

	*count = 0;
	if (is_null)
		return NULL;
	deconstruct_array(DatumGetArrayTypePCopy(datum), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, NULL, count);
	texts = palloc(Max(*count, 1) * sizeof(Bytes));
	for (int i = 0; i < *count; i++)
	{
		text	   *t = DatumGetTextPP(elements[i]);

		texts[i] = (Bytes) {VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t)};
	}
	return texts;
}

static PayloadPolicy
policy_from_word(Bytes word)
{
	if (bytes_equal_cstring(word, "store"))
		return PAYLOAD_STORE;
	if (bytes_equal_cstring(word, "hash"))
		return PAYLOAD_HASH;
	return PAYLOAD_INLINE;
}

static IngestSettings
read_settings(void)
{
	static SPIPlanPtr plan = NULL;
	IngestSettings settings = {0};
	PayloadKeyPolicy *policies;
	HeapTuple	tuple;
	TupleDesc	desc;
	Bytes	   *keys;
	Bytes	   *words;
	int			count;

	saved_plan(&plan,
			   "SELECT x.secret, s.max_inline_bytes,"
			   " (SELECT pg_catalog.array_agg(a.key ORDER BY a.key) FROM llmtrace.attribute_alias a),"
			   " (SELECT pg_catalog.array_agg(a.column_name ORDER BY a.key) FROM llmtrace.attribute_alias a),"
			   " (SELECT pg_catalog.array_agg(p.key ORDER BY p.key) FROM llmtrace.payload_policy p),"
			   " (SELECT pg_catalog.array_agg(p.policy ORDER BY p.key) FROM llmtrace.payload_policy p)"
			   " FROM llmtrace.store s, llmtrace.secret x", 0, NULL);
	run_plan(plan, NULL, NULL, SPI_OK_SELECT);
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the store has lost its settings"),
				 errdetail("Tables llmtrace.store and llmtrace.secret have one row each.")));
	tuple = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	settings.rules.secret = column_bytes(tuple, desc, 1);
	settings.rules.max_inline_bytes = DatumGetInt32(SPI_getbinval(tuple, desc, 2, &(bool) {0}));
	settings.alias_keys = column_texts(tuple, desc, 3, &settings.alias_count);
	settings.alias_columns = column_texts(tuple, desc, 4, &count);

	keys = column_texts(tuple, desc, 5, &count);
	words = column_texts(tuple, desc, 6, &count);
	policies = palloc(Max(count, 1) * sizeof(PayloadKeyPolicy));
	for (int i = 0; i < count; i++)
		policies[i] = (PayloadKeyPolicy) {keys[i], policy_from_word(words[i])};
	settings.rules.policies = policies;
	settings.rules.policy_count = count;
	SPI_freetuptable(SPI_tuptable);
	return settings;
}

/* ---------------------------------------------------------------- reading --- */

/* Keys that this store reads as columns; others stay out of the set. */
static void
apply_aliases(SpanSet *set, const IngestSettings *settings)
{
	uint32		count = set->key_count;

	for (int i = 0; i < settings->alias_count; i++)
	{
		CanonicalColumn column = canonical_column_find(settings->alias_columns[i]);

		for (uint32 k = 0; k < count && column != COLUMN_NONE; k++)
			if (!set->keys[k].is_derived && bytes_equal(set->keys[k].name, settings->alias_keys[i]))
				key_map(&set->keys[k], column);
	}
}

static Request
read_request(bytea *document, bool is_json, const IngestSettings *settings)
{
	Request		request = {.set = spanset_create()};
	const char *bytes = VARDATA_ANY(document);
	size_t		len = VARSIZE_ANY_EXHDR(document);

	if (is_json)
		otlp_json_read(request.set, bytes, len);
	else
		otlp_protobuf_read(request.set, (const uint8 *) bytes, len);
	request.accepted = request.set->span_count;
	apply_aliases(request.set, settings);
	payload_prepare(request.set, &settings->rules);
	spanset_finish(request.set);
	payload_extract(request.set, &settings->rules, &request.payloads);
	return request;
}

/* An error that is the document's fault, and nobody else's. */
static bool
is_about_the_document(int sqlerrcode)
{
	int			category = ERRCODE_TO_CATEGORY(sqlerrcode);

	return category == ERRCODE_DATA_EXCEPTION || category == ERRCODE_PROGRAM_LIMIT_EXCEEDED ||
		sqlerrcode == ERRCODE_FEATURE_NOT_SUPPORTED;	/* logs, metrics */
}

/*
 * What is said of a document that cannot be read.  A reader's detail is its
 * place, a colon, and what stands there, which may be out of a prompt: that is
 * not for ingest_rejected.
 */
static char *
describe_failure(const ErrorData *error)
{
	if (error->detail == NULL)
		return error->message;
	return psprintf("%s: %.*s", error->message,
					(int) strcspn(error->detail, ":"), error->detail);
}

/*
 * As read_request, but what is no OTLP gives the error's text.  Reading only
 * computes in memory of its own, so there is nothing to roll back.
 */
static char *
try_read_request(bytea *document, bool is_json, const IngestSettings *settings, Request *request)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *volatile message = NULL;

	PG_TRY();
	{
		*request = read_request(document, is_json, settings);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (!is_about_the_document(error->sqlerrcode))
			PG_RE_THROW();
		FlushErrorState();
		message = describe_failure(error);
	}
	PG_END_TRY();
	return message;
}

/* The first tenant that one of a trace's spans, or its resource, names. */
static bool
spans_tenant(const SpanSet *set, Span **spans, uint32 n, Bytes *tenant)
{
	uint32		last_resource = PG_UINT32_MAX;

	for (uint32 i = 0; i < n; i++)
	{
		SpanColumns columns = span_columns(set, spans[i]);
		const AttrList *list = &set->resources[spans[i]->resource].attributes;

		if (column_is_borne(&columns, COLUMN_TENANT_ID) &&
			column_text(&columns, COLUMN_TENANT_ID, tenant))
			return true;
		if (spans[i]->resource == last_resource)
			continue;
		last_resource = spans[i]->resource;
		for (uint32 k = 0; k < list->n; k++)
			if (set->keys[list->keys[k]].column == COLUMN_TENANT_ID &&
				list->values[k].type == VALUE_STRING && list->values[k].len > 0)
			{
				*tenant = value_bytes(&list->values[k]);
				return true;
			}
	}
	return false;
}

/* ---------------------------------------------------------------- writing --- */

/* Rows for one statement: columns as arrays. */
typedef struct Batch
{
	Datum	   *values[3];
	bool	   *nulls[3];
	int			count;
	int			max;
	size_t		bytes;
	MemoryContext context;
} Batch;

/* For so many rows, or as many of them as one statement takes. */
static void
batch_init(Batch *batch, uint32 rows)
{
	batch->max = Min(rows, MAX_BATCH_ROWS);
	batch->context = AllocSetContextCreate(CurrentMemoryContext, "llmtrace ingest batch",
										   ALLOCSET_DEFAULT_SIZES);
	for (int c = 0; c < 3; c++)
	{
		batch->values[c] = palloc(batch->max * sizeof(Datum));
		batch->nulls[c] = palloc0(batch->max * sizeof(bool));
	}
	batch->count = 0;
	batch->bytes = 0;
}

static bool
batch_is_full(const Batch *batch)
{
	return batch->count == batch->max || batch->bytes >= MAX_BATCH_BYTES;
}

static void
batch_clear(Batch *batch)
{
	MemoryContextReset(batch->context);
	batch->count = 0;
	batch->bytes = 0;
}

static Datum
batch_array(Batch *batch, int column, Oid type)
{
	int16		len;
	bool		by_value;
	char		align;
	int			dimension = batch->count;
	int			lower = 1;

	get_typlenbyvalalign(type, &len, &by_value, &align);
	return PointerGetDatum(construct_md_array(batch->values[column], batch->nulls[column], 1,
											  &dimension, &lower, type, len, by_value, align));
}

static void
insert_fragments(Batch *batch)
{
	static SPIPlanPtr plan = NULL;
	static Oid	planned_type = InvalidOid;
	Oid			array_type = trajectory_array_type();
	Datum		args[2];
	MemoryContext old;

	if (batch->count == 0)
		return;
	/* the extension may have been dropped and made anew since */
	if (plan != NULL && planned_type != array_type)
	{
		SPI_freeplan(plan);
		plan = NULL;
	}
	planned_type = array_type;
	saved_plan(&plan,
			   "INSERT INTO llmtrace.fragments (trace_id, shard, has_closed_root, tenant_id, fragment)"
			   " SELECT llmtrace.trace_id(f), pg_catalog.uuid_hash(llmtrace.trace_id(f)) & 63,"
			   " llmtrace.has_closed_root(f), tenant, f"
			   " FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS x (f, tenant)",
			   2, (Oid[]) {array_type, TEXTARRAYOID});
	old = MemoryContextSwitchTo(batch->context);
	args[0] = batch_array(batch, 0, get_element_type(array_type));
	args[1] = batch_array(batch, 1, TEXTOID);
	MemoryContextSwitchTo(old);
	run_plan(plan, args, NULL, SPI_OK_INSERT);
	batch_clear(batch);
}

/*
 * Days, from PostgreSQL's epoch, whose partitions are known to be there.
 * Whatever changes a partitioned table sends an invalidation, also our own
 * transaction when it rolls back; then we ask anew.
 */
static int32 known_days[64];
static int	known_day_count = 0;

static void
forget_days(Datum arg, Oid relid)
{
	known_day_count = 0;
}

static bool
is_known_day(int32 day)
{
	for (int i = 0; i < known_day_count; i++)
		if (known_days[i] == day)
			return true;
	return false;
}

static int
compare_days(const void *a, const void *b)
{
	return *(const int32 *) a - *(const int32 *) b;
}

/* The days on which spans start, each once, but for those that are known. */
static int32 *
unknown_days(const SpanSet *set, int *count)
{
	int32	   *days = palloc_extended(Max(set->span_count, 1) * sizeof(int32), MCXT_ALLOC_HUGE);
	int			n = 0;
	int			distinct = 0;

	for (uint32 i = 0; i < set->span_count; i++)
	{
		int32		day = (int32) (set->spans[i].start_ns / (USECS_PER_DAY * 1000)) - DAYS_TO_POSTGRES_EPOCH;

		if ((n == 0 || days[n - 1] != day) && !is_known_day(day))
			days[n++] = day;
	}
	qsort(days, n, sizeof(int32), compare_days);
	for (int i = 0; i < n; i++)
		if (i == 0 || days[i] != days[distinct - 1])
			days[distinct++] = days[i];
	*count = distinct;
	return days;
}

/* Have the partitions made that a request needs. */
static void
make_partitions(const SpanSet *set)
{
	static SPIPlanPtr plan = NULL;
	static bool is_registered = false;
	int			n;
	int32	   *days = unknown_days(set, &n);
	Datum	   *times = palloc(Max(n, 1) * sizeof(Datum));
	Datum		arg;

	if (!is_registered)
	{
		CacheRegisterRelcacheCallback(forget_days, (Datum) 0);
		is_registered = true;
	}
	if (n > 0)
	{
		for (int i = 0; i < n; i++)
			times[i] = TimestampTzGetDatum((TimestampTz) days[i] * USECS_PER_DAY);
		saved_plan(&plan, "SELECT llmtrace.make_partitions($1)", 1, (Oid[]) {TIMESTAMPTZARRAYOID});
		arg = PointerGetDatum(construct_array(times, n, TIMESTAMPTZOID, sizeof(TimestampTz),
											  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
		run_plan(plan, &arg, NULL, SPI_OK_SELECT);
	}
	for (int i = 0; i < n && known_day_count < (int) lengthof(known_days); i++)
		known_days[known_day_count++] = days[i];
	pfree(days);
	pfree(times);
}

static void
write_fragments(SpanSet *set)
{
	TrajectoryEncoder *encoder;
	Span	  **spans;
	uint32	   *ends;
	uint32		groups;
	Batch		batch;

	spans = spanset_group(set, &ends, &groups);
	if (groups == 0)
		return;
	batch_init(&batch, groups);
	encoder = trajectory_encoder_create(set);
	for (uint32 g = 0; g < groups; g++)
	{
		uint32		from = g == 0 ? 0 : ends[g - 1];
		MemoryContext old;
		struct varlena *datum;
		Bytes		tenant;
		ShortText	room = {.len = 0};

		CHECK_FOR_INTERRUPTS();
		old = MemoryContextSwitchTo(batch.context);
		datum = trajectory_encode(encoder, spans + from, ends[g] - from, trajectory_best_codec());
		batch.values[0][batch.count] = PointerGetDatum(datum);
		batch.nulls[1][batch.count] = !spans_tenant(set, spans + from, ends[g] - from, &tenant);
		if (!batch.nulls[1][batch.count])
			batch.values[1][batch.count] = text_datum(short_text(tenant, &room));
		MemoryContextSwitchTo(old);
		batch.bytes += VARSIZE(datum);
		batch.count++;
		if (batch_is_full(&batch))
			insert_fragments(&batch);
	}
	insert_fragments(&batch);
	trajectory_encoder_free(encoder);
}

static void
insert_bodies(Batch *batch)
{
	static SPIPlanPtr plan = NULL;
	Datum		args[3];
	MemoryContext old;

	if (batch->count == 0)
		return;

	/*
	 * A unique index would make writers wait for each other on a shared system
	 * prompt; a body that is there twice does no harm.  The LIMIT keeps this
	 * from becoming a join with all of payloads.
	 */
	saved_plan(&plan,
			   "INSERT INTO llmtrace.payloads (day, hash, body)"
			   " SELECT x.day, x.hash, x.body"
			   " FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3))"
			   " AS x (day, hash, body)"
			   " WHERE NOT EXISTS (SELECT FROM llmtrace.payloads p WHERE p.day = x.day AND p.hash = x.hash LIMIT 1)",
			   3, (Oid[]) {DATEARRAYOID, UUIDARRAYOID, TEXTARRAYOID});
	old = MemoryContextSwitchTo(batch->context);
	args[0] = batch_array(batch, 0, DATEOID);
	args[1] = batch_array(batch, 1, UUIDOID);
	args[2] = batch_array(batch, 2, TEXTOID);
	MemoryContextSwitchTo(old);
	run_plan(plan, args, NULL, SPI_OK_INSERT);
	batch_clear(batch);
}

static void
write_bodies(const PayloadSet *payloads)
{
	Batch		batch;

	if (payloads->count == 0)
		return;
	batch_init(&batch, payloads->count);
	for (uint32 i = 0; i < payloads->count; i++)
	{
		const PayloadBody *body = &payloads->bodies[i];
		MemoryContext old = MemoryContextSwitchTo(batch.context);

		CHECK_FOR_INTERRUPTS();
		batch.values[0][batch.count] = DateADTGetDatum(body->day - DAYS_TO_POSTGRES_EPOCH);
		batch.values[1][batch.count] = uuid_datum(body->hash);
		batch.values[2][batch.count] = text_datum(body->body);
		MemoryContextSwitchTo(old);
		batch.bytes += body->body.len;
		batch.count++;
		if (batch_is_full(&batch))
			insert_bodies(&batch);
	}
	insert_bodies(&batch);
}

/* line_number 0: it did not come in a file. */
static void
write_rejection(int64 line_number, const Bytes *span_id, const char *reason)
{
	static SPIPlanPtr plan = NULL;
	Datum		args[3] = {
		Int64GetDatum(line_number),
		span_id ? text_datum(*span_id) : (Datum) 0,
		CStringGetTextDatum(reason)
	};
	char		nulls[4] = "   ";

	if (line_number == 0)
		nulls[0] = 'n';
	if (span_id == NULL)
		nulls[1] = 'n';
	saved_plan(&plan,
			   "INSERT INTO llmtrace.ingest_rejected (line_number, span_id, reason) VALUES ($1, $2, $3)",
			   3, (Oid[]) {INT8OID, TEXTOID, TEXTOID});
	run_plan(plan, args, nulls, SPI_OK_INSERT);
}

/* The reasons that the sender is told; NULL if all is well. */
static char *
describe_rejections(const SpanSet *set)
{
	StringInfoData buf;

	if (set->rejection_count == 0)
		return NULL;
	initStringInfo(&buf);
	for (uint32 i = 0; i < Min(set->rejection_count, MAX_REASONS); i++)
	{
		const Rejection *r = &set->rejections[i];

		appendStringInfo(&buf, "%sspan \"%.*s\": %s", i == 0 ? "" : "; ",
						 utf8_clip(r->span_id, 60), r->span_id.data, r->reason);
	}
	if (set->rejection_count > MAX_REASONS)
		appendStringInfo(&buf, "; %u more", set->rejection_count - MAX_REASONS);
	return buf.data;
}

static Datum
partial_success(FunctionCallInfo fcinfo, int64 accepted, int64 rejected, const char *message)
{
	TupleDesc	desc;
	Datum		values[3] = {Int64GetDatum(accepted), Int64GetDatum(rejected), (Datum) 0};
	bool		nulls[3] = {false, false, message == NULL};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (message)
		values[2] = CStringGetTextDatum(message);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

static bool
is_json_arg(FunctionCallInfo fcinfo, int arg)
{
	char	   *format = text_to_cstring(PG_GETARG_TEXT_PP(arg));

	if (strcmp(format, "json") == 0)
		return true;
	if (strcmp(format, "protobuf") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown format \"%s\"", format),
				 errhint("Known are json and protobuf.")));
	return false;
}

/*
 * ingest_body(document bytea, format text, line_number bigint): a line number
 * of 0 is none; with one, a document that cannot be read is noted, not raised.
 */
PG_FUNCTION_INFO_V1(ingest_body);
Datum
ingest_body(PG_FUNCTION_ARGS)
{
	bytea	   *document = PG_GETARG_BYTEA_PP(0);
	bool		is_json = is_json_arg(fcinfo, 1);
	int64		line_number = PG_GETARG_INT64(2);
	MemoryContext caller = CurrentMemoryContext;
	IngestSettings settings;
	Request		request;
	char	   *failure = NULL;
	char	   *message = NULL;
	int64		rejected = 0;
	int64		accepted = 0;

	SPI_connect();
	lock_tables();
	settings = read_settings();
	if (line_number > 0)
		failure = try_read_request(document, is_json, &settings, &request);
	else
		request = read_request(document, is_json, &settings);

	if (failure)
	{
		write_rejection(line_number, NULL, failure);
		message = MemoryContextStrdup(caller, failure);
	}
	else
	{
		accepted = request.accepted;
		session_accepted += accepted;
		rejected = request.set->rejection_count;
		if (accepted > 0)
			make_partitions(request.set);
		write_fragments(request.set);
		write_bodies(&request.payloads);
		for (uint32 i = 0; i < request.set->rejection_count; i++)
			write_rejection(line_number, &request.set->rejections[i].span_id,
							request.set->rejections[i].reason);
		if ((message = describe_rejections(request.set)) != NULL)
			message = MemoryContextStrdup(caller, message);
	}
	SPI_finish();
	return partial_success(fcinfo, accepted, rejected, message);
}

PG_FUNCTION_INFO_V1(session_accepted_spans);
Datum
session_accepted_spans(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(session_accepted);
}

/*
 * INSTEAD OF INSERT on the view otlp.  It returns no row: what it returned
 * would be held until the end of a COPY.
 */
PG_FUNCTION_INFO_V1(otlp_insert);
Datum
otlp_insert(PG_FUNCTION_ARGS)
{
	static SPIPlanPtr plan = NULL;
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	int64	   *line_number = fcinfo->flinfo->fn_extra;
	Datum		args[2];
	bool		is_null;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_INSTEAD(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) || !TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("otlp_insert must be the INSTEAD OF INSERT trigger of a view, for each row")));
	if (RelationGetDescr(trigger->tg_relation)->natts < 1 ||
		TupleDescAttr(RelationGetDescr(trigger->tg_relation), 0)->atttypid != TEXTOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the first column of view \"%s\" must be of type text",
						RelationGetRelationName(trigger->tg_relation))));
	if (line_number == NULL)
		line_number = fcinfo->flinfo->fn_extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(int64));
	++*line_number;
	args[0] = heap_getattr(trigger->tg_trigtuple, 1, RelationGetDescr(trigger->tg_relation), &is_null);
	args[1] = Int64GetDatum(*line_number);
	if (is_null)
		return PointerGetDatum(NULL);

	SPI_connect();
	saved_plan(&plan, "SELECT llmtrace.ingest_otlp_line($1, $2)", 2, (Oid[]) {TEXTOID, INT8OID});
	run_plan(plan, args, NULL, SPI_OK_SELECT);
	SPI_finish();
	return PointerGetDatum(NULL);
}
