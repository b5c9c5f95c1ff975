// Runs the jobs in jobs/ on every system in systems/ and prints one table.
//
// A job is a file of its own, with each system's SQL beside the others':
//
//   name, unit   of its figures
//   systems      by system, a function of the data (paths of its files, totals)
//                that gives the steps; a system that cannot do it is left out
//   loads        steps change the database: fewer runs, and none to warm up
//   sizes        no times: the one step's answer has rows of figure and bytes,
//                which are divided by the number of spans
//
// A step has the SQL whose time is a figure, the figure's name, and what to run
// before without counting it.  Steps of the same name must give the same answer
// in all systems; one that is only a check gives no figure.  Every run does all
// steps in turn.  Later jobs find what the first, the load, has left.
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { growthTable, table } from './table.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const systemNames = ['llmtrace', 'rows', 'duckdb', 'clickhouse'];

const help = `Measures llmtrace side by side with the same spans as PostgreSQL rows, in DuckDB
and in ClickHouse: one thread each, files on disk, warm.

Usage: bench/run [OPTION]...

  --traces N     size of the generated data (20000; a trace has 42 spans on average)
  --runs N       runs of each query, of which the median counts (5)
  --loads N      the same for loading (3)
  --growth       all of it again at ten times the size
  --systems A,B  of ${systemNames.join(', ')} (all)
  --jobs A,B     only the jobs in files whose names contain one of these, and
                 those before them that they need (all)
  --output FILE  the figures as JSON (bench/out/bench.json)
  --help         this text

PG_CONFIG chooses the PostgreSQL (pg_config in the PATH), LLMTRACE_GENERATE the
generator (bench/generate).`;

function parseOptions()
{
	const { values } = parseArgs({
		options: {
			traces: { type: 'string', default: '20000' },
			runs: { type: 'string', default: '5' },
			loads: { type: 'string', default: '3' },
			growth: { type: 'boolean', default: false },
			systems: { type: 'string', default: systemNames.join(',') },
			jobs: { type: 'string' },
			output: { type: 'string', default: path.join(here, 'out/bench.json') },
			help: { type: 'boolean', default: false },
		},
	});
	if (values.help)
	{
		console.log(help);
		process.exit(0);
	}
	const systems = values.systems.split(',');
	const unknown = systems.find((name) => !systemNames.includes(name));
	if (unknown)
		throw new Error(`unknown system "${unknown}": there are ${systemNames.join(', ')}`);
	const traces = Number(values.traces);
	return {
		...values, runs: Number(values.runs), loads: Number(values.loads), systems,
		sizes: values.growth ? [traces, 10 * traces] : [traces],
	};
}

// The npm packages of DuckDB and ClickHouse; without them both are skipped.
function installPackages(systems)
{
	if (!systems.some((name) => name === 'duckdb' || name === 'clickhouse'))
		return;
	if (fs.existsSync(path.join(here, 'node_modules/chdb')))
		return;
	console.error('bench: installing DuckDB and ClickHouse from npm');
	const npm = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock'], { cwd: here, encoding: 'utf8' });
	if (npm.error || npm.status !== 0)
		console.error(`bench: npm install failed: ${npm.error?.message ?? npm.stderr}`);
}

// JSON and protobuf of the same traces, always the same for a size.
function generateData(folder, traces)
{
	const generate = process.env.LLMTRACE_GENERATE ?? path.join(here, 'generate');
	const data = { traces, json: path.join(folder, 'traces.json'), protobuf: path.join(folder, 'traces.pb') };
	const truth = path.join(folder, 'truth.json');
	for (const format of ['json', 'protobuf'])
		execFileSync(generate, ['--traces', String(traces), '--until', '2026-01-31T00:00:00Z',
			'--format', format, '--output', data[format], '--truth', truth]);
	data.totals = JSON.parse(fs.readFileSync(truth)).totals;
	data.json_bytes = fs.statSync(data.json).size;
	data.protobuf_bytes = fs.statSync(data.protobuf).size;
	return data;
}

// The systems that are there; one that is not is named, and left out.
async function openSystems(names, folder, data)
{
	const systems = [];
	for (const name of names)
	{
		try
		{
			const { open } = await import(`./systems/${name}.mjs`);
			systems.push({ name, ...await open(folder, data) });
		}
		catch (error)
		{
			console.error(`bench: skipping ${name}: ${error.message.trim()}`);
		}
	}
	return systems;
}

// Setting jobs up costs what loading costs, so jobs stay in their order.
async function readJobs(only)
{
	const files = fs.readdirSync(path.join(here, 'jobs')).sort();
	const wanted = files.filter((file, i) => i === 0 || !only
		|| only.split(',').some((part) => file.includes(part)));
	return Promise.all(wanted.map(async (file) => (await import(`./jobs/${file}`)).default));
}

