import { eventAt, positionOf, RECEIVE } from "./run.js";

/**
 * Happened-before over a run, without a walk over its graph. Along a machine every component of the vector clock rises
 * or stays, so the past of an event is one prefix per machine, and its future one suffix. Vectors are kept at the end
 * of every block of events; what lies between them is settled block by block, in at most machines × block events. Where
 * there are no vectors, a machine is one block, and the same steps walk over all of it.
 *
 * @typedef {import("./run.js").RunData} RunData
 *
 * @typedef {object} Causal
 * @property {(e: number) => Int32Array} past the vector clock of an event: of each machine, how many events from the
 *   start of the run on happened before it or are it
 * @property {(e: number) => Int32Array} future of each machine, the position of the first event that it happened before,
 *   or, on its own machine, itself; the position behind the last event, if there is none
 * @property {(a: number, b: number) => boolean} before whether a happened before b
 * @property {(a: number, b: number) => number[] | null} chain a chain of messages from a to b, of the fewest possible;
 *   null: a did not happen before b, or only by events that are not here
 * @property {(e: number) => number[]} carriers the messages that carried the clock of an event: the longest chain of
 *   happened-before that ends in it, from its first message to its last
 * @property {(cut: ArrayLike<number>) => CutReport} cut
 * @property {(cut: ArrayLike<number>) => Int32Array} close the smallest consistent cut that holds a cut
 * @property {() => Links} links
 *
 * @typedef {object} CutReport
 * @property {boolean} consistent whether no message is received in the cut that is sent behind it
 * @property {{link: number, from: number, to: number}[]} flying messages sent in the cut and not received in it: of each
 *   link that has any, places in `Links.messages`
 * @property {{link: number, from: number, to: number}[]} backward messages received in the cut and sent behind it
 * @property {number} inFlight
 * @property {number} violations
 *
 * @typedef {object} Links the messages, link by link in the order of their sends
 * @property {number} count
 * @property {Int32Array} from by link: sender
 * @property {Int32Array} to by link: recipient
 * @property {Int32Array} start by link, and one more: place of its first message
 * @property {Int32Array} outgoing by machine, and one more: its first link
 * @property {Int32Array} messages
 */

/** @param {RunData} run @returns {Causal} */
export function createCausal(run) {
	/** @type {Links | null} */
	let links = null;
	const getLinks = () => (links ??= linksOf(run));
	/** @type {Causal["before"]} */
	const before = (a, b) => a !== b && vectorOf(run, b)[run.machineOf[a]] > positionOf(run, a);
	return {
		before,
		past: (e) => vectorOf(run, e),
		future: (e) => futureOf(run, e),
		chain: (a, b) => (before(a, b) ? shortestChain(run, getLinks(), a, b) : null),
		carriers: (e) => carriersOf(run, e),
		cut: (cut) => crossing(run, getLinks(), cut),
		close: (cut) => closed(run, cut),
		links: getLinks,
	};
}

/**
 * The vector clock of an event. From the checkpoint before it its machine's later events are looked at; a receive among
 * them wants the past of its send, which is found likewise.
 *
 * @param {RunData} run @param {number} event
 */
function vectorOf(run, event) {
	const n = run.machines;
	const { every, vectors, blocks } = run.checkpoints;
	const vector = Int32Array.from(run.first); // what lies before this page is not looked at
	const wanted = new Int32Array(n);
	const waiting = [run.machineOf[event]];
	wanted[waiting[0]] = positionOf(run, event) + 1;
	for (let i = waiting.pop(); i !== undefined; i = waiting.pop()) {
		const first = run.first[i];
		const end = wanted[i] - first; // in events of this page
		if (end <= vector[i] - first) continue;
		const count = run.offset[i + 1] - run.offset[i];
		const block = end === count ? blocks[i] - 1 : Math.floor(end / every) - 1;
		if (block >= 0 && Math.min((block + 1) * every, count) > vector[i] - first) {
			const row = vectors[i].subarray(block * n, block * n + n);
			for (let j = 0; j < n; j++) if (row[j] > vector[j]) vector[j] = row[j];
		}
		const done = Math.max(vector[i] - first, 0);
		if (vector[i] < wanted[i]) vector[i] = wanted[i];
		// Backwards, so that the last send of a peer comes first and spares the ones before it.
		for (let e = run.offset[i] + end - 1; e >= run.offset[i] + done; e--) {
			if (run.kind[e] !== RECEIVE) continue;
			const send = run.receipts.send[run.receivesBefore[e]];
			if (send < 0) continue;
			const j = run.machineOf[send];
			const want = positionOf(run, send) + 1;
			if (want <= vector[j] || want <= wanted[j]) continue;
			wanted[j] = want;
			waiting.push(j);
		}
	}
	return vector;
}

