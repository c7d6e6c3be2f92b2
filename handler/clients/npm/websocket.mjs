// The package ws at both ends of the proxy.
import { once } from "node:events";
import { createServer } from "node:http";
import WebSocket, { WebSocketServer } from "ws";
import { behind } from "./behind.mjs";

const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: true });
const served = []; // what the server saw of each connection that asked for it to be told
sockets.on("connection", (socket, request) => {
  const seen = { pings: 0 };
  socket.on("ping", () => seen.pings++);
  socket.on("close", (code, reason) => served.shift()?.({ code, reason: String(reason), ...seen }));
  socket.on("error", () => {});
  switch (request.url) {
    case "/echo":
      socket.on("message", (data, binary) => socket.send(data, { binary }));
      return;
    case "/closes":
      socket.send("last words");
      socket.close(4001, "the server's reason");
      return;
    case "/ends": // half of the connection, below the protocol
      socket.send("last words", () => socket._socket.end());
      return;
    case "/breaks":
      socket.send("last words", () => socket.terminate());
      return;
    case "/pings":
      socket.on("pong", (data) => socket.send("pong of " + data));
      socket.ping("abc");
  }
});

const open = async (url, options) => {
  const socket = new WebSocket(url.replace("http", "ws"), options);
  await once(socket, "open");
  return socket;
};
const said = async (socket) => String((await once(socket, "message"))[0]);
const closed = async (socket) => {
  const [code, reason] = await once(socket, "close");
  return `${code} ${reason}`.trim();
};
const byServer = () => new Promise((resolve) => served.push(resolve));
const ending = (path) => async (url) => {
  const socket = new WebSocket(url.replace("http", "ws") + path);
  socket.on("error", () => {});
  return (await Promise.all([said(socket), closed(socket)])).join(", ");
};

await behind(server, {
  sizes: async (url) => {
    const wrong = [];
    for (const deflate of [false, true]) {
      const socket = await open(url + "/echo", { perMessageDeflate: deflate });
      for (const size of [0, 1, 125, 126, 127, 65535, 65536, 1 << 20]) {
        const sent = Buffer.alloc(size, "x");
        socket.send(sent);
        const [got] = await once(socket, "message");
        if (!sent.equals(got)) wrong.push(size);
      }
      socket.close();
      await closed(socket);
    }
    return wrong.join();
  },
  fragments: async (url) => {
    const socket = await open(url + "/echo");
    for (const part of ["one ", "two ", ""]) {
      socket.send(part, { fin: false });
      socket.ping(); // in between
    }
    socket.send("three", { fin: true });
    const got = await said(socket);
    const end = byServer();
    socket.close(1000, "bye");
    const { code, reason, pings } = await end;
    return `${got}; ${pings} pings; ${code} ${reason}`;
  },
  "ping of the client": async (url) => {
    const socket = await open(url + "/echo");
    socket.ping("abc");
    const [data] = await once(socket, "pong");
    socket.terminate();
    return String(data);
  },
  "ping of the server": async (url) => {
    const socket = await open(url + "/pings");
    const got = await said(socket);
    socket.terminate();
    return got;
  },
  "closed by the server": ending("/closes"),
  "ended by the server": ending("/ends"),
  "broken by the server": ending("/breaks"),
  "ended by the client": async (url) => {
    const socket = await open(url + "/echo");
    const end = byServer();
    socket.send("last words", () => socket._socket.end());
    return String((await end).code);
  },
  "broken by the client": async (url) => {
    const socket = await open(url + "/echo");
    const end = byServer();
    socket.terminate();
    return String((await end).code);
  },
});
