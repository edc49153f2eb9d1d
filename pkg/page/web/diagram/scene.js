import { RECEIVE, SEND } from "../run.js";
import { bucketsTogether } from "./density.js";
import { barRoom } from "./rows.js";
import { firstAbove, firstAtLeast } from "./scale.js";
import { manyMachines } from "./theme.js";

/**
 * What is to be seen, as figures: the screen, SVG and TikZ are drawn from the same scene. Of each machine the events
 * are shown in the finest of three ways that there is room for: *marks*, one with a shape of its own per event; *ticks*, a line
 * per event; *bars*, how many of each kind there are in a bucket of the axis.
 *
 * @typedef {object} Shading which events are lit: by machine those at positions below `low`, from `low` on, from `high` on
 * @property {ArrayLike<number>} low
 * @property {ArrayLike<number>} high
 * @property {[number, number, number]} states of these three
 *
 * @typedef {object} Scene
 * @property {import("./rows.js").Row[]} rows those in sight
 * @property {Growing} bars
 * @property {Growing} marks
 * @property {Growing} arrows
 * @property {Growing} stubs of messages that were sent and not received, where their sends have marks
 * @property {number} sparse of how many messages one is drawn
 * @property {number} radius of a mark
 * @property {number} events in sight
 */

/** How an event is shown: as it is, before, after or beside the chosen one, the chosen one, or between the two chosen ones. */
export const PLAIN = 0;
export const PAST = 1;
export const FUTURE = 2;
export const CONCURRENT = 3;
export const CHOSEN = 4;
export const BETWEEN = 5;

/** Columns of figures that grow as they are filled, and are filled anew for each frame. */
class Growing {
	/** @param {string[]} names of the columns */
	constructor(...names) {
		this.names = names;
		this.count = 0;
		this.width = names.length;
		this.values = new Float64Array(256 * names.length);
	}

	/** @param {...number} row */
	push(...row) {
		const at = this.count * this.width;
		if (at + this.width > this.values.length) {
			const larger = new Float64Array(this.values.length * 2);
			larger.set(this.values);
			this.values = larger;
		}
		for (let k = 0; k < this.width; k++) this.values[at + k] = row[k];
		this.count++;
	}

	/** @param {number} row @param {number} column */
	get(row, column) {
		return this.values[row * this.width + column];
	}
}

/** @returns {Scene} */
export function createScene() {
	return {
		rows: [],
		bars: new Growing("row", "x", "end", "internal", "send", "receive", "state"), // shares of the row's height, stacked
		marks: new Growing("row", "x", "event", "kind", "state"),
		arrows: new Growing("x", "y", "endX", "endY", "message", "state", "through"),
		stubs: new Growing("x", "y", "endX", "endY", "message", "state"),
		sparse: 1,
		radius: 0,
		events: 0,
	};
}

const bestSpacing = 9; // pixels between events, on average, from which on there are marks
const leastSpacing = 2.5; // and ticks
const mostMarks = 2500;
const mostArrows = 450;
const mostOfMany = 220; // arrows among many machines
const mostThrough = 24; // messages that pass through say little here

const fewestInBar = 6;
const stubRise = 15; // pixels
const stubLength = 24;
const tickWidth = 1.6;
const calmHeight = 11; // pixels of a line below which its internal events are its line alone
const tickHeights = [0, 9, 17, 25]; // pixels at most, by kind

/**
 * @param {object} input
 * @param {import("../run.js").RunData} input.run
 * @param {import("./axis.js").Axis} input.axis
 * @param {import("./scale.js").Scale} input.scale
 * @param {import("./rows.js").Rows} input.rows
 * @param {number} input.scroll pixels of the rows above what is in sight
 * @param {number} input.height pixels of what is in sight
 * @param {Shading | null} input.shading
 * @param {Map<number, number>} [input.moved] events that the reader has moved, and to which value
 * @param {((e: number) => number) | null} [input.pixelOf] where an event is, if not where the scale has it
 * @param {Scene} scene to be filled
 * @returns {Scene}
 */
