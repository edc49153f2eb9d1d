/** Random runs, and the columns that package page would write for them. For tests and for looking at the page. */

/** A random generator whose numbers depend on the seed alone (mulberry32). @param {number} seed */
export function randomFrom(seed) {
	let a = seed >>> 0;
	return () => {
		a = (a + 0x6d2b79f5) >>> 0;
		let t = Math.imul(a ^ (a >>> 15), a | 1);
		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
}

/**
 * The laboratory's machines, in virtual time.
 *
 * @typedef {{kind: number, micro: number, clock: number, queue: number, line: number, step: number,
 *   to: [number, number][], from: number, seq: number, sent: number}} Event to: recipients by place, and seq
 *
 * @param {{machines: number, events: number, seed?: number, rates?: number[], latency?: number, die?: number, ids?: number[]}} options
 *   events: of all machines together, about; latency in µs
 */
export function generate({ machines, events, seed = 1, rates, latency = 1000, die = 10, ids }) {
	const random = randomFrom(seed);
	const rate = rates ?? Array.from({ length: machines }, () => 1 + Math.floor(random() * 6));
	const duration = (events / rate.reduce((a, b) => a + b, 0)) * 1e6;
	/** @type {Event[][]} */
	const logs = Array.from({ length: machines }, () => []);
	const clocks = new Array(machines).fill(0);
	/** @type {{at: number, from: number, seq: number, sent: number}[][]} */
	const queues = Array.from({ length: machines }, () => []);
	const seqs = Array.from({ length: machines }, () => new Array(machines).fill(0));
	const heads = new Array(machines).fill(0);
	// Ticks in the order of their times: a heap of the next one of each machine.
	const heap = rate.map((r, i) => ({ at: 1e6 / r, i, k: 1 }));
	/** @param {{at: number, i: number}} a @param {{at: number, i: number}} b */
	const less = (a, b) => a.at < b.at || (a.at === b.at && a.i < b.i);
	/** @param {number} p */
	const down = (p) => {
		for (;;) {
			let c = 2 * p + 1;
			if (c >= heap.length) return;
			if (c + 1 < heap.length && less(heap[c + 1], heap[c])) c++;
			if (!less(heap[c], heap[p])) return;
			[heap[c], heap[p]] = [heap[p], heap[c]];
			p = c;
		}
	};
	for (let p = heap.length >> 1; p >= 0; p--) down(p);
	for (;;) {
		const { at, i } = heap[0];
		if (at > duration) break;
		heap[0].k++;
		heap[0].at = (heap[0].k * 1e6) / rate[i];
		down(0);
		const queue = queues[i];
		const waiting = () => {
			// Links keep their order, and latency is the same for all: the queue is in the order of arrivals.
			let low = heads[i];
			let high = queue.length;
			while (low < high) {
				const middle = (low + high) >> 1;
				if (queue[middle].at <= at) low = middle + 1;
				else high = middle;
			}
			return low - heads[i];
		};
		const step = logs[i].length + 1;
		/** @type {Event} */
		const event = { kind: 1, micro: Math.floor(at), clock: 0, queue: 0, line: step + 1, step, to: [], from: -1, seq: 0, sent: 0 };
		if (waiting() > 0) {
			const message = queue[heads[i]++];
			event.kind = 3;
			event.from = message.from;
			event.seq = message.seq;
			event.sent = message.sent;
			clocks[i] = Math.max(clocks[i], message.sent);
		} else if (machines > 1) {
			const face = 1 + Math.floor(random() * die);
			const a = machines <= 3 ? (i + 1) % machines : (i + 1 + Math.floor(random() * (machines - 1))) % machines;
			let b = (i + machines - 1) % machines;
			if (machines > 3) while (b === a || b === i) b = Math.floor(random() * machines);
			const to = face === 1 ? [a] : face === 2 ? [b] : face === 3 ? (a === b ? [a] : [a, b]) : [];
			if (to.length > 0) event.kind = 2;
			for (const j of to) event.to.push([j, ++seqs[i][j]]);
		}
		event.clock = ++clocks[i];
		for (const [j, seq] of event.to) queues[j].push({ at: at + latency, from: i, seq, sent: event.clock });
		event.queue = waiting();
		logs[i].push(event);
	}
	return { logs, rates: rate, duration: Math.ceil(duration), ids: ids ?? rate.map((_, i) => i) };
}

/**
 * The columns, as the contract between Go and the page has them.
 *
 * @param {ReturnType<typeof generate>} made @param {number} [every] events between checkpoints
 * @returns {{head: import("../types.js").Run, bytes: Uint8Array}}
 */
export function encode({ logs, rates, duration, ids }, every = 64) {
	const n = logs.length;
	/** @type {import("../types.js").Section[]} */
	const sections = [];
	let bytes = new Uint8Array(1 << 16);
	let size = 0;
	/** @param {number} value */
	const varint = (value) => {
		if (size + 10 > bytes.length) {
			const larger = new Uint8Array(bytes.length * 2);
			larger.set(bytes);
			bytes = larger;
		}
		while (value >= 128) {
			bytes[size++] = (value % 128) | 128;
			value = Math.floor(value / 128);
		}
		bytes[size++] = value;
	};
	/** @param {number} v */
	const zigzag = (v) => (v >= 0 ? 2 * v : -2 * v - 1);
	/** @param {string} name @param {number} machine @param {Iterable<number>} values */
	const section = (name, machine, values) => {
		const offset = size;
		let count = 0;
		for (const v of values) {
			varint(v);
			count++;
		}
		sections.push({ name, machine, offset, bytes: size - offset, count });
	};
	/** @param {Event[]} log @param {"micro" | "clock" | "queue" | "line" | "step"} field @param {number} usual */
	const deltas = (log, field, usual) => log.map((e, k) => zigzag(e[field] - (k > 0 ? log[k - 1][field] : 0) - usual));

	/** Of each message: where it was sent and where received. @type {Map<string, [number, number]>} */
	const ends = new Map();
	logs.forEach((log, i) => log.forEach((e, p) => {
		for (const [j, seq] of e.to) ends.set(`${i} ${j} ${seq}`, [p, -1]);
	}));
	logs.forEach((log, j) => log.forEach((e, p) => {
		const end = e.kind === 3 ? ends.get(`${e.from} ${j} ${e.seq}`) : undefined;
		if (end) end[1] = p;
	}));
	const vectors = vectorsOf(logs);
	logs.forEach((log, i) => {
		section("kind", i, log.map((e) => e.kind));
		section("micro", i, deltas(log, "micro", 0));
		section("clock", i, deltas(log, "clock", 1));
		section("queue", i, deltas(log, "queue", 0));
		section("line", i, deltas(log, "line", 1));
		section("step", i, deltas(log, "step", 1));
		const sends = log.filter((e) => e.kind === 2);
		section("messages", i, sends.map((e) => e.to.length));
		const sent = sends.flatMap((e) => e.to);
		section("to", i, sent.map(([j]) => ids[j]));
		const seqs = new Array(n).fill(0);
		section("seq", i, sent.map(([j, seq]) => zigzag(seq - seqs[j] - 1 + 0 * (seqs[j] = seq))));
		const arrived = new Array(n).fill(-1);
		section("arrives", i, sent.map(([j, seq]) => {
			const p = ends.get(`${i} ${j} ${seq}`)?.[1] ?? -1;
			if (p < 0) return 0;
			const delta = p - arrived[j];
			arrived[j] = p;
			return 1 + zigzag(delta);
		}));
		const receives = log.filter((e) => e.kind === 3);
		section("from", i, receives.map((e) => ids[e.from]));
		const rseqs = new Array(n).fill(0);
		section("rseq", i, receives.map((e) => zigzag(e.seq - rseqs[e.from] - 1 + 0 * (rseqs[e.from] = e.seq))));
		const left = new Array(n).fill(-1);
		section("sends", i, receives.map((e) => {
			const p = ends.get(`${e.from} ${i} ${e.seq}`)?.[0] ?? -1;
			const delta = p - left[e.from];
			left[e.from] = p;
			return 1 + zigzag(delta);
		}));
		section("sent", i, receives.map((e) => {
			const p = ends.get(`${e.from} ${i} ${e.seq}`)?.[0] ?? -1;
			return zigzag(e.sent - logs[e.from][p].clock);
		}));
		/** @type {Int32Array[]} */
		const checkpoints = [];
		for (let c = 0; c * every < log.length; c++) checkpoints.push(vectors[i][Math.min((c + 1) * every, log.length) - 1]);
		/** @type {number[]} */
		const values = [];
		for (let j = 0; j < n; j++) checkpoints.forEach((v, c) => values.push(v[j] - (c > 0 ? checkpoints[c - 1][j] : 0)));
		section("vector", i, values);
	});
	const machines = logs.map((log, i) => ({
		id: ids[i], rate: String(rates[i]), ticksPerSecond: rates[i], color: i % 8, events: log.length, file: `vm_${ids[i]}_${rates[i]}.log`, missing: false,
		records: /** @type {import("../types.js").LogRecord[]} */ ([]),
	}));
	return {
		bytes: bytes.slice(0, size),
		head: {
			name: "random", dir: "", verdict: { state: "correct", text: "" }, findings: [], facts: [], again: "", startUnixMicro: 946684800000000,
			duration, virtual: true, machines, foreign: [], spans: [], left: "", columns: { bytes: size, checkpointEvery: every, sections },
			first: ids.map(() => 0), series: [], histograms: [], tables: [], text: {},
		},
	};
}

/** The vector clocks of all events, forwards in an order that keeps causes first. @param {Event[][]} logs */
function vectorsOf(logs) {
	const n = logs.length;
	/** @type {Map<string, Int32Array>} */
	const carried = new Map();
	/** @type {Int32Array[][]} */
	const vectors = logs.map(() => []);
	const own = logs.map(() => new Int32Array(n));
	const at = logs.map(() => 0);
	for (let moved = true; moved; ) {
		moved = false;
		for (let i = 0; i < n; i++) {
			for (; at[i] < logs[i].length; at[i]++) {
				const e = logs[i][at[i]];
				if (e.kind === 3) {
					const key = `${e.from} ${i} ${e.seq}`;
					const stamp = carried.get(key);
					if (!stamp) break;
					carried.delete(key);
					for (let j = 0; j < n; j++) if (stamp[j] > own[i][j]) own[i][j] = stamp[j];
				}
				own[i][i]++;
				const vector = own[i].slice();
				for (const [j, seq] of e.to) carried.set(`${i} ${j} ${seq}`, vector);
				vectors[i].push(vector);
				moved = true;
			}
		}
	}
	return vectors;
}
