import { rowAt } from "./rows.js";
import { firstAtLeast } from "./scale.js";

/**
 * What is under a pointer.
 *
 * @typedef {object} Hit
 * @property {number} event −1: none
 * @property {number} message −1: none
 * @property {import("../types.js").Span | null} span
 * @property {import("../types.js").LogRecord | null} record
 */

/**
 * @param {import("./draw.js").Frame} frame
 * @param {import("./axis.js").Axis} axis @param {import("./scale.js").Scale} scale @param {import("./rows.js").Rows} rows
 * @param {ReadonlyMap<number, number>} moved
 * @param {number} x @param {number} y from the top of the plot
 * @param {number} reach pixels
 * @returns {Hit}
 */
export function hitTest({ run, scene, scroll, spans, records }, axis, scale, rows, moved, x, y, reach) {
	/** @type {Hit} */
	const hit = { event: -1, message: -1, span: null, record: null };
	const row = rowAt(rows, y + scroll);
	if (!row) return hit;
	const off = Math.abs(y + scroll - row.y);
	const close = Math.max(Math.min(reach, row.height / 2), 2);
	let nearest = reach;
	if (off <= Math.max(close, Math.min(row.height * 0.3, 14))) {
		for (const e of around(run, axis, row.machine, scale.toValue(x))) {
			const distance = Math.abs(scale.toPixel(moved.get(e) ?? axis.values[e]) - x);
			if (distance <= nearest) {
				nearest = distance;
				hit.event = e;
			}
		}
		for (const [e, value] of moved) {
			if (run.machineOf[e] !== row.machine) continue;
			const distance = Math.abs(scale.toPixel(value) - x);
			if (distance <= nearest) {
				nearest = distance;
				hit.event = e;
			}
		}
	}
	const onMark = hit.event >= 0 && Math.hypot(nearest, off) <= scene.radius * 1.6 + 1;
	if (!onMark) {
		const message = arrowAt(scene, x, y, Math.min(reach, 6));
		if (message >= 0 && (hit.event < 0 || off > 4)) {
			hit.message = message;
			hit.event = -1;
			return hit;
		}
	}
	if (hit.event >= 0 && onMark) return hit;
	for (const drawn of records) if (scene.rows[drawn.row] === row && Math.abs(drawn.x - x) <= 5) hit.record = drawn.record;
	if (hit.record) {
		hit.event = -1;
		return hit;
	}
	for (const drawn of spans) {
		if (scene.rows[drawn.row] === row && x >= drawn.x - 2 && x <= Math.max(drawn.end, drawn.x + 3) + 2) hit.span = drawn.span;
	}
	return hit;
}

/**
 * The events of a machine on both sides of a value.
 *
 * @param {import("../run.js").RunData} run @param {import("./axis.js").Axis} axis @param {number} machine @param {number} value
 */
function around(run, axis, machine, value) {
	const [from, to] = [run.offset[machine], run.offset[machine + 1]];
	const next = firstAtLeast(axis.values, value, from, to);
	const found = [];
	for (let e = Math.max(from, next - 2); e < Math.min(to, next + 2); e++) found.push(e);
	return found;
}

/**
 * The event of a machine nearest to a value; −1: it has none.
 *
 * @param {import("../run.js").RunData} run @param {import("./axis.js").Axis} axis @param {number} machine @param {number} value
 */
export function nearestEvent(run, axis, machine, value) {
	let best = -1;
	for (const e of around(run, axis, machine, value)) {
		if (best < 0 || Math.abs(axis.values[e] - value) < Math.abs(axis.values[best] - value)) best = e;
	}
	return best;
}

/** @param {import("./scene.js").Scene} scene @param {number} x @param {number} y @param {number} reach */
function arrowAt({ arrows, stubs }, x, y, reach) {
	let best = -1;
	let nearest = reach;
	for (const list of [arrows, stubs]) {
		for (let k = 0; k < list.count; k++) {
			const [x1, y1, x2, y2] = [list.get(k, 0), list.get(k, 1), list.get(k, 2), list.get(k, 3)];
			if (x < Math.min(x1, x2) - reach || x > Math.max(x1, x2) + reach || y < Math.min(y1, y2) - reach || y > Math.max(y1, y2) + reach) continue;
			const distance = toSegment(x, y, x1, y1, x2, y2);
			if (distance < nearest) {
				nearest = distance;
				best = list.get(k, 4);
			}
		}
	}
	return best;
}

/**
 * How far a point is from a line between two others.
 *
 * @param {number} x @param {number} y @param {number} x1 @param {number} y1 @param {number} x2 @param {number} y2
 */
export function toSegment(x, y, x1, y1, x2, y2) {
	const length = (x2 - x1) ** 2 + (y2 - y1) ** 2;
	const t = length === 0 ? 0 : Math.max(0, Math.min(1, ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length));
	return Math.hypot(x - x1 - t * (x2 - x1), y - y1 - t * (y2 - y1));
}
