import { INTERNAL, KIND_NAMES, logLine, RECEIVE, SEND } from "../run.js";

/**
 * Searching the events. A query is a few words, all of which must hold:
 *
 *     send, receive, internal, kind:send       machine:1 or vm-1       clock:17 clock>100 clock:10-20
 *     step, queue, sent, line likewise         from:1 (receives)       to:2 (sends)
 *     any other word, or "words in quotes"     what the line of the log has in it
 *
 * @typedef {import("../run.js").RunData} RunData
 *
 * @typedef {object} Search
 * @property {number[]} hits events, in ascending order
 * @property {boolean} done
 * @property {() => void} stop
 */

const comparison = /^(clock|step|queue|line|sent|time)(:|=|<=|>=|<|>)(\d+(?:\.\d+)?)(?:(?:-|\.\.)(\d+(?:\.\d+)?))?$/i;

/**
 * @param {RunData} run @param {string} query
 * @returns {((e: number) => boolean) | null} null: an empty query
 */
export function matcherOf(run, query) {
	/** @type {((e: number) => boolean)[]} */
	const tests = [];
	for (const [, quoted, word] of query.matchAll(/"([^"]*)"?|(\S+)/g)) {
		tests.push(word === undefined ? contains(run, quoted) : wordTest(run, word));
	}
	if (tests.length === 0) return null;
	return (e) => tests.every((test) => test(e));
}

/** @param {RunData} run @param {string} word @returns {(e: number) => boolean} */
function wordTest(run, word) {
	const lower = word.toLowerCase();
	const kind = KIND_NAMES.indexOf(lower.replace(/^kind[:=]/, ""));
	if (kind >= INTERNAL) return (e) => run.kind[e] === kind;
	const machine = /^(?:machine[:=]|vm-)(\d+):?$/.exec(lower);
	if (machine) return (e) => run.ids[run.machineOf[e]] === Number(machine[1]);
	const peer = /^(from|to)[:=](\d+)$/.exec(lower);
	if (peer?.[1] === "from") return (e) => run.kind[e] === RECEIVE && run.receipts.fromId[run.receivesBefore[e]] === Number(peer[2]);
	if (peer) {
		return (e) => {
			if (run.kind[e] !== SEND) return false;
			for (let m = run.messagesBefore[e]; m < run.messagesBefore[e + 1]; m++) if (run.messages.toId[m] === Number(peer[2])) return true;
			return false;
		};
	}
	const compared = comparison.exec(word);
	if (compared) return comparisonTest(run, compared);
	return contains(run, word);
}

/** @param {RunData} run @param {RegExpExecArray} match @returns {(e: number) => boolean} */
function comparisonTest(run, [, name, sign, text, upTo]) {
	const value = Number(text);
	/** @type {Record<string, (e: number) => number>} */
	const fields = {
		clock: (e) => run.clock[e],
		step: (e) => run.step[e],
		queue: (e) => run.queue[e],
		line: (e) => run.line[e],
		time: (e) => run.micro[e] / 1e6,
		sent: (e) => (run.kind[e] === RECEIVE ? run.receipts.sent[run.receivesBefore[e]] : NaN),
	};
	const field = fields[name.toLowerCase()];
	if (upTo !== undefined) return (e) => field(e) >= value && field(e) <= Number(upTo);
	if (sign === "<") return (e) => field(e) < value;
	if (sign === ">") return (e) => field(e) > value;
	if (sign === "<=") return (e) => field(e) <= value;
	if (sign === ">=") return (e) => field(e) >= value;
	return (e) => field(e) === value;
}

/** @param {RunData} run @param {string} text @returns {(e: number) => boolean} */
function contains(run, text) {
	// All of a line is in small letters, but for its level and the letters of its time.
	const wanted = [...new Set([text.toLowerCase(), text.toUpperCase(), text])];
	return (e) => {
		const line = logLine(run, e);
		return wanted.some((w) => line.includes(w));
	};
}

/**
 * Searches in slices of a few milliseconds, so that the page stays quick.
 *
 * @param {RunData} run @param {string} query @param {(search: Search) => void} progress called after each slice
 * @param {(slice: () => void) => void} [later]
 * @returns {Search}
 */
export function startSearch(run, query, progress, later = (slice) => void setTimeout(slice, 0)) {
	const matches = matcherOf(run, query);
	/** @type {Search} */
	const search = { hits: [], done: matches === null, stop: () => { search.done = true; stopped = true; } };
	let stopped = false;
	let next = 0;
	const slice = () => {
		if (stopped || !matches) return;
		const end = performance.now() + 8;
		while (next < run.total && performance.now() < end) {
			for (const stop = Math.min(next + 500, run.total); next < stop; next++) if (matches(next)) search.hits.push(next);
		}
		search.done = next === run.total;
		progress(search);
		if (!search.done) later(slice);
	};
	if (matches) later(slice);
	return search;
}

/**
 * The hit next to an event, in the order of the axis and, among equals, of the machines. Behind the last comes the first.
 *
 * @param {RunData} run @param {Float64Array} values of the axis @param {number[]} hits in ascending order @param {number} from event; −1: none
 * @param {1 | -1} step @param {(machine: number) => boolean} shown
 * @returns {number} −1: there is none
 */
export function nextHit(run, values, hits, from, step, shown) {
	/** @param {number} a @param {number} b */
	const order = (a, b) => (values[a] - values[b] || run.machineOf[a] - run.machineOf[b] || a - b) * step;
	let next = -1;
	let first = -1;
	for (let i = 0; i < run.machines; i++) {
		if (!shown(i)) continue;
		const low = firstHit(hits, 0, hits.length, (e) => e >= run.offset[i]);
		const high = firstHit(hits, low, hits.length, (e) => e >= run.offset[i + 1]);
		if (low === high) continue;
		const outer = hits[step > 0 ? low : high - 1];
		if (first < 0 || order(outer, first) < 0) first = outer;
		if (from < 0) continue;
		const k = step > 0 ? firstHit(hits, low, high, (e) => order(e, from) > 0) : firstHit(hits, low, high, (e) => order(e, from) <= 0) - 1;
		if (k >= low && k < high && (next < 0 || order(hits[k], next) < 0)) next = hits[k];
	}
	return next >= 0 ? next : first;
}

/**
 * The first place of a part of a list for which something holds that holds for all behind it.
 *
 * @param {ArrayLike<number>} list @param {number} low @param {number} high @param {(e: number) => boolean} holds
 */
export function firstHit(list, low, high, holds) {
	while (low < high) {
		const middle = (low + high) >> 1;
		if (holds(list[middle])) high = middle;
		else low = middle + 1;
	}
	return low;
}