export function buildScene({ run, axis, scale, rows, scroll, height, shading, moved, pixelOf }, scene) {
	const { values } = axis;
	scene.bars.count = scene.marks.count = scene.arrows.count = scene.stubs.count = scene.events = 0;
	scene.rows = rows.list.filter((row) => row.top + row.height >= scroll && row.top <= scroll + height);
	const place = pixelOf ?? ((/** @type {number} */ e) => scale.toPixel(moved?.get(e) ?? values[e]));

	// Moved events may come from beyond the edges; they are few, and near.
	const margin = (scale.to - scale.from) * 0.02;
	const ranges = scene.rows.map(({ machine }) => {
		const from = firstAtLeast(values, scale.from - margin, run.offset[machine], run.offset[machine + 1]);
		const to = firstAbove(values, scale.to + margin, from, run.offset[machine + 1]);
		return [from, to];
	});
	let total = 0;
	let closest = Infinity;
	ranges.forEach(([from, to], k) => {
		scene.events += to - from;
		if (scene.rows[k].folded) return;
		total += to - from;
		if (to > from) closest = Math.min(closest, scale.width / (to - from));
	});
	scene.radius = Math.max(2.2, Math.min(5.5, closest * 0.32));
	scene.rows.forEach((row, k) => {
		const [from, to] = ranges[k];
		const spacing = scale.width / Math.max(to - from, 1);
		scene.radius = Math.min(scene.radius, Math.max(2.2, row.height * 0.36));
		if (!row.folded && total <= mostMarks && spacing >= bestSpacing && row.height >= 7) {
			for (let e = from; e < to; e++) scene.marks.push(k, place(e), e, run.kind[e], stateOf(run, shading, e));
		} else if (spacing >= leastSpacing) {
			for (let e = from; e < to; e++) {
				const x = place(e);
				const kind = run.kind[e];
				if (kind !== SEND && kind !== RECEIVE && row.height < calmHeight) continue;
				const size = row.folded ? 1 : Math.min(tickHeights[kind] / (2 * barRoom(row.height)), kind * 0.3);
				scene.bars.push(k, x - tickWidth / 2, x + tickWidth / 2, kind === SEND || kind === RECEIVE ? 0 : size, kind === SEND ? size : 0,
					kind === RECEIVE ? size : 0, stateOf(run, shading, e));
			}
		} else {
			addBars(run, axis, scale, row, k, shading, scene);
		}
	});
	addArrows(run, axis, scale, rows, scroll, height, shading, place, scene);
	addStubs(run, rows, scroll, scene);
	return scene;
}

/**
 * @param {import("../run.js").RunData} run @param {import("./axis.js").Axis} axis @param {import("./scale.js").Scale} scale
 * @param {import("./rows.js").Row} row @param {number} k @param {Shading | null} shading @param {Scene} scene
 */
function addBars(run, { density }, scale, row, k, shading, scene) {
	const table = density.tables[row.machine];
	const buckets = table.length - 1;
	const each = (density.to - density.from) / buckets;
	const together = bucketsTogether(density, row.machine, 1 / scale.perUnit, fewestInBar);
	const unit = each * together;
	// A little beyond the ends of the axis, to the edges of the plot.
	const margin = (scale.to - scale.from) * 0.02;
	const last = Math.min(buckets, Math.ceil((scale.to + margin - density.from) / unit) * together);
	const per = 1 / (density.peak * unit * 1.15);
	for (let b = Math.max(0, Math.floor((scale.from - margin - density.from) / unit) * together); b < last; b += together) {
		const from = table[b];
		const to = table[b + together];
		if (from === to) continue;
		const sends = run.sendsBefore[to] - run.sendsBefore[from];
		const receives = run.receivesBefore[to] - run.receivesBefore[from];
		// By the root, so that the slowest of some machines is seen beside the fastest.
		const size = row.folded ? 1 : Math.min(1, Math.sqrt((to - from) * per)) * 0.92;
		const share = size / (to - from);
		const x = scale.toPixel(density.from + b * each);
		const end = scale.toPixel(density.from + (b + together) * each);
		const middle = (from + to) >> 1;
		scene.bars.push(k, x, end, (to - from - sends - receives) * share, sends * share, receives * share,
			stateOf(run, shading, middle));
	}
}

