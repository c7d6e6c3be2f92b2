// Socket.IO at both ends of the proxy.
import { once } from "node:events";
import { createServer } from "node:http";
import { Server } from "socket.io";
import { io } from "socket.io-client";
import { behind } from "./behind.mjs";

const server = createServer();
new Server(server).on("connection", (socket) => {
  socket.on("echo", (message, answer) => answer(message));
  socket.on("leave", () => socket.conn.close()); // as a network does
});

const echo = (socket, message) => socket.timeout(20_000).emitWithAck("echo", message);
const over = (socket) => socket.io.engine.transport.name;
const using = (transports) => async (url) => {
  const socket = io(url, { transports });
  try {
    await once(socket, "connect");
    const text = await echo(socket, "text");
    const binary = await echo(socket, Buffer.from([1, 2, 3]));
    return `${over(socket)}: ${text}, ${[...new Uint8Array(binary)]}`;
  } finally {
    socket.close();
  }
};

await behind(server, {
  polling: using(["polling"]),
  websocket: using(["websocket"]),
  upgrade: async (url) => {
    const socket = io(url);
    try {
      await once(socket, "connect");
      while (over(socket) !== "websocket") await once(socket.io.engine, "upgrade");
      return `${over(socket)}: ${await echo(socket, "text")}`;
    } finally {
      socket.close();
    }
  },
  reconnect: async (url) => {
    const socket = io(url, { reconnectionDelay: 1 });
    try {
      await once(socket, "connect");
      const first = socket.id;
      socket.emit("leave");
      await once(socket, "connect");
      return `${socket.id !== first}: ${await echo(socket, "again")}`;
    } finally {
      socket.close();
    }
  },
});
