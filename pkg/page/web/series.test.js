import assert from "node:assert/strict";
import test from "node:test";
import { alignLines, instantsOnLine, placeInLine, readLines, valueOnLine } from "./series.js";

/** @typedef {import("./series.js").Line} Line */

/**
 * @param {number} t0
 * @param {number} dt
 * @param {number[]} low
 * @param {number[]} [high]
 * @returns {Line}
 */
const line = (t0, dt, low, high = low) => ({ machine: 0, t0, dt, low: Float64Array.from(low), high: Float64Array.from(high) });

test("series are differences, in units of their scale", () => {
	const sections = new Map([["low", [3, 0, -1]], ["high", [4, 1, 0]]]);
	const run = /** @type {import("./run.js").RunData} */ (/** @type {unknown} */ ({
		head: { series: [
			{ name: "clock", machine: 1, unit: "ticks", t0: 5, dt: 10, sections: ["low", "high"], scale: 0.5 },
			{ name: "clock", machine: 2, unit: "ticks", t0: 5, dt: 10, sections: ["none", "none"], scale: 1 },
			{ name: "other", machine: 1, unit: "", t0: 0, dt: 1, sections: ["low", "low"], scale: 1 },
		] },
		section: (/** @type {string} */ name) => Float64Array.from(sections.get(name) ?? []),
	}));
	assert.deepEqual(readLines(run, "clock"), [{ machine: 1, t0: 5, dt: 10, low: Float64Array.of(1.5, 1.5, 1), high: Float64Array.of(2, 2.5, 2.5) }]);
});

test("an instant has a place, also before the first and after the last", () => {
	const l = line(100, 10, [1, 2, 3]);
	assert.deepEqual([0, 100, 109, 110, 129, 1e9].map((t) => placeInLine(l, t)), [0, 0, 0, 1, 2, 2]);
});

test("a step up and a step down are drawn from the side they come from", () => {
	const { x, values } = alignLines([line(0, 1e6, [0, 0, 5, 1], [0, 5, 5, 5])]);
	assert.deepEqual([...x].map((t) => Math.round(t * 10) / 10), [0, 1, 1, 2, 2, 3, 3, 4]);
	assert.deepEqual([...values[0]], [0, 0, 0, 5, 5, 5, 5, 1]);
});

test("lines of different grids are laid on the finest one; a line has no value where it has none", () => {
	const { values } = alignLines([line(0, 1e6, [1, 2, 3, 4]), line(2e6, 2e6, [7])]);
	assert.deepEqual([...values[1]], [null, null, null, null, 7, 7, 7, 7]);
	assert.deepEqual(alignLines([]).values, []);
});

test("a straight line is between its points", () => {
	const l = line(0, 100, [0, 50]);
	assert.deepEqual([-5, 0, 50, 100, 200].map((t) => valueOnLine(l, t)), [0, 0, 25, 50, 50]);
	assert.equal(valueOnLine(line(0, 1, [3]), 9), 3);
	assert.deepEqual(instantsOnLine(l, 30, 60), [30, 60]);
	assert.deepEqual(instantsOnLine(line(0, 10, [1, 2, 3, 4]), 5, 30), [5, 10, 20, 30]);
	assert.deepEqual(instantsOnLine(line(0, 10, [1, 2]), 50, 60), [50, 60]);
});
