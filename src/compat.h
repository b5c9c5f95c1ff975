/*
 * compat.h
 *		Every test of PG_VERSION_NUM, each with the upstream change it follows.
 */
#ifndef LLMTRACE_COMPAT_H
#define LLMTRACE_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "llmtrace needs PostgreSQL 15 or later"
#endif

/* 16 split varlena macros out of postgres.h (d952373a987) */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/*
 * 17 lets the caller provide the JsonLexContext and needs the input const
 * (1c99cde2f34); before, it was always allocated.
 */
#if PG_VERSION_NUM >= 170000
#define compat_make_json_lexer(json, len, unescape) \
	makeJsonLexContextCstringLen(NULL, (json), (len), PG_UTF8, (unescape))
#else
#define compat_make_json_lexer(json, len, unescape) \
	makeJsonLexContextCstringLen(unconstify(char *, (json)), (len), PG_UTF8, (unescape))
#endif

/* 17 made pg_attribute.attstattarget nullable, hence a copy (012460ee93c) */
#if PG_VERSION_NUM >= 170000
#define compat_statistics_target(stats) ((stats)->attstattarget)
#else
#define compat_statistics_target(stats) ((stats)->attr->attstattarget)
#endif

/* 18 tells vacuum from analyze (e5b0b0ce150) */
#if PG_VERSION_NUM >= 180000
#define compat_vacuum_delay_point(is_analyze) vacuum_delay_point(is_analyze)
#else
#define compat_vacuum_delay_point(is_analyze) vacuum_delay_point()
#endif

/* 18 puts pg_noreturn before a declaration, not pg_attribute_noreturn() behind it (3691edfab97) */
#if PG_VERSION_NUM < 180000
#define pg_noreturn _Noreturn
#endif

#endif							/* LLMTRACE_COMPAT_H */
