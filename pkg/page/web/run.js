import { inflate, readVarints } from "./decode.js";

/**
 * A run as columns. Events are numbered through all machines: those of the machine at place i are
 * `offset[i] … offset[i+1] − 1`, in the order of its log. A *position* counts the events of one machine from the
 * start of the run, so the first one here has position `first[i]`.
 *
 * @typedef {object} RunData
 * @property {import("./types.js").Run} head
 * @property {number} machines
 * @property {number} total events
 * @property {Int32Array} ids of the machines
 * @property {Int32Array} first position of the first event, by machine
 * @property {Int32Array} offset number of the first event, by machine; one more for the end
 * @property {Uint16Array} machineOf by event
 * @property {Uint8Array} kind by event: 1 internal, 2 send, 3 receive
 * @property {Float64Array} micro by event: µs since the start, as the log has it; it may go back
 * @property {Float64Array} time by event: the same, but never less than for the event before on its machine
 * @property {Float64Array} clock
 * @property {Float64Array} queue
 * @property {Float64Array} line
 * @property {Float64Array} step
 * @property {Int32Array} sendsBefore by event, and one more: sends among the events with lower numbers
 * @property {Int32Array} messagesBefore by event, and one more: the messages of event e are `[e] … [e+1] − 1`
 * @property {Int32Array} receivesBefore by event, and one more: the receipt of the receive e is `[e]`
 * @property {Messages} messages
 * @property {Receipts} receipts
 * @property {{every: number, blocks: Int32Array, vectors: Int32Array[]}} checkpoints by machine: how many blocks of
 *   `every` events, and the vectors at the ends of them, one after the other; no block: of very many machines there are
 *   no vectors
 * @property {{from: number, to: number}} span µs of the whole run
 * @property {{from: number, to: number}} clocks least and greatest
 * @property {(name: string, machine?: number, signed?: boolean) => Float64Array} section a column as it was written
 *
 * @typedef {object} Messages in the order of their sends
 * @property {number} count
 * @property {Int32Array} send event
 * @property {Int32Array} to place of the recipient; −1: it has no log
 * @property {Int32Array} toId
 * @property {Float64Array} seq
 * @property {Int32Array} receive event; −1: not in this page
 *
 * @typedef {object} Receipts in the order of the receives
 * @property {number} count
 * @property {Int32Array} event
 * @property {Int32Array} from place of the sender; −1: it has no log
 * @property {Int32Array} fromId
 * @property {Float64Array} seq
 * @property {Float64Array} sent stamp
 * @property {Int32Array} send event; −1: not in this page
 * @property {Int32Array} message −1: not in this page
 */

export const INTERNAL = 1;
export const SEND = 2;
export const RECEIVE = 3;

/** Names of the kinds of events, by kind. */
export const KIND_NAMES = ["", "internal", "send", "receive"];

/**
 * Opens the data of a run.
 *
 * @param {import("./types.js").Run} head
 * @param {string} text as it stands in the page
 * @returns {Promise<RunData>}
 */
export async function openRun(head, text) {
	return createRun(head, await inflate(text));
}

/**
 * @param {import("./types.js").Run} head
 * @param {Uint8Array} bytes
 * @returns {RunData}
 * @throws {Error} if the bytes are not what the head says
 */
export function createRun(head, bytes) {
	const sections = new Map(head.columns.sections.map((s) => [`${s.name} ${s.machine}`, s]));
	/** @type {RunData["section"]} */
	const section = (name, machine = -1, signed = true) => {
		const s = sections.get(`${name} ${machine}`);
		if (!s) return new Float64Array(0);
		try {
			return readVarints(bytes, s.offset, s.bytes, s.count, signed);
		} catch (error) {
			throw new Error(`column ${name} of machine ${machine}: ${error}`);
		}
	};

	const n = head.machines.length;
	const offset = new Int32Array(n + 1);
	head.machines.forEach((m, i) => (offset[i + 1] = offset[i] + m.events));
	const total = offset[n];
	/** @type {RunData} */
	const run = {
		head, section, machines: n, total, offset,
		ids: Int32Array.from(head.machines, (m) => m.id),
		first: Int32Array.from(head.machines, (_, i) => head.first?.[i] ?? 0),
		machineOf: new Uint16Array(total),
		kind: new Uint8Array(total),
		micro: new Float64Array(total),
		time: new Float64Array(0),
		clock: new Float64Array(total),
		queue: new Float64Array(total),
		line: new Float64Array(total),
		step: new Float64Array(total),
		sendsBefore: new Int32Array(total + 1),
		messagesBefore: new Int32Array(total + 1),
		receivesBefore: new Int32Array(total + 1),
		messages: newMessages(0),
		receipts: newReceipts(0),
		checkpoints: { every: Math.min(head.columns.checkpointEvery || Infinity, total + 1), blocks: new Int32Array(n), vectors: [] },
		span: { from: 0, to: Math.max(head.duration, 1) },
		clocks: { from: 0, to: 1 },
	};
	for (let i = 0; i < n; i++) readEvents(run, i);
	run.time = neverBack(run);
	readMessages(run);
	for (let i = 0; i < n; i++) readCheckpoints(run, i);
	measure(run);
	return run;
}

