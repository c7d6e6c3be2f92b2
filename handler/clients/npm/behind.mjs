// Runs a server behind the proxy: it prints the server's port, reads the proxy's URL,
// and prints what each check comes to, as JSON.
import { once } from "node:events";
import { createInterface } from "node:readline";

export async function behind(server, checks) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  console.log(server.address().port);
  const [url] = await once(createInterface(process.stdin), "line");
  const outcomes = {};
  for (const [name, check] of Object.entries(checks)) {
    const late = new Promise((_, reject) => setTimeout(() => reject("late"), 30_000).unref());
    outcomes[name] = await Promise.race([check(url), late]).catch(String);
  }
  console.log(JSON.stringify(outcomes));
  process.exit();
}
