/*
 * tracequery_regex.c
 *		Regular expressions of queries: PostgreSQL's advanced ones under the C
 *		collation, anchored at both ends, without back-references.
 *
 * Without back-references and captures, matching is a walk through a DFA, in
 * time linear in the subject, and it checks for interrupts.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "kernel/tracequery.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "regex/regex.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

struct QueryRegex
{
	regex_t		re;				/* shares its parts with PostgreSQL's cache */
	pg_wchar   *subject;
	size_t		subject_max;
	Bytes		last;			/* the subject before this one */
	bool		last_result;
};

/*
 * Options at the start, (?i) and (?s), must stay there; (?s) is PostgreSQL's
 * default.  What follows is put between anchors.
 */
static text *
anchored(Bytes pattern)
{
	uint32		prefix = 0;
	StringInfoData buf;
	text	   *result;

	if (pattern.len > 2 && pattern.data[0] == '(' && pattern.data[1] == '?')
	{
		uint32		i = 2;

		while (i < pattern.len && (pattern.data[i] == 'i' || pattern.data[i] == 's'))
			i++;
		if (i > 2 && i < pattern.len && pattern.data[i] == ')')
			prefix = i + 1;
	}
	initStringInfo(&buf);
	appendBinaryStringInfo(&buf, pattern.data, prefix);
	appendStringInfoString(&buf, "^(?:");
	appendBinaryStringInfo(&buf, pattern.data + prefix, pattern.len - prefix);
	appendStringInfoString(&buf, ")$");
	result = cstring_to_text_with_len(buf.data, buf.len);
	pfree(buf.data);
	return result;
}

/*
 * Does the pattern compile?  If not, problem says why; what PostgreSQL would
 * throw is of no help with a place in a query.
 */
void
query_regex_check(Bytes pattern, const char **problem)
{
	text	   *whole = anchored(pattern);
	pg_wchar   *chars = palloc((VARSIZE_ANY_EXHDR(whole) + 1) * sizeof(pg_wchar));
	int			count = pg_mb2wchar_with_len(VARDATA_ANY(whole), chars, VARSIZE_ANY_EXHDR(whole));
	regex_t		re;
	int			status = pg_regcomp(&re, chars, count, REG_ADVANCED | REG_NOSUB, C_COLLATION_OID);

	*problem = NULL;
	if (status != REG_OKAY)
	{
		char		message[100];

		CHECK_FOR_INTERRUPTS();
		pg_regerror(status, &re, message, sizeof(message));
		*problem = pstrdup(message);
	}
	else
	{
		if (re.re_info & REG_UBACKREF)
			*problem = "back-references are not supported";
		pg_regfree(&re);
	}
	pfree(chars);
	pfree(whole);
}

/*
 * Good as long as fewer than PostgreSQL's cache holds are compiled; what its
 * cache hands out moves within the cache, hence the copy.
 */
QueryRegex *
query_regex_compile(Bytes pattern)
{
	QueryRegex *regex = palloc0(sizeof(QueryRegex));
	text	   *whole = anchored(pattern);

	regex->re = *RE_compile_and_cache(whole, REG_ADVANCED | REG_NOSUB, C_COLLATION_OID);
	pfree(whole);
	return regex;
}

/* A match that PostgreSQL gives up as too complex is none. */
bool
query_regex_matches(QueryRegex *regex, Bytes subject, bool is_stored)
{
	int			count;

	/* spans in a row often have the same string; others' memory is reused */
	if (is_stored && regex->last.data == subject.data && regex->last.len == subject.len && subject.data != NULL)
		return regex->last_result;
	if (subject.len + 1 > regex->subject_max)
	{
		if (regex->subject)
			pfree(regex->subject);
		regex->subject_max = Max((size_t) subject.len + 1, 256);
		regex->subject = palloc_extended(regex->subject_max * sizeof(pg_wchar), MCXT_ALLOC_HUGE);
	}
	count = pg_mb2wchar_with_len(subject.data, regex->subject, subject.len);
	regex->last_result = pg_regexec(&regex->re, regex->subject, count, 0, NULL, 0, NULL, 0) == REG_OKAY;
	/* up to 15, a cancelled match returns */
	CHECK_FOR_INTERRUPTS();
	regex->last = is_stored ? subject : (Bytes) {NULL, 0};
	return regex->last_result;
}
