// graphile-worker: the protocol of worker.py, for the runtime of Node.
// node graphile.mjs <file of the package>

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { Logger, makeWorkerUtils, runOnce } = createRequire(process.argv[2])("graphile-worker");
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const order = JSON.parse((await lines.next()).value);
const say = (line) => process.stdout.write(`${line}\n`);

const logger = new Logger(() => () => {});
// What its documentation calls optimal, page "Performance".
const preset = {
  worker: {
    connectionString: order.url,
    concurrentJobs: 24,
    maxPoolSize: 25,
    localQueue: { size: order.size },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  },
};
const utils = await makeWorkerUtils({ connectionString: order.url, logger });
if (order.do === "install") {
  await utils.migrate();
}

say("ready");
await lines.next();
let done = 0;
if (order.do === "enqueue") {
  const jobs = Array(order.size).fill({ identifier: "bench", payload: order.job });
  for (; done + order.size <= order.count; done += order.size) {
    if (order.size === 1) {
      await utils.addJob("bench", order.job);
    } else {
      await utils.addJobs(jobs);
    }
  }
} else if (order.do === "drain") {
  const nothing = async () => {
    done += 1;
  };
  await runOnce({ preset, logger, noHandleSignals: true }, { bench: nothing });
}
// The clock that all processes of the machine share, as Python's time.monotonic().
say(JSON.stringify({ jobs: done, at: Number(process.hrtime.bigint()) / 1e9 }));
await lines.next();
process.exit(0);
