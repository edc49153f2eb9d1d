import { formatCount } from "../format.js";
import { firstAbove, niceTicks } from "./scale.js";
import { litParts } from "./shade.js";

/**
 * What is drawn around the events: the axis, where machines have a log, faults, records, folds and cones.
 *
 * @param {object} input
 * @param {import("../run.js").RunData} input.run
 * @param {import("./axis.js").Axis} input.axis
 * @param {import("./scale.js").Scale} input.scale
 * @param {import("./scene.js").Scene} input.scene
 * @param {import("./rows.js").Rows} input.rows
 * @param {import("./draw.js").Layout} input.layout
 * @param {number} input.scroll
 * @param {import("./theme.js").Palette} input.palette
 * @param {import("./scene.js").Shading | null | undefined} input.shading
 * @param {(e: number) => number} input.place
 * @returns {import("./draw.js").Frame}
 */
export function frameOf({ run, axis, scale, scene, rows, layout, scroll, palette, shading, place }) {
	/** @type {import("./draw.js").Frame} */
	const frame = {
		run, scene, palette, layout, scroll, rowsHeight: rows.height, ticks: ticksOf(axis, scale), axisTitle: axis.name === "time" ? "time" : "clock", lines: [], spans: [], records: [], folds: [], bands: [],
	};
	const [left, right] = [layout.left, layout.left + layout.plotWidth];
	const within = (/** @type {number} */ x, /** @type {number} */ end) => end >= left && x <= right;
	scene.rows.forEach((row, k) => {
		const { records } = run.head.machines[row.machine];
		const ends = [run.offset[row.machine], run.offset[row.machine + 1] - 1];
		let x = ends[1] >= ends[0] ? place(ends[0]) : right;
		let end = ends[1] >= ends[0] ? place(ends[1]) : left;
		for (const record of records ?? []) {
			const at = scale.toPixel(valueAt(run, axis, row.machine, record.t, record.after));
			if (record.kind === "start") x = Math.min(x, at);
			if (record.kind === "stop") end = Math.max(end, at);
			if (within(at, at)) frame.records.push({ row: k, x: at, record });
		}
		if (end > x && within(x, end)) frame.lines.push({ row: k, x: Math.max(x, left), end: Math.min(end, right) });
		if (!shading) return;
		for (const part of litParts(run, shading, row.machine)) {
			const from = part.side === "past" ? left : place(part.from) - scene.radius;
			const to = part.side === "future" ? right : place(part.to) + scene.radius;
			if (within(from, to)) frame.bands.push({ row: k, x: Math.max(from, left), end: Math.min(to, right), side: part.side });
		}
	});
	const rowOf = new Map(scene.rows.map((row, k) => [row.machine, k]));
	for (const span of run.head.spans ?? []) {
		for (const machine of span.machines) {
			const row = rowOf.get(machine);
			if (row === undefined) continue;
			const x = scale.toPixel(valueAt(run, axis, machine, span.from));
			const end = scale.toPixel(valueAt(run, axis, machine, span.to));
			if (within(x, end)) frame.spans.push({ row, x: Math.max(x, left - 2), end: Math.min(Math.max(end, x), right + 2), span });
		}
	}
	if (scale.folds) {
		const { start, end } = scale.folds;
		for (let k = firstAbove(end, scale.from, 0, end.length); k < start.length && start[k] < scale.to; k++) frame.folds.push({ x: scale.toPixel(start[k]), end: scale.toPixel(end[k]) });
	}
	return frame;
}

/**
 * Where something lies that is no event: between the events around it.
 *
 * @param {import("../run.js").RunData} run @param {import("./axis.js").Axis} axis @param {number} machine @param {number} t µs
 * @param {number} [after] position of the event before it, where it is known
 */
function valueAt(run, axis, machine, t, after) {
	if (axis.name === "time") return t;
	const [from, to] = [run.offset[machine], run.offset[machine + 1]];
	const next = after === undefined ? firstAbove(run.time, t, from, to) : Math.max(from, Math.min(to, from + after + 1 - run.first[machine]));
	if (from === to) return axis.from;
	if (next === from) return axis.values[from] - 0.5;
	if (next === to) return axis.values[to - 1] + 0.5;
	return (axis.values[next - 1] + axis.values[next]) / 2;
}

const pixelsPerTick = 105;

/** @param {import("./axis.js").Axis} axis @param {import("./scale.js").Scale} scale */
function ticksOf(axis, scale) {
	const about = scale.width / (scale.width < 500 ? pixelsPerTick * 0.65 : pixelsPerTick);
	if (axis.name === "clock") {
		const { values } = niceTicks(scale.from, scale.to, about, true);
		return spread(values.map((v) => ({ x: scale.toPixel(v), label: formatCount(v) })));
	}
	const { step, values } = niceTicks(scale.from, scale.to, about, false);
	return spread(values.map((v) => ({ x: scale.toPixel(v), label: timeLabel(v, step) })));
}

/** Where stretches are folded, ticks come close. @param {{x: number, label: string}[]} ticks */
function spread(ticks) {
	let free = -Infinity;
	return ticks.filter(({ x }) => {
		if (x < free) return false;
		free = x + pixelsPerTick * 0.45;
		return true;
	});
}

/** @param {number} micro @param {number} step */
export function timeLabel(micro, step) {
	const digits = Math.max(0, Math.min(6, Math.ceil(-Math.log10(step / 1e6) - 1e-9)));
	const seconds = micro / 1e6;
	if (Math.abs(seconds) >= 120 && step >= 1e6) {
		const whole = Math.round(Math.abs(seconds));
		const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
		const pad = (/** @type {number} */ n) => String(n).padStart(2, "0");
		return `${seconds < 0 ? "−" : ""}${hours > 0 ? `${hours}:${pad(minutes)}` : minutes}:${pad(rest)}`;
	}
	return `${seconds.toFixed(digits).replace("-", "−")}\u2009s`;
}