/** @param {number} count @returns {Messages} */
function newMessages(count) {
	const column = () => new Int32Array(count);
	return { count, send: column(), to: column(), toId: column(), seq: new Float64Array(count), receive: column().fill(-1) };
}

/** @param {number} count @returns {Receipts} */
function newReceipts(count) {
	const column = () => new Int32Array(count);
	return {
		count, event: column(), from: column(), fromId: column(), seq: new Float64Array(count), sent: new Float64Array(count),
		send: column().fill(-1), message: column().fill(-1),
	};
}

/** @param {RunData} run @param {number} machine */
function readEvents(run, machine) {
	const from = run.offset[machine];
	const count = run.offset[machine + 1] - from;
	/** @param {string} name */
	const column = (name, signed = true) => {
		const values = run.section(name, machine, signed);
		if (values.length !== count) throw new Error(`column ${name} of machine ${machine}: ${values.length} values for ${count} events`);
		return values;
	};
	run.machineOf.fill(machine, from, from + count);
	run.kind.set(column("kind", false), from);
	add(column("micro"), run.micro, from, 0);
	add(column("clock"), run.clock, from, 1);
	add(column("queue"), run.queue, from, 0);
	add(column("line"), run.line, from, 1);
	add(column("step"), run.step, from, 1);
}

/**
 * Adds differences up.
 *
 * @param {Float64Array} differences @param {Float64Array} into @param {number} from @param {number} usual
 */
function add(differences, into, from, usual) {
	let value = 0;
	for (let k = 0; k < differences.length; k++) {
		value += differences[k] + usual;
		into[from + k] = value;
	}
}

/**
 * System clocks may be set back, lines on a picture may not.
 *
 * @param {RunData} run
 */
function neverBack(run) {
	let time = run.micro;
	for (let i = 0; i < run.machines; i++) {
		for (let e = run.offset[i] + 1; e < run.offset[i + 1]; e++) {
			if (time[e] >= time[e - 1]) continue;
			if (time === run.micro) time = run.micro.slice();
			time[e] = time[e - 1];
		}
	}
	return time;
}

/** Reads the messages of all machines, from both their ends. @param {RunData} run */
function readMessages(run) {
	const { kind, machines, offset } = run;
	const recipients = Array.from({ length: machines }, (_, i) => run.section("messages", i, false));
	let sent = 0;
	let received = 0;
	let sends = 0;
	for (let i = 0; i < machines; i++) {
		let k = 0;
		for (let e = offset[i]; e < offset[i + 1]; e++) {
			run.sendsBefore[e] = sends;
			run.messagesBefore[e] = sent;
			run.receivesBefore[e] = received;
			if (kind[e] === SEND) {
				sent += recipients[i][k++] ?? 0;
				sends++;
			} else if (kind[e] === RECEIVE) {
				received++;
			}
		}
		if (k !== recipients[i].length) throw new Error(`column messages of machine ${i}: ${recipients[i].length} values for ${k} sends`);
	}
	run.sendsBefore[run.total] = sends;
	run.messagesBefore[run.total] = sent;
	run.receivesBefore[run.total] = received;
	run.messages = newMessages(sent);
	run.receipts = newReceipts(received);

	const place = new Map(Array.from(run.ids, (id, i) => [id, i]));
	for (let i = 0; i < machines; i++) readSent(run, i, place);
	for (let i = 0; i < machines; i++) readReceived(run, i, place);
	const { messages, receipts } = run;
	for (let m = 0; m < sent; m++) {
		const e = messages.receive[m];
		if (e >= 0) receipts.message[run.receivesBefore[e]] = m;
	}
}