/**
 * @param {import("../run.js").RunData} run @param {import("./axis.js").Axis} axis @param {import("./scale.js").Scale} scale
 * @param {import("./rows.js").Rows} rows @param {number} scroll @param {number} height
 * @param {Shading | null} shading @param {(e: number) => number} place @param {Scene} scene
 */
function addArrows(run, { arrows }, scale, rows, scroll, height, shading, place, scene) {
	const { messages, machineOf } = run;
	/** @param {number} m */
	const shown = (m) => {
		const a = rows.of[machineOf[messages.send[m]]];
		const b = rows.of[messages.to[m]];
		if (!a || !b || (a.folded && b.folded)) return false;
		return Math.max(a.y, b.y) >= scroll && Math.min(a.y, b.y) <= scroll + height;
	};
	for (const through of [true, false]) {
		const { messages: found, sparse } = arrows.query(scale.from, scale.to, through ? mostThrough : rows.list.length > manyMachines ? mostOfMany : mostArrows, through, shown);
		if (!through) scene.sparse = sparse;
		for (const m of found) {
			const send = messages.send[m];
			const receive = messages.receive[m];
			const a = /** @type {import("./rows.js").Row} */ (rows.of[machineOf[send]]);
			const b = /** @type {import("./rows.js").Row} */ (rows.of[machineOf[receive]]);
			scene.arrows.push(place(send), a.y - scroll, place(receive), b.y - scroll, m, arrowState(run, shading, send, receive), Number(through));
		}
	}
}

/** @param {import("../run.js").RunData} run @param {import("./rows.js").Rows} rows @param {number} scroll @param {Scene} scene */
function addStubs(run, rows, scroll, scene) {
	const { messages } = run;
	const { marks, stubs } = scene;
	for (let k = 0; k < marks.count; k++) {
		if (marks.get(k, 3) !== SEND) continue;
		const e = marks.get(k, 2);
		for (let m = run.messagesBefore[e]; m < run.messagesBefore[e + 1]; m++) {
			const to = messages.receive[m] < 0 ? rows.of[messages.to[m]] : undefined;
			if (!to) continue;
			const row = scene.rows[marks.get(k, 0)];
			const rise = Math.sign(to.y - row.y) * Math.min(stubRise, Math.abs(to.y - row.y) * 0.6);
			stubs.push(marks.get(k, 1), row.y - scroll, marks.get(k, 1) + stubLength, row.y - scroll + rise, m, marks.get(k, 4));
		}
	}
}

/** @param {import("../run.js").RunData} run @param {Shading | null} shading @param {number} e */
export function stateOf(run, shading, e) {
	if (!shading) return PLAIN;
	const i = run.machineOf[e];
	const position = e - run.offset[i] + run.first[i];
	return shading.states[position < shading.low[i] ? 0 : position < shading.high[i] ? 1 : 2];
}

/**
 * A message belongs to what its ends have in common: to the past if it is received there, to the future if it is sent there.
 *
 * @param {import("../run.js").RunData} run @param {Shading | null} shading @param {number} send @param {number} receive
 */
function arrowState(run, shading, send, receive) {
	if (!shading) return PLAIN;
	const a = stateOf(run, shading, send);
	const b = stateOf(run, shading, receive);
	if (b === PAST) return PAST;
	if (a === FUTURE) return FUTURE;
	return a === b ? a : CONCURRENT;
}
