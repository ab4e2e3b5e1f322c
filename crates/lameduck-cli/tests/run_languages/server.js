// A server that takes its socket by systemd's protocol, answers a probe on a port of its own, and stops in order on
// SIGTERM.
const http = require("http");
const net = require("net");

if (process.env.LISTEN_PID !== String(process.pid)) throw new Error("LISTEN_PID is not mine");
const answer = (request, response) => {
  response.setHeader("Connection", "close");
  response.end("OK");
};
const server = http.createServer(answer);
const probe = http.createServer(answer);
process.on("SIGTERM", () => {
  // Not http.Server's own close(): that cuts connections whose request has not come yet.
  net.Server.prototype.close.call(server);
  net.Server.prototype.close.call(probe);
});
server.listen({ fd: 3 }, () => probe.listen(Number(process.argv[2]), "127.0.0.1"));