/** @param {RunData} run @param {number} machine @param {Map<number, number>} place */
function readSent(run, machine, place) {
	const { messages, messagesBefore, offset } = run;
	const from = messagesBefore[offset[machine]];
	const count = messagesBefore[offset[machine + 1]] - from;
	const to = run.section("to", machine, false);
	const seq = run.section("seq", machine);
	const arrives = run.section("arrives", machine, false);
	if (to.length !== count || seq.length !== count || arrives.length !== count) throw new Error(`messages of machine ${machine}: not ${count} of each`);
	const links = new LinkReader(run, place);
	for (let e = offset[machine], m = from; e < offset[machine + 1]; e++) {
		for (; m < messagesBefore[e + 1]; m++) {
			const link = links.of(to[m - from]);
			messages.send[m] = e;
			messages.to[m] = link.machine;
			messages.toId[m] = to[m - from];
			messages.seq[m] = link.seq += seq[m - from] + 1;
			messages.receive[m] = links.event(link, arrives[m - from]);
		}
	}
}

/** @param {RunData} run @param {number} machine @param {Map<number, number>} place */
function readReceived(run, machine, place) {
	const { receipts, receivesBefore, offset } = run;
	const start = receivesBefore[offset[machine]];
	const count = receivesBefore[offset[machine + 1]] - start;
	const from = run.section("from", machine, false);
	const seq = run.section("rseq", machine);
	const sends = run.section("sends", machine, false);
	const sent = run.section("sent", machine);
	if (from.length !== count || seq.length !== count || sends.length !== count || sent.length !== count) {
		throw new Error(`receives of machine ${machine}: not ${count} of each`);
	}
	const links = new LinkReader(run, place);
	for (let e = offset[machine]; e < offset[machine + 1]; e++) {
		if (run.kind[e] !== RECEIVE) continue;
		const r = receivesBefore[e];
		const link = links.of(from[r - start]);
		const send = links.event(link, sends[r - start]);
		receipts.event[r] = e;
		receipts.from[r] = link.machine;
		receipts.fromId[r] = from[r - start];
		receipts.seq[r] = link.seq += seq[r - start] + 1;
		receipts.send[r] = send;
		const expected = send >= 0 ? run.clock[send] : e > offset[machine] ? run.clock[e - 1] : 0;
		receipts.sent[r] = expected + sent[r - start];
	}
}

/** What the numbers of one machine's links are told relative to. */
class LinkReader {
	/** @param {RunData} run @param {Map<number, number>} place */
	constructor(run, place) {
		this.run = run;
		this.place = place;
		/** @type {Map<number, {machine: number, seq: number, position: number}>} */
		this.links = new Map();
	}

	/** The link with a peer. @param {number} id */
	of(id) {
		let link = this.links.get(id);
		if (!link) {
			const machine = this.place.get(id) ?? -1;
			link = { machine, seq: 0, position: machine >= 0 ? this.run.first[machine] - 1 : -1 };
			this.links.set(id, link);
		}
		return link;
	}

	/**
	 * The event at the other end of a message: 0 for none, else 1 more than the zigzag of how far it is behind the one before.
	 *
	 * @param {{machine: number, position: number}} link @param {number} value
	 */
	event(link, value) {
		if (value === 0 || link.machine < 0) return -1;
		const v = value - 1;
		link.position += v % 2 === 0 ? v / 2 : -(v + 1) / 2;
		const e = eventAt(this.run, link.machine, link.position);
		if (e < 0) throw new Error(`machine ${link.machine} has no event ${link.position}`);
		return e;
	}
}

