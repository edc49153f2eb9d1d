import assert from "node:assert/strict";
import { test } from "node:test";

import { coneCounts, createCausal } from "./causal.js";
import { createRun, eventAt, positionOf, RECEIVE } from "./run.js";
import { encode, generate, randomFrom } from "./testing/generate.js";

/** @typedef {import("./run.js").RunData} RunData */

/** The dumb twin: happened-before by a breadth-first search over the graph. */
class Graph {
	/** @param {RunData} run */
	constructor(run) {
		this.run = run;
	}

	/** @param {number} e */
	causes(e) {
		const { run } = this;
		const causes = e > run.offset[run.machineOf[e]] ? [e - 1] : [];
		if (run.kind[e] === RECEIVE) causes.push(run.receipts.send[run.receivesBefore[e]]);
		return causes;
	}

	/** @param {number} e */
	effects(e) {
		const { run } = this;
		const effects = e + 1 < run.offset[run.machineOf[e] + 1] ? [e + 1] : [];
		for (let m = run.messagesBefore[e]; m < run.messagesBefore[e + 1]; m++) if (run.messages.receive[m] >= 0) effects.push(run.messages.receive[m]);
		return effects;
	}

	/** @param {number} e @param {(e: number) => number[]} next */
	reach(e, next) {
		const seen = new Set([e]);
		for (const x of seen) for (const y of next(x)) seen.add(y);
		return seen;
	}

	/** The least number of messages from one event to another. @param {number} a @param {number} b */
	fewest(a, b) {
		const best = new Map([[a, 0]]);
		for (let moved = true; moved; ) {
			moved = false;
			for (const [e, n] of best) {
				for (const f of this.effects(e)) {
					const cost = n + (f === e + 1 && this.run.machineOf[f] === this.run.machineOf[e] ? 0 : 1);
					if (cost < (best.get(f) ?? Infinity)) {
						best.set(f, cost);
						moved = true;
					}
				}
			}
		}
		return best.get(b) ?? Infinity;
	}
}

const runs = [
	{ machines: 1, events: 30 }, { machines: 2, events: 200 }, { machines: 3, events: 600, rates: [1, 5, 4] }, { machines: 3, events: 400, die: 3, latency: 1500000 },
	{ machines: 7, events: 700, latency: 400000 }, { machines: 20, events: 900, latency: 100 },
];
for (const [k, options] of runs.entries()) {
	for (const every of [1, 4, 64, 100000, 0]) {
		test(`cones are those of a search: ${JSON.stringify(options)}, checkpoints every ${every}`, () => {
			const { head, bytes } = encode(generate({ ...options, seed: k + 3 }), every || 64);
			if (every === 0) head.columns.sections = head.columns.sections.filter((s) => s.name !== "vector");
			const run = createRun(head, bytes);
			const causal = createCausal(run);
			const graph = new Graph(run);
			const random = randomFrom(every + k);
			for (let trial = 0; trial < 60; trial++) {
				const e = Math.floor(random() * run.total);
				const past = graph.reach(e, (x) => graph.causes(x));
				const future = graph.reach(e, (x) => graph.effects(x));
				const vector = causal.past(e);
				const start = causal.future(e);
				for (let x = 0; x < run.total; x++) {
					const i = run.machineOf[x];
					assert.equal(positionOf(run, x) < vector[i], past.has(x), `whether ${x} is in the past of ${e}`);
					assert.equal(positionOf(run, x) >= start[i], future.has(x), `whether ${x} is in the future of ${e}`);
				}
				assert.deepEqual(coneCounts(run, vector, start), {
					past: past.size - 1, future: future.size - 1, concurrent: run.total + 1 - past.size - future.size,
				});
			}
		});
	}
}

test("a chain has the fewest messages", () => {
	for (let seed = 1; seed <= 12; seed++) {
		const { head, bytes } = encode(generate({ machines: 2 + (seed % 6), events: 120, seed, latency: 300000 }), 8);
		const run = createRun(head, bytes);
		const causal = createCausal(run);
		const graph = new Graph(run);
		const random = randomFrom(seed);
		for (let trial = 0; trial < 25; trial++) {
			const a = Math.floor(random() * run.total);
			const b = Math.floor(random() * run.total);
			const chain = causal.chain(a, b);
			const happened = a !== b && graph.reach(a, (x) => graph.effects(x)).has(b);
			assert.equal(causal.before(a, b), happened);
			assert.equal(chain !== null, happened);
			if (!chain) continue;
			assert.equal(chain.length, graph.fewest(a, b), `messages from ${a} to ${b}`);
			let at = a;
			for (const m of chain) {
				assert.ok(run.messages.send[m] >= at && run.machineOf[run.messages.send[m]] === run.machineOf[at], "each message is sent behind the one before");
				at = run.messages.receive[m];
			}
			assert.ok(at <= b && run.machineOf[at] === run.machineOf[b]);
		}
	}
});

