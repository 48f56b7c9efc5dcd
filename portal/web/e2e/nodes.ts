import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { binary, freePorts, until } from './cluster';

export const names: readonly string[] = ['n1', 'n2', 'n3'];
const portsPerNode = 4; // public API, admin, Raft, gossip

/** Three nodes as processes of their own, so that one can be killed and come back. */
export class Nodes {
  private readonly folder: string;
  private readonly port: number;
  private readonly running = new Map<string, ChildProcess>();

  private constructor(folder: string, port: number) {
    this.folder = folder;
    this.port = port;
  }

  static async start(): Promise<Nodes> {
    const folder = await mkdtemp(join(tmpdir(), 'cloudlicenses-nodes-'));
    const nodes = new Nodes(folder, await freePorts(names.length * portsPerNode));
    try {
      for (const name of names) nodes.run(name);
      await Promise.all(names.map((name) => nodes.ready(name)));
      return nodes;
    } catch (error) {
      await nodes.stop();
      throw error;
    }
  }

  /** Starts a node, or starts one again that was killed. */
  run(name: string): void {
    const address = (at: number, node = name): string => `127.0.0.1:${this.port + names.indexOf(node) * portsPerNode + at}`;
    const child = spawn(binary, [
      'server', '--node-id', name, '--data-dir', join(this.folder, name), '--insecure',
      '--http', address(0), '--admin', address(1), '--raft', address(2), '--gossip', address(3),
      '--bootstrap-expect', String(names.length), '--join', names.map((n) => address(3, n)).join(','),
      '--join-token', 'the-same-on-every-node',
    ], { stdio: ['ignore', 'ignore', 'ignore'] });
    this.running.set(name, child);
  }

  /** Waits until every group has a leader that the node reaches. */
  async ready(name: string): Promise<void> {
    await until(`${name} to be ready`, async () => {
      const reply = await fetch(this.adminURL(name, '/readyz')).catch(() => undefined); // not listening yet
      return reply?.ok === true ? true : undefined;
    }, 90_000);
  }

  /** Ends a node as a crash does. */
  async kill(name: string): Promise<void> {
    const child = this.running.get(name);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await ended;
  }

  adminURL(name: string, path: string): string {
    return `http://127.0.0.1:${this.port + names.indexOf(name) * portsPerNode + 1}${path}`;
  }

  adminToken(): Promise<string> {
    return until('the admin token', async () => {
      const file = join(this.folder, 'n1', 'admin.token');
      return existsSync(file) ? (await readFile(file, 'utf8')).trim() : undefined;
    });
  }

  async stop(): Promise<void> {
    await Promise.all(names.map((name) => this.kill(name)));
    await rm(this.folder, { recursive: true, force: true });
  }
}
