/*
 * payload_sql.c
 *		References to bodies, as rows, and putting bodies back.
 */
#include "postgres.h"

#include "kernel/otlp.h"
#include "kernel/payload.h"
#include "kernel/row_writer.h"
#include "kernel/trajectory_sql.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/uuid.h"

/* Days from PostgreSQL's epoch to ours. */
#define DAYS_TO_POSTGRES_EPOCH (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)

typedef struct RefRows
{
	RowWriter	w;
	const Trajectory *t;
} RefRows;

static void
put_number_or_null(RowWriter *w, int32 from_zero)
{
	if (from_zero >= 0)
		row_int4(w, from_zero + 1);
	else
		row_null(w);
}

static void
put_ref(const PayloadRef *ref, void *arg)
{
	RefRows    *rows = arg;
	RowWriter  *w = &rows->w;
	char		digits[SPAN_ID_DIGITS];

	span_id_hex(trajectory_span_id(rows->t, ref->ordinal), digits);
	row_begin(w);
	row_int4(w, ref->ordinal + 1);
	row_text(w, (Bytes) {digits, sizeof(digits)});
	put_number_or_null(w, ref->event);
	put_number_or_null(w, ref->link);
	row_text(w, ref->key);
	put_number_or_null(w, ref->item);
	row_cstring(w, payload_role_names[ref->role]);
	row_uuid(w, (const uint8 *) ref->ref.bytes);
	row_int8(w, ref->ref.len);
	row_int4(w, ref->day - DAYS_TO_POSTGRES_EPOCH);
	row_end(w);
}

/* payload_refs(trajectory) */
PG_FUNCTION_INFO_V1(trajectory_payload_refs);
Datum
trajectory_payload_refs(PG_FUNCTION_ARGS)
{
	RefRows		rows = {.t = trajectory_arg(fcinfo, 0, PARTS_ALL)};

	row_writer_init(&rows.w, fcinfo);
	payload_visit(rows.t, put_ref, &rows);
	return (Datum) 0;
}

/* Bodies by hash, sorted. */
typedef struct KnownBody
{
	const uint8 *hash;
	Bytes		body;
} KnownBody;

typedef struct KnownBodies
{
	KnownBody  *bodies;
	int			count;
} KnownBodies;

static int
known_body_compare(const void *a, const void *b)
{
	return memcmp(((const KnownBody *) a)->hash, ((const KnownBody *) b)->hash, VALUE_REF_HASH_LEN);
}

static bool
find_body(const Value *ref, Bytes *body, void *arg)
{
	const KnownBodies *known = arg;
	KnownBody	wanted = {.hash = (const uint8 *) ref->bytes};
	KnownBody  *found = bsearch(&wanted, known->bodies, known->count, sizeof(KnownBody),
								known_body_compare);

	if (found == NULL)
		return false;
	*body = found->body;
	return true;
}

static KnownBodies
known_bodies_args(FunctionCallInfo fcinfo, int hashes_arg, int bodies_arg)
{
	KnownBodies known = {0};
	Datum	   *hashes;
	Datum	   *bodies;
	bool	   *hash_nulls;
	bool	   *body_nulls;
	int			n;
	int			n_bodies;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(hashes_arg), UUIDOID, UUID_LEN, false, TYPALIGN_CHAR,
					  &hashes, &hash_nulls, &n);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(bodies_arg), TEXTOID, -1, false, TYPALIGN_INT,
					  &bodies, &body_nulls, &n_bodies);
	if (n != n_bodies)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("there must be as many bodies as hashes"),
				 errdetail("There are %d hashes and %d bodies.", n, n_bodies)));
	known.bodies = palloc(Max(n, 1) * sizeof(KnownBody));
	for (int i = 0; i < n; i++)
		if (!hash_nulls[i] && !body_nulls[i])
		{
			text	   *body = DatumGetTextPP(bodies[i]);

			known.bodies[known.count++] = (KnownBody) {
				DatumGetUUIDP(hashes[i])->data,
				{VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body)}
			};
		}
	qsort(known.bodies, known.count, sizeof(KnownBody), known_body_compare);
	return known;
}

/* with_bodies(trajectory, hashes uuid[], bodies text[]) */
PG_FUNCTION_INFO_V1(trajectory_with_bodies);
Datum
trajectory_with_bodies(PG_FUNCTION_ARGS)
{
	Trajectory *t = trajectory_from_datum(PG_GETARG_DATUM(0), true);
	KnownBodies known = known_bodies_args(fcinfo, 1, 2);
	SpanSet    *set = spanset_create();
	struct varlena *result;

	trajectory_add_to_set(t, set, 0, t->n);
	payload_restore(set, find_body, &known);
	result = trajectory_encode_set(set, false, trajectory_best_codec());
	spanset_free(set);
	PG_RETURN_POINTER(result);
}
