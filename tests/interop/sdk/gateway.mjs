// The parts around the libraries: a backend that keeps what arrives, a client, and the gateway as its users run it.
import { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync, openSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';

const kReadyWithin = 30_000, kStopWithin = 20_000, kAnswerWithin = 20_000;

export class Backend {
  static async start() {
    const backend = new Backend();
    backend.received = [];
    backend.server = http.createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      backend.received.push({ method: request.method, target: request.url, headers: request.headers, body: Buffer.concat(chunks) });
      response.end('ok');
    });
    backend.server.listen(0, '127.0.0.1');
    await once(backend.server, 'listening');
    backend.port = backend.server.address().port;
    return backend;
  }
  // What arrived at a path, oldest first.
  at(path) { return this.received.filter(({ target }) => target.split('?')[0] === path); }
  stop() { this.server.closeAllConnections(); this.server.close(); }
}

export function post(port, target, headers, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({
      host: '127.0.0.1', port, method: 'POST', path: target, agent: false, headers: { ...headers, 'Content-Length': Buffer.byteLength(body) },
    });
    request.setTimeout(kAnswerWithin, () => request.destroy(new Error('no answer in time')));
    request.on('error', reject);
    request.on('response', async (response) => {
      const chunks = [];
      for await (const chunk of response) chunks.push(chunk);
      resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString('utf8') });
    });
    request.end(body);
  });
}

const given = new Set();  // the system would give a port a second time before somebody listens

async function free_port() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');  // throws when there is none
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  if (given.has(port)) return free_port();
  given.add(port);
  return port;
}

// A main file and one rules file (JSON is YAML) in a folder, and `belay run` on them until stop().
export class Gateway {
  static async start(binary, folder, rules) {
    const gateway = new Gateway();
    gateway.port = await free_port();
    const admin_port = await free_port();
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'belay.yaml'), JSON.stringify({
      proxy: { listen: [`127.0.0.1:${gateway.port}`] },
      spool: { size: '1GB' },
      admin: { listen: `127.0.0.1:${admin_port}`, token: 'test-token' },
      log: { level: 'info' },
      rules: ['rules.yaml'],
    }));
    writeFileSync(join(folder, 'rules.yaml'), JSON.stringify(rules, null, 1));
    gateway.log = join(folder, 'log');
    const output = openSync(gateway.log, 'w');
    const words = ['run', '-c', join(folder, 'belay.yaml'), '--state', join(folder, 'state')];
    gateway.process = spawn(binary, words, { stdio: ['ignore', output, output] });
    gateway.ended = once(gateway.process, 'exit');
    const deadline = Date.now() + kReadyWithin;
    while (!readFileSync(gateway.log, 'utf8').includes('ready: ')) {
      if (gateway.process.exitCode !== null || Date.now() > deadline) {
        gateway.process.kill('SIGKILL');
        throw new Error(`the gateway did not start:\n${readFileSync(gateway.log, 'utf8')}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return gateway;
  }
  async stop() {
    this.process.kill('SIGTERM');
    const killer = setTimeout(() => this.process.kill('SIGKILL'), kStopWithin);
    const [code, signal] = await this.ended;
    clearTimeout(killer);
    if (code !== 0) throw new Error(`the gateway ended with ${signal ?? code}:\n${readFileSync(this.log, 'utf8')}`);
  }
}

// One belay command: {code, output}. Not spawnSync: the backend it talks to runs in this process.
export async function belay(binary, words) {
  const child = spawn(binary, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (text) => { output += text; });
  child.stderr.on('data', (text) => { output += text; });
  const [code] = await once(child, 'close');
  return { code, output: output.trim() };
}
