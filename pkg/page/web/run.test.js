import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";

import { readVarints } from "./decode.js";
import { createRun, eventAt, logLine, openRun, positionOf, RECEIVE, SEND } from "./run.js";
import { encode, generate } from "./testing/generate.js";

test("varints: sizes, signs, and numbers beyond 32 bits", () => {
	const bytes = Uint8Array.from([0, 1, 127, 0x80, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]);
	assert.deepEqual([...readVarints(bytes, 0, bytes.length, 5, false)], [0, 1, 127, 128, 2 ** 53 - 1]);
	assert.deepEqual([...readVarints(bytes, 0, 5, 4, true)], [0, -1, -64, 64]);
});

test("bytes that are not so many varints are refused", () => {
	for (const [bytes, count] of /** @type {[number[], number][]} */ ([[[0x80], 1], [[1, 2], 1], [[1], 2], [[1, 0x80], 2], [[], 1]])) {
		assert.throws(() => readVarints(Uint8Array.from(bytes), 0, bytes.length, count, false), RangeError, `${bytes}`);
	}
	assert.throws(() => readVarints(new Uint8Array(2), 1, 2, 2, false), RangeError);
});

for (const [machines, events, ids] of /** @type {[number, number, number[]?][]} */ ([[1, 20], [2, 300], [3, 500, [2, 5, 2147483647]], [9, 900]])) {
	test(`${machines} machines come back as they were written`, () => {
		const made = generate({ machines, events, seed: machines, ids, latency: 300000 });
		const { head, bytes } = encode(made);
		const run = createRun(head, bytes);
		made.logs.forEach((log, i) => log.forEach((event, p) => {
			const e = eventAt(run, i, p);
			assert.equal(positionOf(run, e), p);
			assert.equal(run.machineOf[e], i);
			for (const field of /** @type {const} */ (["kind", "micro", "clock", "queue", "line", "step"])) assert.equal(run[field][e], event[field], field);
			if (event.kind === SEND) {
				const sent = [];
				for (let m = run.messagesBefore[e]; m < run.messagesBefore[e + 1]; m++) {
					sent.push([run.messages.to[m], run.messages.seq[m]]);
					const receive = run.messages.receive[m];
					if (receive >= 0) assert.equal(run.receipts.message[run.receivesBefore[receive]], m);
				}
				assert.deepEqual(sent, event.to);
			}
			if (event.kind === RECEIVE) {
				const r = run.receivesBefore[e];
				assert.equal(run.receipts.event[r], e);
				assert.deepEqual([run.receipts.from[r], run.receipts.seq[r], run.receipts.sent[r]], [event.from, event.seq, event.sent]);
				assert.equal(run.machineOf[run.receipts.send[r]], event.from);
				assert.equal(run.clock[run.receipts.send[r]], event.sent);
			}
		}));
	});
}

test("a run comes out of the text in the page", async () => {
	const { head, bytes } = encode(generate({ machines: 3, events: 100 }));
	const stream = new Blob([/** @type {BlobPart} */ (bytes)]).stream().pipeThrough(new CompressionStream("gzip"));
	const text = Buffer.from(await new Response(stream).arrayBuffer()).toString("base64");
	const run = await openRun(head, `\n${text}\n`);
	assert.equal(run.total, createRun(head, bytes).total);
	await assert.rejects(openRun(head, text.slice(0, 40)));
});

test("lines of the log are those of the format", () => {
	const log = [
		{ kind: 1, micro: 1000007, clock: 1, queue: 0, line: 2, step: 1, to: [], from: -1, seq: 0, sent: 0 },
		{ kind: 2, micro: 2000007, clock: 2, queue: 0, line: 3, step: 2, to: [[1, 1]], from: -1, seq: 0, sent: 0 },
		{ kind: 2, micro: 3000007, clock: 3, queue: 0, line: 4, step: 3, to: [[1, 2], [2, 1]], from: -1, seq: 0, sent: 0 },
	];
	const other = [
		{ kind: 3, micro: 2500000, clock: 3, queue: 2, line: 2, step: 1, to: [], from: 0, seq: 1, sent: 2 },
		{ kind: 3, micro: 2400000, clock: 2 ** 53, queue: 2, line: 3, step: 2, to: [], from: 0, seq: 2, sent: 2 ** 53 - 1 },
	];
	const { head, bytes } = encode(/** @type {any} */ ({ logs: [log, other, []], rates: [1, 2, 3], duration: 5e6, ids: [0, 1, 7] }));
	head.startUnixMicro = Date.UTC(2026, 10, 22, 17, 13, 40) * 1000;
	const run = createRun(head, bytes);
	assert.deepEqual([0, 1, 2, 3, 4].map((e) => logLine(run, e)), [
		"2026-11-22T17:13:41.000007Z [INFO]  vm-0: internal: step=1 clock=1 queue=0",
		"2026-11-22T17:13:42.000007Z [INFO]  vm-0: send: step=2 clock=2 queue=0 to=1:1",
		'2026-11-22T17:13:43.000007Z [INFO]  vm-0: send: step=3 clock=3 queue=0 to="1:2,7:1"',
		"2026-11-22T17:13:42.500000Z [INFO]  vm-1: receive: step=1 clock=3 queue=2 from=0 seq=1 sent=2",
		"2026-11-22T17:13:42.400000Z [INFO]  vm-1: receive: step=2 clock=9007199254740992 queue=2 from=0 seq=2 sent=9007199254740991",
	]);
	assert.deepEqual([...run.time.slice(3)], [2500000, 2500000], "a picture does not go back where a system clock does");
	assert.deepEqual([...run.micro.slice(3)], [2500000, 2400000]);
});
