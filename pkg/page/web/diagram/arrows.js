/**
 * Which messages are under way in a part of the axis, and of too many, which to draw: every 2ᵏ-th, always the same ones, so
 * that the picture only grows finer as one comes nearer.
 *
 * @typedef {object} ArrowIndex
 * @property {(from: number, to: number, budget: number, through: boolean, shown: (message: number) => boolean) => {messages: number[], sparse: number}} query
 *   messages that are sent or received in from … to, or only those that pass through it, sent before and received
 *   after it: at most so many, and of how many each is one
 */

const fanOut = 64;
const finest = 14; // levels, each with half of the messages of the one before

/** Ordered by their sends, and in a tree over that order the latest receive of each branch. */
class ArrowLevel {
	/** @param {Int32Array} messages @param {Float64Array} starts @param {Float64Array} ends */
	constructor(messages, starts, ends) {
		this.messages = messages;
		this.starts = starts;
		/** @type {Float64Array[]} */
		this.latest = [ends];
		for (let below = ends; below.length > fanOut; below = this.latest[this.latest.length - 1]) {
			const above = new Float64Array(Math.ceil(below.length / fanOut)).fill(-Infinity);
			for (let k = 0; k < below.length; k++) {
				const p = Math.floor(k / fanOut);
				if (below[k] > above[p]) above[p] = below[k];
			}
			this.latest.push(above);
		}
	}

	/**
	 * Calls back for each message that is sent by `to` and received at `from` or later, until it says false.
	 *
	 * @param {number} from @param {number} to @param {(message: number) => boolean} visit
	 */
	each(from, to, visit) {
		let end = 0;
		for (let high = this.starts.length; end < high; ) {
			const middle = (end + high) >>> 1;
			if (this.starts[middle] > to) high = middle;
			else end = middle + 1;
		}
		/** @param {number} depth @param {number} low @param {number} high @returns {boolean} */
		const walk = (depth, low, high) => {
			const latest = this.latest[depth];
			const below = fanOut ** depth;
			for (let k = low; k < high && k * below < end; k++) {
				if (latest[k] < from) continue;
				if (depth === 0) {
					if (!visit(this.messages[k])) return false;
				} else if (!walk(depth - 1, k * fanOut, Math.min((k + 1) * fanOut, this.latest[depth - 1].length))) {
					return false;
				}
			}
			return true;
		};
		const top = this.latest.length - 1;
		walk(top, 0, this.latest[top].length);
	}
}

/**
 * @param {import("../run.js").RunData} run @param {Float64Array} values
 * @returns {ArrowIndex}
 */
export function createArrowIndex(run, values) {
	const { messages } = run;
	/** @type {ArrowLevel[]} */
	const levels = [];
	const build = () => {
		let order = inOrderOfSends(run, values);
		for (let level = 0; level < finest && (level === 0 || order.length > 256); level++) {
			const starts = Float64Array.from(order, (m) => values[messages.send[m]]);
			// In a broken run a message may arrive before it is sent.
			const ends = Float64Array.from(order, (m, k) => Math.max(values[messages.receive[m]], starts[k]));
			levels.push(new ArrowLevel(order, starts, ends));
			// By the message's own number, so that which ones stay does not depend on the axis.
			order = order.filter((m) => scattered(m) % 2 ** (level + 1) === 0);
		}
	};
	const last = { through: finest, ends: finest };
	return {
		query(from, to, budget, through, shown) {
			if (levels.length === 0) build();
			const { send, receive } = messages;
			/** @param {number} k */
			const at = (k) => {
				/** @type {number[]} */
				const found = [];
				levels[k].each(from, to, (m) => {
					if ((values[send[m]] < from && values[receive[m]] > to) === through && shown(m)) found.push(m);
					return found.length <= budget;
				});
				return found;
			};
			// Near the level of the last frame: finer while there is room, coarser while there is not.
			let level = Math.min(last[through ? "through" : "ends"], levels.length - 1);
			let found = at(level);
			while (found.length > budget && level < levels.length - 1) found = at(++level);
			while (found.length <= budget / 2 && level > 0) {
				const finer = at(level - 1);
				if (finer.length > budget) break;
				found = finer;
				level--;
			}
			last[through ? "through" : "ends"] = level;
			return { messages: found.slice(0, budget), sparse: 2 ** level };
		},
	};
}

/** A number's bits, mixed, so that every so many-th is not always of one machine. @param {number} m */
function scattered(m) {
	let z = Math.imul(m ^ (m >>> 16), 0x45d9f3b);
	z = Math.imul(z ^ (z >>> 16), 0x45d9f3b);
	return (z ^ (z >>> 16)) >>> 0;
}

/**
 * The messages whose receive is known. Those of a machine are in order already; the machines' are merged pairwise.
 *
 * @param {import("../run.js").RunData} run @param {Float64Array} values
 */
function inOrderOfSends(run, values) {
	const { messages, messagesBefore, offset } = run;
	/** @type {Int32Array[]} */
	let lists = [];
	for (let i = 0; i < run.machines; i++) {
		const list = [];
		for (let m = messagesBefore[offset[i]]; m < messagesBefore[offset[i + 1]]; m++) if (messages.receive[m] >= 0) list.push(m);
		lists.push(Int32Array.from(list));
	}
	while (lists.length > 1) {
		const merged = [];
		for (let k = 0; k < lists.length; k += 2) {
			const a = lists[k];
			const b = lists[k + 1] ?? new Int32Array(0);
			const out = new Int32Array(a.length + b.length);
			for (let x = 0, y = 0, z = 0; z < out.length; z++) {
				const left = x < a.length && (y === b.length || values[messages.send[a[x]]] <= values[messages.send[b[y]]]);
				out[z] = left ? a[x++] : b[y++];
			}
			merged.push(out);
		}
		lists = merged;
	}
	return lists[0] ?? new Int32Array(0);
}
