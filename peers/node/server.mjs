// Node's http: on SIGTERM or SIGINT server.close(), which since Node 19 also ends idle connections and takes no new ones,
// and at the deadline server.closeAllConnections(), which its documentation puts behind server.close():
// https://nodejs.org/docs/latest-v20.x/api/http.html#serverclosecallback and #servercloseallconnections.
// The signal handler is the one that https://nodejs.org/docs/latest-v20.x/api/process.html#signal-events shows.
// Node's http speaks no HTTP/2 on this port and has no WebSocket server, so those cases are skipped.

import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { Worker } from "node:worker_threads";

const GRACE = 5000;

const block = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

const ok = (response) => response.end("OK");

// Each of them returns once its response has ended, or never.
const routes = {
  "GET /": (_, response) => ok(response),
  "GET /sleep": async (url, response) => {
    await pause(milliseconds(url));
    ok(response);
  },
  "GET /stream": async (url, response) => {
    const chunks = Number(url.searchParams.get("chunks"));
    for (let n = 0; n < chunks && !response.destroyed; n++) {
      if (n > 0) await pause(milliseconds(url));
      response.write(`chunk ${String(n).padStart(4, "0")}\n`);
    }
    response.end();
  },
  "GET /hang": () => {},
  "POST /hang": () => {},
  "GET /block": (url, response) => {
    // The thread that may be blocked is a worker's.
    const code = "const { workerData } = require('node:worker_threads');"
      + " Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, workerData)";
    new Worker(code, { eval: true, workerData: milliseconds(url) }).once("exit", () => ok(response));
  },
  "GET /starve": (url, response) => {
    block(milliseconds(url));
    ok(response);
  },
  "POST /echo": async (_, response, request) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    response.end(Buffer.concat(pieces));
  },
};

function milliseconds(url) {
  return Number(url.searchParams.get("ms"));
}

const server = createServer((request, response) => {
  const url = new URL(request.url, "http://localhost");
  const route = routes[`${request.method} ${url.pathname}`];
  if (!route) {
    response.writeHead(404).end();
    return;
  }
  // A client that breaks off ends only its own request.
  Promise.resolve(route(url, response, request)).catch(() => response.destroy());
});

function stop() {
  server.close();
  setTimeout(() => server.closeAllConnections(), GRACE).unref();
}

process.on("SIGTERM", stop);
process.on("SIGINT", stop);
server.listen(Number(process.env.PORT), "127.0.0.1");