function median(values)
{
	const sorted = [...values].sort((a, b) => a - b);
	const middle = sorted.length >> 1;
	return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// A job's steps on one system, several times over: figures by step.
async function measure(job, system, options, data)
{
	const steps = job.systems[system.name](data);
	const figures = steps.map((step) => ({
		job: job.name, figure: step.figure, unit: job.unit, system: system.name, check: step.check, runs: [],
	}));
	const runs = job.loads ? options.loads : options.runs + 1;
	for (let run = 0; run < runs; run++)
	{
		for (const [i, step] of steps.entries())
		{
			for (const sql of step.before ?? [])
				await system.run(sql);
			const { ms, rows } = await system.run(step.sql);
			figures[i].result = rows;
			if (job.loads || run > 0)		// the first run of a query warms up
				figures[i].runs.push(ms);
		}
	}
	return figures.map((figure) => ({ ...figure, value: median(figure.runs) }));
}

// A job that asks for sizes: each row of the answer is a figure.
async function weigh(job, system, data)
{
	const { rows } = await system.run(job.systems[system.name](data)[0].sql);
	return rows.map(([figure, value]) => ({
		job: job.name, figure, unit: job.unit, system: system.name, value: Number(value) / data.totals.spans,
	}));
}

// Systems that answer the same question must give the same answer, and all
// must have the spans that the generator wrote.
function compare(figures, data)
{
	const differences = [];
	const first = new Map([['load, spans', { system: 'generate', answer: `[["${data.totals.spans}"]]` }]]);
	for (const { job, figure, system, result } of figures.filter((f) => f.result?.length > 0))
	{
		const key = `${job}, ${figure}`;
		const answer = JSON.stringify(result);
		if (!first.has(key))
			first.set(key, { system, answer });
		else if (first.get(key).answer !== answer)
			differences.push(`${key}: ${first.get(key).system} says ${first.get(key).answer}, ${system} ${answer}`);
	}
	return differences;
}

// A system that fails is out of the race, and closed with the others.
async function runJobs(jobs, systems, options, data)
{
	const figures = [];
	const failed = new Set();
	for (const job of jobs)
	{
		for (const system of systems.filter((s) => job.systems[s.name] && !failed.has(s)))
		{
			console.error(`bench: ${job.name}, ${system.name}`);
			try
			{
				figures.push(...job.sizes ? await weigh(job, system, data) : await measure(job, system, options, data));
			}
			catch (error)
			{
				console.error(`bench: ${system.name} failed: ${error.message.trim()}`);
				failed.add(system);
			}
		}
	}
	return figures;
}

// Everything at one size, in a folder of its own.
async function measureSize(traces, jobs, options, cleaners)
{
	const folder = fs.mkdtempSync('/var/tmp/llmtrace-bench-');
	let systems = [];
	fs.chmodSync(folder, 0o755);
	const clean = async () =>
	{
		cleaners.delete(clean);
		for (const system of systems.splice(0))
			await system.close();
		fs.rmSync(folder, { recursive: true, force: true });
	};
	cleaners.add(clean);
	try
	{
		const data = generateData(folder, traces);
		systems = await openSystems(options.systems, folder, data);
		const figures = await runJobs(jobs, systems, options, data);
		return {
			versions: Object.fromEntries(systems.map((s) => [s.name, s.version])),
			data: { ...data.totals, json_bytes: data.json_bytes, protobuf_bytes: data.protobuf_bytes },
			differences: compare(figures, data),
			figures: figures.filter((figure) => !figure.check),
		};
	}
	finally
	{
		await clean();
	}
}

async function main()
{
	const options = parseOptions();
	const cleaners = new Set();
	const stop = async (status) =>
	{
		for (const clean of cleaners)
			await clean();
		process.exit(status);
	};
	process.once('SIGINT', () => stop(130));
	process.once('SIGTERM', () => stop(143));
	installPackages(options.systems);
	const jobs = await readJobs(options.jobs);
	const sizes = [];
	for (const traces of options.sizes)
		sizes.push(await measureSize(traces, jobs, options, cleaners));
	const report = {
		at: new Date().toISOString(),
		machine: { cpu: os.cpus()[0].model, cores: os.cpus().length, memory: os.totalmem() },
		sizes,
	};
	fs.mkdirSync(path.dirname(options.output), { recursive: true });
	fs.writeFileSync(options.output, JSON.stringify(report, null, 1) + '\n');
	console.log(sizes.map((size) => table({ ...report, ...size })).join('\n\n'));
	if (sizes.length > 1)
		console.log(`\n${growthTable(sizes)}`);
	process.exitCode = sizes.some((size) => size.differences.length > 0) ? 1 : 0;
}

await main();
