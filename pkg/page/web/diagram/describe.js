import { coneCounts } from "../causal.js";
import { formatCount, formatDuration, formatPlural } from "../format.js";
import { logLine, positionOf, RECEIVE, SEND } from "../run.js";

/**
 * What is seen, in words: for the card, the panel and for those who listen.
 *
 * @typedef {import("../run.js").RunData} RunData
 */

/** @param {RunData} run @param {number} e */
export function machineName(run, e) {
	return `vm-${run.ids[run.machineOf[e]]}`;
}

/** "vm-0 step 17". @param {RunData} run @param {number} e */
export function eventName(run, e) {
	return `${machineName(run, e)} step ${formatCount(run.step[e])}`;
}

/** A time of the run, to the microsecond. @param {number} micro */
export function formatInstant(micro) {
	const sign = micro < 0 ? "−" : "";
	const size = Math.abs(micro);
	const digits = (size / 1e6).toFixed(6).replace(/0{1,3}$/, "");
	return `${sign}${digits}\u2009s`;
}

/** What an event does. @param {RunData} run @param {number} e */
export function deed(run, e) {
	if (run.kind[e] === SEND) {
		const to = [];
		for (let m = run.messagesBefore[e]; m < run.messagesBefore[e + 1]; m++) to.push(`vm-${run.messages.toId[m]}`);
		return `sends to ${to.join(" and ")}`;
	}
	if (run.kind[e] === RECEIVE) {
		const r = run.receivesBefore[e];
		return `receives from vm-${run.receipts.fromId[r]}, stamped ${formatCount(run.receipts.sent[r])}`;
	}
	return "internal";
}

/**
 * An event in one sentence, as it is read out.
 *
 * @param {RunData} run @param {number} e
 */
export function eventSentence(run, e) {
	const machine = run.machineOf[e];
	const count = run.offset[machine + 1] - run.offset[machine];
	return `${machineName(run, e)}, event ${formatCount(e - run.offset[machine] + 1)} of ${formatCount(count)}: ${deed(run, e)}. ` +
		`Clock ${formatCount(run.clock[e])}, queue ${formatCount(run.queue[e])}, at ${formatInstant(run.micro[e])}.`;
}

/** @param {RunData} run @param {number} e @param {number} chosen @param {import("../causal.js").Causal} causal */
export function relationWords(run, e, chosen, causal) {
	if (e === chosen) return "the chosen event";
	if (causal.before(e, chosen)) return "happened before the chosen event";
	if (causal.before(chosen, e)) return "happened after the chosen event";
	return "concurrent with the chosen event";
}

/** How large the cones of an event are, in words. @param {RunData} run @param {import("../causal.js").Causal} causal @param {number} e */
export function countsOf(run, causal, e) {
	const { past, future, concurrent } = coneCounts(run, causal.past(e), causal.future(e));
	return `${formatCount(past)} happened before it, ${formatCount(future)} after it, ${formatCount(concurrent)} ${concurrent === 1 ? "is" : "are"} concurrent with it.`;
}

/**
 * How two events stand to each other, and what each clock says of it.
 *
 * @typedef {object} Relation
 * @property {"before" | "after" | "concurrent"} order of the first to the second
 * @property {string} headline
 * @property {number[]} chain messages that lead from the earlier to the later one
 * @property {{clock: string, reading: string, says: string}[]} clocks
 *
 * @param {RunData} run @param {number} a @param {number} b @param {import("../causal.js").Causal} causal
 * @returns {Relation}
 */
export function relationOf(run, a, b, causal) {
	const order = causal.before(a, b) ? "before" : causal.before(b, a) ? "after" : "concurrent";
	const chain = (order === "before" ? causal.chain(a, b) : order === "after" ? causal.chain(b, a) : null) ?? [];
	const [first, second] = order === "after" ? ["B", "A"] : ["A", "B"];
	const by = run.machineOf[a] === run.machineOf[b] ? "on the same machine" : `by a chain of ${formatPlural(chain.length, "message")}`;
	const headline = order === "concurrent" ? "A and B are concurrent: neither can have influenced the other" : `${first} happened before ${second}, ${by}`;
	return { order, headline, chain, clocks: [lamportReading(run, a, b), vectorReading(run, a, b, causal), wallReading(run, a, b)] };
}

/** @param {RunData} run @param {number} a @param {number} b */
function lamportReading(run, a, b) {
	const [x, y] = [run.clock[a], run.clock[b]];
	const reading = `C(A) = ${formatCount(x)} ${x < y ? "<" : x > y ? ">" : "="} C(B) = ${formatCount(y)}`;
	const same = run.machineOf[a] === run.machineOf[b];
	if (x === y) return { clock: "Lamport", reading, says: "Equal stamps of two machines: concurrent." };
	const [low, high] = x < y ? ["A", "B"] : ["B", "A"];
	const says = same ? `${low} came first: stamps of one machine ascend.` : `${high} did not happen before ${low}. Whether ${low} happened before ${high}, the stamps do not tell.`;
	return { clock: "Lamport", reading, says };
}

