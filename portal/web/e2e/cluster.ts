import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** What `dev --ready-file` writes (contract, "Command line"). */
export interface Ready {
  domain: string;
  nodes: { id: string; http: string; admin: string }[];
  admin_token: string;
  mail_dir: string;
  dns_addr: string;
  demo: {
    vendor_id: string;
    vendor_api_key: string;
    vendor_email: string;
    vendor_password: string;
    tenant_id: string;
    tenant_url: string;
    admin_email: string;
    admin_password: string;
    license_id: string;
    product_id: string;
    api_key: string;
  };
}

export interface Reply {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
  /** The body as JSON. */
  json: <T>() => T;
}

interface Ask {
  token?: string;
  body?: unknown;
  accept?: string;
  headers?: Readonly<Record<string, string>>;
}

/** Waits until a condition holds; the error says what was waited for. */
export async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined, millis = 20_000): Promise<T> {
  const end = Date.now() + millis;
  while (Date.now() < end) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    await new Promise((r) => setTimeout(r, 50));
  }
  throw new Error(`waited ${millis} ms in vain: ${what}`);
}

const nodes = 3;

function free(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });
}

/** A port of the system's choice. */
export function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const server = createServer();
    server.once('error', failed);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** A port with free ones after it: node i of dev listens on port + i. */
async function freePorts(): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const port = 21_000 + Math.floor(Math.random() * 9_000);
    const all = await Promise.all(Array.from({ length: nodes }, (_, i) => free(port + i)));
    if (all.every(Boolean)) return port;
  }
  throw new Error('no free ports');
}

export const binary = resolve(import.meta.dirname, '../../../bin/cloudlicenses');

/** A real three-node cluster with the demo's data, in one process. */
export class Cluster {
  readonly ready: Ready;
  readonly port: number;
  private readonly process: ChildProcess;
  private readonly folder: string;

  private constructor(ready: Ready, port: number, process: ChildProcess, folder: string) {
    this.ready = ready;
    this.port = port;
    this.process = process;
    this.folder = folder;
  }

  static async start(): Promise<Cluster> {
    if (!existsSync(binary)) throw new Error(`${binary} is missing: run make build`);
    const folder = await mkdtemp(join(tmpdir(), 'cloudlicenses-e2e-'));
    const file = join(folder, 'ready.json');
    const port = await freePorts();
    const args = ['dev', '--data-dir', join(folder, 'data'), '--http', `127.0.0.1:${port}`, '--ready-file', file];
    const child = spawn(binary, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    child.stderr.on('data', (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-4_000);
    });
    try {
      const ready = await until('dev to be ready', async () => {
        if (child.exitCode !== null) throw new Error(`dev ended with ${child.exitCode}: ${log}`);
        return existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as Ready) : undefined;
      }, 90_000);
      return new Cluster(ready, port, child, folder);
    } catch (error) {
      child.kill('SIGKILL');
      throw new Error(`dev did not start: ${log}`, { cause: error });
    }
  }

  /** The URL of a site as a browser has it; '' is the platform's own host. */
  url(host: string, path = '/'): string {
    const name = host === '' ? this.ready.domain : `${host}.${this.ready.domain}`;
    return `http://${name}:${this.port}${path}`;
  }

  /** Asks the API of a host, without a browser and without its name service. */
  ask(host: string, method: string, path: string, { token, body, accept = 'application/json', headers = {} }: Ask = {}): Promise<Reply> {
    return send(`http://127.0.0.1:${this.port}${path}`, method, new URL(this.url(host)).host, token, body, accept, headers);
  }

  /** Asks an admin address as the operator. */
  admin(method: string, path: string, body?: unknown): Promise<Reply> {
    const base = this.ready.nodes[0]?.admin ?? '';
    return send(base + path, method, new URL(base).host, this.ready.admin_token, body, 'application/json');
  }

  /** Stops the process in its tracks: connections stay, and nothing answers. */
  freeze(): void {
    this.process.kill('SIGSTOP');
  }

  thaw(): void {
    this.process.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null) {
      this.thaw();
      const ended = new Promise((done) => this.process.once('exit', done));
      this.process.kill('SIGTERM');
      const timer = setTimeout(() => this.process.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(timer);
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

export function send(url: string, method: string, host: string, token: string | undefined, body: unknown, accept: string, more: Readonly<Record<string, string>> = {}): Promise<Reply> {
  const headers: Record<string, string> = { ...more, Host: host, Accept: accept };
  if (token !== undefined) headers['Authorization'] = `Bearer ${token}`;
  const text = body === undefined ? undefined : JSON.stringify(body);
  if (text !== undefined) headers['Content-Type'] = 'application/json';
  return new Promise((done, failed) => {
    const r = request(url, { method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (c: Buffer) => chunks.push(c));
      response.on('end', () => {
        const got = Buffer.concat(chunks).toString('utf8');
        done({ status: response.statusCode ?? 0, headers: response.headers, body: got, json: <T>() => JSON.parse(got) as T });
      });
      response.on('error', failed);
    });
    r.on('error', failed);
    r.end(text);
  });
}
