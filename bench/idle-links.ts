/** What an idle link costs a replica: `node bench/idle-links.ts [LINKS]`. */
import { setTimeout as sleep } from 'node:timers/promises';
import { makeCredentials } from './baseline/credentials.ts';
import { startLinkSwarm } from './tunnel/link-swarm.ts';
import { startReplicaProcess } from './tunnel/replica-process.ts';

const TARGET_KIB = 72;
const links = Number(process.argv[2] ?? 5000);
const credentials = await makeCredentials();
const replica = await startReplicaProcess(credentials.relay);
const swarm = { credentials: credentials.client, linkPort: replica.ready.link };
// The first few pay for what all share.
const first = await startLinkSwarm({ ...swarm, count: 50 });
const before = await replica.usage();
const many = await startLinkSwarm({ ...swarm, count: links });
await sleep(15_000);
const after = await replica.usage();
await sleep(10_000);
const idle = await replica.usage();
const kib = (after.rssBytes - before.rssBytes) / links / 1024;
const cpu = ((idle.cpuMs - after.cpuMs) / 10_000) * 100;
console.log(`${links} idle links: ${kib.toFixed(1)} KiB each (target ≤ ${TARGET_KIB}), ${cpu.toFixed(1)} % of a core`);
await Promise.all([first.stop(), many.stop()]);
await replica.stop();