test("the chain that carried a clock is as long as the clock says", () => {
	const { head, bytes } = encode(generate({ machines: 4, events: 800, seed: 9, latency: 200000 }), 16);
	const run = createRun(head, bytes);
	const causal = createCausal(run);
	let ties = 0;
	for (let e = 1; e < run.total; e++) {
		const r = run.receivesBefore[e];
		if (run.kind[e] !== RECEIVE || e === run.offset[run.machineOf[e]] || run.receipts.sent[r] !== run.clock[e - 1]) continue;
		ties++;
		assert.equal(causal.carriers(e).pop(), run.receipts.message[r], "of two chains of one length, that of the message");
	}
	assert.ok(ties > 0);
	for (let e = 0; e < run.total; e += 7) {
		// Lamport's clock counts the events of the longest chain.
		const chain = causal.carriers(e);
		let events = 0;
		let start = -1;
		for (const m of chain) {
			const send = run.messages.send[m];
			events += send - (start < 0 ? run.offset[run.machineOf[send]] : start) + 1;
			start = run.messages.receive[m];
		}
		events += e - (start < 0 ? run.offset[run.machineOf[e]] : start) + 1;
		assert.equal(events, run.clock[e], `clock of event ${e}`);
	}
});

test("cuts: consistent, closed, and what crosses them", () => {
	const { head, bytes } = encode(generate({ machines: 5, events: 400, seed: 4, latency: 700000 }), 16);
	const run = createRun(head, bytes);
	const causal = createCausal(run);
	const links = causal.links();
	const random = randomFrom(4);
	let consistent = 0;
	for (let trial = 0; trial < 80; trial++) {
		const drawn = Int32Array.from(run.ids, (_, i) => Math.floor(random() * (run.offset[i + 1] - run.offset[i] + 1)));
		const cut = trial % 2 === 0 ? causal.close(drawn) : drawn;
		/** @param {number} e */
		const inside = (e) => e >= 0 && positionOf(run, e) < cut[run.machineOf[e]];
		const flying = [];
		const backward = [];
		for (let m = 0; m < run.messages.count; m++) {
			if (inside(run.messages.send[m]) && !inside(run.messages.receive[m])) flying.push(m);
			if (!inside(run.messages.send[m]) && inside(run.messages.receive[m])) backward.push(m);
		}
		const report = causal.cut(cut);
		/** @param {{from: number, to: number}[]} ranges */
		const listed = (ranges) => ranges.flatMap((r) => [...links.messages.slice(r.from, r.to)]).sort((a, b) => a - b);
		assert.deepEqual(listed(report.flying), flying);
		assert.deepEqual(listed(report.backward), backward);
		assert.deepEqual([report.inFlight, report.violations, report.consistent], [flying.length, backward.length, backward.length === 0]);
		if (report.consistent) consistent++;
		const larger = causal.close(cut);
		assert.ok(causal.cut(larger).consistent, "what is closed is consistent");
		if (report.consistent) assert.deepEqual([...larger], [...cut], "a consistent cut is closed already");
	}
	assert.ok(consistent >= 40 && consistent < 80, `${consistent} of 80 consistent`);
});

test("part of a run: cones begin at what is kept", () => {
	const { head, bytes } = encode(generate({ machines: 3, events: 90, seed: 2 }), 16);
	head.first = [5, 7, 3];
	// As if five, seven and three events stood before those in the columns.
	head.columns.sections = head.columns.sections.filter((s) => s.name !== "vector");
	const run = createRun(head, bytes);
	const causal = createCausal(run);
	for (let i = 0; i < 3; i++) {
		assert.equal(eventAt(run, i, head.first[i] - 1), -1);
		const e = eventAt(run, i, head.first[i]);
		assert.equal(causal.past(e)[i], head.first[i] + 1);
		assert.equal(causal.future(e)[i], head.first[i]);
	}
});