/**
 * The future of an event: where it begins on each machine. A checkpoint whose vector holds the event lies in its future.
 * So on each machine the first such checkpoint bounds the beginning from behind, and the one before it from the front.
 *
 * @param {RunData} run @param {number} event
 */
function futureOf(run, event) {
	const { machines, offset, kind } = run;
	const own = run.machineOf[event];
	const prefix = positionOf(run, event) + 1;
	const low = new Int32Array(machines); // event from which on the future can begin
	const start = new Int32Array(machines); // event from which on all is known to be future
	for (let i = 0; i < machines; i++) {
		const block = firstBlock(run, i, own, prefix);
		const end = offset[i + 1];
		low[i] = Math.min(offset[i] + block * run.checkpoints.every, end);
		start[i] = block < run.checkpoints.blocks[i] ? Math.min(low[i] + run.checkpoints.every, end) - 1 : end;
	}
	low[own] = start[own] = event;

	const waiting = [];
	for (let i = 0; i < machines; i++) {
		for (let e = low[i]; e < start[i]; e++) {
			if (kind[e] !== RECEIVE) continue;
			const send = run.receipts.send[run.receivesBefore[e]];
			if (send < 0 || send < start[run.machineOf[send]]) continue;
			waiting.push(i, start[i]);
			start[i] = e;
			break;
		}
	}
	// Where the future was found to begin earlier, it reaches others by the messages sent since.
	while (waiting.length > 0) {
		const until = /** @type {number} */ (waiting.pop());
		const i = /** @type {number} */ (waiting.pop());
		for (let m = run.messagesBefore[start[i]]; m < run.messagesBefore[until]; m++) {
			const receive = run.messages.receive[m];
			if (receive < 0) continue;
			const j = run.machineOf[receive];
			if (receive >= start[j]) continue;
			waiting.push(j, start[j]);
			start[j] = receive;
		}
	}
	for (let i = 0; i < machines; i++) start[i] += run.first[i] - offset[i];
	return start;
}

/**
 * The first block of a machine whose last event knows so many events of another.
 *
 * @param {RunData} run @param {number} machine @param {number} other @param {number} prefix
 */
function firstBlock(run, machine, other, prefix) {
	const rows = run.checkpoints.vectors[machine];
	let low = 0;
	let high = run.checkpoints.blocks[machine];
	while (low < high) {
		const middle = (low + high) >> 1;
		if (rows[middle * run.machines + other] >= prefix) high = middle;
		else low = middle + 1;
	}
	return low;
}

/**
 * Sorts the messages by link: by recipient, then by sender, each time keeping the order among equals.
 *
 * @param {RunData} run @returns {Links}
 */
function linksOf(run) {
	const { messages, machineOf, machines } = run;
	/** @param {number[] | Int32Array} list @param {(m: number) => number} key */
	const sorted = (list, key) => {
		const starts = new Int32Array(machines + 1);
		for (const m of list) starts[key(m) + 1]++;
		for (let i = 0; i < machines; i++) starts[i + 1] += starts[i];
		const out = new Int32Array(list.length);
		for (const m of list) out[starts[key(m)]++] = m;
		return out;
	};
	const known = [];
	for (let m = 0; m < messages.count; m++) if (messages.to[m] >= 0) known.push(m);
	const order = sorted(sorted(known, (m) => messages.to[m]), (m) => machineOf[messages.send[m]]);

	/** @type {number[]} */
	const from = [];
	/** @type {number[]} */
	const to = [];
	/** @type {number[]} */
	const start = [];
	const outgoing = new Int32Array(machines + 1);
	for (let k = 0; k < order.length; k++) {
		const sender = machineOf[messages.send[order[k]]];
		const recipient = messages.to[order[k]];
		if (k > 0 && from[from.length - 1] === sender && to[to.length - 1] === recipient) continue;
		from.push(sender);
		to.push(recipient);
		start.push(k);
		outgoing[sender + 1]++;
	}
	for (let i = 0; i < machines; i++) outgoing[i + 1] += outgoing[i];
	start.push(order.length);
	return {
		count: from.length, from: Int32Array.from(from), to: Int32Array.from(to), start: Int32Array.from(start), outgoing, messages: order,
	};
}

/**
 * The first place of a link for which something holds that holds for all behind it.
 *
 * @param {Links} links @param {number} link @param {(message: number) => boolean} holds
 */
function firstOfLink(links, link, holds) {
	let low = links.start[link];
	let high = links.start[link + 1];
	while (low < high) {
		const middle = (low + high) >> 1;
		if (holds(links.messages[middle])) high = middle;
		else low = middle + 1;
	}
	return low;
}

