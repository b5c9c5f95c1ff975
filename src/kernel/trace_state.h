/*
 * trace_state.h
 *		What OpenTelemetry's consistent sampling knows of a trace
 *		(opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling).
 *
 * A trace has 56 random bits, R: the last seven bytes of its id, or what its
 * trace state says in ot=rv. A sampler with rejection threshold T, which the
 * trace state keeps in ot=th, lets it pass if R >= T, with probability
 * (2^56 - T) / 2^56. Here everything is said of the complement, the rank
 * 2^56 - 1 - R: it passed if its rank is below 2^56 - T, so that those of
 * lowest rank are a sample, and a sample of any sampler before.
 */
#ifndef LLMTRACE_TRACE_STATE_H
#define LLMTRACE_TRACE_STATE_H

#include "kernel/bytes.h"

#define RANK_BITS	56
#define RANK_END	(UINT64CONST(1) << RANK_BITS)

/* The rank of a trace by its id, 16 bytes. */
static inline uint64
trace_id_rank(const uint8 *id)
{
	uint64		last;

	memcpy(&last, id + 8, sizeof(last));
#ifndef WORDS_BIGENDIAN
	last = pg_bswap64(last);
#endif
	return RANK_END - 1 - (last & (RANK_END - 1));
}

/* False if the trace state does not say, or not in the right form. */
extern bool trace_state_rank(Bytes trace_state, uint64 *rank);
extern bool trace_state_probability(Bytes trace_state, double *probability);

#endif							/* LLMTRACE_TRACE_STATE_H */
