// A private PostgreSQL cluster and a psql that stays connected to it.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const bindir = execFileSync(process.env.PG_CONFIG ?? 'pg_config', ['--bindir'], { encoding: 'utf8' }).trim();

// One process and no JIT, as all systems get one thread.
const settings = `
listen_addresses = ''
jit = off
max_parallel_workers_per_gather = 0
max_parallel_maintenance_workers = 0
shared_buffers = 1GB
work_mem = 256MB
maintenance_work_mem = 512MB
max_wal_size = 8GB
checkpoint_timeout = 1h
synchronous_commit = off
autovacuum = off
`;

// The server refuses to run as root.
function asServerUser(command, args)
{
	return process.getuid() === 0 ? ['runuser', ['-u', 'postgres', '--', command, ...args]] : [command, args];
}

function server(command, ...args)
{
	const [program, all] = asServerUser(path.join(bindir, command), args);
	execFileSync(program, all, { stdio: ['ignore', 'ignore', 'inherit'] });
}

let cluster;		// shared by llmtrace and the plain rows

function startCluster(folder)
{
	if (cluster)
	{
		cluster.users++;
		return cluster;
	}
	const home = path.join(folder, 'pg');
	fs.mkdirSync(home);
	if (process.getuid() === 0)
		execFileSync('chown', ['postgres', home]);
	const data = path.join(home, 'data');
	server('initdb', '-D', data, '-U', 'bench', '-A', 'trust', '-N', '-E', 'UTF8', '--locale=C');
	fs.appendFileSync(path.join(data, 'postgresql.conf'), `${settings}unix_socket_directories = '${home}'\n`);
	server('pg_ctl', '-D', data, '-l', path.join(home, 'log'), '-w', 'start');
	cluster = { home, data, users: 1 };
	return cluster;
}

function stopCluster()
{
	if (--cluster.users > 0)
		return;
	server('pg_ctl', '-D', cluster.data, '-w', '-m', 'immediate', 'stop');
	fs.rmSync(cluster.home, { recursive: true });
	cluster = undefined;
}

// psql reports the time from sending a statement to its whole answer.
class Psql
{
	constructor(home, database)
	{
		this.out = '';
		this.err = '';
		this.child = spawn(path.join(bindir, 'psql'),
			['-XAtq', '-F', '\t', '-v', 'ON_ERROR_STOP=1', '-h', home, '-U', 'bench', '-d', database]);
		this.child.stdout.setEncoding('utf8').on('data', (text) => { this.out += text; this.check(); });
		this.child.stderr.setEncoding('utf8').on('data', (text) => { this.err += text; });
		this.child.on('close', () => this.waiting?.reject(new Error(this.err)));
		this.child.stdin.write('\\timing on\n');
	}

	run(sql)
	{
		return new Promise((resolve, reject) =>
		{
			this.waiting = { resolve, reject };
			this.child.stdin.write(`${sql};\n\\echo end of answer\n`);
		});
	}

	// The answers' rows, and the sum of the statements' times.
	check()
	{
		if (!this.out.endsWith('end of answer\n'))
			return;
		const lines = this.out.split('\n').slice(0, -2);
		const time = /^Time: ([\d.]+) ms/;
		const ms = lines.map((line) => Number(time.exec(line)?.[1] ?? 0)).reduce((a, b) => a + b, 0);
		const rows = lines.filter((line) => !time.test(line)).map((line) => line.split('\t'));
		this.out = '';
		this.waiting.resolve({ ms, rows });
	}

	close()
	{
		this.child.stdin.end();
	}
}

export async function openDatabase(folder, name)
{
	const { home } = startCluster(folder);
	try
	{
		execFileSync(path.join(bindir, 'createdb'), ['-h', home, '-U', 'bench', name]);
		const psql = new Psql(home, name);
		const { rows: [[version]] } = await psql.run('show server_version');
		return {
			version: `PostgreSQL ${version}`,
			run: (sql) => psql.run(sql),
			close: () => { psql.close(); stopCluster(); },
		};
	}
	catch (error)
	{
		stopCluster();
		throw error;
	}
}
