// The report as text.
const columnNames = {
	llmtrace: 'llmtrace', rows: 'PostgreSQL rows', duckdb: 'DuckDB', clickhouse: 'ClickHouse',
};

function number(value)
{
	const digits = value < 1 ? 3 : value < 10 ? 2 : value < 100 ? 1 : 0;
	return value.toFixed(digits);
}

// A figure, and how many times llmtrace's it is.
function cell(figure, own)
{
	if (figure === undefined)
		return '—';
	const text = number(figure.value);
	if (own === undefined || own === figure)
		return text;
	return `${text} (${number(figure.value / own.value)}×)`;
}

// Lines of cells as a table, the first being its head.
function format(lines)
{
	const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
	const text = lines.map((line) => `| ${line.map((c, i) => i === 0 ? c.padEnd(widths[i]) : c.padStart(widths[i])).join(' | ')} |`);
	text.splice(1, 0, `|${widths.map((w, i) => i === 0 ? '-'.repeat(w + 2) : '-'.repeat(w + 1) + ':').join('|')}|`);
	return text;
}

const keyOf = (f) => `${f.job}: ${f.figure} [${f.unit}]`;

export function table(report)
{
	const systems = Object.keys(report.versions);
	const keys = [...new Set(report.figures.map(keyOf))];
	const lines = [['', ...systems.map((name) => columnNames[name])]];
	for (const key of keys)
	{
		const figures = report.figures.filter((f) => keyOf(f) === key);
		const of = (name) => figures.find((f) => f.system === name);
		lines.push([key, ...systems.map((name) => cell(of(name), of('llmtrace')))]);
	}
	return [
		...format(lines), '',
		`${report.data.traces} traces, ${report.data.spans} spans, ${report.data.attributes} attributes; `
		+ `${number(report.data.json_bytes / 1e6)} MB of JSON, ${number(report.data.protobuf_bytes / 1e6)} MB of protobuf`,
		`${report.machine.cpu}; ${systems.map((name) => report.versions[name]).join('; ')}`,
		...report.differences.map((difference) => `DIFFERENT ANSWERS: ${difference}`),
	].join('\n');
}

// How many times each figure becomes when the data do ten times.
export function growthTable([small, large])
{
	const systems = Object.keys(small.versions);
	const of = (size, key, name) => size.figures.find((f) => keyOf(f) === key && f.system === name);
	const lines = [['growth', ...systems.map((name) => columnNames[name])]];
	for (const key of new Set(small.figures.map(keyOf)))
		lines.push([key, ...systems.map((name) =>
		{
			const [from, to] = [of(small, key, name), of(large, key, name)];
			return from && to ? `${number(to.value / from.value)}×` : '—';
		})]);
	return format(lines).join('\n');
}