/** @param {RunData} run @param {number} machine */
function readCheckpoints(run, machine) {
	const n = run.machines;
	const { every } = run.checkpoints;
	const blocks = Math.ceil((run.offset[machine + 1] - run.offset[machine]) / every) || 0;
	const values = run.section("vector", machine, false);
	if (values.length === 0) {
		run.checkpoints.blocks[machine] = 0;
		run.checkpoints.vectors[machine] = new Int32Array(0);
		return;
	}
	if (values.length !== blocks * n) throw new Error(`column vector of machine ${machine}: ${values.length} values for ${blocks} vectors`);
	const vectors = new Int32Array(blocks * n);
	for (let j = 0; j < n; j++) {
		let value = 0;
		for (let c = 0; c < blocks; c++) vectors[c * n + j] = value += values[j * blocks + c];
	}
	run.checkpoints.blocks[machine] = blocks;
	run.checkpoints.vectors[machine] = vectors;
}

/** How far the run reaches. @param {RunData} run */
function measure(run) {
	let { from, to } = run.span;
	let least = Infinity;
	let greatest = 0;
	for (let i = 0; i < run.machines; i++) {
		const a = run.offset[i];
		const z = run.offset[i + 1] - 1;
		if (z < a) continue;
		from = Math.min(from, run.time[a]);
		to = Math.max(to, run.time[z]);
		least = Math.min(least, run.clock[a]);
		// In a broken run a clock may go back.
		for (let e = a; e <= z; e++) if (run.clock[e] > greatest) greatest = run.clock[e];
	}
	if (run.first.some((p) => p > 0)) {
		from = Infinity;
		to = 0;
		for (let i = 0; i < run.machines; i++) {
			if (run.offset[i + 1] === run.offset[i]) continue;
			from = Math.min(from, run.time[run.offset[i]]);
			to = Math.max(to, run.time[run.offset[i + 1] - 1]);
		}
	}
	run.span = { from, to: to > from ? to : from + 1 };
	run.clocks = { from: Number.isFinite(least) ? least - 1 : 0, to: greatest + 1 };
}

/**
 * The number of the event at a position of a machine, −1 if it is not here.
 *
 * @param {RunData} run @param {number} machine @param {number} position
 */
export function eventAt(run, machine, position) {
	const e = run.offset[machine] + position - run.first[machine];
	return e >= run.offset[machine] && e < run.offset[machine + 1] ? e : -1;
}

/**
 * The position of an event on its machine.
 *
 * @param {RunData} run @param {number} e
 */
export function positionOf(run, e) {
	const machine = run.machineOf[e];
	return e - run.offset[machine] + run.first[machine];
}

/**
 * The line of the log, as the machine wrote it.
 *
 * @param {RunData} run @param {number} e
 */
export function logLine(run, e) {
	const kind = run.kind[e];
	let fields = `step=${decimal(run.step[e])} clock=${decimal(run.clock[e])} queue=${decimal(run.queue[e])}`;
	if (kind === SEND) {
		const to = [];
		for (let m = run.messagesBefore[e]; m < run.messagesBefore[e + 1]; m++) {
			to.push(`${run.messages.toId[m]}:${decimal(run.messages.seq[m])}`);
		}
		fields += to.length === 1 ? ` to=${to[0]}` : ` to="${to.join(",")}"`;
	} else if (kind === RECEIVE) {
		const r = run.receivesBefore[e];
		fields += ` from=${run.receipts.fromId[r]} seq=${decimal(run.receipts.seq[r])} sent=${decimal(run.receipts.sent[r])}`;
	}
	return `${timestamp(run.head.startUnixMicro + run.micro[e])} [INFO]  vm-${run.ids[run.machineOf[e]]}: ${KIND_NAMES[kind]}: ${fields}`;
}

/** In full, never as 1e21. @param {number} x */
function decimal(x) {
	return x < 1e21 ? String(x) : BigInt(x).toString();
}

/** The second that was written last: lines that follow each other mostly share it. */
const written = { second: NaN, text: "" };

/**
 * @param {number} unixMicro
 * @returns {string} 2026-11-22T17:13:42.066670Z
 */
export function timestamp(unixMicro) {
	const second = Math.floor(unixMicro / 1e6);
	if (second !== written.second) {
		const date = new Date(second * 1000);
		written.second = second;
		written.text = Number.isNaN(date.getTime()) ? "0000-00-00T00:00:00" : date.toISOString().slice(0, 19);
	}
	return `${written.text}.${String(unixMicro - second * 1e6).padStart(6, "0")}Z`;
}
