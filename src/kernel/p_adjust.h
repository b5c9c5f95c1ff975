/*
 * p_adjust.h
 *		P values of many questions asked at once.
 */
#ifndef LLMTRACE_P_ADJUST_H
#define LLMTRACE_P_ADJUST_H

typedef enum PAdjustMethod
{
	P_ADJUST_BH,				/* Benjamini-Hochberg: false discovery rate */
	P_ADJUST_BY,				/* Benjamini-Yekutieli: the same, any dependence */
	P_ADJUST_HOLM,				/* Holm: family-wise error rate */
	P_ADJUST_BONFERRONI			/* Bonferroni: the same, simpler and weaker */
} PAdjustMethod;

extern PAdjustMethod p_adjust_method(const char *name);
extern void p_adjust(double *p, int n, PAdjustMethod method);

#endif