/** @param {RunData} run @param {number} a @param {number} b @param {import("../causal.js").Causal} causal */
function vectorReading(run, a, b, causal) {
	const [i, j] = [run.machineOf[a], run.machineOf[b]];
	const [va, vb] = [causal.past(a), causal.past(b)];
	const name = (/** @type {number} */ k) => `vm-${run.ids[k]}`;
	if (i === j) {
		const [low, high] = va[i] < vb[i] ? ["A", "B"] : ["B", "A"];
		return { clock: "Vector", reading: `V(A)[${name(i)}] = ${formatCount(va[i])}, V(B)[${name(i)}] = ${formatCount(vb[i])}`, says: `${low} happened before ${high}.` };
	}
	const reading = `V(A) has ${formatCount(va[i])} of ${name(i)} and ${formatCount(va[j])} of ${name(j)}; V(B) has ${formatCount(vb[i])} and ${formatCount(vb[j])}`;
	const ab = vb[i] >= va[i];
	const ba = va[j] >= vb[j];
	const says = ab ? `B knows of A: A happened before B.` : ba ? `A knows of B: B happened before A.` : "Neither knows of the other: concurrent.";
	return { clock: "Vector", reading, says };
}

/** @param {RunData} run @param {number} a @param {number} b */
function wallReading(run, a, b) {
	const difference = run.micro[b] - run.micro[a];
	const reading = `${formatInstant(run.micro[a])} and ${formatInstant(run.micro[b])}`;
	const which = difference === 0 ? "At the same microsecond" : `${difference > 0 ? "A" : "B"} was ${formatDuration(Math.abs(difference))} earlier`;
	const caveat = run.head.virtual ? "in virtual time, which no machine can read." : "by the clocks of their hosts, which machines of different hosts do not share.";
	return { clock: "Wall clock", reading, says: `${which}, ${caveat}` };
}

/**
 * The times of a message. The log does not say when it joined the queue, but the lengths of the queue do: behind an event the
 * message was waiting if and only if at least as many messages were waiting as were then still to be received up to it.
 *
 * @param {RunData} run @param {number} m
 * @returns {{sent: number, received: number | null, between: [number, number] | null}} µs; between which it joined the queue
 */
export function messageTimes(run, m) {
	const send = run.messages.send[m];
	const receive = run.messages.receive[m];
	const sent = run.micro[send];
	if (receive < 0) return { sent, received: null, between: null };
	const received = run.micro[receive];
	const first = run.offset[run.machineOf[receive]];
	let e = receive - 1;
	for (let waiting = 1; e >= first && run.queue[e] >= waiting; e--) {
		if (run.kind[e] === RECEIVE) waiting++;
	}
	const earliest = Math.max(sent, e >= first ? run.micro[e] : sent);
	const latest = Math.max(earliest, run.micro[e + 1]);
	return { sent, received, between: [earliest, Math.min(latest, received)] };
}

/** A span of durations. @param {number} a @param {number} b */
function durations(a, b) {
	if (a === b) return formatDuration(a);
	return a <= 0 ? `at most ${formatDuration(b)}` : `${formatDuration(a)} to ${formatDuration(b)}`;
}

/**
 * A message: label and value.
 *
 * @param {RunData} run @param {number} m
 * @returns {[string, string][]}
 */
export function messageFacts(run, m) {
	const send = run.messages.send[m];
	const receive = run.messages.receive[m];
	const { sent, received, between } = messageTimes(run, m);
	/** @type {[string, string][]} */
	const facts = [["Send", logLine(run, send)]];
	if (receive < 0 || received === null || !between) {
		const known = run.messages.to[m] >= 0;
		facts.push(["Receive", known ? "none in this page: it was still under way, or waiting, at the end" : `in the log of vm-${run.messages.toId[m]}, which is not here`]);
		return facts;
	}
	facts.push(["Receive", logLine(run, receive)]);
	facts.push(["From send to receive", formatDuration(received - sent)]);
	facts.push(["Time under way", durations(between[0] - sent, between[1] - sent)]);
	facts.push(["Time in the queue", durations(received - between[1], received - between[0])]);
	const own = receive > run.offset[run.machineOf[receive]] ? run.clock[receive - 1] : 0;
	const jump = run.clock[receive] - own;
	facts.push(["Clock", `stamp ${formatCount(run.clock[send])}; the receiver goes from ${formatCount(own)} to ${formatCount(run.clock[receive])}${jump > 1 ? `, a jump of ${formatCount(jump)}` : ""}`]);
	return facts;
}

/** "message 3 from vm-0 to vm-1". @param {RunData} run @param {number} m */
export function messageName(run, m) {
	return `message ${formatCount(run.messages.seq[m])} from ${machineName(run, run.messages.send[m])} to vm-${run.messages.toId[m]}`;
}

/** @param {import("../causal.js").CutReport} report */
export function cutSentence(report) {
	const flying = report.inFlight === 0 ? "No message is in flight across it." : `${formatPlural(report.inFlight, "message")} ${report.inFlight === 1 ? "is" : "are"} in flight across it.`;
	if (report.consistent) return `The cut is consistent. ${flying}`;
	return `The cut is not consistent: ${formatPlural(report.violations, "message")} ${report.violations === 1 ? "is" : "are"} received in it but sent behind it. ${flying}`;
}

/** The event as it is told to others. @param {RunData} run @param {number} e @param {number} runIndex */
export function placeOfEvent(run, e, runIndex) {
	return { run: runIndex, machine: run.machineOf[e], position: positionOf(run, e) };
}