/**
 * Round by round, with one message more in each: where on each machine is the earliest event that a reaches? Of a link only
 * the first message counts that is sent there or later, since a link keeps its order.
 *
 * @param {RunData} run @param {Links} links @param {number} a @param {number} b
 */
function shortestChain(run, links, a, b) {
	const { messages, machineOf } = run;
	const target = machineOf[b];
	if (machineOf[a] === target) return [];
	/** @type {{machine: number, event: number, message: number, before: any}[]} */
	let reached = [{ machine: machineOf[a], event: a, message: -1, before: null }];
	const earliest = new Map([[machineOf[a], a]]);
	while (reached.length > 0) {
		/** @type {Map<number, {machine: number, event: number, message: number, before: any}>} */
		const next = new Map();
		for (const place of reached) {
			for (let link = links.outgoing[place.machine]; link < links.outgoing[place.machine + 1]; link++) {
				const to = links.to[link];
				let at = firstOfLink(links, link, (m) => messages.send[m] >= place.event);
				while (at < links.start[link + 1] && messages.receive[links.messages[at]] < 0) at++; // lost, in a broken run
				if (at === links.start[link + 1]) continue;
				const message = links.messages[at];
				const event = messages.receive[message];
				if (event >= (earliest.get(to) ?? Infinity)) continue;
				earliest.set(to, event);
				next.set(to, { machine: to, event, message, before: place });
			}
		}
		const end = next.get(target);
		if (end && end.event <= b) {
			const chain = [];
			for (let place = end; place.before; place = place.before) chain.unshift(place.message);
			return chain;
		}
		reached = [...next.values()];
	}
	return null;
}

/**
 * Back from an event: where a message brought a stamp that was not below the machine's own clock, the message counts, else
 * the event before.
 *
 * @param {RunData} run @param {number} event
 */
function carriersOf(run, event) {
	const { receipts, receivesBefore, machineOf, offset } = run;
	const chain = [];
	let e = event;
	// A run whose log is broken may lead round in circles.
	for (let steps = 0; steps <= run.total; steps++) {
		if (run.kind[e] === RECEIVE) {
			const r = receivesBefore[e];
			const own = e > offset[machineOf[e]] ? run.clock[e - 1] : -1;
			if (receipts.send[r] >= 0 && receipts.message[r] >= 0 && receipts.sent[r] >= own) {
				chain.push(receipts.message[r]);
				e = receipts.send[r];
				continue;
			}
		}
		if (e === offset[machineOf[e]]) break;
		e--;
	}
	return chain.reverse();
}

/**
 * The messages that cross a cut. A cut is a prefix per machine: how many events from the start of the run on.
 *
 * @param {RunData} run @param {Links} links @param {ArrayLike<number>} cut @returns {CutReport}
 */
function crossing(run, links, cut) {
	const { messages } = run;
	/** @type {CutReport} */
	const report = { consistent: true, flying: [], backward: [], inFlight: 0, violations: 0 };
	for (let link = 0; link < links.count; link++) {
		const from = links.from[link];
		const to = links.to[link];
		const sendEnd = run.offset[from] + cut[from] - run.first[from];
		const receiveEnd = run.offset[to] + cut[to] - run.first[to];
		const sent = firstOfLink(links, link, (m) => messages.send[m] >= sendEnd);
		const received = firstOfLink(links, link, (m) => messages.receive[m] < 0 || messages.receive[m] >= receiveEnd);
		if (received < sent) {
			report.flying.push({ link, from: received, to: sent });
			report.inFlight += sent - received;
		} else if (received > sent) {
			report.backward.push({ link, from: sent, to: received });
			report.violations += received - sent;
		}
	}
	report.consistent = report.violations === 0;
	return report;
}

/** @param {RunData} run @param {ArrayLike<number>} cut */
function closed(run, cut) {
	const out = Int32Array.from(cut);
	for (let i = 0; i < run.machines; i++) {
		const last = eventAt(run, i, cut[i] - 1);
		if (last < 0) continue;
		const vector = vectorOf(run, last);
		for (let j = 0; j < run.machines; j++) if (vector[j] > out[j]) out[j] = vector[j];
	}
	return out;
}

/**
 * Sizes of past, future and what is concurrent, the event itself not counted, among the events of the page.
 *
 * @param {RunData} run @param {ArrayLike<number>} past @param {ArrayLike<number>} future
 */
export function coneCounts(run, past, future) {
	let before = -1;
	let after = -1;
	for (let i = 0; i < run.machines; i++) {
		before += past[i] - run.first[i];
		after += run.first[i] + run.offset[i + 1] - run.offset[i] - future[i];
	}
	return { past: before, future: after, concurrent: run.total - 1 - before - after };
}
