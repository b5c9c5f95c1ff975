/*
 * closest_word_sql.c
 *		What somebody who misspelled a name may have meant.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/varlena.h"

/* Words longer than this are nobody's names. */
#define MAX_WORD_LEN 63

/*
 * closest_word(word text, words text[]): by edit distance, if it is close at
 * all.  To leave letters out costs half of what others do: "tennant" is meant
 * for tenant_id.
 */
PG_FUNCTION_INFO_V1(closest_word);
Datum
closest_word(PG_FUNCTION_ARGS)
{
	text	   *word = PG_GETARG_TEXT_PP(0);
	int			len = VARSIZE_ANY_EXHDR(word);
	int			best_distance = len + 1;	/* so much is too much */
	text	   *best = NULL;
	Datum	   *words;
	bool	   *nulls;
	int			n;

	if (len == 0 || len > MAX_WORD_LEN)
		PG_RETURN_NULL();
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT,
					  &words, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		text	   *other = nulls[i] ? NULL : DatumGetTextPP(words[i]);
		int			other_len = other ? VARSIZE_ANY_EXHDR(other) : 0;
		int			distance;

		if (other_len == 0 || other_len > MAX_WORD_LEN)
			continue;
		distance = varstr_levenshtein_less_equal(VARDATA_ANY(word), len, VARDATA_ANY(other), other_len,
												 1, 2, 2, best_distance, true);
		if (distance < best_distance)
		{
			best_distance = distance;
			best = other;
		}
	}
	if (best == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(best);
}
