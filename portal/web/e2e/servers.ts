import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { binary, freePort, send, until, type Reply } from './cluster';

const count = 3;
const joinToken = 'a-join-token-of-the-browser-tests';

interface Node {
  /** Starts it, again where it was killed. */
  run: () => ChildProcess;
  process: ChildProcess;
  http: number;
  admin: number;
}

/** Three real server processes behind a balancer: any of them can be killed. */
export class Servers {
  readonly port: number;
  readonly mailDir: string;
  private readonly nodes: Node[];
  private readonly balancer: Server;
  private readonly folder: string;
  readonly adminToken: string;

  private constructor(nodes: Node[], balancer: Server, folder: string, token: string) {
    this.nodes = nodes;
    this.balancer = balancer;
    this.port = (balancer.address() as AddressInfo).port;
    this.folder = folder;
    this.mailDir = join(folder, 'mail');
    this.adminToken = token;
  }

  static async start(): Promise<Servers> {
    const folder = await mkdtemp(join(tmpdir(), 'cloudlicenses-servers-'));
    await mkdir(join(folder, 'mail'));
    await writeFile(join(folder, 'kek'), randomBytes(32).toString('hex'), { mode: 0o600 });
    const ports: number[] = [];
    while (ports.length < count * 4) {
      const port = await freePort();
      if (!ports.includes(port)) ports.push(port);
    }
    const at = (i: number, which: number): string => `127.0.0.1:${ports[i * 4 + which]}`;
    const gossip = Array.from({ length: count }, (_, i) => at(i, 3)).join(',');
    let log = '';
    const logged = (child: ChildProcess): ChildProcess => {
      child.stderr?.on('data', (chunk: Buffer) => {
        log = (log + chunk.toString()).slice(-4_000);
      });
      return child;
    };
    const nodes = Array.from({ length: count }, (_, i): Node => {
      const run = (): ChildProcess => logged(spawn(binary, [
        'server', '--insecure', '--node-id', `n${i + 1}`, '--data-dir', join(folder, `n${i + 1}`), '--bootstrap-expect', String(count),
        '--http', at(i, 0), '--admin', at(i, 1), '--raft', at(i, 2), '--gossip', at(i, 3), '--join', gossip, '--join-token', joinToken,
        '--kek-file', join(folder, 'kek'), '--mail-dir', join(folder, 'mail'), '--ready-file', join(folder, `n${i + 1}.json`),
      ], { stdio: ['ignore', 'ignore', 'pipe'] }));
      return { run, process: run(), http: ports[i * 4] ?? 0, admin: ports[i * 4 + 1] ?? 0 };
    });
    try {
      const readyFiles = nodes.map((_, i) => join(folder, `n${i + 1}.json`));
      await until('three servers to be ready', () => {
        if (nodes.some((n) => n.process.exitCode !== null)) throw new Error(`a server ended: ${log}`);
        return readyFiles.every(existsSync) || undefined;
      }, 90_000);
      const { admin_token: token } = JSON.parse(await readFile(readyFiles[0] ?? '', 'utf8')) as { admin_token: string };
      return new Servers(nodes, await balance(nodes), folder, token);
    } catch (error) {
      for (const n of nodes) n.process.kill('SIGKILL');
      throw new Error(`the servers did not start: ${log}`, { cause: error });
    }
  }

  url(host: string, path = '/'): string {
    return `http://${host}.localhost:${this.port}${path}`;
  }

  admin(method: string, path: string, body?: unknown): Promise<Reply> {
    const port = this.nodes.at(-1)?.admin ?? 0;
    return send(`http://127.0.0.1:${port}${path}`, method, `127.0.0.1:${port}`, this.adminToken, body, 'application/json');
  }

  /** Asks by way of the balancer, as an application does. */
  ask(host: string, method: string, path: string, token: string, body?: unknown): Promise<Reply> {
    return send(`http://127.0.0.1:${this.port}${path}`, method, `${host}.localhost:${this.port}`, token, body, 'application/json');
  }

  /** Kills the node that the balancer leads to, without a word. */
  async killFirst(): Promise<void> {
    const node = this.nodes.find((n) => n.process.exitCode === null && n.process.signalCode === null);
    if (node === undefined) throw new Error('no server is left');
    await endProcess(node);
  }

  /** A URL of a node's admin address; nodes are n1, n2 and n3. */
  adminURL(id: string, path: string): string {
    return `http://127.0.0.1:${this.node(id).admin}${path}`;
  }

  /** Kills a node without a word. */
  kill(id: string): Promise<void> {
    return endProcess(this.node(id));
  }

  /** Starts a node again that was killed. */
  run(id: string): void {
    const node = this.node(id);
    node.process = node.run();
  }

  private node(id: string): Node {
    const node = this.nodes[Number(id.slice(1)) - 1];
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  async stop(): Promise<void> {
    this.balancer.close();
    await Promise.all(this.nodes.map(endProcess));
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function endProcess({ process }: Node): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const ended = new Promise((done) => process.once('exit', done));
  process.kill('SIGKILL');
  await ended;
}

/** Leads every connection to the first node that takes it, as a balancer does. */
function balance(nodes: readonly Node[]): Promise<Server> {
  const lead = (client: Socket, [node, ...others]: readonly Node[]): void => {
    if (node === undefined) {
      client.destroy();
      return;
    }
    const upstream = connect(node.http, '127.0.0.1');
    const refused = (): void => lead(client, others);
    upstream.once('error', refused);
    upstream.once('connect', () => {
      upstream.off('error', refused);
      const end = (): void => {
        client.destroy();
        upstream.destroy();
      };
      upstream.on('error', end).on('close', end);
      client.on('error', end).on('close', end);
      client.pipe(upstream).pipe(client);
    });
  };
  const server = createServer((client) => {
    client.on('error', () => client.destroy());
    lead(client, nodes);
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)));
}
