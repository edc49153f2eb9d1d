import { positionOf } from "../run.js";
import { BETWEEN, CHOSEN, CONCURRENT, FUTURE, PAST } from "./scene.js";

/**
 * What is lit when events are chosen. One: its past and its future. Two, of which one happened before the other: the events
 * through which it could influence the other. Two concurrent ones: what happened before both, and what after both.
 *
 * @param {import("../run.js").RunData} run @param {import("../causal.js").Causal} causal @param {number[]} chosen
 * @returns {import("./scene.js").Shading | null}
 */
export function shadingOf(run, causal, chosen) {
	if (chosen.length === 0) return null;
	const [a, b] = chosen;
	if (chosen.length === 1) {
		const low = causal.past(a);
		const high = causal.future(a);
		const own = run.machineOf[a];
		low[own] = positionOf(run, a);
		high[own] = positionOf(run, a) + 1;
		return { low, high, states: [PAST, CONCURRENT, FUTURE] };
	}
	const pasts = [causal.past(a), causal.past(b)];
	const futures = [causal.future(a), causal.future(b)];
	const earlier = causal.before(a, b) ? 0 : causal.before(b, a) ? 1 : -1;
	if (earlier >= 0) {
		const low = futures[earlier];
		const high = pasts[1 - earlier].map((end, i) => Math.max(end, low[i]));
		return { low, high, states: [CONCURRENT, BETWEEN, CONCURRENT] };
	}
	return {
		low: pasts[0].map((end, i) => Math.min(end, pasts[1][i])),
		high: futures[0].map((start, i) => Math.max(start, futures[1][i])),
		states: [PAST, CONCURRENT, FUTURE],
	};
}

/**
 * The part of each machine's line that a state takes, from one event to another.
 *
 * @param {import("../run.js").RunData} run @param {import("./scene.js").Shading} shading @param {number} machine
 * @returns {{side: "past" | "future" | "between", from: number, to: number}[]} events; to is the last one
 */
export function litParts(run, shading, machine) {
	const first = run.first[machine];
	const offset = run.offset[machine] - first;
	const end = run.offset[machine + 1];
	const low = Math.max(shading.low[machine], first) + offset;
	const high = Math.max(shading.high[machine], first) + offset;
	/** @type {{side: "past" | "future" | "between", from: number, to: number}[]} */
	const parts = [];
	const add = (/** @type {number} */ state, /** @type {number} */ from, /** @type {number} */ to) => {
		if (to <= from || state === CONCURRENT || state === CHOSEN) return;
		parts.push({ side: state === PAST ? "past" : state === FUTURE ? "future" : "between", from, to: to - 1 });
	};
	add(shading.states[0], run.offset[machine], Math.min(low, end));
	add(shading.states[1], low, Math.min(high, end));
	add(shading.states[2], high, end);
	return parts;
}
